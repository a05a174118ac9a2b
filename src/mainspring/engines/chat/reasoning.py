"""Reasoning models think aloud in ``<think>...</think>`` before they answer: this module separates the two."""

from __future__ import annotations

from mainspring.core.types import Event, Reasoning, Text, TokenLogprob
from mainspring.engines.chat import markers

OPEN, CLOSE = "<think>", "</think>"


class ReasoningParser:
    """Splits one choice's text into reasoning and answer.

    Only a ``<think>`` at the very beginning counts: later ones are part of the answer. ``thinking`` starts inside, for
    templates whose prompt ends with the marker. It holds back at most a partial marker.
    """

    def __init__(self, choice: int = 0, *, thinking: bool = False) -> None:
        self._choice = choice
        self._state = "thinking" if thinking else "start"
        self._text = ""
        self._trim = thinking
        self._tokens = 0
        self._logprobs: list[TokenLogprob] = []

    @property
    def over(self) -> bool:
        """Whether all following text is the answer as it arrives."""
        return self._state == "answer" and not self._trim and not self._text

    def push(self, event: Text) -> list[Event]:
        """The events that are certain now that ``event`` has come."""
        if self._state == "answer" and not self._trim:
            return [event]
        self._text += event.text
        self._tokens += event.tokens
        self._logprobs.extend(event.logprobs)
        events: list[Event] = []
        if self._state == "start":
            self._begin()
        if self._state == "thinking":
            self._think(events)
        if self._state == "answer":
            self._answer(events)
        return events

    def flush(self) -> list[Event]:
        """The text held back, at the end of the stream."""
        text, self._text = self._text, ""
        if not text:
            return []
        if self._state == "thinking":
            return [Reasoning(text, self._choice, self._tokens)]
        return [Text(text, self._choice, self._tokens, tuple(self._logprobs))]

    def _begin(self) -> None:
        text = self._text.lstrip()
        if text.startswith(OPEN):
            self._state, self._text, self._trim = "thinking", text[len(OPEN) :], True
        elif not OPEN.startswith(text):
            self._state = "answer"

    def _think(self, events: list[Event]) -> None:
        if self._trim:
            self._text = self._text.lstrip()
            self._trim = not self._text
        end = self._text.find(CLOSE)
        keep = len(self._text) - markers.length_of_partial_marker(self._text, (CLOSE,)) if end < 0 else end
        if self._text[:keep]:
            events.append(Reasoning(self._text[:keep], self._choice, self._tokens))
            self._tokens = 0
        self._text = self._text[keep:]
        if end >= 0:
            # Thoughts are not the answer's tokens: counts and log-probabilities start afresh behind them.
            self._state, self._text, self._trim = "answer", self._text[len(CLOSE) :], True
            self._tokens, self._logprobs = 0, []

    def _answer(self, events: list[Event]) -> None:
        if self._trim:
            self._text = self._text.lstrip()
            self._trim = not self._text
        if self._text:
            events.append(Text(self._text, self._choice, self._tokens, tuple(self._logprobs)))
            self._text, self._tokens, self._logprobs = "", 0, []
