"""Intervals that hold at all times at once, so that one may look at any of them and stop when one likes.

``betting`` is for means of bounded values, with no further condition (Waudby-Smith and Ramdas, "Estimating means of
bounded random variables by betting", 2024, section 4.4: the hedged capital process). ``asymptotic`` is for means of
any values, once there are many of them (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit
theory and asymptotic confidence sequences", 2024). ``mismatch`` says whether counts follow the shares that they
should (Lindon and Malek, "Anytime-valid inference for multinomial count data", 2022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mainspring.core.errors import InvalidRequest

_STEPS = 40
_TRUNCATED = 0.5


@dataclass(frozen=True, slots=True)
class Interval:
    """What is known after ``n`` values: their mean, and the interval that holds the true one at all times."""

    n: int
    mean: float
    low: float
    high: float


def looks(n: int, most: int = 40) -> list[int]:
    """At most ``most`` numbers of values up to ``n``, evenly spaced by their logarithm, the last being ``n``."""
    if n < 1:
        return []
    return sorted({round(float(each)) for each in np.geomspace(1, n, min(n, most))})


def betting(
    values: Sequence[float] | Any,
    at: Sequence[int],
    *,
    low: float = 0.0,
    high: float = 1.0,
    alpha: float = 0.05,
) -> list[Interval]:
    """The confidence sequence of the mean of ``values`` (n), which lie between ``low`` and ``high``, at these numbers
    of values. Each interval lies within those before it. Raises ``InvalidRequest`` for other values."""
    raw = np.asarray(values, np.float64)
    if len(raw) and not (low <= raw.min() and raw.max() <= high):
        raise InvalidRequest(f"values lie between {low:g} and {high:g}", param="values")
    scaled = (raw - low) / (high - low)
    stakes = _stakes(scaled, alpha / 2)
    most = math.log(2 / alpha)
    found, bottom, top = [], 0.0, 1.0
    for n in at:
        part, stake = scaled[:n], stakes[:n]
        bottom = max(bottom, _bound(part, stake, most))
        # An upper bound of the mean is 1 minus a lower bound of the mean of 1 - value.
        top = min(top, 1 - _bound(1 - part, stake, most))
        if bottom > top:
            # The true mean is outside with a chance of at most alpha; an interval stays one.
            bottom = top = float(np.clip(part.mean(), top, bottom))
        scale = high - low
        found.append(Interval(n, float(raw[:n].mean()), low + scale * bottom, low + scale * top))
    return found


def _stakes(values: Any, alpha: float) -> Any:
    """What is staked on each value (n), by the values before it: predictable plug-in empirical Bernstein."""
    t = np.arange(1, len(values) + 1)
    means = (0.5 + np.cumsum(values)) / (t + 1)
    variances = (0.25 + np.cumsum((values - means) ** 2)) / (t + 1)
    before = np.append(0.25, variances[:-1]) if len(values) else variances
    return np.sqrt(2 * math.log(1 / alpha) / (t * np.log1p(t) * before))


def _bound(values: Any, stakes: Any, most: float) -> float:
    """The largest mean in [0, 1] that betting on more than it has disproved. The capital falls with the mean."""

    def capital(mean: float) -> float:
        stake = np.minimum(stakes, _TRUNCATED / mean) if mean > 0 else stakes
        return float(np.log1p(stake * (values - mean)).sum())

    bottom, top = 0.0, 1.0
    if capital(bottom) < most:
        return 0.0
    for _ in range(_STEPS):
        middle = (bottom + top) / 2
        if capital(middle) >= most:
            bottom = middle
        else:
            top = middle
    return bottom


def normal_mixture_bound(variance: Any, alpha: float, variance_at: float, alpha_at: float = 0.05) -> Any:
    """What the sum of values without bias exceeds, in either direction, with a chance of at most ``alpha``, whenever:
    ``variance`` is the sum of their variances so far, ``variance_at`` the one for which the bound is narrowest (Howard,
    Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", 2021). Works on
    arrays."""
    spread = variance_at / (2 * math.log(1 / alpha_at) + math.log(1 + 2 * math.log(1 / alpha_at)))
    return np.sqrt((variance + spread) * (np.log1p(variance / spread) + 2 * math.log(1 / alpha)))


def asymptotic_difference(
    ours: Sequence[float] | Any,
    theirs: Sequence[float] | Any,
    *,
    alpha: float = 0.05,
    narrowest_at: int = 1000,
) -> Interval:
    """The difference of two means of any values, at this time. It holds at all times once there are many values of
    each; ``narrowest_at`` is the number for which it is narrowest. Without two of each it is infinite."""
    one, other = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    n = min(len(one), len(other))
    if n < 2:
        return Interval(n, 0.0, -math.inf, math.inf)
    difference = float(one.mean() - other.mean())
    # The variance of the difference is that of a mean of n values of variance v.
    v = n * (float(one.var(ddof=1)) / len(one) + float(other.var(ddof=1)) / len(other))
    if v == 0:
        return Interval(n, difference, difference, difference)
    wide = float(normal_mixture_bound(n * 1.0, alpha, float(narrowest_at))) * math.sqrt(v) / n
    return Interval(n, difference, difference - wide, difference + wide)


def mismatch(counts: Sequence[int], shares: Sequence[float]) -> float:
    """A p-value, valid whenever one looks, of "counts fall into classes with these shares". Small: they do not.

    Raises ``InvalidRequest`` for lists of different length, and for shares that are not above 0.
    """
    if len(counts) != len(shares) or not counts or min(shares) <= 0:
        raise InvalidRequest("each count needs a share above 0", param="shares")
    total, n = sum(shares), sum(counts)
    prior = [_PRIOR * share / total for share in shares]
    log = math.lgamma(_PRIOR) - math.lgamma(_PRIOR + n)
    for count, share, own in zip(counts, shares, prior, strict=True):
        log += math.lgamma(own + count) - math.lgamma(own) - count * math.log(share / total)
    return float(min(1.0, math.exp(-log)))


_PRIOR = 100.0
"""How many units the prior of shares weighs: it is around those that should be."""
