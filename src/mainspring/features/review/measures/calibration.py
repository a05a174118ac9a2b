"""What a judge's scores are worth: the score from which people approve, and the approval of all answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.features.review.definition import MANUAL, Queue
from mainspring.features.review.measures.reviewer_agreement import estimate_body
from mainspring.features.review.measures.verdicts import Scores
from mainspring.statistics import prediction_powered
from mainspring.statistics.sampling import stratified, wilson
from mainspring.statistics.significance import Estimate
from mainspring.statistics.thresholds import bins, threshold

# Labels of a stratum from which a normal interval may be trusted.
_LEAST = 20


@dataclass(frozen=True, slots=True)
class Labelled:
    """An answer with people's verdict. ``probability`` None: a person chose it, and it stands for itself alone."""

    answer_id: str
    approved: bool
    stratum: str
    probability: float | None


def threshold_body(
    queue: Queue, labelled: Sequence[Labelled], scores: Mapping[str, Scores], score: str, wanted: float
) -> dict[str, Any]:
    """The curve and the threshold, as JSON. Answers weigh one over their probability of being in the queue."""
    rows = [each for each in labelled if score in scores.get(each.answer_id, {})]
    values = [scores[each.answer_id][score] for each in rows]
    approved = [each.approved for each in rows]
    weights = [1 / (each.probability or 1.0) for each in rows]
    found = threshold(values, approved, wanted, weights)
    return {
        "object": "review.threshold",
        "queue": queue.name,
        "score": score,
        "labels": len(rows),
        **{name: None if value is None else round(value, 4) for name, value in asdict(found).items() if name != "n"},
        "curve": [
            {
                "low": round(each.low, 4),
                "high": round(each.high, 4),
                "mean": round(each.mean, 4),
                "approval": estimate_body(each.approval),
            }
            for each in bins(values, approved, weights)
        ],
    }


def estimate(
    queue: Queue, labelled: Sequence[Labelled], scores: Mapping[str, Scores], score: str, strata: Mapping[str, str]
) -> dict[str, Any]:
    """The approval of all answers that the queue's rule has seen, as JSON: from labels alone, and calibrated with the
    judge's scores of further answers.

    ``strata`` are those of the queue's items, by answer; other judged answers are of the rest. Each stratum is
    estimated by itself and weighs as many answers as were seen of it. One with fewer than two labels is left out:
    ``covered`` is the share of answers that the estimate speaks of.
    """
    by_stratum: dict[str, list[Labelled]] = {}
    for each in labelled:
        if each.stratum != MANUAL and each.probability is not None:
            by_stratum.setdefault(each.stratum, []).append(each)
    known = {each.answer_id for each in labelled}
    others: dict[str, list[float]] = {}
    for answer_id, found in scores.items():
        if answer_id not in known and score in found:
            others.setdefault(strata.get(answer_id, "rest"), []).append(found[score])
    rows, alone, calibrated = [], [], []
    for name, size in sorted(queue.seen.items()):
        theirs = by_stratum.get(name, [])
        row: dict[str, Any] = {"stratum": name, "answers": size, "labels": len(theirs)}
        if len(theirs) >= 2 and size > 0:
            plain, judged, count = _both(theirs, scores, score, others.get(name, []))
            alone.append((float(size), plain))
            calibrated.append((float(size), judged))
            row |= {"judged": count, "labels_alone": estimate_body(plain), "calibrated": estimate_body(judged)}
        rows.append(row)
    if not alone:
        raise InvalidRequest("no stratum has two labels", remedy="Label more items of this queue", param="queue")
    seen = sum(queue.seen.values())
    return {
        "object": "review.estimate",
        "queue": queue.name,
        "score": score,
        "answers": seen,
        "dropped": sum(queue.dropped.values()),
        "covered": round(sum(size for size, _ in alone) / seen, 4),
        "labels_alone": estimate_body(_within(stratified(alone))),
        "calibrated": estimate_body(_within(stratified(calibrated))),
        "plain_mean": round(sum(each.approved for each in labelled) / len(labelled), 4),
        "strata": rows,
    }


def _both(
    theirs: Sequence[Labelled], scores: Mapping[str, Scores], score: str, others: Sequence[float]
) -> tuple[Estimate, Estimate, int]:
    """Of one stratum: from labels alone, and calibrated; and the number of further judged answers."""
    labels = [float(each.approved) for each in theirs]
    plain = _of_labels(labels)
    judged = [
        (float(each.approved), scores[each.answer_id][score])
        for each in theirs
        if score in scores.get(each.answer_id, {})
    ]
    # Labels without scores would be left out, and those with scores are no random part of them.
    if len(judged) < max(_LEAST, len(theirs)) or len(others) < 2:
        return plain, plain, 0
    found = prediction_powered.mean([label for label, _ in judged], [value for _, value in judged], list(others))
    if found.estimate.high - found.estimate.low >= plain.high - plain.low or found.estimate.high <= found.estimate.low:
        return plain, plain, len(others)
    return plain, found.estimate, len(others)


def _of_labels(labels: Sequence[float]) -> Estimate:
    # Equal labels have no spread: Wilson's interval still says how few they are.
    return wilson(sum(labels), len(labels))


def _within(found: Estimate) -> Estimate:
    return Estimate(found.value, max(0.0, found.low), min(1.0, found.high), found.n)
