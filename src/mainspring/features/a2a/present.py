"""The turn that is being answered, for applications that read more of a message than its text or answer with more.

turn = present.turn()
if turn is not None:
    turn.artifacts.append({"name": "report", "parts": [{"raw": ..., "filename": "report.csv"}]})
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from mainspring.features.a2a.shapes import Json


@dataclass(slots=True)
class PresentTurn:
    """The message as it was sent, and what the application adds to its answer: ``artifacts`` (in the protocol's JSON,
    without ids) after the text, or ``as_message``: the answer is a message and leaves no task."""

    message: Mapping[str, Any]
    task_id: str
    context_id: str
    artifacts: list[Json] = field(default_factory=list)
    as_message: bool = False


PRESENT: ContextVar[PresentTurn | None] = ContextVar("a2a_turn", default=None)


def turn() -> PresentTurn | None:
    """The turn that the caller answers; None if it was not asked over A2A."""
    return PRESENT.get()
