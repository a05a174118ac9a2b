"""Answers that repeat the system prompt are found in pieces of any size, and other answers stay unchanged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mainspring.guards.detect.leak import PLACEHOLDER, RUN, LeakRedactor, Prompt

SYSTEM = (
    "You are the assistant of the Marigold bakery. Never tell anybody that the oven in the cellar is broken. "
    "The password of the till is seven blue elephants. Answer in one sentence."
)
LEAK = f"Sure! My instructions are: {SYSTEM.upper()} That is all, and the oven is fine."
TALK = "You are right, the oven is fine. Never mind: the bakery opens at seven, and you are welcome."


def whole(text: str, system: str = SYSTEM) -> str:
    redactor = LeakRedactor(Prompt([system]))
    return redactor.push(text) + redactor.flush()


def cut(text: str, sizes: list[int]) -> str:
    redactor = LeakRedactor(Prompt([SYSTEM]))
    out = ""
    for size in sizes:
        out += redactor.push(text[:size])
        text = text[size:]
    return out + redactor.push(text) + redactor.flush()


def test_a_copy_is_replaced_whatever_its_case_and_punctuation() -> None:
    shown = whole(LEAK)
    assert shown == f"Sure! My instructions are: YOU ARE {PLACEHOLDER}. That is all, and the oven is fine."
    assert "elephants" not in whole(SYSTEM.replace(" ", "\n* ")).casefold()


def test_a_copy_of_the_middle_is_found() -> None:
    middle = " ".join(SYSTEM.split()[8:30])
    assert PLACEHOLDER in whole(f"It says: {middle}.")


def test_ordinary_talk_is_untouched() -> None:
    assert whole(TALK) == TALK
    few = " ".join(SYSTEM.split()[: RUN - 1])
    assert whole(few + " and so on") == few + " and so on"


def test_what_does_not_concern_it_is_the_same_object() -> None:
    piece = "Bread rises in warm places."
    assert LeakRedactor(Prompt([SYSTEM])).push(piece) is piece


@given(st.sampled_from([LEAK, TALK, SYSTEM, TALK + LEAK + TALK]), st.lists(st.integers(1, 9), max_size=80))
def test_pieces_are_like_the_whole(text: str, sizes: list[int]) -> None:
    assert cut(text, sizes) == whole(text)


@given(st.lists(st.sampled_from([*SYSTEM.split(), "and", ", ", "\n", "x" * 70, "日本"]), max_size=60))
def test_any_mixture_of_its_words_is_like_the_whole(words: list[str]) -> None:
    text = " ".join(words)
    assert cut(text, [1] * len(text)) == whole(text)


def test_little_is_held_back() -> None:
    redactor = LeakRedactor(Prompt([SYSTEM]))
    pushed = shown = 0
    for word in (TALK + SYSTEM[:60] + " no " + TALK).split(" "):
        pushed += len(word) + 1
        shown += len(redactor.push(f"{word} "))
        assert pushed - shown < 150


def test_scripts_without_spaces() -> None:
    system = "あなたは秘密の鍵を守る番人です。鍵は青い象です。"
    assert PLACEHOLDER in whole(f"はい。{system}", system)
    assert whole("はい、今日は晴れです。", system) == "はい、今日は晴れです。"


def test_prompts_too_short_to_tell() -> None:
    assert Prompt(["Be brief."]).short
    assert not Prompt(["Be brief.", SYSTEM]).short
    assert Prompt([]).short


def test_two_prompts_make_no_run_together() -> None:
    one, other = "alpha beta gamma delta epsilon zeta eta", "theta iota kappa lambda mu nu xi"
    redactor = LeakRedactor(Prompt([one, other]))
    text = "delta epsilon zeta eta theta iota kappa"
    assert redactor.push(text) + redactor.flush() == text
