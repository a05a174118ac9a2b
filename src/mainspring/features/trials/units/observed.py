"""What an event says of a unit."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.base import Facts
from mainspring.core.facts.opinions import FeedbackFacts, OutcomeFacts, ScoreFacts
from mainspring.features.trials.definitions import SUMMED, Measured

KINDS = ("answer", "feedback", "score", "outcome")
Sums = list[list[float]]
"""[sum, count] of each measure."""
_NANO = 1e9
_GIVEN_UP = "cancelled"


def observe(sums: Sums, measures: Sequence[Measured], facts: Facts, age_s: float) -> None:
    """Add what ``facts`` say to ``sums``; they were written ``age_s`` after the unit's first answer."""
    for place, measure in enumerate(measures):
        if age_s > measure.window and not isinstance(facts, AnswerFacts):
            continue
        match facts:
            case AnswerFacts():
                # Further answers of a session are its own: they count until its window ends.
                if age_s <= max(each.window for each in measures):
                    _add(sums[place], _of_answer(measure, facts))
            case FeedbackFacts() if measure.source == "feedback":
                _rated(sums[place], facts)
            case ScoreFacts() if measure.source == "score":
                _add(sums[place], (facts.scores or {}).get(measure.name))
            case OutcomeFacts() if measure.source == "outcome" and facts.metric == measure.name:
                if facts.value is not None:
                    # The latest one counts.
                    sums[place][:] = [facts.value, 1]


def value(measure: Measured, sums: Sequence[float]) -> float | None:
    """A unit's value; None if nothing is known."""
    total, count = sums
    if not count:
        return None
    return total if measure.source in SUMMED else total / count


def success(measure: Measured, sums: Sequence[float]) -> bool | None:
    """Whether the unit succeeds; None: it does not count."""
    found = value(measure, sums)
    if found is None:
        return False if measure.absent_fails else None
    at_least, at_most = measure.bounds
    if at_least is not None:
        return found >= at_least
    return at_most is not None and found <= at_most


def _of_answer(measure: Measured, answer: AnswerFacts) -> float | None:
    if answer.status == _GIVEN_UP:
        return None
    failed = answer.status == "failed"
    if measure.source == "error":
        return float(failed)
    if failed:
        return None
    match measure.source:
        case "refusal":
            return float(answer.answered is False or "content_filter" in answer.finish)
        case "latency":
            return answer.duration_s
        case "ttft":
            return answer.ttft_s
        case "cost":
            return answer.cost_nanousd / _NANO
        case "tokens":
            return float(answer.completion_tokens)
    return None


def _rated(sums: list[float], feedback: FeedbackFacts) -> None:
    if not feedback.rating:
        return
    if feedback.instead_of:
        sums[0] -= float(feedback.instead_of == "up")
        sums[1] = max(0.0, sums[1] - 1)
    _add(sums, float(feedback.rating == "up"))


def _add(sums: list[float], value: float | None) -> None:
    if value is not None:
        sums[0] += value
        sums[1] += 1
