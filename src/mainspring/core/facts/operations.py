"""The facts of other operations: cost anomalies, refusals, repairs, candidates, erasures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mainspring.core.facts.base import Facts
from mainspring.core.facts.marks import Erase, Keep, Served

ANOMALY = "cost_anomaly"
"""The value of ``signal`` in a cost for an hour that was more expensive than comparable hours."""
REACHED = "budget_reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFacts(Facts):
    """Of ``signal`` REACHED: a budget whose limit was reached in a ``period``. Of ANOMALY: a model's ``hour`` that cost
    more than was expected. Money is in nano-US-dollars."""

    EVENT: ClassVar[str] = "cost"

    signal: Keep[str]
    budget_id: Keep[str] = ""
    name: Keep[str] = ""
    scope: Keep[str] = ""
    subject: Erase[str] = ""
    hard: Keep[bool | None] = None
    period: Keep[str] = ""
    limit_nanousd: Keep[int | None] = None
    limit_tokens: Keep[int | None] = None
    spent_nanousd: Keep[int | None] = None
    spent_tokens: Keep[int | None] = None
    model: Served[str] = ""
    hour: Keep[str] = ""
    cost_nanousd: Keep[int | None] = None
    expected_nanousd: Keep[int | None] = None
    score: Keep[float | None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalsFacts(Facts):
    """How often an application was refused with this ``error`` before anything was recorded."""

    EVENT: ClassVar[str] = "refusals"

    application: Served[str]
    error: Keep[str]
    count: Keep[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairFacts(Facts):
    """The number of rounds until an answer fitted its schema, and the fault in each."""

    EVENT: ClassVar[str] = "repair"

    model: Served[str]
    outcome: Keep[str]
    rounds: Keep[int]
    problems: Erase[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingFacts(Facts):
    """How an answer was chosen among several candidates."""

    EVENT: ClassVar[str] = "scaling"

    method: Keep[str]
    calls: Keep[int]
    candidates: Keep[int | None] = None
    answers: Keep[int | None] = None
    votes: Keep[int | None] = None
    score: Keep[float | None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedFacts(Facts):
    """How much was erased, when a person asked for it."""

    EVENT: ClassVar[str] = "erased"

    events: Keep[int]
    messages: Keep[int]
    texts: Keep[int | None] = None
    session_id: Erase[str] = ""
