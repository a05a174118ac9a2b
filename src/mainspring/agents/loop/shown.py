"""What a client sees of a run while it goes on.

The steps are ``Reasoning``, which the official clients of all three protocols show (``reasoning_content`` in Chat
Completions, ``reasoning`` items in Responses, ``thinking`` blocks in Messages), and ``Notice``, which Chat Completions
carries as data. The words of agents that do not answer the user are ``Reasoning``, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from mainspring.agents.agent import Visible
from mainspring.core.types import Event, Notice, Reasoning, Text

Emit = Callable[[Event], None]
MAX_SHOWN = 500


class Shown:
    """Where the events of an agent go. ``inner``: what it says is not the answer."""

    __slots__ = ("_speaker", "emit", "inner")

    def __init__(self, emit: Emit, *, inner: bool = False) -> None:
        self.emit = emit
        self.inner = inner
        self._speaker = ""

    def within(self) -> Shown:
        """For an agent whose words are not the answer."""
        return Shown(self.emit, inner=True)

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


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
