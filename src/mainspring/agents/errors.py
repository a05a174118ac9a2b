"""What ends or stops a run of an agent."""

from __future__ import annotations

from mainspring.core.errors import Conflict


class Waiting(Conflict):
    """The run cannot go on before a person acts. ``step`` is the path of the step that waits, ``approval_id`` the
    approval that decides it."""

    def __init__(self, message: str, *, step: str, approval_id: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.step = step
        self.approval_id = approval_id


class Diverged(Conflict):
    """The run reached another step than the recorded one: its agent has changed since."""
