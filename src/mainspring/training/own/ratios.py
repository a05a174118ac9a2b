"""A sum over texts divided by another one, such as losses by tokens, with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

Pair = tuple[float, float]


def ratio(pairs: Sequence[Pair]) -> tuple[float, float, float]:
    """The ratio of the sums and its 95 % interval; texts are what is drawn (normal approximation of a ratio). NaN
    without anything to divide by."""
    below = sum(each for _, each in pairs)
    if not below:
        return math.nan, math.nan, math.nan
    value, n = sum(each for each, _ in pairs) / below, len(pairs)
    variance = sum((above - value * each) ** 2 for above, each in pairs) / max(1, n - 1)
    half = 1.96 * math.sqrt(n * variance) / below
    return value, value - half, value + half
