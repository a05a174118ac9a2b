"""The worked examples of the guide on metrics, with the corrected values where it errs."""

from __future__ import annotations

import math

import pytest

from mainspring.evaluation.texts.measures import score
from mainspring.features.evaluate.capabilities.perplexity import TextLoss

WAS, SAT = "The cat was on the mat", "The cat sat on the mat"
FOX, JUMPS = "The quick brown fox jumps over the lazy dog", "The fox jumps"


def test_perplexity_of_three_words_is_exactly_ten() -> None:
    chances = (0.1, 0.05, 0.2)
    loss = TextLoss("cat", -sum(map(math.log, chances)), 3, 3, 11)
    assert loss.perplexity == pytest.approx(10, abs=1e-9)


def test_bleu_without_smoothing_is_nothing_where_no_run_of_four_matches() -> None:
    from sacrebleu.metrics.bleu import BLEU

    found = BLEU(smooth_method="none").corpus_score([WAS], [[SAT]])
    assert [round(each, 6) for each in found.precisions] == [round(100 * each, 6) for each in (5 / 6, 3 / 5, 1 / 4, 0)]
    assert (found.score, found.bp) == (0, 1)
    # Ours is sacrebleu's default, which smooths the zero to 1/(2 x 3).
    assert score([WAS], [[SAT]], ["bleu"])["bleu"].value == pytest.approx(
        100 * (5 / 6 * 3 / 5 * 1 / 4 * 1 / 6) ** 0.25, abs=1e-6
    )


def test_rouge_recalls_a_third_of_the_fox() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    reference = RougeScorer(["rouge1", "rougeL"], use_stemmer=False).score(FOX, JUMPS)
    for each in reference.values():
        assert (each.recall, each.precision) == pytest.approx((3 / 9, 1))
    found = score([JUMPS], [[FOX]], ["rouge-1", "rouge-l"])
    for ours, theirs in (("rouge-1", "rouge1"), ("rouge-l", "rougeL")):
        assert found[ours].value == pytest.approx(reference[theirs].fmeasure, abs=1e-6) == pytest.approx(0.5)


def test_an_exact_measure_sees_nothing_in_synonyms() -> None:
    car, automobile = "The car was quick", "The automobile was fast"
    # Two of four words are the same; what METEOR gains from synonyms is in test_meteor.
    found = score([car], [[automobile]], ["rouge-1", "meteor"])
    assert found["rouge-1"].value == pytest.approx(0.5)
    # Precision and recall 2/4, in two pieces: 1 - .5 x (2/2)^3.
    assert found["meteor"].value == pytest.approx(0.5 * (1 - 0.5 * (2 / 2) ** 3))
