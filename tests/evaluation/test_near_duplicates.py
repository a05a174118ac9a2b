"""Groups of near-duplicates against exact Jaccard similarities."""

from __future__ import annotations

import random

from mainspring.evaluation import near_duplicates
from tests.features.lake.world_of_rows import sentence


def _shingles(text: str) -> set[str]:
    said = near_duplicates.normal(text)
    return {said[place : place + 8] for place in range(len(said) - 7)}


def test_the_estimate_is_as_near_to_the_exact_similarity_as_theory_says() -> None:
    drawn = random.Random(3)
    errors = []
    for _ in range(150):
        one = sentence(drawn, 30)
        words = one.split()
        for place in drawn.sample(range(len(words)), drawn.randrange(0, 12)):
            words[place] = "x" * drawn.randrange(1, 8)
        other = " ".join(words)
        exact = len(_shingles(one) & _shingles(other)) / len(_shingles(one) | _shingles(other))
        found = near_duplicates.similarity(near_duplicates.signature(one), near_duplicates.signature(other))
        errors.append(found - exact)
    assert abs(sum(errors) / len(errors)) < 0.015
    assert (sum(each * each for each in errors) / len(errors)) ** 0.5 < 0.06


def test_groups_join_by_likeness_and_by_what_is_shared() -> None:
    one, other = "Where does the blue boat sail today?", "How many apples are in the old basket?"
    texts = [one, other, one.upper() + " ", "Who lives here?", ""]
    assert near_duplicates.groups(texts) == [0, 1, 0, 2, 3]
    assert near_duplicates.groups(texts, [["s"], [], [], ["s"], []]) == [0, 1, 0, 0, 2]


def test_rows_of_one_template_are_compared_with_a_bounded_number_and_their_pairs_are_found() -> None:
    drawn = random.Random(5)
    template = sentence(drawn, 18)

    def work(count: int) -> tuple[int, int]:
        found = near_duplicates.NearDuplicates()
        texts = [f"{template} {''.join(drawn.choices('abcdefghijklmnop ', k=60))}" for _ in range(count)]
        joined = 0
        for text in texts:
            found.add(text)
        for text in texts[:50]:
            joined += len(found.add(text + "!?")) > 1
        return found.compared, joined

    less, _ = work(200)
    more, joined = work(800)
    # Four times the texts: the square is sixteen times the work.
    assert more < 6 * less
    assert more < 800 * near_duplicates.BANDS * near_duplicates.MOST_COMPARED
    assert joined == 50
