"""What ends or stops a run of an agent."""

from __future__ import annotations

from typing import Literal

from mainspring.core.errors import Conflict, MainspringError

Limit = Literal["steps", "tokens", "money", "time", "depth", "no_progress"]


class Stopped(Conflict):
    """The run stops here, and what it has done is kept. Nobody but the keeper of runs catches this: an agent's code
    lets it pass."""


class Waiting(Stopped):
    """The run cannot go on before a person acts. ``step`` is the path of the step that waits, ``approval_id`` the
    approval that decides it (empty: its effect is not known, see ``mainspring runs decide``)."""

    def __init__(self, message: str, *, step: str, approval_id: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.step = step
        self.approval_id = approval_id


class Paused(Stopped):
    """Somebody paused the run: it goes on when it is resumed."""


class Cancelled(Stopped):
    """Somebody cancelled the run, or another process has taken it over."""


class Diverged(Conflict):
    """The run reached another step than the recorded one: its agent has changed since."""


class LimitReached(MainspringError):
    """An agent has used up one of its limits. ``owner`` is the agent whose limit it is."""

    code = "agent_limit_reached"

    def __init__(self, message: str, *, limit: Limit, owner: str) -> None:
        super().__init__(message)
        self.limit = limit
        self.owner = owner
