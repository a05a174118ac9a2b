"""The findings of a question in the documents, and their facts for the event log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mainspring.core.facts.opinions import ScoreFacts
from mainspring.core.facts.retrievals import (
    GraphFacts,
    HitFacts,
    QuestionPartFacts,
    ReadingFacts,
    RetrievalFacts,
    SpanFacts,
    StepFacts,
)
from mainspring.core.types import Context, EventRecord
from mainspring.rag.answer.evidence import confirm
from mainspring.rag.answer.evidence.exact_names import ExactName
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.graph.results import GraphResult
from mainspring.rag.query.plan import PlanStep
from mainspring.rag.search.hit import Hit
from mainspring.stores.events.of_request import request_event

_READ_DOCUMENTS = 3


@dataclass(frozen=True, slots=True)
class Findings:
    """The results of a question: the hits that count, their sentences by score, the texts, the evidence in [0, 1], and
    the graph's result (None: not asked). ``steps`` are the techniques applied to the question; ``lacks`` are the
    question's names that the best sentence's document lacks. ``answers`` is how likely a reader finds it that the best
    sentences answer (None: it was not asked)."""

    question: str
    hits: Sequence[Hit]
    passages: Sequence[Passage]
    texts: dict[str, str]
    evidence: float
    features: Mapping[str, float] = field(default_factory=dict)
    walked: GraphResult | None = None
    steps: Sequence[PlanStep] = ()
    lacks: Sequence[ExactName] = ()
    answers: float | None = None

    def refused(self, below: float, read_below: float, confirm_below: float = 0.0) -> bool:
        """Whether there is no answer to show: ``below`` is the least evidence, ``read_below`` the least ``answers``,
        ``confirm_below`` the least that a chat model confirms of the best passage."""
        missed = self.answers is not None and self.answers < read_below
        confirmed = confirm.best(self.passages)
        missed = missed or (confirmed is not None and confirmed < confirm_below)
        return not self.passages or self.evidence < below or bool(self.lacks) or missed


def shown_hits(candidates: Sequence[Hit], top_k: int) -> list[Hit]:
    """The best ``top_k``, and the best of each of the first three documents: no document crowds out all others."""
    first_ones = list(candidates[:top_k])
    first: dict[str, Hit] = {}
    for hit in candidates:
        first.setdefault(hit.document_id, hit)
    extra = [hit for hit in list(first.values())[: min(3, top_k)] if hit not in first_ones]
    return first_ones + extra


def near_hits(candidates: Sequence[Hit], hits: Sequence[Hit]) -> list[Hit]:
    """The ``candidates`` outside of ``hits``, which are shown, from the first three of their documents: the answer is
    often in another chunk of the right document than the most similar one."""
    documents = list(dict.fromkeys(hit.document_id for hit in candidates))[:_READ_DOCUMENTS]
    known = {hit.document_id for hit in hits}.intersection(documents)
    return [hit for hit in candidates if hit not in hits and hit.document_id in known]


def record(
    context: Context,
    mode: str,
    found: Findings,
    refused: bool,
    cited: Sequence[Passage],
    reading: ReadingFacts | None = None,
    parts: Sequence[QuestionPartFacts] = (),
    condensed: bool = False,
) -> EventRecord:
    """The fact of this retrieval, for ``context.settlement.records``."""
    # The sources decide who may see the answer and when it is erased, so they include documents that only the graph
    # quoted.
    told = [] if found.walked is None else found.walked.cited()
    listed = {hit.document_id for hit in found.hits}
    beside = {step.document_id: None for step in told if step.document_id not in listed}
    quoted = [] if found.walked is None else [hit for hit in found.walked.hits if hit.document_id in beside]
    walked = (
        None
        if found.walked is None
        else GraphFacts(
            # Only counts: facts outlive the documents, so they contain none of their words.
            paths=len(found.walked.paths),
            themes=len(found.walked.themes),
        )
    )
    facts = RetrievalFacts(
        collections=sorted({hit.collection_id for hit in (*found.hits, *quoted)}),
        mode=mode,
        evidence=round(found.evidence, 4),
        refused=refused,
        features={name: round(value, 4) for name, value in _told(found).items()},
        hits=[*(_facts(hit) for hit in found.hits), *(HitFacts(document_id=name) for name in beside)],
        cited=[
            *(SpanFacts(document_id=each.hit.document_id, start=each.start, end=each.end) for each in cited),
            *(SpanFacts(document_id=each.document_id, start=each.start, end=each.end) for each in told if not refused),
        ],
        # Without their notes, which may contain words of the documents.
        steps=[
            StepFacts(
                name=each.name, milliseconds=round(each.milliseconds, 3), tokens=each.tokens, changed=each.changed
            )
            for each in found.steps
        ],
        graph=walked,
        reading=reading,
        parts=parts,
        condensed=condensed,
    )
    return request_event(context, facts)


def _told(found: Findings) -> Mapping[str, float]:
    readings = {"answers": found.answers, "confirmed": confirm.best(found.passages)}
    return {**found.features, **{name: value for name, value in readings.items() if value is not None}}


def named(context: Context, mode: str, collections: Sequence[str], documents: Sequence[str]) -> EventRecord:
    """The fact that an answer named ``documents`` (ids) of ``collections`` (ids) without searching, for
    ``context.settlement.records``: it decides who may see the answer, and the answer is erased with them."""
    return request_event(
        context,
        RetrievalFacts(
            collections=sorted(collections),
            mode=mode,
            refused=False,
            hits=[HitFacts(document_id=each) for each in documents],
            cited=(),
        ),
    )


def checked(context: Context, facts: ScoreFacts) -> EventRecord:
    """The fact of how many written sentences no passage supported, for ``context.settlement.records``: ``sentences``,
    ``unsupported``, and for a trusted model the numbers rewritten, quoted and left out, and the time."""
    return request_event(context, facts)


def _facts(hit: Hit) -> HitFacts:
    return HitFacts(
        chunk_id=hit.chunk_id,
        document_id=hit.document_id,
        score=round(hit.score, 4),
        dense=round(hit.dense_score, 4),
        lexical=None if hit.lexical_score is None else round(hit.lexical_score, 4),
        dense_rank=hit.dense_rank,
        lexical_rank=hit.lexical_rank,
    )
