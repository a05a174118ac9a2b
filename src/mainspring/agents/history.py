"""The history of a run: its steps with their outcomes, from which it is resumed, replayed and forked.

An agent is ordinary code that runs from its beginning again after a restart. It does nothing that matters by itself:
each call of a model or a tool, each decision of a person, the time and random numbers are steps. ``History.outcome``
performs a step and records its outcome, or returns the outcome that is recorded.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from mainspring.agents.tools.base import Effect
from mainspring.stores.sql import rows

StepKind = Literal["input", "model", "tool", "approval", "agent", "value"]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a run.

    ``path`` is its position, the same each time that the run reaches it: numbers with dots, one level for each agent
    within another (parallel branches have paths of their own). ``name`` is the model's, the tool's or the agent's.
    ``input`` is a JSON value: what is asked. ``effect`` says whether it may be performed again if its outcome is not
    known.

    The input of an ``approval`` is ``{"call_id": ..., "arguments": {...}, "expires_s": ...}`` (seconds, may be absent),
    its name that of the tool. Its outcome is ``{"approved": true | false, "decision": "approved" | "denied" |
    "expired", "note": ..., "approval_id": ...}``. The outcome of a ``tool`` is an object with the fields of
    ``ToolResult``, of which each may be absent: a person who knows the outcome of a call gives its ``output``. Its
    ``usage`` are the four numbers of what the tool used on models of its own.
    """

    path: str
    kind: StepKind
    name: str
    input: Any
    effect: Effect = "none"

    @property
    def digest(self) -> str:
        """The SHA-256 of what is asked, in hexadecimal digits."""
        return rows.digest(rows.dump([self.kind, self.name, self.input]))

    def key(self, run_id: str) -> str:
        """The idempotency key: of the run, the position and what is asked, so that two intended equal calls stay
        two."""
        return hashlib.sha256(f"{run_id}\0{self.path}\0{self.digest}".encode()).hexdigest()[:32]


Perform = Callable[[str], Awaitable[Any]]
"""Performs a step under its idempotency key; returns its outcome, a JSON value."""


class History(Protocol):
    """The history of one run."""

    @property
    def run_id(self) -> str: ...

    @property
    def origin(self) -> str:
        """The run that this one was forked from, at first, or itself: what an agent derives from it is the same in
        forks."""
        ...

    async def outcome(self, step: Step, perform: Perform) -> Any:
        """The outcome of ``step``: the recorded one, or that of ``perform``, which is durable when this returns.

        Steps of the kind ``approval`` are asked for by the history, and ``perform`` is not called.

        Raises ``Diverged`` if another step is recorded at this position, ``Stopped`` if the run is paused or cancelled,
        ``Waiting`` if a person must act first (an approval that is not decided, an effect whose outcome is not known),
        and what ``perform`` raises: then nothing is recorded and the step is performed again when the run is resumed.
        But if an ``unkeyed`` step raises, nobody knows whether it has had its effect: that is ``Waiting``. So
        ``perform`` returns failures that are known to have had no effect as outcomes.

        The outcome is returned as it is read again later: keys in order, without card numbers.
        """
        ...


class NoHistory:
    """A run that keeps nothing."""

    def __init__(self, run_id: str = "") -> None:
        self.run_id = self.origin = run_id or "run_" + secrets.token_hex(12)

    async def outcome(self, step: Step, perform: Perform) -> Any:
        # Nobody comes back to this run: the position alone tells its calls apart, and no digest is made.
        return await perform(hashlib.sha256(f"{self.run_id}\0{step.path}".encode()).hexdigest()[:32])
