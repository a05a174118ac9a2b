"""Fitting the evidence and its threshold on labelled questions, and what that is worth on others.

The regression is fitted on the development half of a collection, the threshold is chosen there too, and both are then
evaluated on the reported half, beside the built-in evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.features.evaluate.ablate.workbench import Workbench
from mainspring.features.evaluate.fit.refusal import Refusal, RefusalOutcome, as_json, holds, summarise
from mainspring.features.evaluate.sets.collections import JudgedCollection, Kind
from mainspring.rag.answer.evidence.calibration import Calibration
from mainspring.rag.answer.evidence.features import NAMES
from mainspring.statistics.curves import RiskCoverage

# Weight of the sum of squared standardised weights, relative to the questions' mean log-loss.
_RIDGE = 0.01
_STEPS = 50
_PLOT_ROWS, _PLOT_COLUMNS = 10, 50


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """A question with the results of its search: ``right`` says whether a gold answer was shown."""

    query: str
    kind: Kind
    evidence: float
    features: Mapping[str, float]
    right: bool


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The calibration, and on the questions that it was not fitted on: the built-in evidence and the fitted one."""

    calibration: Calibration
    built_in: Refusal
    fitted: Refusal
    fitted_on: int


async def gather(
    bench: Workbench, collection: JudgedCollection, progress: Callable[[int, int], None] | None = None
) -> list[EvidenceRow]:
    """Ask every question on a workbench that was opened with ``rag.refuse_below`` 0 and filled."""
    rows: list[EvidenceRow] = []
    for number, query in enumerate(collection.queries, 1):
        answered = await bench.answer(query.text)
        shown = "\n".join(answered.quotes) or answered.text
        right = holds(shown, query)
        rows.append(EvidenceRow(query.id, query.kind, answered.evidence, answered.features, right))
        if progress:
            progress(number, len(collection.queries))
    return rows


def calibrate(
    name: str,
    fitting: Sequence[EvidenceRow],
    reporting: Sequence[EvidenceRow],
    *,
    refused: float = 0.05,
    risk: float | None = None,
    refuse_below: float = 0.0,
    embedder: str = "",
    reranker: str = "",
) -> Calibrated:
    """Fit on ``fitting``, report on ``reporting``.

    The threshold refuses at most the share ``refused`` of the fitting questions that can be answered; with ``risk`` it
    is the one that answers most while at most that share of the answers is wrong. Raises ``InvalidRequest`` if a half
    lacks one of both kinds, or if no threshold reaches ``risk``.
    """
    found = fit(fitting, embedder=embedder, reranker=reranker)
    outcomes = [RefusalOutcome(row.query, row.kind, found.evidence(row.features), row.right) for row in fitting]
    if risk is None:
        scores = sorted(each.evidence for each in outcomes if each.kind == "answerable")
        threshold = scores[int(refused * len(scores))]
    else:
        point = summarise(name, outcomes, 0.0).curve.at_risk(risk)
        if point is None:
            raise InvalidRequest(f"no threshold has a risk of at most {risk:g}", param="risk")
        threshold = point.threshold
    found = Calibration(found.weights, found.constant, threshold, embedder, reranker)
    fitted = [RefusalOutcome(row.query, row.kind, found.evidence(row.features), row.right) for row in reporting]
    built_in = [RefusalOutcome(row.query, row.kind, row.evidence, row.right) for row in reporting]
    return Calibrated(found, summarise(name, built_in, refuse_below), summarise(name, fitted, threshold), len(fitting))


def fit(rows: Sequence[EvidenceRow], *, embedder: str = "", reranker: str = "") -> Calibration:
    """Logistic regression (ridge, Newton's method) of "can be answered" on the standardised features.

    Raises ``InvalidRequest`` if there is only one kind of question.
    """
    import numpy as np

    labels = np.array([row.kind == "answerable" for row in rows], np.float64)
    if not 0 < labels.sum() < len(labels):
        raise InvalidRequest(
            "calibrating needs questions that can be answered and others that cannot",
            remedy="Label questions with kind: near_miss or off_topic (docs/guides/evaluation.md)",
            param="collection",
        )
    values = np.array([[row.features[name] for name in NAMES] for row in rows], np.float64)
    mean, spread = values.mean(0), values.std(0)
    spread[spread == 0] = 1.0
    design = np.hstack([(values - mean) / spread, np.ones((len(rows), 1))])
    ridge = _RIDGE * len(rows) * np.diag([1.0] * len(NAMES) + [0.0])
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -60, 60)))
        gradient = design.T @ (labels - chance) - ridge @ weights
        curvature = design.T @ (design * (chance * (1 - chance))[:, None]) + ridge
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    plain = weights[:-1] / spread
    constant = float(weights[-1] - plain @ mean)
    named = {name: float(weight) for name, weight in zip(NAMES, plain, strict=True)}
    return Calibration(named, constant, 0.5, embedder, reranker)


def facts(found: Calibrated) -> dict[str, Any]:
    """Everything as JSON."""
    return {
        "fitted_on": found.fitted_on,
        "calibration": asdict(found.calibration),
        "built_in": as_json(found.built_in),
        "fitted": as_json(found.fitted),
    }


def plot(curves: Mapping[str, RiskCoverage]) -> str:
    """Risk (up) against coverage (right) as text; each curve has the first letter of its name."""
    height = max((point.risk for curve in curves.values() for point in curve.points), default=0.0) or 1.0
    grid = [[" "] * _PLOT_COLUMNS for _ in range(_PLOT_ROWS)]
    for name, curve in curves.items():
        for column in range(_PLOT_COLUMNS):
            risk = curve.at_coverage((column + 1) / _PLOT_COLUMNS).risk
            row = _PLOT_ROWS - 1 - min(_PLOT_ROWS - 1, int(risk / height * _PLOT_ROWS))
            grid[row][column] = "*" if grid[row][column] not in (" ", name[0]) else name[0]
    lines = [f"{height * (_PLOT_ROWS - number) / _PLOT_ROWS:5.2f} |{''.join(row)}" for number, row in enumerate(grid)]
    legend = ", ".join(f"{name[0]} {name}" for name in curves)
    return "\n".join(["risk", *lines, "      +" + "-" * _PLOT_COLUMNS, f"       coverage 0 to 1: {legend}, * both"])
