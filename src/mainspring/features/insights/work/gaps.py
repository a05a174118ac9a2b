"""Questions that were answered badly or not at all, grouped: what the documents lack."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mainspring.core.errors import MainspringError
from mainspring.core.types import Context
from mainspring.feature import Rooms
from mainspring.features.insights.analysis import clusters
from mainspring.features.insights.store.samples import LOW_SUPPORT, Sample, Samples
from mainspring.features.insights.store.views import Period
from mainspring.guards.detect import pii
from mainspring.rag.search.search_service import SearchRequest
from mainspring.stores.events.questions import Questions

MOST = 2000
SAME = 0.6
"""The cosine from which two questions are the same gap, at least."""
EXAMPLES = 5
_COLLECTIONS = 10
_PASSAGE = 300


@dataclass(frozen=True, slots=True)
class Nearest:
    """The passage that is nearest to a question; ``score`` is its cosine."""

    collection: str
    document_id: str
    source: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Gap:
    """One question in several words: ``question`` is the most typical form that may be seen. ``examples`` are rows of
    turns with what was asked. ``recent`` were asked in the second half of the period."""

    question: str
    turns: int
    conversations: int
    reasons: Counter[str]
    recent: int
    first_at: float
    last_at: float
    topic: str
    examples: Sequence[tuple[Any, str]]
    nearest: Nearest | None = None


class Gaps:
    """Finds the gaps that a principal may see."""

    def __init__(self, rooms: Rooms, similarity: float) -> None:
        self._rooms = rooms
        self._similarity = max(similarity, SAME)
        self._samples = Samples(rooms.stores.database, MOST)
        self._questions = Questions(rooms.stores.database)

    async def find(self, context: Context, period: Period, limit: int, *, nearest: bool) -> list[Gap]:
        """The most frequent first; with ``nearest`` each has the passage that is nearest to it."""
        embedder, principal = self._rooms.engines.embedder, context.principal
        sample = await self._samples.poor(principal, period, embedder.name, embedder.dimensions)
        if not sample.rows:
            return []
        gaps = []
        for ordered in await asyncio.to_thread(_groups, sample, self._similarity, limit):
            asked = await self._questions.of(
                principal.tenant, principal.groups, [row.trace_id for row in ordered[: 4 * EXAMPLES]]
            )
            said = {trace: each.text for trace, each in asked.items() if each.text}
            gap = await asyncio.to_thread(_gap, ordered, said, period)
            if gap is not None:
                gaps.append(await self._covered(context, gap) if nearest else gap)
        return gaps

    async def _covered(self, context: Context, gap: Gap) -> Gap:
        best: Nearest | None = None
        for each in (await self._rooms.library.collections(context.principal))[:_COLLECTIONS]:
            wanted = SearchRequest((gap.question,), 1, highlights=False)
            try:
                hits = (await self._rooms.library.search.search(context.nested(), each.id, wanted)).hits
            except MainspringError:
                continue
            for shown in hits[:1]:
                hit = shown.hit
                score = round(float(hit.dense_score), 3)
                near = Nearest(each.name, hit.document_id, hit.source, _cut(hit.text), score)
                best = near if best is None or near.score > best.score else best
        return replace(gap, nearest=best)


def _cut(text: str) -> str:
    """The beginning of a passage, which ends with a word."""
    if len(text) <= _PASSAGE:
        return text
    begun = text[:_PASSAGE]
    return f"{begun[: max(begun.rfind(' '), _PASSAGE // 2)].rstrip()} …"


def reasons(row: Any) -> list[str]:
    """Why a turn counts as a gap."""
    found = []
    if row.refused:
        found.append("refused")
    if row.rating == "down":
        found.append("thumb down")
    if row.unsupported is not None and row.unsupported >= LOW_SUPPORT:
        found.append("low support")
    if row.outcome == "escalated" and row.at == row.started_at:
        found.append("escalated")
    return found


def _groups(sample: Sample, similarity: float, limit: int) -> list[list[Any]]:
    """Rows that ask the same, the most typical first; the groups of the most conversations first."""
    found = clusters.found(sample.vectors, similarity, 2)
    groups = [np.flatnonzero(found.labels == each) for each in range(len(found.centroids))]
    groups += [np.array([each]) for each in np.flatnonzero(found.labels == clusters.NOISE)]
    groups = sorted(groups, key=lambda each: -len({sample.rows[int(i)].conversation for i in each}))[:limit]
    ordered = []
    for places in groups:
        cosines = sample.vectors[places] @ clusters.mean(sample.vectors[places])
        ordered.append([sample.rows[int(places[i])] for i in np.argsort(-cosines, kind="stable")])
    return ordered


def _gap(rows: Sequence[Any], asked: Mapping[str, str], period: Period) -> Gap | None:
    """The gap of rows with what was ``asked`` in their traces; None if no text may be seen."""
    texts = {trace: pii.redact(text)[0] for trace, text in asked.items()}
    shown = [(row, texts[row.trace_id]) for row in rows if row.trace_id in texts]
    if not shown:
        return None
    middle = (period.since + period.until) / 2
    why = Counter(reason for row in rows for reason in reasons(row))
    topics = Counter(row.topic for row in rows if row.topic)
    return Gap(
        question=shown[0][1],
        turns=len(rows),
        conversations=len({row.conversation for row in rows}),
        reasons=why,
        recent=sum(row.at >= middle for row in rows),
        first_at=min(row.at for row in rows),
        last_at=max(row.at for row in rows),
        topic=topics.most_common(1)[0][0] if topics else "",
        examples=shown[:EXAMPLES],
    )
