"""Standard statistics for whether two sets of counts have the same distribution, each with its critical value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from mainspring.features.monitor.traffic.sketch import Sketch

Floats = npt.NDArray[np.float32]
BINS = 10
PERMUTATIONS = 300
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Tested:
    """A statistic, and the limit that it passes by chance as rarely as was asked for."""

    value: float
    by_chance: float


def psi(reference: Sequence[int], current: Sequence[int], p_value: float) -> Tested:
    """The population stability index of counts in the same bins; half a count is added to each.

    Under the null hypothesis the index is approximately (1/n + 1/m) times a chi-squared variable with bins - 1 degrees
    of freedom.
    """
    n, m, bins = sum(reference), sum(current), len(reference)
    if bins < 2 or not n or not m:
        return Tested(0.0, 0.0)
    before = (np.asarray(reference, float) + 0.5) / (n + 0.5 * bins)
    after = (np.asarray(current, float) + 0.5) / (m + 0.5 * bins)
    value = float(((after - before) * np.log(after / before)).sum())
    return Tested(value, chi_squared(1 - p_value, bins - 1) * (1 / n + 1 / m))


def binned(reference: Sketch, current: Sketch) -> tuple[list[int], list[int]]:
    """Counts of both in about ``BINS`` bins of equal share of the reference."""
    steps = sorted(reference.counts.keys() | current.counts.keys())
    before, after = [0], [0]
    for step in steps:
        # A bin is closed once the reference has filled it.
        if before[-1] >= reference.total / BINS:
            before.append(0)
            after.append(0)
        before[-1] += reference.counts.get(step, 0)
        after[-1] += current.counts.get(step, 0)
    return before, after


def kolmogorov_smirnov(reference: Sketch, current: Sketch, p_value: float) -> Tested:
    """The greatest distance of both distribution functions, at the steps of the sketches."""
    n, m = reference.total, current.total
    if not n or not m:
        return Tested(0.0, 1.0)
    distance = before = after = 0.0
    for step in sorted(reference.counts.keys() | current.counts.keys()):
        before += reference.counts.get(step, 0) / n
        after += current.counts.get(step, 0) / m
        distance = max(distance, abs(before - after))
    return Tested(distance, math.sqrt(-math.log(p_value / 2) / 2) * math.sqrt(1 / n + 1 / m))


def proportions(k: int, n: int, k0: int, n0: int) -> float:
    """How many standard errors the share ``k`` of ``n`` is above ``k0`` of ``n0``; an outcome is added to each side of
    both, so that few say little."""
    if not n or not n0:
        return 0.0
    share, before = (k + 1) / (n + 2), (k0 + 1) / (n0 + 2)
    error = math.sqrt(share * (1 - share) / (n + 2) + before * (1 - before) / (n0 + 2))
    return (share - before) / error


def mean_shift(reference: Floats, current: Floats, seed: int = 0) -> float:
    """How far the mean of ``current`` rows lies from that of ``reference``, in standard deviations of the same distance
    (squared) when rows change sides at random; both (rows, dimensions)."""
    n, m = len(reference), len(current)
    if n < 2 or m < 2:
        return 0.0
    rows = np.concatenate([reference, current]).astype(np.float32)
    chosen = np.random.default_rng(seed)
    # Each row of weights gives the difference of the means of one division of all rows.
    weights = np.full((PERMUTATIONS + 1, n + m), -1 / n, np.float32)
    weights[0, n:] = 1 / m
    order = np.argsort(chosen.random((PERMUTATIONS, n + m)), axis=1)[:, :m]
    np.put_along_axis(weights[1:], order, np.float32(1 / m), axis=1)
    # This uses inner products: rows are few and long.
    squared = np.einsum("ij,jk,ik->i", weights, rows @ rows.T, weights, optimize=True)
    shuffled = squared[1:]
    return float((squared[0] - shuffled.mean()) / max(float(shuffled.std()), 1e-12))


def counts_of(reference: Mapping[str, int], current: Mapping[str, int]) -> tuple[list[int], list[int]]:
    """Counts of both by the same names."""
    names = sorted(reference.keys() | current.keys())
    return [reference.get(name, 0) for name in names], [current.get(name, 0) for name in names]


def chi_squared(share: float, degrees: int) -> float:
    """Its quantile, by the approximation of Wilson and Hilferty."""
    part = 2 / (9 * degrees)
    return degrees * float(max(0.0, 1 - part + _NORMAL.inv_cdf(share) * math.sqrt(part)) ** 3)
