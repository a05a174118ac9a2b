"""A finished evaluation that another harness ran: its questions, its answers and its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from mainspring.core.types import Principal
from mainspring.evaluation.examples import Example, ExampleAnswer


@dataclass(frozen=True, slots=True)
class RecordedRow:
    """A question with the answer to it and its scores in [0, 1] by label; ``reasons`` say why, by label."""

    example: Example
    answered: ExampleAnswer
    scores: Mapping[str, float]
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordedEvaluation:
    """``task`` names what was asked, ``model`` who answered. ``digest`` (hexadecimal) tells it from all others.
    ``created_at`` are Unix seconds (None: unknown). ``metadata`` says where it comes from. ``left_out`` counts what was
    not taken, by reason."""

    task: str
    model: str
    digest: str
    rows: Sequence[RecordedRow]
    created_at: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class EvaluationRecords(Protocol):
    """Keeps finished evaluations as experiments."""

    async def record(self, principal: Principal, found: RecordedEvaluation, data_set: str) -> tuple[str, bool]:
        """The id of the experiment over the data set of that name, which gets the questions, and whether it is new: of
        one digest there is one. All of it is there when this returns, or nothing. Raises ``InvalidRequest``,
        ``QuotaExceeded``."""
        ...
