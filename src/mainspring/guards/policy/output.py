"""The guards of one answer in sequence, and their dry runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from mainspring.guards.rules.rewrite import Rewriter


class PieceFilter(Protocol):
    """Takes streamed text and returns it without findings; ``counts`` has the number of each kind."""

    @property
    def counts(self) -> Counter[str]: ...

    def push(self, text: str) -> str: ...

    def flush(self) -> str: ...


class Chain:
    """Several redactors, the text through one after the other. ``parts`` are at least one."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[PieceFilter]) -> None:
        self._parts = parts

    @property
    def counts(self) -> Counter[str]:
        return sum((part.counts for part in self._parts), Counter())

    def push(self, text: str) -> str:
        """Take the next piece; return the text that can be shown now (the same object if nothing changed)."""
        for part in self._parts:
            if not text:
                break
            text = part.push(text)
        return text

    def flush(self) -> str:
        """The text has ended: return the rest."""
        rest = ""
        for part in self._parts:
            rest = (part.push(rest) if rest else "") + part.flush()
        return rest


class DryRunFilter:
    """Counts what ``part`` would replace, and shows every piece as it came, at once."""

    __slots__ = ("_part",)

    def __init__(self, part: PieceFilter) -> None:
        self._part = part

    @property
    def counts(self) -> Counter[str]:
        return self._part.counts

    def push(self, text: str) -> str:
        """The same text."""
        self._part.push(text)
        return text

    def flush(self) -> str:
        """Nothing is held back."""
        self._part.flush()
        return ""


class DryRunRules:
    """Counts what ``rules`` would rewrite, and shows every piece as it came, at once."""

    __slots__ = ("_rules",)

    cut = False

    def __init__(self, rules: Rewriter) -> None:
        self._rules = rules

    @property
    def counts(self) -> Counter[str]:
        return self._rules.counts

    def push(self, text: str) -> str:
        """The same text."""
        self._rules.push(text)
        return text

    def verbatim(self, text: str) -> str:
        """The same text."""
        self._rules.verbatim(text)
        return text

    def flush(self) -> str:
        """Nothing is held back."""
        self._rules.flush()
        return ""
