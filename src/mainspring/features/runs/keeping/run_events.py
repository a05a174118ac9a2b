"""What an agent says in a run: its answer so far, and a digest by which a replay is compared with it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from mainspring.core import cards
from mainspring.core.path import Answer
from mainspring.core.types import Event, Head, Progress, Reasoning, Text, ToolCallDelta, Usage


class RunEvents:
    """The events of a run, whatever the pieces that they came in. Progress and usage, which are of this time alone, do
    not count for the digest."""

    def __init__(self, agent: str) -> None:
        self.answer = Answer(Head(agent))
        self._sum = hashlib.sha256()
        self._kind: tuple[Any, ...] = ()
        self._text = ""

    def add(self, event: Event) -> None:
        """Take one more event in."""
        self.answer.add(event)
        match event:
            case Progress() | Usage():
                return
            case Text():
                self._piece(("Text", event.choice), event.text)
            case Reasoning():
                self._piece(("Reasoning", event.choice), event.text)
            case ToolCallDelta():
                if event.id is not None:
                    self._flush()
                    self._kind = ("ToolCallDelta", event.choice, event.index, event.id, event.name)
                self._piece(self._kind, event.arguments)
            case _:
                self._flush()
                self._take([type(event).__name__, dataclasses.asdict(event)])

    def sha256(self) -> str:
        """The digest of all events so far, in hexadecimal digits."""
        self._flush()
        return self._sum.hexdigest()

    def output(self) -> Mapping[str, Any]:
        """The answer as JSON."""
        first = self.answer.choices[0] if self.answer.choices else None
        calls = [dataclasses.asdict(each) for each in first.tool_calls] if first else []
        found: dict[str, Any] = {"text": self.answer.text, "finish_reason": first.finish if first else None}
        return found | {"tool_calls": calls} if calls else found

    def _piece(self, kind: tuple[Any, ...], text: str) -> None:
        if self._kind != kind:
            self._flush()
            self._kind = kind
        self._text += text

    def _flush(self) -> None:
        if self._kind:
            # A replay says what is kept: no card numbers.
            self._take([*self._kind, cards.scrub(self._text)])
        self._kind, self._text = (), ""

    def _take(self, value: Any) -> None:
        self._sum.update(orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str) + b"\n")
