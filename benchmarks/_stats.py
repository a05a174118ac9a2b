"""Statistics of paired measurements: two sides that take turns, compared pair by pair."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest of a handful of values."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Raises ``ValueError`` without values."""
        if not values:
            raise ValueError("no values to summarise")
        return cls(statistics.median(values), min(values), max(values))

    def text(self, digits: int = 2) -> str:
        """``0.95-0.98``: the range, beside which the median is stated."""
        return f"{self.low:.{digits}f}-{self.high:.{digits}f}"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Ours divided by theirs, pair by pair. Raises ``ValueError`` for pairs that are incomplete or not positive."""
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} values against {len(theirs)}: a pair is incomplete")
    if any(value <= 0 for value in (*ours, *theirs)):
        raise ValueError("only positive values have ratios")
    return Spread.of([a / b for a, b in zip(ours, theirs, strict=True)])


def differences(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Ours minus theirs, pair by pair. Raises ``ValueError`` for pairs that are incomplete."""
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} values against {len(theirs)}: a pair is incomplete")
    return Spread.of([a - b for a, b in zip(ours, theirs, strict=True)])


def alternate(ours: Callable[[int], T], theirs: Callable[[int], T], pairs: int) -> tuple[list[T], list[T]]:
    """Run both sides ``pairs`` times, each with the pair's number; who goes first changes from pair to pair, so that
    a drift of the machine favours neither. Results of both, in the order of the pairs."""
    results: tuple[list[T], list[T]] = ([], [])
    for pair in range(pairs):
        sides = ((ours, results[0]), (theirs, results[1]))
        for side, kept in sides if pair % 2 == 0 else reversed(sides):
            kept.append(side(pair))
    return results
