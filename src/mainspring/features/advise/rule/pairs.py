"""Paired differences of quality between ways, with intervals that hold for all pairs at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Any

from mainspring.features.advise.rule.rows import Row, Terms, Way
from mainspring.statistics.significance import Estimate, clustered

_POWER = 0.8
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Pair:
    """The quality of ``better`` less that of ``other``, on the questions that both have a score for. The interval is
    Bonferroni's for so many pairs."""

    better: Way
    other: Way
    difference: Estimate
    confidence: float
    flat: bool = False
    """All differences are equal, see ``difference``."""

    @property
    def beyond_doubt(self) -> bool:
        return self.difference.low > 0

    def turned(self) -> Pair:
        """The same, seen from the other way."""
        made = self.difference
        turned = Estimate(-made.value, -made.high, -made.low, made.n)
        return Pair(self.other, self.better, turned, self.confidence, self.flat)

    def within(self, margin: float) -> bool:
        """Whether it is known that the better one is better by no more than ``margin``."""
        return self.difference.high <= margin

    def needed(self, margin: float) -> int | None:
        """About how many questions would settle it, with a power of .8: either that it is better, or that it is not by
        more than ``margin``; None: no number would, since the difference is the margin itself, or nothing varies."""
        found = self.difference
        if self.flat:
            return self._unseen(margin)
        half = (found.high - found.low) / 2
        gaps = [gap for gap in (abs(found.value), margin - found.value) if gap > 1e-9]
        if not gaps or not half:
            return None
        alpha = NormalDist().inv_cdf((1 + self.confidence) / 2)
        powered = ((alpha + NormalDist().inv_cdf(_POWER)) / alpha) ** 2
        wanted = math.ceil(found.n * powered * (half / max(gaps)) ** 2)
        return wanted if wanted <= _MOST else None

    def _unseen(self, margin: float) -> int | None:
        """The questions without another difference that would do."""
        value = self.difference.value
        shares = [value / (1 + value)] if value > 0 else []
        shares += [(margin - value) / (1 - value)] if value < margin else []
        log = math.log((1 - self.confidence) / 2)
        wanted = [math.ceil(log / math.log(1 - share)) for share in shares if 0 < share < 1]
        return min(wanted) if wanted else None

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        made = self.difference
        return {
            "way": self.better,
            "against": self.other,
            "difference": {"mean": made.value, "low": made.low, "high": made.high, "n": made.n},
            "beyond_doubt": self.beyond_doubt,
        }


def pairs(rows: Sequence[Row], terms: Terms) -> list[Pair]:
    """All pairs of ways that were tried and have a question in common."""
    several = list(combinations([row for row in rows if row.tried], 2))
    if not several:
        return []
    confidence = 1 - (1 - terms.confidence) / len(several)
    found = (_pair(one, other, terms, confidence) for one, other in several)
    return [each for each in found if each is not None]


def _pair(one: Row, other: Row, terms: Terms, confidence: float) -> Pair | None:
    clusters = list(terms.clusters) or [""] * len(one.scores)
    both = [
        (ours - theirs, cluster)
        for ours, theirs, cluster in zip(one.scores, other.scores, clusters, strict=True)
        if ours is not None and theirs is not None
    ]
    if not both:
        return None
    made = difference([each[0] for each in both], [each[1] for each in both], confidence)
    flat = len({each[0] for each in both}) == 1
    found = Pair(one.way, other.way, made, confidence, flat)
    return found.turned() if made.value < 0 else found


def difference(values: Sequence[float], clusters: Sequence[str], confidence: float) -> Estimate:
    """The mean with its interval by groups of near-duplicates.

    Where all values are equal they have no spread, and Student's interval says nothing. Then it is asked which share of
    questions may be of the other extreme without one of ``n`` showing it: ``1 - (alpha / 2) ** (1 / n)``.
    """
    found = clustered(values, clusters, confidence=confidence)
    if found.high > found.low:
        return Estimate(found.value, max(-1.0, found.low), min(1.0, found.high), found.n)
    count = len({name or place for place, name in enumerate(clusters)})
    unseen = 1 - ((1 - confidence) / 2) ** (1 / count)
    low, high = (found.value * (1 - unseen) + each * unseen for each in (-1.0, 1.0))
    return Estimate(found.value, low, high, found.n)
