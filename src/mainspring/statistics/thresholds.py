"""At which score people approve: the approval rate by score, and the threshold from which enough are approved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.sampling import wilson
from mainspring.statistics.significance import Estimate

RESAMPLES = 1_000
_AT_ONCE = 1_000_000
_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """The ``approval`` of labelled answers whose scores lie from ``low`` to ``high``, with its interval."""

    low: float
    high: float
    mean: float
    approval: Estimate


@dataclass(frozen=True, slots=True)
class Threshold:
    """From the score ``value`` on, ``wanted`` of the answers are approved (None: from no score on). ``low`` and
    ``high`` are its 95 % interval; a high end of None says that the labels do not rule out that there is none.
    ``approval`` and ``coverage`` are those of the answers from there on, by the same labels."""

    wanted: float
    value: float | None
    low: float | None
    high: float | None
    approval: float | None
    coverage: float | None
    n: int


def bins(scores: Sequence[float], approved: Sequence[bool], weights: Sequence[float] | None = None) -> list[Bin]:
    """The curve: up to ten bins of equally many labels, by score. Equal scores are in one bin. Raises
    ``InvalidRequest`` for unequal lengths."""
    values, yes, weight = _sorted(scores, approved, weights)
    if not len(values):
        return []
    edges = np.unique(np.searchsorted(values, np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]), "right"))
    starts = [0, *(int(edge) for edge in edges if 0 < edge < len(values))]
    made = []
    for start, end in zip(starts, [*starts[1:], len(values)], strict=True):
        part, theirs = weight[start:end], values[start:end]
        # Kish's effective number: unequal weights make labels worth less.
        effective = float(part.sum() ** 2 / (part**2).sum())
        share = float((part * yes[start:end]).sum() / part.sum())
        found = wilson(share * effective, effective)
        approval = Estimate(share, found.low, found.high, end - start)
        made.append(Bin(float(theirs[0]), float(theirs[-1]), float(np.average(theirs, weights=part)), approval))
    return made


def threshold(
    scores: Sequence[float],
    approved: Sequence[bool],
    wanted: float,
    weights: Sequence[float] | None = None,
    *,
    least: int = 10,
    resamples: int = RESAMPLES,
    seed: int = 17,
) -> Threshold:
    """The lowest score from which on at least ``wanted`` of the answers are approved, with its bootstrap interval over
    answers. ``least`` labels lie above any threshold: a few approved ones on top are no evidence.

    Raises ``InvalidRequest`` for unequal lengths, or a ``wanted`` share that is not in (0, 1].
    """
    if not 0 < wanted <= 1:
        raise InvalidRequest("a wanted approval must be above 0 and at most 1", param="approval")
    values, yes, weight = _sorted(scores, approved, weights)
    n = len(values)
    if n < least:
        return Threshold(wanted, None, None, None, None, None, n)
    # From the highest score down; equal scores are taken or left together.
    values, yes, weight = values[::-1], yes[::-1], weight[::-1]
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    levels, one = values[starts], np.ones((1, n))
    (found,) = _places(one, yes, weight, starts, wanted, least)
    draw = np.random.default_rng(seed)
    places: list[int] = []
    while len(places) < resamples:
        size = min(resamples - len(places), max(1, _AT_ONCE // n))
        counts = draw.multinomial(n, np.full(n, 1 / n), size=size)
        places += _places(counts, yes, weight, starts, wanted, least)
    drawn = np.sort([np.inf if place < 0 else levels[place] for place in places])
    low, high = (drawn[round(share * (len(drawn) - 1))] for share in (0.025, 0.975))
    ends = (None if np.isinf(low) else float(low), None if np.isinf(high) else float(high))
    if found < 0:
        return Threshold(wanted, None, *ends, None, None, n)
    end = starts[found + 1] if found + 1 < len(starts) else n
    above = weight[:end]
    approval, coverage = float((above * yes[:end]).sum() / above.sum()), float(above.sum() / weight.sum())
    return Threshold(wanted, float(levels[found]), *ends, approval, coverage, n)


def _places(counts: Any, yes: Any, weight: Any, starts: Any, wanted: float, least: int) -> list[int]:
    """For each row of ``counts`` (how often each answer was drawn) the last level of scores, which begin at ``starts``,
    down to which the share approved is as wanted; -1: none."""
    new = np.add.reduceat(counts, starts, axis=1)
    so_far = np.cumsum(np.add.reduceat(counts * weight, starts, axis=1), axis=1)
    right = np.cumsum(np.add.reduceat(counts * (weight * yes), starts, axis=1), axis=1)
    fits = (right >= wanted * so_far - 1e-12) & (np.cumsum(new, axis=1) >= least) & (new > 0)
    places = fits.shape[1] - 1 - np.argmax(fits[:, ::-1], axis=1)
    return [int(place) for place in np.where(fits.any(axis=1), places, -1)]


def _sorted(scores: Sequence[float], approved: Sequence[bool], weights: Sequence[float] | None) -> tuple[Any, Any, Any]:
    values, yes = np.asarray(scores, np.float64), np.asarray(approved, np.float64)
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    if not len(values) == len(yes) == len(weight):
        raise InvalidRequest("each score has one label and one weight", param="scores")
    order = np.argsort(values, kind="stable")
    return values[order], yes[order], weight[order]
