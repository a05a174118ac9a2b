"""What events say, for tests."""

from __future__ import annotations

from typing import Any

from mainspring.core.types import EventRecord
from mainspring.guards.policy.policies import GuardDecision


def told(record: EventRecord) -> dict[str, Any]:
    """The facts of an event as JSON."""
    return record.facts.plain()


def facts_of(decision: GuardDecision) -> dict[str, Any]:
    """What a guard's decision says, wherever it was made."""
    found = decision.facts("input", "user").plain()
    return {name: value for name, value in found.items() if name not in ("stage", "role")}
