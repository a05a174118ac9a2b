"""A verdict on one given answer: the RAG triad over its record, as numbers only."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mainspring.core.plugins import Kind, Registry, hookimpl
from mainspring.engines.base import Embedder
from mainspring.rag.triad import model_judge as asking
from mainspring.rag.triad import weights
from mainspring.rag.triad.metrics import Triad
from mainspring.rag.triad.model_judge import ChatJudge
from mainspring.telemetry.plugin_host import PluginHost

# Limits of a judge: statements of an answer, and characters of the question and of the answer.
MOST_CLAIMS = 12
MOST_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer with its question and passages. ``passages`` are empty if the answer has none."""

    question: str
    answer: str
    passages: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Means in [0, 1], by measure; ``claims`` is how many statements were held against the passages, ``supported`` how
    many of them those bear out."""

    scores: Mapping[str, float] = field(default_factory=dict)
    claims: int = 0
    supported: int = 0


@dataclass(frozen=True, slots=True)
class MetricScore:
    """A ``value`` in [0, 1]; for a metric that counts claims, the number of ``claims`` and of ``supported`` ones."""

    value: float
    claims: int = 0
    supported: int = 0


class AnswerMetric(Protocol):
    """Scores answers that were given."""

    @property
    def version(self) -> str:
        """Another one whenever the same answer may be scored otherwise: such scores are not compared."""
        ...

    async def score(self, given: GivenAnswer, triad: Triad) -> MetricScore | None:
        """The score of one answer; None if the metric does not apply to it. ``triad`` embeds and judges texts for the
        metric, charged to the judge."""
        ...


METRIC: Kind[[PluginHost], AnswerMetric] = Kind(
    "metric", AnswerMetric, ("host",), builtins="mainspring.rag.triad.live", setting="monitor.judging.metrics"
)


@dataclass(frozen=True, slots=True)
class TriadMetric:
    """One part of the triad as a metric."""

    scored: Callable[[GivenAnswer, Triad], Awaitable[MetricScore | None]]

    @property
    def version(self) -> str:
        # The weights that it scores by; ``judged_by`` tells them apart for all parts at once.
        return ""

    async def score(self, given: GivenAnswer, triad: Triad) -> MetricScore | None:
        return await self.scored(given, triad)


async def verdict(
    given: GivenAnswer,
    embedder: Embedder,
    judge: ChatJudge | None = None,
    metrics: Mapping[str, AnswerMetric] | None = None,
) -> Verdict:
    """Judge an answer by embeddings, or by ``judge``, with ``metrics`` (None: the triad). Raises their errors.

    ``context_relevance`` is that of the best passage; ``faithfulness`` is the mean support of the answer's statements;
    ``answer_relevancy`` is called ``answer_relevancy_alone`` without passages, because it is then another measure.
    """
    # A triad remembers the texts that it has embedded: each answer gets its own, and nothing of it stays.
    triad = Triad(embedder, judge)
    given = GivenAnswer(given.question[:MOST_CHARACTERS], given.answer[:MOST_CHARACTERS], given.passages)
    found = {
        name: score
        for name, metric in (TRIAD if metrics is None else metrics).items()
        if (score := await metric.score(given, triad)) is not None
    }
    return Verdict(
        {name: score.value for name, score in found.items()},
        sum(score.claims for score in found.values()),
        sum(score.supported for score in found.values()),
    )


async def _relevancy(given: GivenAnswer, triad: Triad) -> MetricScore | None:
    if not given.passages:
        return None
    return MetricScore(await triad.answer_relevancy(given.question, given.answer, given.passages))


async def _relevancy_alone(given: GivenAnswer, triad: Triad) -> MetricScore | None:
    return None if given.passages else MetricScore(await triad.answer_relevancy(given.question, given.answer))


async def _relevance(given: GivenAnswer, triad: Triad) -> MetricScore | None:
    return MetricScore(max(await triad.context_relevance(given.question, given.passages))) if given.passages else None


async def _faithfulness(given: GivenAnswer, triad: Triad) -> MetricScore | None:
    if not given.passages:
        return None
    found = await triad.faithfulness(given.answer, given.passages, given.question, most=MOST_CLAIMS)
    if not found.claims:
        return None
    mean = statistics.fmean(claim.score for claim in found.claims)
    return MetricScore(mean, len(found.claims), sum(claim.supported for claim in found.claims))


TRIAD: Mapping[str, AnswerMetric] = {
    "answer_relevancy": TriadMetric(_relevancy),
    "answer_relevancy_alone": TriadMetric(_relevancy_alone),
    "context_relevance": TriadMetric(_relevance),
    "faithfulness": TriadMetric(_faithfulness),
}
"""The default metric for answers."""


@hookimpl
def mainspring_register(registry: Registry) -> None:
    """``factory(host) -> AnswerMetric``."""

    def add(name: str, metric: AnswerMetric) -> None:
        registry.add(METRIC, name, lambda _: metric)

    for name, metric in TRIAD.items():
        add(name, metric)


def metrics_of(registry: Registry, further: Sequence[str], host: PluginHost) -> dict[str, AnswerMetric]:
    """The triad and ``further`` metrics. Raises ``SettingsError`` with the nearest name if a name is unknown."""
    return {name: registry.make(METRIC, name, host) for name in (*TRIAD, *further)}


def judged_by(embedder: Embedder, model: str = "", metrics: Mapping[str, AnswerMetric] | None = None) -> str:
    """The judge's readable name, different if scores must not be compared: the embedding model or ``model``, with a
    digest of the criteria, including plugins' metrics."""
    if model:
        basis = repr((asking.version(), model))
    else:
        told = (weights.SUPPORT, weights.SUPPORT_ASKED, weights.ANSWER, weights.ANSWER_ALONE)
        basis = repr((getattr(embedder, "fingerprint", embedder.name), [sorted(each.items()) for each in told]))
    if versions := sorted((name, each.version) for name, each in (metrics or {}).items() if each.version):
        basis += repr(versions)
    return f"{model or embedder.name}@{hashlib.sha256(basis.encode()).hexdigest()[:8]}"
