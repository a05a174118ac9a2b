"""What a client sees of a run while it goes on.

The steps are ``Reasoning``, which the official clients of all three protocols show (``reasoning_content`` in Chat
Completions, ``reasoning`` items in Responses, ``thinking`` blocks in Messages), and ``Notice``, which Chat Completions
carries as data. The words of agents that do not answer the user are ``Reasoning``, too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson

from mainspring.agents.agent import Visible
from mainspring.core.types import Event, Notice, Progress, Reasoning, Text

T = TypeVar("T")
Emit = Callable[[Event], None]
MAX_SHOWN = 500


class EventTarget:
    """Where the events of an agent go. ``inner``: what it says is not the answer."""

    __slots__ = ("_speaker", "emit", "inner")

    def __init__(self, emit: Emit, *, inner: bool = False) -> None:
        self.emit = emit
        self.inner = inner
        self._speaker = ""

    def within(self, emit: Emit | None = None) -> EventTarget:
        """For an agent whose words are not the answer. ``emit`` is the lane of one that runs beside others."""
        return EventTarget(emit or self.emit, inner=True)

    def text(self, agent: str, event: Text) -> None:
        if not self.inner:
            self.emit(event)
            return
        start = "" if self._speaker == agent else f"\n[{agent}] "
        self._speaker = agent
        self.emit(Reasoning(start + event.text, tokens=event.tokens))

    def call(self, agent: str, visible: Visible, call_id: str, name: str, arguments: str) -> None:
        """A tool is called."""
        if visible == "nothing":
            return
        said = f"{name}({_cut(arguments)})" if visible == "steps" else name
        self._line(agent, said)
        self.emit(Notice("tool_call", said, id=call_id))

    def result(self, agent: str, visible: Visible, call_id: str, name: str, output: Any, error: str) -> None:
        """A tool has answered."""
        if visible == "nothing":
            return
        told = f"failed: {error}" if error else _cut(output if isinstance(output, str) else _json(output))
        said = f"{name} -> {told}" if visible == "steps" else f"{name} -> {'failed' if error else 'done'}"
        self._line(agent, said)
        self.emit(Notice("tool_result", said, id=call_id))

    def handoff(self, agent: str, to: str, visible: Visible) -> None:
        """The conversation goes to another agent."""
        if visible == "nothing":
            return
        said = f"{agent} hands over to {to}"
        self._line(agent, f"hands over to {to}")
        self.emit(Notice("handoff", said, id=to))

    def notice(self, code: str, text: str, subject: str = "") -> None:
        """Something that the reader of the answer must know."""
        self.emit(Notice(code, text, id=subject))

    def _line(self, agent: str, said: str) -> None:
        self._speaker = ""
        self.emit(Reasoning(f"\n[{agent}] {said}\n"))


class Lanes:
    """The events of agents that run side by side, in an order that does not depend on which is faster: the first that
    has not ended is shown as it goes on, the others after it. ``Progress`` passes at once."""

    def __init__(self, emit: Emit, count: int) -> None:
        self._emit = emit
        self._held: list[list[Event]] = [[] for _ in range(count)]
        self._ended = [False] * count
        self._now = 0

    def lane(self, index: int) -> Emit:
        """Where the events of that agent go."""

        def emit(event: Event) -> None:
            if index == self._now or isinstance(event, Progress):
                self._emit(event)
            else:
                self._held[index].append(event)

        return emit

    async def run(self, index: int, work: Awaitable[T]) -> T:
        """The result of that agent's work; its lane ends then."""
        try:
            return await work
        finally:
            self._ended[index] = True
            while self._now < len(self._ended) and self._ended[self._now]:
                self._now += 1
                for event in self._held[self._now] if self._now < len(self._held) else ():
                    self._emit(event)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
