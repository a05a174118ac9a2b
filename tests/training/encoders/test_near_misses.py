"""Near misses and statements: what is made is what its kind says."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as some

from mainspring.training.encoders.data import near_misses as near
from mainspring.training.encoders.data.statements import opposite, shortened, statements

PASSAGE = (
    "The bridge was built in 1931 by Anna Hill. It has four lanes and a toll. "
    "Later, Peter Young of Dover painted it red in 1964. Nobody paints it today."
)
ROWS = [
    near.AnsweredQuestion("When did Anna Hill build the bridge?", PASSAGE, "1931", "bridge"),
    near.AnsweredQuestion("Which colour has the bridge?", PASSAGE, "red", "bridge"),
    near.AnsweredQuestion(
        "How deep is the lake?", "The lake near the bridge is 12 metres deep. Swans live there.", "12 metres", "lake"
    ),
]
WORDS = some.sampled_from(["the", "cat", "sat", "on", "a", "red", "mat", "in", "1931", "Dover", "and", "slept"])
SENTENCE = some.lists(WORDS, min_size=2, max_size=9).map(lambda words: " ".join(words).capitalize() + ".")
TEXT = some.lists(SENTENCE, min_size=1, max_size=6).map(" ".join)


@given(passage=TEXT, answer=WORDS)
@settings(deadline=None)
def test_a_removed_answer_is_gone_and_a_kept_one_stays(passage: str, answer: str) -> None:
    left = near.without_answer(passage, answer)
    assert not near.holds(left, answer)
    if left:
        assert near.holds(passage, answer)
    if near.holds(passage, answer):
        for seed in range(3):
            assert near.holds(near.without_one(passage, answer, Random(seed)), answer)


@given(passage=TEXT, answer=WORDS, most=some.integers(1, 30), seed=some.integers(0, 9))
@settings(deadline=None)
def test_a_window_is_a_part_that_holds_the_answer(passage: str, answer: str, most: int, seed: int) -> None:
    found = near.window(passage, answer, most, Random(seed))
    assert near.plain(found) in near.plain(passage)
    # Of answers that lie in one sentence.
    if any(near.holds(each, answer) for each in passage.split(".")):
        assert near.holds(found, answer)


@given(question=SENTENCE, other=TEXT, seed=some.integers(0, 9))
@settings(deadline=None)
def test_a_swapped_question_differs(question: str, other: str, seed: int) -> None:
    found = near.swapped(question, [other], Random(seed))
    assert not found or near.plain(found) != near.plain(question)


def test_values_are_swapped_for_others_of_their_kind() -> None:
    found = {near.swapped("Did Anna Hill paint it in 1964?", [PASSAGE], Random(seed)) for seed in range(20)}
    assert found == {"Did Peter Young of Dover paint it in 1964?", "Did Anna Hill paint it in 1931?"}
    assert near.swapped("How deep is the lake?", [PASSAGE], Random(1)) == ""


def test_examples_are_what_their_kind_says() -> None:
    found = list(near.examples(ROWS, 3))
    assert {each.kind for each in found} == {"answered", "other passage", "answer removed", "value swapped"}
    for each in found:
        if each.kind == "answered":
            assert near.holds(each.passage, each.answer)
        else:
            assert each.answer == ""
        if each.kind in ("other passage", "answer removed"):
            (row,) = [row for row in ROWS if row.question == each.question]
            assert not near.holds(each.passage, row.answer)
    assert found == list(near.examples(ROWS, 3))
    assert found != list(near.examples(ROWS, 4))


def test_the_closest_passage_is_another_one() -> None:
    passages = near.Passages([row.passage for row in ROWS])
    assert passages.closest("How deep is the bridge?", "12 metres", ROWS[2].passage) == PASSAGE
    assert passages.closest("How deep is the bridge?", "1931", ROWS[2].passage) == ""
    assert passages.closest("Zebra?", "x", "y") == ""


def test_statements_are_what_their_label_says() -> None:
    found = list(statements([PASSAGE, ROWS[2].passage], 5))
    assert {each.label for each in found} == {"entailment", "neutral", "contradiction"}
    for each in found:
        words = set(near.plain(each.hypothesis).split())
        if each.label == "entailment":
            assert words <= set(near.plain(each.premise).split())
        if each.label == "neutral":
            assert not near.holds(each.premise, each.hypothesis)


def test_statements_are_shortened_and_turned() -> None:
    said = "In 1931, the bridge (a big one) was built by Anna Hill, who lived in Dover."
    short = {shortened(said, Random(seed)) for seed in range(30)}
    assert "The bridge was built by Anna Hill." in short
    assert all("big" not in each for each in short)
    assert opposite("The bridge was red.", Random(1)) == "The bridge was not red."
    assert opposite("The bridge was not red.", Random(1)) == "The bridge was red."
    assert opposite("Nothing here.", Random(1)) == ""
