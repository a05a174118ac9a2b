"""Events in an order in which each call of a tool is complete before anything else begins.

Endpoints may stream several calls at once, a piece of one and a piece of the other. Anthropic's streams and OpenAI's
Responses know one open item at a time, and a client fails on one that is opened twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from mainspring.core.types import Citation, Event, Reasoning, Text, ToolCallDelta

_Held = Text | Reasoning | Citation | ToolCallDelta


class EventOrder:
    """Holds other events while a tool call is open, until its arguments are complete JSON or the answer ends."""

    def __init__(self) -> None:
        # The call that is being written, and its arguments so far.
        self._open: int | None = None
        self._arguments: list[str] = []
        self._closed: set[int] = set()
        self._held: list[_Held] = []

    def take(self, event: Event) -> Iterator[Event]:
        """The events that can be sent now that ``event`` has arrived."""
        if not isinstance(event, _Held):
            yield event
        elif isinstance(event, ToolCallDelta) and event.index in self._closed and not event.arguments.strip():
            return
        elif self._waits(event):
            self._held.append(event)
        else:
            self._begin(event)
            yield event
            if self._held and self._whole():
                yield from self._again()

    def rest(self) -> Iterator[Event]:
        """The held events at the end: each call as one, in the order of their starts."""
        order: dict[int | None, list[_Held]] = {}
        for event in self._held:
            order.setdefault(_call(event), []).append(event)
        self._held = []
        for events in order.values():
            yield from events

    def _waits(self, event: _Held) -> bool:
        if self._open is None or _call(event) == self._open:
            return False
        return bool(self._held) or not self._whole()

    def _begin(self, event: _Held) -> None:
        call = _call(event)
        if call != self._open:
            if self._open is not None:
                self._closed.add(self._open)
            self._open, self._arguments = call, []
        if isinstance(event, ToolCallDelta):
            self._arguments.append(event.arguments)

    def _whole(self) -> bool:
        text = "".join(self._arguments)
        if not text.lstrip().startswith("{"):
            return False
        try:
            orjson.loads(text)
        except ValueError:
            return False
        return True

    def _again(self) -> Iterator[Event]:
        held, self._held = self._held, []
        # The next call goes first with all its pieces, wherever they are.
        following = next((_call(event) for event in held if _call(event) != self._open), None)
        for event in sorted(held, key=lambda each: _call(each) != following):
            yield from self.take(event)


def _call(event: _Held) -> int | None:
    return event.index if isinstance(event, ToolCallDelta) else None
