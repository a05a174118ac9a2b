"""A verdict on one answer that was given: the RAG triad over what is recorded of it, as numbers and nothing else."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mainspring.core.settings.rag import Measure
from mainspring.engines.base import Embedder
from mainspring.rag.triad import model_judge as asking
from mainspring.rag.triad import weights
from mainspring.rag.triad.metrics import Judge, Triad

# A judge reads so many statements of an answer, and so much of the question and of the answer.
MOST_CLAIMS = 12
MOST_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer with what it was given to. ``passages`` are empty where it was made of none."""

    question: str
    answer: str
    passages: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Means in [0, 1], by measure; ``claims`` is how many statements were held against the passages, ``supported`` how
    many of them those bear out."""

    scores: Mapping[Measure, float] = field(default_factory=dict)
    claims: int = 0
    supported: int = 0


async def verdict(given: GivenAnswer, embedder: Embedder, judge: Judge | None = None) -> Verdict:
    """Judge an answer by embeddings, or by ``judge``. Raises what either raises.

    ``context_relevance`` is that of the best passage; ``faithfulness`` the mean support of the answer's statements;
    ``answer_relevancy`` is called ``answer_relevancy_alone`` where there are no passages: it is another measure then.
    """
    # A triad remembers the texts that it has embedded: each answer gets its own, and nothing of it stays.
    triad = Triad(embedder, judge)
    question, answer = given.question[:MOST_CHARACTERS], given.answer[:MOST_CHARACTERS]
    relevancy = await triad.answer_relevancy(question, answer, given.passages)
    if not given.passages:
        return Verdict({"answer_relevancy_alone": relevancy})
    relevance = await triad.context_relevance(question, given.passages)
    scores: dict[Measure, float] = {"context_relevance": max(relevance), "answer_relevancy": relevancy}
    found = await triad.faithfulness(answer, given.passages, question, most=MOST_CLAIMS)
    if found.claims:
        scores["faithfulness"] = statistics.fmean(claim.score for claim in found.claims)
    return Verdict(scores, len(found.claims), sum(claim.supported for claim in found.claims))


def judged_by(embedder: Embedder, model: str = "") -> str:
    """Who judges, for people to read, and different where scores must not be compared: the embedding model or
    ``model``, with a digest of what it judges by."""
    if model:
        basis = repr((asking.version(), model))
    else:
        told = (weights.SUPPORT, weights.SUPPORT_ASKED, weights.ANSWER, weights.ANSWER_ALONE)
        basis = repr((getattr(embedder, "fingerprint", embedder.name), [sorted(each.items()) for each in told]))
    return f"{model or embedder.name}@{hashlib.sha256(basis.encode()).hexdigest()[:8]}"
