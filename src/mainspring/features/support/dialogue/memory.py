"""What a dialogue remembers between two messages: a JSON value in the session's state."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

STATE = "dialogue"
"""The key of the session's state under which it lies."""
Asked = Literal["", "identity", "slot", "confirm", "person"]
"""What the last answer asked for."""
Purpose = Literal["identify", "options", "check", "act", "approve", "search", "escalate"]


@dataclass(slots=True)
class Open:
    """A task under way. ``check`` is the result of its check (None: it was not checked). ``text`` is how the customer
    asked for it; ``guessed``: nobody knows what is wanted of what it names."""

    tool: str
    slots: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    check: Any = None
    confirmed: bool = False
    excluded: list[Any] = field(default_factory=list)
    guessed: bool = False


@dataclass(slots=True)
class Called:
    """A call whose result is awaited."""

    tool: str
    purpose: Purpose
    key: str = ""


@dataclass(slots=True)
class Dialogue:
    """``entities`` are the latest values that messages stated, ``tasks`` those under way, the first one first.
    ``asked`` with ``slot`` is what the last answer asked for, with the ``options`` that it named. ``tried`` are the
    credentials that failed, ``misses`` the messages in a row that were not understood, ``angry`` how often the customer
    was. ``last`` is the task that was done last, ``unserved`` the message after which a person was offered. ``said``,
    ``calls``, ``listed``, ``way`` and ``ended`` (refused, or passed on to people) belong to the message that is being
    answered."""

    entities: dict[str, Any] = field(default_factory=dict)
    tasks: list[Open] = field(default_factory=list)
    asked: Asked = ""
    slot: str = ""
    options: list[list[Any]] = field(default_factory=list)
    tried: list[list[Any]] = field(default_factory=list)
    misses: int = 0
    angry: int = 0
    last: Open | None = None
    unserved: str = ""
    said: list[str] = field(default_factory=list)
    calls: list[Called] = field(default_factory=list)
    listed: dict[str, Any] = field(default_factory=dict)
    way: list[str] = field(default_factory=list)
    ended: str = ""

    @classmethod
    def of(cls, found: Any) -> Dialogue:
        """The dialogue of a session's state; a new one if there is none."""
        if not isinstance(found, Mapping):
            return cls()
        known = {each.name for each in dataclasses.fields(cls)}
        made = cls(**{name: value for name, value in found.items() if name in known})
        made.tasks = [Open(**each) for each in found.get("tasks", ())]
        made.calls = [Called(**each) for each in found.get("calls", ())]
        made.last = Open(**found["last"]) if found.get("last") else None
        return made

    def plain(self) -> dict[str, Any]:
        """As a JSON value."""
        return dataclasses.asdict(self)

    def begin(self) -> None:
        """A new message of the customer."""
        self.said, self.calls, self.listed, self.way, self.ended = [], [], {}, [], ""

    def ask(self, asked: Asked, slot: str = "") -> None:
        self.asked, self.slot, self.options = asked, slot, []

    def add(self, task: Open, *, front: bool = False) -> None:
        """Another task; one of the same tool is replaced."""
        self.tasks = [each for each in self.tasks if each.tool != task.tool]
        self.tasks.insert(0 if front else len(self.tasks), task)
