from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mainspring.guards.rewrite.placeholders import MOST_VALUES, PlaceholderReturn, Placeholders

ANA, BOB = "ana@example.org", "bob@example.org"


def test_the_same_value_has_the_same_placeholder_and_comes_back() -> None:
    held = Placeholders()
    text, found = held.hide(f"From {ANA} to {BOB}, copy to {ANA}; card 4111 1111 1111 1111")
    assert text == "From [EMAIL_1] to [EMAIL_2], copy to [EMAIL_1]; card [CREDIT_CARD_1]"
    assert [each.kind for each in found] == ["email", "email", "email", "credit_card"]
    assert held.hide(f"Again {BOB}")[0] == "Again [EMAIL_2]"
    assert held.put_back("Dear [EMAIL_2], [CREDIT_CARD_1] [EMAIL_3]") == f"Dear {BOB}, 4111 1111 1111 1111 [EMAIL_3]"


def test_what_the_text_holds_already_is_not_given_out() -> None:
    held = Placeholders()
    held.reserve("What does [EMAIL_1] mean?")
    assert held.hide(ANA)[0] == "[EMAIL_2]"
    assert held.put_back("[EMAIL_1] and [EMAIL_2]") == f"[EMAIL_1] and {ANA}"


def test_beyond_the_most_values_they_are_redacted_for_good() -> None:
    held = Placeholders()
    many = " ".join(f"a{number}@example.org" for number in range(MOST_VALUES + 1))
    assert held.hide(many)[0].endswith(f"[EMAIL_{MOST_VALUES}] [EMAIL]")
    assert held.hide("a0@example.org")[0] == "[EMAIL_1]"


def test_within_json_values_are_escaped() -> None:
    held = Placeholders()
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"
    assert held.hide(key)[0] == "[SECRET_1]"
    assert held.put_back('{"key": "[SECRET_1]"}', within_json=True) == '{"key": "' + key.replace("\n", "\\n") + '"}'


@given(
    st.lists(st.sampled_from(["[EMAIL_1]", "[EMAIL_11", "]", "[", "[EMAIL_2]", "x ", "[PHONE_1]", "[["]), max_size=12),
    st.lists(st.integers(1, 7), max_size=40),
)
def test_pieces_come_back_as_the_whole(parts: list[str], cuts: list[int]) -> None:
    held = Placeholders()
    held.hide(" ".join(f"a{number}@example.org" for number in range(12)))
    text = "".join(parts)
    returning, shown, rest = PlaceholderReturn(held), "", text
    for size in cuts:
        shown += returning.push(rest[:size])
        rest = rest[size:]
    shown += returning.push(rest) + returning.flush()
    assert shown == held.put_back(text)


def test_prose_is_not_held_back() -> None:
    held = Placeholders()
    held.hide(ANA)
    returning = PlaceholderReturn(held)
    assert returning.push("See [1] and [EM") == "See [1] and "
    assert returning.push("IT]") == "[EMIT]"
    assert returning.push("[EMAIL_1") == ""
    assert returning.push("]!") == f"{ANA}!"
    assert returning.counts == {"email": 1}
