"""Groups of near-duplicate questions and of sessions, as ``evaluation.near_duplicates.groups`` finds them, for many
rows: signatures lie on the disk, and a few numbers a row are in memory.

There each text is compared with those that its bands hold when it comes. Here one band after the other is sorted; the
pairs are the same, and so are the groups, since the order of unions does not matter.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mainspring.core import private_files
from mainspring.evaluation.interactions import Interaction
from mainspring.evaluation.near_duplicates import BANDS, MOST_COMPARED, PERMUTATIONS, SIMILAR, signature
from mainspring.features.lake.exports.sets.keys import RowKeys, column, numbered, runs
from mainspring.features.lake.exports.sets.rows import asked

Ints = NDArray[np.int64]
Pairs = tuple[Ints, Ints]
_BYTES = 4 * PERMUTATIONS
_BAND_BYTES = _BYTES // BANDS
_BANDS_AT_ONCE = 4
"""Bands of all texts that are in memory, of 16 bytes a text each."""
_PAIRS_AT_ONCE = 4096
_BLOCK = 2048


class Sets:
    """Disjoint sets of the numbers from 0 to ``count`` (union-find): four bytes each."""

    def __init__(self, count: int) -> None:
        self._parents = array("i", range(count))

    def union(self, one: int, other: int) -> None:
        """Make one set of both."""
        first, second = sorted((self._root(one), self._root(other)))
        self._parents[second] = first

    def roots(self, members: NDArray[np.integer]) -> Ints:
        """The number that stands for the set of each member."""
        parents = np.frombuffer(self._parents, np.int32) if self._parents else np.zeros(0, np.int32)
        found = parents[members]
        while not np.array_equal(above := parents[found], found):
            found = above
        made: Ints = found.astype(np.int64)
        return made

    def _root(self, member: int) -> int:
        parents = self._parents
        while (above := parents[member]) != member:
            parents[member] = member = parents[above]
        return member


class Signatures:
    """The MinHash of each text in a file: ``_BYTES`` a text, of which parts are read."""

    def __init__(self, path: Path) -> None:
        private_files.file(path)
        self._file = path.open("w+b")
        self.count = 0

    def add(self, text: str) -> None:
        """Raises ``OSError``."""
        self._file.write(signature(text).tobytes())
        self.count += 1

    def bands(self, first: int) -> NDArray[np.uint64]:
        """Some bands of all texts from ``first`` on, of shape (bands, texts, 2)."""
        self._file.flush()
        some = min(_BANDS_AT_ONCE, BANDS - first)
        found = np.empty((some, self.count, 2), np.uint64)
        for start in range(0, self.count, _BLOCK):
            block = self._read(start * _BYTES, min(_BLOCK, self.count - start) * _BYTES).reshape(-1, _BYTES)
            for band in range(some):
                begin = (first + band) * _BAND_BYTES
                part = np.ascontiguousarray(block[:, begin : begin + _BAND_BYTES])
                found[band, start : start + len(block)] = part.view(np.uint64)
        return found

    def of(self, texts: Ints) -> NDArray[np.uint32]:
        """Shape (texts, ``PERMUTATIONS``). A memory map would hold all that was ever looked at."""
        wanted, back = np.unique(texts, return_inverse=True)
        read = b"".join(os.pread(self._file.fileno(), _BYTES, place * _BYTES) for place in wanted.tolist())
        return np.frombuffer(read, np.uint32).reshape(-1, PERMUTATIONS)[back]

    def _read(self, begin: int, length: int) -> NDArray[np.uint8]:
        return np.frombuffer(os.pread(self._file.fileno(), length, begin), np.uint8)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def grouped(rows: Sequence[Interaction], keys: RowKeys, folder: Path) -> NDArray[np.int32]:
    """The group of each row, from 0 on by first appearance: near-duplicate questions are in one, and so are those of
    one session. A file is written into ``folder`` meanwhile. Raises ``OSError``."""
    texts, firsts = numbered(keys.questions)
    sessions, _ = numbered(column(keys.sessions))
    sets = Sets(len(firsts) + (int(sessions.max()) + 1 if len(sessions) else 0))
    for place in np.flatnonzero(keys.sessions).tolist():
        sets.union(int(texts[place]), len(firsts) + int(sessions[place]))
    path = folder / "signatures"
    made = Signatures(path)
    try:
        for place in firsts.tolist():
            made.add(asked(rows[place]))
        for first in range(0, BANDS, _BANDS_AT_ONCE):
            for band in made.bands(first):
                for one, other in _pairs(band):
                    _join(sets, made, one, other)
    finally:
        made.close()
        path.unlink(missing_ok=True)
    return numbered(column(sets.roots(texts)))[0]


def _pairs(band: NDArray[np.uint64]) -> Iterator[Pairs]:
    """The pairs of texts that are compared for a band (of shape (texts, 2)): each with all that have the same values,
    if these are ``MOST_COMPARED`` at most, and else with those that the band holds by then."""
    order, begins = runs(band)
    starts = np.flatnonzero(begins)
    sizes = np.diff(np.append(starts, len(order)))
    rank = np.arange(len(order)) - np.repeat(starts, sizes)
    few = rank <= MOST_COMPARED
    for back in range(1, MOST_COMPARED + 1):
        places = np.flatnonzero(few & (rank >= back))
        if not len(places):
            break
        yield order[places - back], order[places]
    for which in np.flatnonzero(sizes > MOST_COMPARED + 1):
        yield from _held(order[starts[which] : starts[which] + sizes[which]])


def _held(texts: Ints) -> Iterator[Pairs]:
    """Pairs of the texts of a band beyond those that are compared with all before. A band holds the first
    ``MOST_COMPARED``; each later text takes the place that its number gives it."""
    later = np.arange(MOST_COMPARED + 1, len(texts))
    takes = texts % MOST_COMPARED
    for slot in range(MOST_COMPARED):
        taken = np.flatnonzero(takes[MOST_COMPARED:] == slot) + MOST_COMPARED
        last = np.searchsorted(taken, later) - 1
        holds = np.where(last >= 0, taken[np.maximum(last, 0)], slot) if len(taken) else np.full(len(later), slot)
        yield texts[holds], texts[later]


def _join(sets: Sets, made: Signatures, ones: Ints, others: Ints) -> None:
    """Make one set of each pair that is alike."""
    for start in range(0, len(ones), _PAIRS_AT_ONCE):
        one, other = ones[start : start + _PAIRS_AT_ONCE], others[start : start + _PAIRS_AT_ONCE]
        # What is in one set already need not be compared.
        apart = sets.roots(one) != sets.roots(other)
        one, other = one[apart], other[apart]
        if len(one):
            alike = (made.of(one) == made.of(other)).mean(axis=1) >= SIMILAR
            for pair in zip(one[alike].tolist(), other[alike].tolist(), strict=True):
                sets.union(*pair)
