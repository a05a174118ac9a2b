"""Measures of texts give what their reference implementations give, on worked examples and on several references."""

import math

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.texts.cider import cider
from mainspring.evaluation.texts.measures import MEASURES, plain, score

WAS, SAT = "The cat was on the mat", "The cat sat on the mat"
CAPTIONS = [
    "a cat sat on the mat",
    "two dogs run in a green field",
    "the man reads",
    "a red bus is parked on the street near a tree",
]
SEVERAL = [
    ["the cat sat on the mat", "a cat is sitting on a mat"],
    ["two dogs running through grass", "dogs play in a field of green grass", "two brown dogs run"],
    ["a man is reading a newspaper"],
    ["a red bus parked near a tree", "the bus is red", "a double decker bus on the street"],
]


def test_bleu_of_the_worked_example() -> None:
    # 5/6, 3/5 and 1/4 of its runs of one to three words match, none of four: sacrebleu smooths that to 1/6.
    found = score([WAS], [[SAT]], ["bleu"])["bleu"]
    assert found.value == pytest.approx(100 * (5 / 6 * 3 / 5 * 1 / 4 * 1 / 6) ** 0.25)
    assert not found.mean


def test_rouge_of_the_worked_example() -> None:
    long = "The quick brown fox jumps over the lazy dog"
    found = score(["the brown dog"], [[long]], ["rouge-1", "rouge-l"])
    # Recall 3/9, precision 1.
    assert found["rouge-1"].value == pytest.approx(0.5)
    assert found["rouge-l"].value == pytest.approx(0.5)


def test_cider_is_that_of_the_reference_implementation() -> None:
    # pycocoevalcap 1.2, `Cider().compute_score`.
    assert cider(CAPTIONS, SEVERAL) == pytest.approx([5.00322877, 1.70650611, 0.84315301, 1.9970278], abs=1e-8)
    assert score(CAPTIONS, SEVERAL, ["cider"])["cider"].value == pytest.approx(2.3874789211275393, abs=1e-9)


def test_a_single_example_has_no_rare_words() -> None:
    assert cider([WAS], [[WAS]]) == [0.0]


@pytest.mark.parametrize("name", ["bleu", "chrf", "ter"])
def test_examples_may_have_different_numbers_of_references(name: str) -> None:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF
    from sacrebleu.metrics.ter import TER

    reference = {"bleu": BLEU, "chrf": CHRF, "ter": TER}[name]()
    padded = [[several[place] if place < len(several) else None for several in SEVERAL] for place in range(3)]
    found = score(CAPTIONS, SEVERAL, [name])[name]
    assert found.value == pytest.approx(reference.corpus_score(CAPTIONS, padded).score, abs=1e-9)
    assert len(found.each) == 4


@pytest.mark.parametrize(
    ("said", "wanted", "exact", "f1"),
    [
        ("The Eiffel Tower.", ["eiffel tower"], 1, 1),
        ("in Paris, France", ["Paris"], 0, 0.5),
        ("Rome", ["Paris", "Rome"], 1, 1),
        ("", ["Paris"], 0, 0),
        ("the", ["an"], 1, 1),
    ],
)
def test_exact_match_and_f1_are_those_of_squad(said: str, wanted: list[str], exact: float, f1: float) -> None:
    found = score([said], [wanted], ["exact", "f1"])
    assert (found["exact"].value, found["f1"].value) == pytest.approx((exact, f1))


def test_words_are_compared_without_case_articles_and_punctuation() -> None:
    assert plain("  The  U.S. dollar, an $5 bill!") == "us dollar 5 bill"


@pytest.mark.parametrize("name", MEASURES)
def test_equal_texts_have_the_best_value(name: str) -> None:
    texts = ["the quick brown fox jumps", "over a very lazy old dog"]
    found = score(texts, [[each] for each in texts], [name])[name]
    if found.lower_is_better:
        assert found.value == 0
    elif name == "meteor":
        # One run of all words costs a little: .5 (1/words)**3.
        assert found.value == pytest.approx(1 - (0.5 / 5**3 + 0.5 / 6**3) / 2)
    else:
        assert found.most is not None
        assert math.isclose(found.value, found.most, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("predictions", "references", "measures"),
    [([], [], ["f1"]), (["a"], [], ["f1"]), (["a"], [[]], ["f1"]), (["a"], [["a"]], ["blue"])],
)
def test_what_cannot_be_measured_is_refused(
    predictions: list[str], references: list[list[str]], measures: list[str]
) -> None:
    with pytest.raises(InvalidRequest):
        score(predictions, references, measures)
