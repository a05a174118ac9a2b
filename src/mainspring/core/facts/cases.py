"""The facts of cases that people work on: what happened to them, without a word that was said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mainspring.core.facts.base import Facts
from mainspring.core.facts.marks import Erase, Keep, Served


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFacts(Facts):
    """``action`` is opened, taken, released, reassigned, handed_back, asked (the customer said something), answered,
    noted, overdue, closed, reopened, or suggested, accepted, edited and rejected of a suggestion. ``by`` is the
    identity of a person's key. ``seconds`` is how long the customer waited for an answer, or the case until it closed.
    The event's subject is the case; ``session_id`` names the conversation."""

    EVENT: ClassVar[str] = "case"

    action: Keep[str]
    number: Keep[str] = ""
    type: Keep[str] = ""
    queue: Keep[str] = ""
    topic: Keep[str] = ""
    priority: Keep[str] = ""
    channel: Keep[str] = ""
    agent: Served[str] = ""
    by: Keep[str] = ""
    session_id: Erase[str] = ""
    seconds: Keep[float | None] = None
    suggestion: Keep[str] = ""
    resolution: Keep[str] = ""
