"""What a reranker's scores do to the order of hits, and what its failure does not."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from mainspring.core.errors import UpstreamError
from mainspring.core.settings import RagSettings
from mainspring.engines.base import Reranked
from mainspring.rag.search.hit import Hit
from mainspring.rag.search.rerank import rerank


@dataclass
class Scripted:
    """Says the score that stands in the text; fails on "fail"."""

    name: str = "scripted"
    fingerprint: str = "1"
    read: list[str] = field(default_factory=list)

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        if query == "fail":
            raise UpstreamError("the endpoint is down")
        self.read += passages
        return Reranked(np.array([float(text.split()[-1]) for text in passages], np.float32), 1)

    async def close(self) -> None: ...


def hit(name: str, score: float, said: float, heading: str = "") -> Hit:
    text = f"{name} {said}"
    return Hit(name, name, "c", name, text, 0, len(text), None, heading, score, 0.5, None, 1, None, "blob")


HITS = [hit("a", 0.9, 0.1, "Title"), hit("b", 0.8, 0.5), hit("c", 0.4, 0.9), hit("d", 0.3, 1.0)]


async def test_the_best_are_read_again_and_the_rest_stays_behind() -> None:
    reranker = Scripted()
    found = await rerank(reranker, "q", HITS, RagSettings(rerank_candidates=3, rerank_weight=1))
    assert reranker.read == ["Title\na 0.1", "b 0.5", "c 0.9"]
    assert [each.chunk_id for each in found] == ["c", "b", "a", "d"]
    # (0.4 + 1) / 2, (0.8 + 0.5) / 2, (0.9 + 0) / 2; what was not read keeps its part alone.
    assert [each.score for each in found] == pytest.approx([0.7, 0.65, 0.45, 0.15])
    assert [each.rerank_score for each in found[:3]] == pytest.approx([0.9, 0.5, 0.1])
    assert found[3].rerank_score is None


@pytest.mark.parametrize(
    "settings", [RagSettings(rerank_candidates=0), RagSettings(rerank_candidates=1), RagSettings(rerank_weight=0)]
)
async def test_it_can_be_turned_off(settings: RagSettings) -> None:
    reranker = Scripted()
    assert await rerank(reranker, "q", HITS, settings) == HITS
    assert reranker.read == []


async def test_equal_scores_change_no_order() -> None:
    hits = [hit("a", 0.9, 0.5), hit("b", 0.2, 0.5)]
    assert [each.chunk_id for each in await rerank(Scripted(), "q", hits, RagSettings())] == ["a", "b"]


async def test_a_failure_leaves_the_order_and_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "mainspring.rag"):
        assert await rerank(Scripted(), "fail", HITS, RagSettings()) == HITS
    assert "scripted did not rerank: the endpoint is down" in caplog.text
