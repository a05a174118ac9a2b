"""The sample: drawn again the same, and without near-duplicates of what is measured among what is learnt."""

from __future__ import annotations

import random
from dataclasses import replace

from mainspring.core.types import Message
from mainspring.evaluation.examples import Example
from mainspring.features.advise.trying.learning import examples_of
from mainspring.features.advise.trying.sampling import drawn

SYLLABLES = "ba ke li mo nu pa re si to vu za che dri flo gra".split()


def examples(count: int = 48) -> list[Example]:
    """Each question twice, the second time in other letters."""
    found, words = [], random.Random(7)
    for place in range(count // 2):
        asked = " ".join("".join(words.choices(SYLLABLES, k=3)) for _ in range(9)) + "?"
        for copy, text in enumerate((asked, asked.upper())):
            found.append(Example(f"e{place}-{copy}", (Message("user", text),), (f"{place} years",)))
    return found


def test_near_duplicates_are_on_one_side() -> None:
    sample = drawn(examples(), 100, seed=1)
    learn, measured = ({each.question.casefold() for each in side} for side in (sample.learn, sample.measured))
    assert learn
    assert measured
    assert not learn & measured
    assert len({each.group for each in sample.measured}) == len(measured)


def test_the_same_seed_draws_the_same_and_another_one_another() -> None:
    one, again, other = (drawn(examples(), 10, seed) for seed in (1, 1, 2))
    assert one == again
    assert [each.id for each in one.measured] != [each.id for each in other.measured]
    assert len(one.measured) == 10


def test_what_was_measured_stays_so_and_teaches_nothing_after_an_erasure() -> None:
    crossed = 0
    for seed in range(20):
        given = examples()
        first = drawn(given, 10, seed)
        assert drawn(given, 10, seed, first.measured) == first
        # The first example of each group that is measured is erased: drawn anew, its group may be on the other side.
        gone = {each.group for each in first.measured}
        left = [each for each in given if each.id not in gone]
        before = [each for each in first.measured if each.id not in gone]
        after = drawn(left, 10, seed, before)
        assert list(after.measured) == before
        told = {each.question.casefold() for each in after.measured}
        assert not told & {each.question.casefold() for each in after.learn}
        crossed += bool(told & {each.question.casefold() for each in drawn(left, 10, seed).learn})
        # What the data set says belongs together does so, too.
        grouped = [replace(each, group="one") for each in left]
        assert not before or not drawn(grouped, 10, seed, before).learn
    assert crossed > 10


def test_a_split_of_the_data_set_is_kept() -> None:
    given = [replace(each, split="train" if place % 4 < 2 else "test") for place, each in enumerate(examples())]
    sample = drawn(given, 100, seed=1)
    assert {each.id for each in sample.measured} == {each.id for each in given if each.split == "test"}
    assert len(sample.learn) == 24
    assert "own split" in sample.split


def test_something_is_measured_of_the_smallest_set() -> None:
    for seed in range(8):
        assert drawn(examples(2), 10, seed).measured


def test_examples_without_a_right_answer_teach_nothing() -> None:
    told = [replace(each, references=()) for each in examples()]
    sample = drawn(told, 10, seed=1)
    assert not sample.learn
    assert examples_of("m", sample.learn, 4) is None
    made = examples_of("m", drawn(examples(), 10, 1).learn, 4)
    assert made is not None
    assert made.value["nearest"] == 4
