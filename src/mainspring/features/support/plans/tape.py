"""Calls of tools within a dialogue that is written as plain functions: the dialogue is run again from the customer's
message with the results so far, until it asks for no further call. No coroutine has to be kept between two steps."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.agents.choice.base import Chosen
from mainspring.agents.choice.request import failed
from mainspring.core.types import Message

_WRAPPED = re.compile(r"^<<[^\n]*>>\n(.*)\n<</[^\n]*>>$", re.DOTALL)


class CallsWanted(Exception):
    """The dialogue goes on once these calls were made."""

    def __init__(self, calls: Sequence[Chosen]) -> None:
        super().__init__(", ".join(each.name for each in calls))
        self.calls = tuple(calls)


class ToolRefused(Exception):
    """A tool has not done what it was called for; the message says why."""


class Tape:
    """The results of the calls of one message, in their order. ``reads`` are results of earlier messages, by call."""

    def __init__(self, results: Sequence[Any], reads: dict[str, Any]) -> None:
        self._results = list(results)
        self._at = 0
        self.reads = reads

    def read(self, name: str, **arguments: Any) -> Any:
        """The result of a look-up. Raises ``CallsWanted`` and ``ToolRefused``."""
        return self.read_all([(name, arguments)])[0]

    def read_all(self, wanted: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Any]:
        """The results of look-ups, which are made side by side. Raises ``CallsWanted`` and ``ToolRefused``."""
        keys = [json.dumps([name, arguments], sort_keys=True) for name, arguments in wanted]
        missing = [at for at, key in enumerate(keys) if key not in self.reads]
        if missing:
            calls = [Chosen(wanted[at][0], dict(wanted[at][1])) for at in missing]
            for at, result in zip(missing, self._next(calls), strict=True):
                self.reads[keys[at]] = result
        return [_sound(self.reads[key]) for key in keys]

    def act(self, name: str, **arguments: Any) -> Any:
        """The result of a call that changes something; what was read before is forgotten. Raises as ``read``."""
        result = self._next([Chosen(name, arguments)])[0]
        self.reads.clear()
        return _sound(result)

    def _next(self, calls: Sequence[Chosen]) -> list[Any]:
        found = self._results[self._at : self._at + len(calls)]
        if len(found) < len(calls):
            raise CallsWanted(calls)
        self._at += len(calls)
        return found


def results(messages: Sequence[Message]) -> list[Any]:
    """The results of the calls since the customer's message, as a tape keeps them."""
    told: list[Any] = []
    for each in reversed(messages):
        if each.role == "user":
            break
        if each.role == "tool":
            told.insert(0, {"error": each.content} if failed(each.content) else {"result": _read(each.content)})
    return told


def _sound(kept: Mapping[str, Any]) -> Any:
    if "error" in kept:
        raise ToolRefused(str(kept["error"]).removeprefix("Error: "))
    return kept["result"]


def _read(content: str) -> Any:
    wrapped = _WRAPPED.match(content)
    text = wrapped[1] if wrapped else content
    try:
        return json.loads(text)
    except ValueError:
        return text
