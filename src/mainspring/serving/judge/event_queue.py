"""A queue for the events of an answer: as many leave it as arrive, so that a stream stays even.

Text held back by guards arrives in bursts. Pieces of an answer that wait to be judged leave one by one, each when the
model writes a new piece: the reader sees an answer that starts later and then arrives as evenly as it is generated.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Iterator

from mainspring.core.types import Event, Text

SLACK = 8
"""The number of pieces by which the queue may deviate from its target, so that bursts leave evenly."""
_PIECE = re.compile(r"\s*\S+|\s+")


class EventQueue:
    """Holds about ``held`` pieces of text. ``judged`` says how much of each choice's text may be shown."""

    def __init__(self, held: int) -> None:
        self._held = held
        self._slack = min(SLACK, held)
        self._events: deque[tuple[Event, int]] = deque()
        self._pieces = 0
        self._said: dict[int, int] = {}
        self._judged: dict[int, int] = {}
        self._turn = False
        self._begun = False

    @property
    def full(self) -> bool:
        """Whether more waits than should: the judge must be waited for."""
        return self._pieces > 2 * self._held + SLACK

    def add(self, event: Event) -> None:
        """Take the next event; a text of several words becomes several pieces."""
        if not isinstance(event, Text):
            self._events.append((event, 0))
            return
        for piece in _pieces(event):
            end = self._said[piece.choice] = self._said.get(piece.choice, 0) + len(piece.text)
            self._events.append((piece, end))
            self._pieces += 1

    def judged(self, choice: int, end: int) -> None:
        """The text of ``choice`` may be shown up to ``end``."""
        self._judged[choice] = max(end, self._judged.get(choice, 0))

    def turn(self) -> None:
        """The model has said one more piece: another may leave."""
        self._turn = True

    def leaving(self, *, at_once: bool = False) -> Iterator[Event]:
        """The events that leave now: in order, at the pace of arrival, and only judged ones; or, with ``at_once``, all
        permitted ones."""
        while self._events:
            event, end = self._events[0]
            if isinstance(event, Text):
                if end > self._judged.get(event.choice, 0):
                    return
                if not at_once:
                    spare = self._pieces - self._held
                    self._begun = self._begun or spare >= 0
                    if not self._begun or spare <= -self._slack or (not self._turn and spare <= self._slack):
                        return
                    self._turn = False
                self._pieces -= 1
            self._events.popleft()
            yield event

    def replace(self, choice: int, start: int, end: int, placeholder: str) -> bool:
        """Put ``placeholder`` in the place of what still waits of ``[start:end]``; whether anything did."""
        kept: deque[tuple[Event, int]] = deque()
        found = False
        for event, upto in self._events:
            if not isinstance(event, Text) or event.choice != choice:
                kept.append((event, upto))
                continue
            begin = upto - len(event.text)
            if upto <= start or begin >= end:
                kept.append((event, upto))
                continue
            before, after = event.text[: max(0, start - begin)], event.text[max(0, end - begin) :]
            text = f"{before}{'' if found else placeholder}{after}"
            found = True
            # The event keeps its token count: the tokens were generated, although their text was not shown.
            kept.append((Text(text, choice, event.tokens), upto))
        self._events = kept
        return found

    def drop(self, choice: int) -> list[Event]:
        """Take out all that waits of ``choice``."""
        dropped = [event for event, _ in self._events if getattr(event, "choice", None) == choice]
        self._pieces -= sum(isinstance(event, Text) for event in dropped)
        self._events = deque(each for each in self._events if getattr(each[0], "choice", None) != choice)
        return dropped


def _pieces(event: Text) -> list[Text]:
    """``event`` in as many pieces as it has tokens (word by word if the number is unknown), so that as many can leave
    as arrive; in one piece if some part of it belongs to the whole."""
    if event.logprobs:
        return [event]
    text, count = event.text, min(event.tokens, len(event.text))
    if count > 1:
        cuts = [round(len(text) * at / count) for at in range(count + 1)]
        parts = [text[begin:end] for begin, end in itertools.pairwise(cuts)]
    elif event.tokens == 1 or len(text) < 8:
        return [event]
    else:
        parts = _PIECE.findall(text)
    if len(parts) < 2:
        return [event]
    first = Text(parts[0], event.choice, event.tokens, (), event.grounds)
    return [first, *(Text(part, event.choice, 0, (), event.grounds) for part in parts[1:])]
