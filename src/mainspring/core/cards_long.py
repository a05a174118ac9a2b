"""Card numbers in long texts: what ``cards.spans`` finds, by arrays over pieces of the text.

A regular expression that runs Python code for each group of digits takes a second per megabyte of digits, and no other
thread runs during that second. Here the digits of a piece are taken together: sums over all beginnings give each
checksum of each length.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from mainspring.core.card_numbers import DASHES, SPACES, lengths_of

PIECE = 1 << 16
# A number has 19 digits, as many separators, and one character beyond.
_BEYOND = 40
_LONGEST, _SHORTEST, _LEAST = 19, 12, 13
_SEPARATORS = np.array([ord(each) for each in f" -{SPACES}{DASHES}"], np.uint32)

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def spans(text: str) -> Iterator[tuple[int, int]]:
    """The places of card numbers, from left to right; they may overlap. The memory is that of one piece."""
    for begin in range(0, len(text), PIECE):
        before = max(0, begin - 1)
        points = np.frombuffer(
            text[before : begin + PIECE + _BEYOND].encode("utf-32-le", "surrogatepass"), np.dtype("<u4")
        )
        for start, end in _found(points, begin - before, begin - before + PIECE):
            yield before + start, before + end


def _found(points: NDArray[np.uint32], least: int, most: int) -> Iterator[tuple[int, int]]:
    """The numbers that begin in ``points[least:most]``."""
    digit = (points >= 48) & (points <= 57)
    places: Ints = np.flatnonzero(digit)
    if len(places) < _LEAST:
        return
    values = points[places].astype(np.int64) - 48
    gaps = np.diff(places)
    apart = gaps != 1  # Whether a digit is the last of its group, without the last digit of all.
    joined = ~apart | ((gaps == 2) & np.isin(points[places[:-1] + 1], _SEPARATORS))
    # The index behind the last digit of each digit's run.
    breaks = np.flatnonzero(~joined)
    ends = np.append(breaks + 1, len(places))[np.searchsorted(breaks, np.arange(len(places)))]
    starts = _beginnings(points, places, values, ends, least, most)
    if not len(starts):
        return
    last = np.append(apart, True)
    lengths, held = _lengths(values, starts), np.zeros(len(starts), np.int64)
    fits = np.zeros(len(starts), bool)
    sums = _sums(values)
    for length in range(_LONGEST, _SHORTEST - 1, -1):
        reaches = starts + length <= ends[starts]
        final = np.minimum(starts + length, len(places)) - 1
        whole = reaches & last[final]
        if length >= _LEAST:
            fits |= whole
        checked = np.where(final % 2, sums[1][final + 1] - sums[1][starts], sums[0][final + 1] - sums[0][starts])
        right = whole & fits & (held == 0) & lengths[length] & (checked % 10 == 0)
        held[right] = length
    for index in np.flatnonzero(held):
        first = starts[index]
        yield int(places[first]), int(places[first + held[index] - 1]) + 1


def _beginnings(points: NDArray[np.uint32], places: Ints, values: Ints, ends: Ints, least: int, most: int) -> Ints:
    """Indices of digits that may start a number: digits from 2 to 6, after neither a letter nor a digit, directly
    followed by another digit and enough further ones."""
    before = np.concatenate((points[:1] * 0, points[:-1]))[places]
    low = before | 32
    named = ((before >= 48) & (before <= 57)) | ((low >= 97) & (low <= 122) & (before < 128))
    follows = np.append(np.diff(places) == 1, False)
    enough = ends - np.arange(len(places)) >= _LEAST
    here = (places >= least) & (places < most)
    return np.flatnonzero((values >= 2) & (values <= 6) & ~named & follows & enough & here)


def _lengths(values: Ints, starts: Ints) -> dict[int, Flags]:
    """Whether a number that begins at each of ``starts`` may have that many digits."""
    four = values[starts] * 1000 + values[starts + 1] * 100 + values[starts + 2] * 10 + values[starts + 3]
    kinds, which = np.unique(four, return_inverse=True)
    allowed: list[Collection[int]] = [lengths_of(f"{kind:04d}") for kind in kinds]
    return {
        length: np.array([length in each for each in allowed], bool)[which] for length in range(_SHORTEST, _LONGEST + 1)
    }


def _sums(values: Ints) -> tuple[Ints, Ints]:
    """Running sums of the digits, doubled (and their digits added) at odd places, and at even ones."""
    doubled = 2 * values - 9 * (values > 4)
    odd = np.arange(len(values)) % 2 == 1
    zero = np.zeros(1, np.int64)
    return (
        np.concatenate((zero, np.cumsum(np.where(odd, doubled, values)))),
        np.concatenate((zero, np.cumsum(np.where(odd, values, doubled)))),
    )
