"""Refusal: whether the answerer's evidence separates answerable questions from others.

Every question is answered without the threshold, and its evidence and whether a gold answer is shown are kept; every
threshold can then be examined. ``near_miss`` questions are the hard ones: the subject is there, the fact is not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.features.evaluate.ablate.workbench import Workbench
from mainspring.features.evaluate.sets.collections import JudgedCollection, Kind, Query
from mainspring.statistics.curves import RiskCoverage, auroc, risk_coverage
from mainspring.statistics.significance import Estimate

_PIECE = re.compile(r"\d+(?:[.,]\d+)*|\w+|[%$£€]")


@dataclass(frozen=True, slots=True)
class RefusalOutcome:
    """A question's answer: its evidence, and whether a gold answer was shown (never if the question has none)."""

    query: str
    kind: Kind
    evidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Outcomes, their curve, and the AUROC of the evidence for answerable questions against each other kind.

    ``threshold`` is the evidence below which the settings refuse; ``refused`` is the refused share of each kind.
    """

    collection: str
    outcomes: tuple[RefusalOutcome, ...]
    curve: RiskCoverage
    auroc: dict[Kind, Estimate]
    threshold: float
    refused: dict[Kind, float]


async def measure(
    bench: Workbench, collection: JudgedCollection, threshold: float, progress: Callable[[int, int], None] | None = None
) -> Refusal:
    """Ask every question of ``collection`` on a workbench that was opened with ``rag.refuse_below`` 0 and filled.

    Raises ``InvalidRequest`` if the collection has no question that can be answered.
    """
    outcomes: list[RefusalOutcome] = []
    for number, query in enumerate(collection.queries, 1):
        answered = await bench.answer(query.text)
        shown = "\n".join(answered.quotes) or answered.text
        outcomes.append(RefusalOutcome(query.id, query.kind, answered.evidence, holds(shown, query)))
        if progress:
            progress(number, len(collection.queries))
    return summarise(collection.name, outcomes, threshold)


def summarise(name: str, outcomes: Sequence[RefusalOutcome], threshold: float) -> Refusal:
    """The curve and AUROC of outcomes. Answering an unanswerable question counts as a wrong answer."""
    by_kind: dict[Kind, list[float]] = {}
    for outcome in outcomes:
        by_kind.setdefault(outcome.kind, []).append(outcome.evidence)
    if "answerable" not in by_kind:
        raise InvalidRequest(f"{name} has no answerable question", param="collection")
    return Refusal(
        name,
        tuple(outcomes),
        risk_coverage([each.evidence for each in outcomes], [each.right for each in outcomes]),
        {kind: auroc(by_kind["answerable"], evidence) for kind, evidence in by_kind.items() if kind != "answerable"},
        threshold,
        {kind: sum(each < threshold for each in evidence) / len(evidence) for kind, evidence in by_kind.items()},
    )


def holds(shown: str, query: Query) -> bool:
    """Whether ``shown`` contains a gold answer at word boundaries, ignoring case and punctuation."""
    plain = f" {_plain(shown)} "
    return any(f" {_plain(answer)} " in plain for answer in query.answers if _plain(answer))


def as_json(found: Refusal) -> dict[str, Any]:
    """Everything but the single outcomes; of the curve every twentieth of coverage."""
    steps = [found.curve.at_coverage(step / 20) for step in range(1, 21)]
    return {
        "collection": found.collection,
        "questions": {kind: sum(each.kind == kind for each in found.outcomes) for kind in found.refused},
        "aurc": found.curve.aurc,
        "aurc_best": found.curve.best,
        "aurc_chance": found.curve.chance,
        "auroc": {kind: asdict(estimate) for kind, estimate in found.auroc.items()},
        "threshold": found.threshold,
        "refused": found.refused,
        "curve": [asdict(point) for point in steps],
    }


def _plain(text: str) -> str:
    return " ".join(_PIECE.findall(unicodedata.normalize("NFKC", text).casefold()))
