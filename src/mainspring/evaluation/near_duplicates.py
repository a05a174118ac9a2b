"""Groups of near-duplicate texts, by MinHash with locality-sensitive hashing.

Broder, "On the resemblance and containment of documents" (1997). Texts are compared as sets of shingles: windows of
eight bytes over the text in lower case with single spaces.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 128
BANDS = 32
SIMILAR = 0.6
"""The estimated Jaccard similarity from which two texts are near-duplicates."""
MOST_COMPARED = 32
"""The most texts of one band that a further text is compared with. Texts made from one template share bands: without a
bound the work grows with their square. Near-duplicates among them share other bands, too, which the template leaves."""
_SHINGLE = 8
MOST_BYTES = 20_000
"""What is compared of a text."""
_ROWS = PERMUTATIONS // BANDS
_DRAWN = np.random.default_rng(20260)
_FACTORS = _DRAWN.integers(1, 2**63, PERMUTATIONS, dtype=np.uint64) | np.uint64(1)
_SHIFTS = _DRAWN.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64)
_POWERS = np.array([pow(1_099_511_628_211, power, 2**64) for power in range(_SHINGLE)], dtype=np.uint64)
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"\w+")
Signature = NDArray[np.uint32]


class Groups:
    """Disjoint sets that grow together (union-find)."""

    def __init__(self) -> None:
        self._parents: dict[Hashable, Hashable] = {}

    def find(self, member: Hashable) -> Hashable:
        """The representative of the set of ``member``, which is its own at first."""
        parents = self._parents
        root = parents.setdefault(member, member)
        while parents[root] != root:
            root = parents[root]
        while parents[member] != root:
            parents[member], member = root, parents[member]
        return root

    def union(self, one: Hashable, other: Hashable) -> None:
        """Make one set of both."""
        self._parents[self.find(other)] = self.find(one)


def normal(text: str) -> str:
    """The text as it is compared."""
    return _SPACE.sub(" ", text).strip().casefold()


def signature(text: str) -> Signature:
    """The MinHash of a text: ``PERMUTATIONS`` minima."""
    said = np.frombuffer(normal(text).encode()[:MOST_BYTES].ljust(_SHINGLE, b"\0"), dtype=np.uint8).astype(np.uint64)
    count = len(said) - _SHINGLE + 1
    with np.errstate(over="ignore"):
        hashes = np.zeros(count, dtype=np.uint64)
        for place in range(_SHINGLE):
            hashes += said[place : place + count] * _POWERS[place]
        hashes = np.unique(hashes ^ (hashes >> np.uint64(29)))
        minima = np.full(PERMUTATIONS, np.uint64(2**64 - 1))
        for start in range(0, len(hashes), 256):
            part = hashes[start : start + 256, None] * _FACTORS + _SHIFTS
            minima = np.minimum(minima, part.min(axis=0))
    return (minima >> np.uint64(32)).astype(np.uint32)


def signatures(texts: Sequence[str]) -> NDArray[np.uint32]:
    """The MinHash of each text, of shape (texts, ``PERMUTATIONS``)."""
    return np.array([signature(text) for text in texts], np.uint32).reshape(-1, PERMUTATIONS)


def words(text: str) -> list[str]:
    """The words of a text as they are compared, without punctuation."""
    return _WORD.findall(normal(text))


def similarity(one: Signature, other: Signature) -> float:
    """The estimated Jaccard similarity; its standard error is at most .05."""
    return float((one == other).mean())


class NearDuplicates:
    """Texts by their bands: finds earlier near-duplicates of each new one, among ``MOST_COMPARED`` of each band."""

    def __init__(self, similar: float = SIMILAR) -> None:
        self._similar = similar
        self._bands: dict[tuple[int, bytes], list[int]] = {}
        self._table = np.empty((64, PERMUTATIONS), np.uint32)
        self._exact: dict[str, int] = {}
        self.compared = 0
        """The pairs that were compared."""

    def add(self, text: str) -> list[int]:
        """Add a text, and return the numbers (from 0, by first appearance) of distinct texts that are alike; its own
        number is the last."""
        key = normal(text)
        if (known := self._exact.get(key)) is not None:
            return [known]
        made = signature(text)
        number = self._exact[key] = len(self._exact)
        if number == len(self._table):
            self._table = np.concatenate((self._table, np.empty_like(self._table)))
        self._table[number] = made
        near = sorted(self._near(number, made))
        self.compared += len(near)
        agree = (self._table[near] == made).mean(axis=1) >= self._similar
        return [*(each for each, alike in zip(near, agree.tolist(), strict=True) if alike), number]

    def _near(self, number: int, made: Signature) -> set[int]:
        """The texts that are compared with this one, which takes its place in its bands."""
        near: set[int] = set()
        for band in range(BANDS):
            place = band, made[band * _ROWS : (band + 1) * _ROWS].tobytes()
            there = self._bands.setdefault(place, [])
            near.update(there)
            if len(there) < MOST_COMPARED:
                there.append(number)
            else:
                # Early and late ones stay, so that a group is found wherever its texts come.
                there[number % MOST_COMPARED] = number
        return near


def groups(texts: Iterable[str], together: Sequence[Sequence[Hashable]] = ()) -> list[int]:
    """The group of each text, from 0 on: near-duplicates are in one group, and so are texts that share any of their
    values ``together`` (for example a session)."""
    found, sets = NearDuplicates(), Groups()
    members: list[Hashable] = []
    for place, text in enumerate(texts):
        *near, own = found.add(text)
        for each in near:
            sets.union(("text", own), ("text", each))
        for value in together[place] if together else ():
            sets.union(("text", own), ("value", value))
        members.append(("text", own))
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(sets.find(member), len(numbers)) for member in members]
