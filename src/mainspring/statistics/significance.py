"""Tests whether a difference between two systems may be chance: paired tests, confidence intervals, correction for
several.

Everything is per query, on the same queries for both sides. The paired randomisation test makes no assumption on how
scores are distributed (Smucker, Allan and Carterette, CIKM 2007); a p-value of it says how often a difference at
least as large (in either direction) appears when the two systems' names are swapped at random within each query.
Results are the same for the same ``seed``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import InvalidRequest, MissingExtra

RESAMPLES = 9_999
SEED = 20_07


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean (or another statistic) of ``n`` values with its confidence interval."""

    value: float
    low: float
    high: float
    n: int

    def text(self, digits: int = 3) -> str:
        """``0.512 [0.480, 0.544]``"""
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One side minus the other: the mean difference with its interval, and the p-value of the paired test.

    ``corrected`` is the p-value after ``holm`` (equal to ``p`` for one comparison alone). ``won`` and ``lost`` count
    the queries where the first side is better and worse.
    """

    difference: Estimate
    p: float
    corrected: float
    won: int
    lost: int


def interval(values: Sequence[float], *, confidence: float = 0.95, seed: int = SEED) -> Estimate:
    """The mean of ``values`` and its bootstrap interval (BCa: Efron 1987; 9,999 resamples).

    One value, or values that are all equal, have no spread to resample: the interval is then the value itself and
    says nothing. Raises ``InvalidRequest`` without values and ``MissingExtra`` without the extra ``eval``.
    """
    import numpy as np

    found = _array(values)
    mean = float(found.mean())
    if len(found) < 2 or np.ptp(found) == 0:
        return Estimate(mean, mean, mean, len(found))
    result = stats_library().bootstrap(
        (found,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=confidence,
        method="BCa",
        batch=_batch(len(found)),
        rng=np.random.default_rng(seed),
    )
    low, high = result.confidence_interval
    return Estimate(mean, float(low), float(high), len(found))


def clustered(values: Sequence[float], clusters: Sequence[str], *, confidence: float = 0.95) -> Estimate:
    """The mean of ``values`` and its interval where values of one cluster (the questions about one document) are alike.

    The standard error adds up the deviations of each cluster (Miller, "Adding error bars to evals", 2024), with the
    correction and Student's t of so many clusters; values without a cluster (``""``) are one each. Fewer than two
    clusters give the value itself as the interval, which says nothing. Raises ``InvalidRequest`` without values, and
    ``MissingExtra`` without the extra ``eval``.
    """
    import numpy as np

    found = _array(values)
    places: dict[object, int] = {}
    member = [places.setdefault(name or row, len(places)) for row, name in enumerate(clusters)]
    if len(member) != len(found):
        raise InvalidRequest(f"{len(found)} values, but {len(member)} clusters", param="clusters")
    mean, count = float(found.mean()), len(places)
    if count < 2:
        return Estimate(mean, mean, mean, len(found))
    sums = np.zeros(count)
    np.add.at(sums, member, found - mean)
    error = float(np.sqrt((sums**2).sum() * count / (count - 1))) / len(found)
    width = error * float(stats_library().t.ppf((1 + confidence) / 2, count - 1))
    return Estimate(mean, mean - width, mean + width, len(found))


def clustered_share(values: Sequence[float], clusters: Sequence[str], *, confidence: float = 0.95) -> Estimate:
    """The same of values that are 0 or 1: Wilson's interval for as many independent values as would have the standard
    error of ``clustered`` (Dean and Pagano, 2015). It stays within [0, 1], and it says something where all values are
    equal: each cluster then counts once. Raises like ``clustered``, and for other values."""
    found = clustered(values, clusters, confidence=confidence)
    if any(value not in (0, 1) for value in values):
        raise InvalidRequest("a share is of values that are 0 or 1", param="values")
    count = len({name or row for row, name in enumerate(clusters)})
    stats = stats_library()
    spread = found.value * (1 - found.value)
    if count > 1 and spread and found.high > found.low:
        error = (found.high - found.low) / 2 / float(stats.t.ppf((1 + confidence) / 2, count - 1))
        effective = min(spread / error**2, len(values))
    else:
        effective = float(count)
    z = float(stats.norm.ppf((1 + confidence) / 2))
    middle = (found.value + z * z / (2 * effective)) / (1 + z * z / effective)
    width = z / (1 + z * z / effective) * (spread / effective + z * z / (4 * effective**2)) ** 0.5
    return Estimate(found.value, max(0.0, middle - width), min(1.0, middle + width), found.n)


def permutation(ours: Sequence[float], theirs: Sequence[float], *, seed: int = SEED) -> float:
    """The two-sided p-value of the paired randomisation test on the mean difference.

    Exact if there are at most 9,999 sign patterns (13 pairs); otherwise drawn, and then never below 1/10,000. Pairs
    without a difference say nothing either way; with less than two others the value is 1. Raises ``InvalidRequest`` for
    pairs that are incomplete or absent.
    """
    import numpy as np

    differences = _array(ours) - _array(theirs, len(ours))
    differences = differences[differences != 0]
    if len(differences) < 2:
        # One difference is as large whichever way it points.
        return 1.0
    result = stats_library().permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=_batch(len(differences)),
        alternative="two-sided",
        rng=np.random.default_rng(seed),
    )
    return float(min(1.0, result.pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for being several (Holm 1979), in the order given: the chance of even one false alarm
    among them is kept. Raises ``InvalidRequest`` for a value outside [0, 1]."""
    if any(not 0 <= p <= 1 for p in p_values):
        raise InvalidRequest("p-values lie between 0 and 1", param="p_values")
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = largest
    return corrected


