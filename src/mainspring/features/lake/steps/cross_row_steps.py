"""Steps that compare all rows with each other: exact duplicates, near-duplicates, balance.

Each works on arrays with an entry for each row, in the order of the answers' times: of duplicates the first one stays,
whatever order rows came in.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mainspring.features.lake.steps.options import Balance

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]
NONE = -1
_IN_ORDER = 65_536
# The system maps some hundred KB around each row that is read anywhere.
_ANYWHERE = 32


def exact_duplicates(exact: NDArray[np.uint64]) -> Ints:
    """For each row of shape (rows, 2) the first row that is equal; ``NONE`` for first ones."""
    keys = np.ascontiguousarray(exact).view([("high", np.uint64), ("low", np.uint64)]).reshape(-1)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    earlier = first[inverse].astype(np.int64)
    return np.where(earlier == np.arange(len(keys)), NONE, earlier)


def near_duplicates(minhash: NDArray[np.uint32], rows: Ints, similar: float, bands: int = 16) -> Ints:
    """For each of ``rows`` (ascending) an earlier one of them whose MinHash agrees in a share of ``similar`` or more;
    ``NONE`` if there is none. Memory: a few numbers a row; ``minhash`` may be a memory map.

    Rows with an equal band are compared with the first of them: with 16 bands of 8 values a pair of similarity .8 is
    found with probability .95, one of .9 with .9999.
    """
    found = np.full(len(rows), NONE, np.int64)
    width = minhash.shape[1] // bands
    for band in range(bands):
        every = np.empty(len(minhash), np.uint64)
        for start in range(0, len(minhash), _IN_ORDER):
            some = slice(start, start + _IN_ORDER)
            every[some] = _mixed(np.ascontiguousarray(minhash[some, band * width : (band + 1) * width]))
            _release(minhash)
        keys = every[rows]
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        begins = np.concatenate(([True], ordered[1:] != ordered[:-1]))
        firsts = order[np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))]
        # In a stable order the first of equal keys is the earliest row.
        check = np.flatnonzero((firsts != order) & (found[order] == NONE))
        for start in range(0, len(check), _ANYWHERE):
            places = check[start : start + _ANYWHERE]
            one, other = order[places], firsts[places]
            agree = (minhash[rows[one]] == minhash[rows[other]]).mean(axis=1) >= similar
            found[one[agree]] = rows[other[agree]]
            _release(minhash)
    return _settled(found, rows)


def balance(kept: Mask, keys: dict[str, Ints], limits: Balance) -> dict[int, str]:
    """The rows beyond the limits, with the reason; ``keys`` has a number for each row's subject, session, application
    and language (``NONE``: it has none)."""
    gone: dict[int, str] = {}
    left = kept.copy()
    for name, most in (("subject", limits.per_subject), ("session", limits.per_session)):
        if most:
            _take(gone, left, _beyond(keys[name], left, partial(_same, most)), f"more than {most} rows of one {name}")
    for name, share in (("application", limits.application_share), ("language", limits.language_share)):
        if share < 1:
            _take(gone, left, _beyond(keys[name], left, _shared(keys[name], left, share)), f"the {name} has its share")
    return gone


def _same(most: int, _: int) -> int:
    return most


def _release(minhash: NDArray[np.uint32]) -> None:
    """Give back what was read of a memory map: it would be as much as all rows have."""
    # Windows has no such advice.
    if isinstance(minhash.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        minhash.base.madvise(mmap.MADV_DONTNEED)


def _mixed(part: NDArray[np.uint32]) -> NDArray[np.uint64]:
    keys = np.zeros(len(part), np.uint64)
    with np.errstate(over="ignore"):
        for column in range(part.shape[1]):
            keys = (keys ^ part[:, column].astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(29)
    return keys


def _settled(found: Ints, rows: Ints) -> Ints:
    """A row that is like a dropped one counts as like the row that stays in its place."""
    if not len(rows):
        return found
    place = np.empty(int(rows.max()) + 1, np.int64)
    place[rows] = np.arange(len(rows))
    while True:
        like = np.flatnonzero(found != NONE)
        above = found[place[found[like]]]
        if (above == NONE).all():
            return found
        further = above != NONE
        found[like[further]] = above[further]


def _take(gone: dict[int, str], left: Mask, rows: Ints, reason: str) -> None:
    for row in rows:
        gone[int(row)] = reason
    left[rows] = False


def _beyond(keys: Ints, left: Mask, most: Callable[[int], int]) -> Ints:
    """The rows beyond ``most`` of their key, the first ones of each key stay."""
    rows = np.flatnonzero(left & (keys != NONE))
    order = rows[np.argsort(keys[rows], kind="stable")]
    ordered = keys[order]
    begins = np.concatenate(([True], ordered[1:] != ordered[:-1])) if len(order) else np.zeros(0, bool)
    starts = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0)) if len(order) else order
    rank = np.arange(len(order)) - starts
    limits = np.array([most(int(key)) for key in ordered[begins]]) if len(order) else np.zeros(0)
    return order[rank >= limits[np.cumsum(begins) - 1]] if len(order) else order


def _shared(keys: Ints, left: Mask, share: float) -> Callable[[int], int]:
    """So many rows of a key that it has at most ``share`` of what remains."""
    counts = np.bincount(keys[left & (keys != NONE)]) if (left & (keys != NONE)).any() else np.zeros(1, int)
    total = int(left.sum())
    most = {int(key): int(count) for key, count in enumerate(counts)}
    for key in sorted(most, key=lambda each: -most[each]):
        others = total - most[key]
        allowed = int(others * share / (1 - share))
        if most[key] > allowed and others:
            total -= most[key] - allowed
            most[key] = allowed
    return lambda key: most[key]
