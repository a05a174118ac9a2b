"""Histograms with logarithmic steps: small, to be added up, and exact to a share of the value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

STEP = 1.08
"""Values of one step differ by at most this factor: quantiles are right to 4 %."""
ZERO = -100_000
"""The step of everything that is not above zero."""
_LOG = math.log(STEP)


class Sketch:
    """Counts of values by step; ``counts`` maps step ``s`` to the number of values in (STEP^(s-1), STEP^s]."""

    __slots__ = ("counts", "total")

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: dict[int, int] = dict(counts or {})
        self.total = sum(self.counts.values())

    def add(self, value: float, times: int = 1) -> None:
        step = ZERO if value <= 0 else math.ceil(math.log(value) / _LOG - 1e-9)
        self.counts[step] = self.counts.get(step, 0) + times
        self.total += times

    def merge(self, other: Sketch) -> None:
        counts = self.counts
        for step, count in other.counts.items():
            counts[step] = counts.get(step, 0) + count
        self.total += other.total

    def quantile(self, share: float) -> float | None:
        """The value that this share of all values does not exceed; None without values."""
        left = share * self.total
        found = None
        for step in sorted(self.counts):
            found = step
            left -= self.counts[step]
            if left <= 1e-9:
                break
        return None if found is None else middle(found)

    def above(self, limit: float) -> int:
        """The number of values above ``limit``, with the resolution of a step."""
        step = ZERO if limit <= 0 else math.ceil(math.log(limit) / _LOG - 1e-9)
        return sum(count for each, count in self.counts.items() if each > step)

    def mean(self) -> float | None:
        """To the width of the steps; None without values."""
        if not self.total:
            return None
        return sum(middle(step) * count for step, count in self.counts.items()) / self.total

    def plain(self) -> dict[str, int]:
        """As JSON."""
        return {str(step): count for step, count in self.counts.items()}

    @classmethod
    def of(cls, plain: Mapping[str, int]) -> Sketch:
        return cls({int(step): count for step, count in plain.items()})

    @classmethod
    def from_values(cls, values: Iterable[float]) -> Sketch:
        made = cls()
        for value in values:
            made.add(value)
        return made


def middle(step: int) -> float:
    """The value that represents a step."""
    return 0.0 if step == ZERO else STEP ** (step - 0.5)
