"""Redaction of text that arrives in pieces: the same result as redacting the whole, with little held back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mainspring.guards import pii
from mainspring.telemetry.secrets import SecretPattern

_CONTEXT = 8
# Patterns look at most two characters back and two ahead.
_MARGIN = 4
HELD_AT_MOST = pii.LONGEST + _MARGIN
"""Characters that a ``StreamRedactor`` may hold back; prose is held back for its last word."""


class StreamRedactor:
    """``push`` pieces of one text, then ``flush``: what they return, joined, is ``pii.redact`` of the whole.

    A credential longer than ``HELD_AT_MOST`` is replaced when its beginning is known and the rest swallowed as
    it comes. ``counts`` is how many of each kind were replaced so far.
    """

    def __init__(self, kinds: Iterable[str] = pii.KINDS) -> None:
        self.kinds = frozenset(kinds)
        self.counts: Counter[str] = Counter()
        self._behind = ""
        self._held = ""
        self._swallowing: SecretPattern | None = None

    def push(self, text: str) -> str:
        """Take the next piece; return what can be shown now (perhaps nothing)."""
        if not self.kinds:
            return text
        held = self._held + text
        if self._swallowing is not None or len(held) > HELD_AT_MOST or pii.begins(held):
            self._held = held
            return self._release(final=False)
        # Plain words, as most text is: the last one may become an address, the others are out of danger.
        cut = len(held.rstrip(pii.WORD))
        shown, self._held = held[:cut], held[cut:]
        self._behind = (self._behind + shown)[-_CONTEXT:]
        return shown

    def flush(self) -> str:
        """The text has ended: return the rest."""
        return self._release(final=True)

    def _release(self, *, final: bool) -> str:
        released: list[str] = []
        while self._held:
            if self._swallowing is not None and not self._swallow(self._swallowing, final):
                break
            released.append(self._scan(final))
            if self._swallowing is None:
                break
        return "".join(released)

    def _scan(self, final: bool) -> str:
        """Release up to the first credential, whose tail may be long, or else to the safe boundary."""
        text, position = self._behind + self._held, len(self._behind)
        limit = len(text) if final else max(pii.held_from(text), len(text) - HELD_AT_MOST, position)
        pieces: list[str] = []
        for found in pii.ordered(pii.candidates(text, self.kinds)):
            if found.start >= limit:
                break
            if found.start < position:
                continue
            pieces += [text[position : found.start], found.placeholder]
            self.counts[found.kind] += 1
            self._swallowing = found.secret
            position = found.end
            if self._swallowing is not None:
                break
        if self._swallowing is None and position < limit:
            pieces.append(text[position:limit])
            position = limit
        self._keep(text, position)
        return "".join(pieces)

    def _swallow(self, secret: SecretPattern, final: bool) -> bool:
        """Drop the tail of a credential; whether its end was reached."""
        match = secret.tail.match(self._held)
        assert match is not None  # every tail matches the empty string
        end, length = match.end(), len(self._held)
        ended = final or end + secret.ending < length
        if ended:
            self._swallowing = None
        else:
            # What may be the terminator, whole or begun, is matched again when there is more.
            end = max(0, min(end, length - 2 * secret.ending))
        self._keep(self._behind + self._held, len(self._behind) + end)
        return ended

    def _keep(self, text: str, position: int) -> None:
        self._behind, self._held = text[max(0, position - _CONTEXT) : position], text[position:]
