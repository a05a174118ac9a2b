"""What happened: facts about requests, for the event log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

EventKind = Literal[
    "call",
    "answer",
    "replay",
    "retrieval",
    "guard",
    "tool",
    "approval",
    "feedback",
    "score",
    "label",
    "erased",
    "repair",
    "scaling",
    "cost",
    "refusals",
]
"""A ``replay`` is an answer to a recorded request that was asked again: no user was answered."""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A fact about a request: transactional, never sampled. ``facts`` is JSON; text goes into ``content``.

    ``subject`` is what it is about (an answer id), ``parent_id`` the event that it follows, ``at`` Unix seconds;
    ``person`` is whom an answer was for, as the caller named them.
    """

    id: str
    at: float
    tenant: str
    trace_id: str
    kind: EventKind
    subject: str
    facts: Mapping[str, Any]
    content: str | None = None
    parent_id: str | None = None
    version: int = 1
    consent: bool = False
    retention: str = "default"
    person: str = ""
