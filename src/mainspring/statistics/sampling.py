"""Means over all answers from a sample that took some kinds of them more often than others.

Where the bad ones are all looked at and a twentieth of the rest, the plain mean of what was looked at is worse than the
truth. Weights of one over the probability of being taken undo that (Horvitz and Thompson 1952); dividing by the sum of
the weights in place of the number of answers (Hajek 1971) is steadier and needs no such number. The draws are
independent of each other (Poisson sampling); a sample of probability 1 has no error of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.significance import Estimate


@dataclass(frozen=True, slots=True)
class Drawn:
    """Values that were all drawn with one ``probability``: how many, their sum and that of their squares."""

    count: int
    total: float
    squares: float
    probability: float

    @classmethod
    def of(cls, values: Sequence[float], probability: float) -> Drawn:
        return cls(len(values), sum(values), sum(value * value for value in values), probability)

    def around(self, centre: float) -> float:
        """The sum of the squares of the distances from ``centre``."""
        return max(0.0, self.squares - 2 * centre * self.total + self.count * centre * centre)


def hajek(drawn: Iterable[Drawn], *, confidence: float = 0.95) -> Estimate:
    """The mean over all answers, with its interval by linearisation. Raises ``InvalidRequest`` without values, and for
    probabilities that are not in (0, 1]."""
    groups = _checked(drawn)
    size = sum(each.count / each.probability for each in groups)
    centre = sum(each.total / each.probability for each in groups) / size
    variance = sum((1 - each.probability) / each.probability**2 * each.around(centre) for each in groups) / size**2
    return _interval(centre, variance, sum(each.count for each in groups), confidence)


def horvitz_thompson(drawn: Iterable[Drawn], size: int, *, confidence: float = 0.95) -> Estimate:
    """The mean over ``size`` answers, whose number is known. Raises as ``hajek`` does, and for a size below 1."""
    groups = _checked(drawn)
    if size < 1:
        raise InvalidRequest("a mean is over one answer at least", param="size")
    mean = sum(each.total / each.probability for each in groups) / size
    variance = sum((1 - each.probability) / each.probability**2 * each.squares for each in groups) / size**2
    return _interval(mean, variance, sum(each.count for each in groups), confidence)


def stratified(parts: Sequence[tuple[float, Estimate]], *, confidence: float = 0.95) -> Estimate:
    """The mean over strata of known sizes, from that of each with its interval at the same ``confidence``. Raises
    ``InvalidRequest`` without strata, or for sizes that are not positive."""
    if not parts or any(size <= 0 for size, _ in parts):
        raise InvalidRequest("strata have sizes above 0, and there is one at least", param="strata")
    whole, z = sum(size for size, _ in parts), _z(confidence)
    value = sum(size * each.value for size, each in parts) / whole
    variance = sum((size / whole * (each.high - each.low) / (2 * z)) ** 2 for size, each in parts)
    return _interval(value, variance, sum(each.n for _, each in parts), confidence)


def wilson(successes: float, n: float, *, confidence: float = 0.95) -> Estimate:
    """A share with Wilson's interval (1927); ``n`` may be an effective number of weighted values. Raises
    ``InvalidRequest`` without any."""
    if n <= 0:
        raise InvalidRequest("a share needs one value at least", param="n")
    z, share = _z(confidence), successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half), round(n))


def _checked(drawn: Iterable[Drawn]) -> list[Drawn]:
    groups = [each for each in drawn if each.count]
    if not groups:
        raise InvalidRequest("an estimate needs one value at least", param="values")
    if any(not 0 < each.probability <= 1 for each in groups):
        raise InvalidRequest("probabilities of being drawn lie above 0, up to 1", param="probabilities")
    return groups


def _interval(value: float, variance: float, n: int, confidence: float) -> Estimate:
    half = _z(confidence) * math.sqrt(variance)
    return Estimate(value, value - half, value + half, n)


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
