"""Measures by embeddings are the cosines that scipy computes, and the F1 of sentences that match best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest
from scipy.spatial.distance import cdist, cosine

from mainspring.core.errors import InvalidRequest
from mainspring.engines.base import Embedded
from mainspring.evaluation.texts.embedding import score

DIMENSIONS = 16


class Drawn:
    """A vector of its own for each text, drawn by its characters; not of length 1."""

    name, dimensions, max_tokens = "drawn", DIMENSIONS, 100

    def __init__(self) -> None:
        self.asked: list[str] = []

    def vector(self, text: str) -> np.ndarray:
        return np.random.default_rng(list(text.encode())).normal(0.3, 1.0, DIMENSIONS).astype(np.float32) * 3

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(each.split()) for each in texts]

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        self.asked += texts
        return Embedded(np.stack([self.vector(each) for each in texts]), sum(self.count_tokens(texts)))

    async def close(self) -> None:
        return


async def test_similarity_is_the_cosine_to_the_nearest_reference() -> None:
    drawn = Drawn()
    wanted = [["Two years.", "It is two years."], ["Nobody knows."]]
    found = (await score(drawn, ["For two years", "Ask me"], wanted, ["similarity"]))["similarity"]
    reference = [
        max(1 - cosine(drawn.vector(own), drawn.vector(each)) for each in several)
        for own, several in zip(["For two years", "Ask me"], wanted, strict=True)
    ]
    assert found.each == pytest.approx(reference, abs=1e-6)
    assert found.value == pytest.approx(sum(reference) / 2, abs=1e-6)
    assert found.mean


async def test_sentences_match_as_tokens_do_in_bertscore() -> None:
    drawn = Drawn()
    own, other = ["It rains.", "We stay in."], ["The rain falls.", "All stay at home.", "Tea is made."]
    found = await score(drawn, [" ".join(own)], [[" ".join(other)]], ["similarity-f1"])
    near = 1 - cdist([drawn.vector(each) for each in own], [drawn.vector(each) for each in other], "cosine")
    precision, recall = max(0, near.max(1).mean()), max(0, near.max(0).mean())
    assert found["similarity-f1"].each[0] == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-6)


async def test_the_same_text_is_one_and_an_empty_one_nothing() -> None:
    drawn = Drawn()
    found = await score(drawn, ["One. Two.", "", "x"], [["One. Two."], ["x"], [""]], ["similarity", "similarity-f1"])
    for each in found.values():
        assert each.each == pytest.approx((1, 0, 0))
    # Each text is embedded once a measure.
    assert len(drawn.asked) == len(set(drawn.asked)) + 1


async def test_what_cannot_be_measured_is_named() -> None:
    with pytest.raises(InvalidRequest, match="no measure bertscore"):
        await score(Drawn(), ["a"], [["a"]], ["bertscore"])
    with pytest.raises(InvalidRequest, match="needs references"):
        await score(Drawn(), ["a"], [[]], ["similarity"])
