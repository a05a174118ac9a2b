"""Card numbers in texts, values, JSON and files: found, taken out, and nothing else touched."""

from __future__ import annotations

import json
import random
import sys
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core import cards, cards_long
from mainspring.core.errors import InvalidRequest
from mainspring.rag.parse.card_masking import covered
from mainspring.rag.parse.parsed import Figure, Heading, Parsed, Table

CARD, OTHER = "4111 1111 1111 1111", "5555\u00a05555\u00a05555\u00a04444"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (CARD, "[CREDIT_CARD]"),
        (f"a\n{CARD} 12/27, {OTHER}.", "a\n[CREDIT_CARD] 12/27, [CREDIT_CARD]."),
        ("4111-1111-1111-1112", "4111-1111-1111-1112"),
        ("order 1234567890123456", "order 1234567890123456"),
        ("", ""),
    ],
)
def test_texts(text: str, clean: str) -> None:
    assert cards.scrub(text) == clean
    assert cards.holds(text) is (text != clean)
    if text == clean:
        assert cards.scrub(text) is text


def test_values_keep_their_numbers_and_digests() -> None:
    value: dict[str, Any] = {"a": [CARD, {"b": OTHER}], "n": 4222222222222, "prefix": "4111111111111111", CARD: None}
    clean = cards.scrubbed(value)
    assert clean == {
        "a": ["[CREDIT_CARD]", {"b": "[CREDIT_CARD]"}],
        "n": 4222222222222,
        "prefix": "4111111111111111",
        "[CREDIT_CARD]": None,
    }


@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_in_which_a_line_break_stands_before_the_number(ascii_only: bool) -> None:
    text = json.dumps({"said": f"my card\n{CARD}\t{OTHER}", "cost": 4222222222222}, ensure_ascii=ascii_only)
    assert json.loads(cards.scrub_json(text)) == {
        "said": "my card\n[CREDIT_CARD]\t[CREDIT_CARD]",
        "cost": 4222222222222,
    }
    innocent = json.dumps({"cost": 4222222222222})
    assert cards.scrub_json(innocent) is innocent
    assert cards.scrub_json(f"no JSON {CARD}") == "no JSON [CREDIT_CARD]"


def test_files() -> None:
    data = f'{{"a": "\\n{CARD}"}}\nno JSON {CARD}\n'.encode() + b"\xff\n"
    assert cards.scrub_lines(data) == b'{"a":"\\n[CREDIT_CARD]"}\nno JSON [CREDIT_CARD]\n\xff\n'
    assert cards.scrub_lines(b"innocent\n\xff") == b"innocent\n\xff"
    assert cards.scrub_text(f"x {CARD}".encode()) == b"x [CREDIT_CARD]"
    binary = b"\xff" + CARD.encode()
    assert cards.scrub_text(binary) is binary


def test_names_with_a_card_are_refused() -> None:
    cards.refuse("ana", "user")
    cards.refuse(None, "user")
    with pytest.raises(InvalidRequest) as refused:
        cards.refuse(CARD, "user")
    assert refused.value.param == "user"


@given(st.text(alphabet="0123456789 -x\n", max_size=60))
def test_what_is_scrubbed_holds_none_and_what_is_covered_keeps_its_length(text: str) -> None:
    assert not cards.holds(cards.cover(text))
    assert len(cards.cover(text)) == len(text)
    assert cards.scrub(cards.scrub(text)) == cards.scrub(text)


def test_documents_are_covered_where_they_say_it_again() -> None:
    text = f"Title {CARD}\npaid with {CARD}"
    parsed = Parsed(
        text,
        headings=(Heading(1, f"Title {CARD}", 0, 25),),
        tables=(Table(0, 5, ((CARD, "x"),), caption=CARD),),
        figures=(Figure(0, 0, caption=CARD, text=CARD, image=b"png"),),
    )
    found = covered(parsed)
    assert "4111" not in repr(found)
    assert found.figures[0].image == b""
    assert len(found.text) == len(text)
    assert found.text.endswith("paid with **** **** **** ****")
    innocent = Parsed("nothing")
    assert covered(innocent) is innocent


_GROUPS = st.sampled_from(
    [*"0123456789 -x\n\u00a0\u2010\u0663\ud800", CARD, OTHER, "378282246310005", "30569309025904", "4222222222222"]
)


@given(st.lists(_GROUPS, max_size=60).map("".join), st.sampled_from([7, 40, 1 << 16]))
def test_long_texts_are_read_as_short_ones_are(text: str, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cards_long, "PIECE", piece)
        found = list(cards_long.spans(text))
    assert found == list(cards.spans(text))


@pytest.mark.parametrize("digits", ["1234 5678 ", "4111 1111 1111 1112 ", "22222222222a", "5" * 300 + " "])
def test_a_long_text_of_digits_is_not_gone_through_in_steps_of_its_own(digits: str) -> None:
    def calls(text: str) -> int:
        count = 0

        def counted(_frame: object, event: str, _what: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(counted)
        try:
            assert cards.scrub(text) == text
        finally:
            sys.setprofile(None)
        return count

    calls(digits * 1000)
    # As many for a piece of the text, whatever is in it.
    assert calls(digits * (260_000 // len(digits))) < 5_000


def test_a_uuid_is_no_card_and_a_card_beside_one_is() -> None:
    drawn = random.Random(1)
    uuids = [str(uuid.UUID(int=drawn.getrandbits(128), version=4)) for _ in range(20_000)]
    alike = [each for each in uuids if cards.holds(f"x{each[8:]}")]
    assert alike
    assert [each for each in uuids if cards.holds(each)] == []
    long = " ".join([*alike, "word " * 1_000])
    assert not cards.holds(long)
    for text in (f"{alike[0]} 4111 1111 1111 1111", f"4111-1111-1111-1111 {alike[0]}", f"{long} 4111111111111111"):
        assert cards.holds(text)
        assert cards.scrub(text) == text.replace("4111 1111 1111 1111", cards.PLACEHOLDER).replace(
            "4111-1111-1111-1111", cards.PLACEHOLDER
        ).replace("4111111111111111", cards.PLACEHOLDER)


def test_a_uuid_without_dashes_is_no_card() -> None:
    drawn = random.Random(1)
    ids = [uuid.UUID(int=drawn.getrandbits(128), version=4).hex for _ in range(60_000)]
    alike = [each for each in ids if cards.holds(each[:20])]
    assert alike
    assert [each for each in ids if cards.holds(f"session-{each}")] == []
    assert cards.holds(f"{alike[0]} 4111111111111111")
    # No UUID: it is longer.
    assert cards.holds(f"4111111111111111{'a' * 17}")


def test_groups_of_a_uuid_that_are_digits_alone_are_looked_at() -> None:
    assert cards.holds("41111111-1111-1111-0000-000000000000")
