"""Ablations: every arm of a grid on one judged collection, with intervals, significance, cost and latency.

Documents are ingested once for each chunker; the arms that share it search the same index. All arms answer the same
queries, one after the other, so differences are paired. A document counts by its best chunk.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mainspring.core.errors import InvalidRequest
from mainspring.core.settings import RagSettings, Settings, StoresSettings
from mainspring.engines import Engines
from mainspring.engines.base import Reranker
from mainspring.features.evaluate.ablate import workbench
from mainspring.features.evaluate.ablate.arms import Arm
from mainspring.features.evaluate.ablate.workbench import Index, Tokens, Workbench
from mainspring.features.evaluate.sets.collections import JudgedCollection, Query
from mainspring.statistics import ranking
from mainspring.statistics.significance import Comparison, Estimate, compare, interval

Progress = Callable[[str, int, int], None]
"""Called with (activity, number done, total)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One arm. ``values[metric][query id]`` are its scores, ``milliseconds`` each query's time in order; ``tokens``
    are those of all queries together, without the index."""

    arm: Arm
    values: Mapping[str, Mapping[str, float]]
    milliseconds: tuple[float, ...]
    tokens: Tokens
    index: Index

    def estimate(self, metric: str) -> Estimate:
        """The mean of a metric with its interval."""
        return interval(list(self.values[metric].values()))

    def latency(self, quantile: float) -> float:
        """A quantile of the times, in milliseconds: the smallest time that this share of queries does not exceed."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, max(0, -int(-quantile * len(ordered) // 1) - 1))]


@dataclass(frozen=True, slots=True)
class Ablation:
    """All arms on one collection. ``comparisons[metric][arm]`` are against ``baseline``, corrected over the arms of
    one metric; ``primary`` is the metric that decides."""

    collection: str
    split: str
    queries: int
    documents: int
    unjudged: tuple[str, ...]
    primary: str
    baseline: str
    arms: tuple[Measured, ...]
    comparisons: Mapping[str, Mapping[str, Comparison]]


async def ablate(
    collection: JudgedCollection,
    arms: Sequence[Arm],
    settings: Settings,
    engines: Engines,
    *,
    k: int = 10,
    metrics: Sequence[str] = (),
    baseline: str = "",
    split: str = "all",
    progress: Progress | None = None,
) -> Ablation:
    """Measure every arm on ``collection``. ``metrics`` default to those at ``k``, nDCG first; the first decides.

    ``baseline`` names an arm (the first by default). Raises ``InvalidRequest`` for an unknown metric or baseline, or
    if no query has a relevant document, ``UnknownModel`` and ``ModelNotPulled`` for an arm's reranker.
    """
    wanted = tuple(metrics) or default_metrics(k)
    for name in wanted:
        ranking.check(name)
    chosen = baseline or arms[0].name
    if chosen not in {arm.name for arm in arms}:
        raise InvalidRequest(
            f"there is no arm {chosen}", remedy=f"There are {', '.join(arm.name for arm in arms)}", param="baseline"
        )
    queries = [query for query in collection.queries if query.gains]
    if not queries:
        raise InvalidRequest(f"no query of {collection.name} has a relevant document", param="collection")
    found: dict[str, Measured] = {}
    async with _rerankers(arms, settings) as rerankers:
        for shared in _by_index(arms):
            async with _indexed(collection, shared[0], settings, engines, progress) as (home, index):
                for arm in shared:
                    tell = _teller(progress, arm.name, len(queries))
                    rag = arm.rag(settings.rag)
                    depth = max(rag.candidates, k)
                    having = engines if arm.reranker is None else replace(engines, reranker=rerankers[arm.reranker])
                    async with workbench.open(apart(settings, home, rag), having) as bench:
                        found[arm.name] = await _measure(bench, arm, collection, queries, index, wanted, depth, tell)
    measured = tuple(found[arm.name] for arm in arms)
    return Ablation(
        collection.name,
        split,
        len(queries),
        len(collection.documents),
        tuple(query.id for query in collection.queries if not query.gains),
        wanted[0],
        chosen,
        measured,
        {
            metric: compare({each.arm.name: each.values[metric] for each in measured}, chosen) if len(arms) > 1 else {}
            for metric in wanted
        },
    )


def default_metrics(k: int) -> tuple[str, ...]:
    """nDCG, recall, hit rate and precision at ``k``, MRR and MAP."""
    return (f"ndcg@{k}", f"recall@{k}", f"hit@{k}", f"precision@{k}", "mrr", "map")


async def _measure(
    bench: Workbench,
    arm: Arm,
    collection: JudgedCollection,
    queries: Sequence[Query],
    index: Index,
    metrics: Sequence[str],
    depth: int,
    tell: Callable[[int], None],
) -> Measured:
    ids = {document.name: document.id for document in collection.documents}
    # The first search opens resources; its time does not count. This is none of the questions: texts read for one are
    # cached and would count as free.
    await bench.search("what is here", arm, depth)
    before = replace(bench.tokens)
    rankings: dict[str, list[str]] = {}
    times: list[float] = []
    for number, query in enumerate(queries, 1):
        began = time.perf_counter()
        names = await bench.search(query.text, arm, depth)
        times.append(1e3 * (time.perf_counter() - began))
        rankings[query.id] = [ids[name] for name in names]
        tell(number)
    scores = ranking.score({query.id: query.gains for query in queries}, rankings, metrics)
    return Measured(arm, scores.values, tuple(times), bench.tokens.since(before), index)


@asynccontextmanager
async def _indexed(
    collection: JudgedCollection, arm: Arm, settings: Settings, engines: Engines, progress: Progress | None
) -> AsyncIterator[tuple[Path, Index]]:
    """A temporary home with the collection ingested as ``arm`` requires."""
    with tempfile.TemporaryDirectory(prefix="mainspring-eval-") as name:
        home = Path(name)
        if progress:
            progress(f"index {arm.name}", 0, 1)
        async with workbench.open(apart(settings, home, arm.indexed(settings.rag)), engines) as bench:
            index = await bench.fill(collection.documents)
        if progress:
            progress(f"index {arm.name}", 1, 1)
        yield home, index


@asynccontextmanager
async def _rerankers(arms: Sequence[Arm], settings: Settings) -> AsyncIterator[dict[str, Reranker | None]]:
    """The rerankers that arms name in place of the settings' one. An unknown one is found before anything is ingested;
    their graphs are loaded at the first use."""
    from mainspring.engines import builtin

    opened: dict[str, Reranker | None] = {}
    try:
        for name in dict.fromkeys(arm.reranker for arm in arms if arm.reranker is not None):
            models = settings.models.model_copy(update={"reranker": name})
            opened[name] = builtin.reranker(settings.model_copy(update={"models": models}))
        yield opened
    finally:
        for reranker in opened.values():
            if reranker is not None:
                await reranker.close()


def _by_index(arms: Sequence[Arm]) -> list[list[Arm]]:
    groups: dict[str, list[Arm]] = {}
    for arm in arms:
        groups.setdefault(repr(sorted(arm.index.items())), []).append(arm)
    return list(groups.values())


def apart(settings: Settings, home: Path, rag: RagSettings) -> Settings:
    """``settings`` with everything stored under ``home``, and ``rag`` in place of theirs."""
    # Measurements use stores of their own, never the serving ones.
    return settings.model_copy(update={"home": home, "rag": rag, "stores": StoresSettings()})


def _teller(progress: Progress | None, name: str, total: int) -> Callable[[int], None]:
    return lambda done: progress(name, done, total) if progress else None