def compare(systems: Mapping[str, Mapping[str, float]], baseline: str, *, seed: int = SEED) -> dict[str, Comparison]:
    """Compares every other system with ``baseline``; the p-values are corrected for the number of comparisons.

    ``systems`` are values by query id. Raises ``InvalidRequest`` if a system was not measured on the baseline's
    queries, or there is no such baseline.
    """
    if baseline not in systems:
        raise InvalidRequest(
            f"there is no system {baseline} to compare with", remedy=f"Use {', '.join(systems)}", param="baseline"
        )
    queries = list(systems[baseline])
    theirs = [systems[baseline][query] for query in queries]
    sides: dict[str, list[float]] = {}
    for name, values in systems.items():
        if values.keys() != systems[baseline].keys():
            raise InvalidRequest(f"{name} and {baseline} were measured on different queries", param="systems")
        if name != baseline:
            sides[name] = [values[query] for query in queries]
    p_values = [permutation(ours, theirs, seed=seed) for ours in sides.values()]
    corrected = holm(p_values)
    return {
        name: Comparison(
            interval([a - b for a, b in zip(ours, theirs, strict=True)], seed=seed),
            p_values[number],
            corrected[number],
            sum(a > b for a, b in zip(ours, theirs, strict=True)),
            sum(a < b for a, b in zip(ours, theirs, strict=True)),
        )
        for number, (name, ours) in enumerate(sides.items())
    }


def _array(values: Sequence[float], length: int | None = None) -> Any:
    import numpy as np

    found = np.asarray(values, np.float64)
    if found.ndim != 1 or not len(found):
        raise InvalidRequest("there are no values to summarise", param="values")
    if length is not None and len(found) != length:
        raise InvalidRequest(f"{length} values against {len(found)}: a pair is incomplete", param="values")
    return found


def _batch(size: int) -> int:
    # Resamples at a time, so that a million values are in memory at most.
    return max(1, 1_000_000 // max(1, size))


def stats_library() -> Any:
    """The library of p-values and intervals. Raises ``MissingExtra``."""
    try:
        from scipy import stats
    except ImportError:
        raise MissingExtra("significance tests need scipy", remedy="Install mainspring[eval]") from None
    return stats
