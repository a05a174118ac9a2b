"""What the channels need of the desk."""

from __future__ import annotations

from typing import Protocol

from mainspring.core.types import Context


class Opens(Protocol):
    """Opens cases for what comes in by channels."""

    async def for_people(
        self, context: Context, session_id: str, subject: str, reason: str, body: str, person: str, key: str
    ) -> None:
        """An escalation in a session, once for each ``key``. If a person has it already, ``body`` is said there."""
        ...

    async def first_message(self, context: Context, number: str) -> bool:
        """Whether a case has one message of its customer, at most."""
        ...
