"""How an agent hands a conversation to people, independent of what keeps their cases.

A tool of an agent opens a case at the desk that it was given; the service of a feature is one
(``Services.perhaps(Desk)``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from mainspring.agents.tools.base import ToolContext

CasePriority = Literal["low", "normal", "high", "urgent"]
CaseKind = Literal["ticket", "escalation"]
"""A ticket is worked on later, while the agent goes on; after an escalation a person answers in its place."""


@dataclass(frozen=True, slots=True)
class NewCase:
    """What people should know when they take over.

    ``subject`` says in a line what is wanted, ``reason`` why the agent did not do it. ``topic`` decides the queue.
    ``customer`` is the identifier of a customer who was verified (empty: nobody was). ``references`` are what it is
    about, such as ``{"order": "C-1042"}``. ``body`` is what the customer asked to be passed on.
    """

    kind: CaseKind
    subject: str
    reason: str
    topic: str = ""
    priority: CasePriority = "normal"
    customer: str = ""
    body: str = ""
    references: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenedCase:
    """The ``number`` is for the customer, ``queue`` names the people, ``status`` is ``open``, ``taken``, ``waiting``
    or ``closed``."""

    number: str
    queue: str
    status: str


@runtime_checkable
class Desk(Protocol):
    """Keeps cases, each in a queue of people."""

    async def open_case(self, case: NewCase, context: ToolContext) -> OpenedCase:
        """Open a case; durable when it returns, one for each ``context.key``. The conversation is that of
        ``context.session_id``. Raises ``InvalidRequest``."""
        ...

    async def find_case(self, number: str, customer: str, context: ToolContext) -> OpenedCase:
        """The case of a verified customer. Raises ``NotFound`` for one of somebody else."""
        ...
