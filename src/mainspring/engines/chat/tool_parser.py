"""Reads tool calls from streamed text in any dialect. The result does not depend on how the text is cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mainspring.core.types import Event, Text, TokenLogprob, ToolCall, ToolCallDelta
from mainspring.engines.chat import markers
from mainspring.engines.chat.dialects import BARE, HERMES, Dialect, cut_call

MAX_CALL = 65_536
"""Characters after which an unclosed call is given up as text."""
_SHORT = 128


class ToolParser:
    """Reads the calls of one choice from its streamed text.

    Plain text is released at once, except for at most the beginning of a marker; a call is held until it is closed,
    because only then it is known to be one. Text that is not a well-formed call of one of ``names`` stays text, and so
    does a call whose arguments its entry in ``fits`` refuses.
    """

    def __init__(
        self,
        names: frozenset[str],
        choice: int = 0,
        *,
        dialect: Dialect = HERMES,
        fits: Mapping[str, Callable[[str], bool]] | None = None,
    ) -> None:
        self.calls = 0
        self._names = names
        self._fits = fits or {}
        self._choice = choice
        self._dialect = dialect
        self._text = ""
        self._inside = False
        # Whether a marker that only counts at a beginning would count here.
        self._fresh = bool(dialect.starts)
        self._gap = ""
        self._tokens = 0
        self._logprobs: list[TokenLogprob] = []

    def push(self, event: Text) -> list[Event]:
        """The events that are certain now that ``event`` has come."""
        self._text += event.text
        self._tokens += event.tokens
        self._logprobs.extend(event.logprobs)
        # A growing call is not read at each token, but only when it may have ended, or may prove to be none.
        grown = _SHORT < len(self._text) <= MAX_CALL
        if self._inside and grown and not set(self._dialect.ends) & set(event.text):
            return []
        events: list[Event] = []
        while self._step(events, final=False):
            pass
        return events

    def flush(self) -> list[Event]:
        """The text held back, at the end of the stream."""
        events: list[Event] = []
        while self._step(events, final=True):
            pass
        gap = self._gap + self._text
        if not self.calls or self._around(gap) != len(gap):
            self._say(self._text, events)
        self._text = self._gap = ""
        return events

    def _step(self, events: list[Event], *, final: bool) -> bool:
        """Consume one stretch of text or the calls at its beginning; False when more text is needed."""
        if self._inside:
            return self._read(events, final)
        if self._fresh and (moved := self._begin()) is not None:
            return moved
        found = markers.first(self._text, self._dialect.opens)
        keep = (
            len(self._text) - markers.length_of_partial_marker(self._text, self._dialect.opens)
            if found is None
            else found[0]
        )
        before, self._text = self._text[:keep], self._text[keep:]
        if found is None or before:
            self._say(before, events)
        self._inside = found is not None
        return self._inside

    def _begin(self) -> bool | None:
        """Look for a call at the start of an answer or after a call; None if plain text follows."""
        at = self._around(self._text)
        rest = self._text[at:]
        marks = (*self._dialect.starts, *self._dialect.opens)
        if any(rest.startswith(mark) for mark in marks):
            self._gap, self._text, self._inside = self._gap + self._text[:at], rest, True
            return True
        noise = self._dialect.noise if self.calls else ()
        if any(mark.startswith(rest) for mark in (*marks, *noise)):
            return False
        self._fresh = False
        return None

    def _around(self, text: str) -> int:
        """The length of white space at the start of ``text``, and after a call the rest of its form."""
        at = 0
        while True:
            start = at
            while text[at : at + 1].isspace():
                at += 1
            for mark in self._dialect.noise if self.calls else ():
                if text.startswith(mark, at):
                    at += len(mark)
            if at == start:
                return at

    def _read(self, events: list[Event], final: bool) -> bool:
        read = self._dialect.read(self._text, self._names, final)
        size, calls = read or (0, [])
        if size > MAX_CALL or (read is None and len(self._text) > MAX_CALL):
            # Given up: the marker is text like any other.
            size, calls = self._marker(), []
        elif read is None:
            if not final:
                return False
            size = len(self._text)
        if final and read is None and self._dialect is BARE:
            # The answer had to be this call: what is there of it is no text.
            if (call := cut_call(self._text, self._names)) is not None:
                events.append(self._called(call))
            self._text, self._inside = "", False
            return False
        if any(call.name in self._fits and not self._fits[call.name](call.arguments) for call in calls):
            calls = []
        whole, self._text = self._text[:size], self._text[size:]
        self._inside, self._fresh = False, bool(calls)
        if calls:
            events.extend(self._called(call) for call in calls)
        else:
            self._say(whole, events)
        return bool(self._text) or not final

    def _marker(self) -> int:
        marks = (*self._dialect.starts, *self._dialect.opens)
        return max(len(mark) for mark in marks if self._text.startswith(mark))

    def _called(self, call: ToolCall) -> Event:
        self.calls += 1
        # The white space that surrounds calls belongs to their form, not to the answer.
        self._gap, self._tokens, self._logprobs = "", 0, []
        return ToolCallDelta(self._choice, self.calls - 1, call.id, call.name, call.arguments)

    def _say(self, text: str, events: list[Event]) -> None:
        text = self._gap + text
        self._gap = ""
        if text:
            events.append(Text(text, self._choice, self._tokens, tuple(self._logprobs)))
            self._tokens, self._logprobs = 0, []
