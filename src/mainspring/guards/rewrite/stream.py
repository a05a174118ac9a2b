"""Redaction of text that arrives in pieces: the same result as redacting the whole, with little held back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mainspring.guards.detect import pii
from mainspring.telemetry.secrets import SecretPattern

# Patterns look at most two characters back.
_CONTEXT = 2
HELD_AT_MOST = pii.LONGEST
"""Characters that a ``StreamRedactor`` may hold back."""


class StreamRedactor:
    """``push`` pieces of one text, then ``flush``: the joined output equals ``pii.redact`` of the whole.

    It holds back only a possible start of a finding. The tail of a credential is swallowed piece by piece. ``counts``
    is how many of each kind were replaced so far.
    """

    __slots__ = ("_behind", "_held", "_search", "_swallowing", "counts")

    def __init__(self, kinds: Iterable[str] = pii.KINDS) -> None:
        chosen = frozenset(kinds)
        self.counts: Counter[str] = Counter()
        self._search = pii.search(chosen) if chosen else None
        self._behind = ""
        self._held = ""
        self._swallowing: SecretPattern | None = None

    def push(self, text: str) -> str:
        """Take the next piece; return the text that can be shown now (perhaps none)."""
        search = self._search
        if search is None:
            return text
        behind = self._behind
        if not self._held and self._swallowing is None and len(text) <= HELD_AT_MOST:
            # Most pieces of prose contain no finding and no start of one: they pass unchanged.
            whole = behind + text
            if search.either.search(whole, len(behind)) is None:
                self._behind = whole[-_CONTEXT:]
                return text
        self._held += text
        return self._release(search, final=False)

    def flush(self) -> str:
        """The text has ended: return the rest."""
        return self._release(self._search, final=True) if self._search is not None else ""

    def _release(self, search: pii.Search, *, final: bool) -> str:
        released: list[str] = []
        while self._held:
            if self._swallowing is not None and not self._swallow(self._swallowing, final):
                break
            released.append(self._scan(search, final))
            if self._swallowing is None:
                break
        return "".join(released)

    def _scan(self, search: pii.Search, final: bool) -> str:
        """Release the text up to the first credential, whose tail may be long, or else to a possible start of one."""
        text, position = self._behind + self._held, len(self._behind)
        limit = len(text) if final else search.held_from(text, position)
        pieces: list[str] = []
        for found in pii.ordered(pii.candidates(text, search.kinds)):
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
            # A possible terminator, complete or partial, is matched again when more text arrives.
            end = max(0, min(end, length - 2 * secret.ending))
        self._keep(self._behind + self._held, len(self._behind) + end)
        return ended

    def _keep(self, text: str, position: int) -> None:
        self._behind, self._held = text[max(0, position - _CONTEXT) : position], text[position:]
