"""Means of scores with how far they may be by chance: three numbers each, exact, to be added up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_SCALE = 10_000


@dataclass(slots=True)
class ScoreSums:
    """Of scores in [0, 1]: how many, their sum and that of their squares, in ten-thousandths."""

    count: int = 0
    total: int = 0
    squares: int = 0

    def add(self, score: float) -> None:
        self.count += 1
        self.total += round(_SCALE * score)
        self.squares += round(_SCALE * score * score)

    def merge(self, other: ScoreSums) -> None:
        self.count += other.count
        self.total += other.total
        self.squares += other.squares

    def take_out(self, other: ScoreSums) -> None:
        """The scores of ``other`` are counted elsewhere; in a step of time by itself the count may fall below 0."""
        self.count -= other.count
        self.total -= other.total
        self.squares -= other.squares

    @property
    def mean(self) -> float:
        """0 if there are none."""
        return self.total / _SCALE / self.count if self.count else 0.0

    @property
    def sum(self) -> float:
        return self.total / _SCALE

    @property
    def sum_of_squares(self) -> float:
        return self.squares / _SCALE

    @property
    def variance(self) -> float:
        """That of a single score; 0 if there are fewer than two."""
        if self.count < 2:
            return 0.0
        spread = self.squares / _SCALE - self.count * self.mean**2
        return max(0.0, spread / (self.count - 1))

    def plain(self) -> list[int]:
        """As JSON."""
        return [self.count, self.total, self.squares]

    @classmethod
    def of(cls, plain: Sequence[int]) -> ScoreSums:
        return cls(*plain)


def below(now: ScoreSums, before: ScoreSums) -> float:
    """How many standard errors the mean of ``now`` is below that of ``before``, assuming the pooled variance of both; 0
    if either is empty."""
    if not now.count or not before.count:
        return 0.0
    # The spread of few scores is uncertain: a handful of equal ones would look exact.
    pooled = (now.count * now.variance + before.count * before.variance) / (now.count + before.count)
    error = math.sqrt(max(pooled, 1 / _SCALE) * (1 / now.count + 1 / before.count))
    return (before.mean - now.mean) / error
