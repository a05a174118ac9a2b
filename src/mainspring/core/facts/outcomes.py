"""The outcome of an answer, and whose fault a failure is."""

from __future__ import annotations

from mainspring.core.errors import MainspringError
from mainspring.core.facts.answers import AnswerFacts


def outcome_of(facts: AnswerFacts) -> str:
    """The outcome in an answer's facts: ``ok``, ``failed`` through the service's fault, ``refused`` through its
    caller's, or ``cancelled``."""
    if facts.status == "completed":
        return "ok"
    if facts.status != "failed":
        return "cancelled"
    return "failed" if _STATUS.get(facts.error, 500) >= 500 else "refused"


def _statuses() -> dict[str, int]:
    found: dict[str, int] = {}
    waiting: list[type[MainspringError]] = [MainspringError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.code, kind.status)
        waiting += kind.__subclasses__()
    return found


_STATUS = _statuses()
