"""What benchmarks compare with and fit with: exact BM25 over documents, logistic weights with their signs."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from _bm25 import Bm25
from _fit import fitted, shown
from retrieval import Scored, figures_of, pooled

TEXTS = {"a": "otters sleep afloat", "b": "otters otters eat", "c": "tides rise and tides fall in the bay"}


def test_bm25_is_its_formula() -> None:
    index = Bm25(TEXTS)
    assert index.search("Do otters eat?", 5) == ["b", "a"]
    assert index.search("zebras", 5) == []
    assert index.search("otters", 1) == ["b"]
    # Two of three documents have the word; they have 3 content words each, the third has 5.
    idf = math.log(1 + 1.5 / 2.5)
    norm = 1.2 * (0.25 + 0.75 * 3 / (11 / 3))
    expected = {"a": idf * 2.2 / (1 + norm), "b": idf * 2 * 2.2 / (2 + norm)}
    assert index.scores("otters") == pytest.approx(expected)


def test_weights_tell_right_from_wrong_and_keep_their_signs() -> None:
    generator = random.Random(5)
    rows = []
    for number in range(200):
        right = number % 2 == 0
        helps = generator.gauss(1.0 if right else 0.0, 0.5)
        misleads = generator.gauss(0.5 if right else 0.0, 0.5)
        rows.append((np.array([helps, misleads, generator.random()]), right, number % 4 < 2))
    names = ("cosine", "number", "within")
    weights = fitted(rows, names, names)
    assert weights["cosine"] > 1
    # A strange number never speaks for a claim, whatever the sample says.
    assert weights["number"] == pytest.approx(0)
    assert weights["within"] >= 0
    assert set(fitted(rows, names, ("cosine",))) == {"cosine", "bias"}
    assert shown({"cosine": 1.234, "number": 0.0, "bias": -0.5}) == '{"cosine": 1.23, "bias": -0.50}'


def test_every_collection_weighs_the_same_in_the_pool() -> None:
    def scored(name: str, ours: list[float], theirs: list[float]) -> Scored:
        ways = {"BM25": theirs, "BM25 (documents)": theirs, "dense": theirs, "hybrid": ours, "reranked": ours}
        values = {way: {"ndcg@10": each, "recall@20": each} for way, each in ways.items()}
        return Scored(name, 10, values)

    small = scored("cranfield", [0.6] * 10, [0.5] * 10)
    large = scored("scifact", [0.5 + 0.01 * (n % 3) for n in range(100)], [0.5] * 100)
    difference, p = pooled([small, large], "BM25")
    assert difference.value == pytest.approx((0.1 + 0.0099) / 2)
    assert p < 0.001
    assert not any("mean of" in label for label in figures_of([small, large]))
    middle = scored("cacm", [0.55] * 10, [0.5] * 10)
    figures = figures_of([small, middle, large])
    mean = figures["hybrid / BM25, nDCG@10, mean of the three"]
    assert mean.value == pytest.approx((1.2 + 1.1 + 0.5099 / 0.5) / 3)
    assert mean.verdict == "floor"
    assert "mean of Cranfield, CACM, SciFact" in mean.against
    assert "p < .001" in figures["Cranfield hybrid / BM25, nDCG@10"].against or "p = 0.0" in (
        figures["Cranfield hybrid / BM25, nDCG@10"].against
    )
