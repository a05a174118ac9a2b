"""What is in memory of each interaction while a set is made: its id, and hashes of its session and of its question."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.evaluation.interactions import Interaction
from mainspring.evaluation.near_duplicates import normal
from mainspring.features.lake.exports.sets.rows import asked

_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class RowKeys:
    """``ids`` are bytes of one width in order, ``places`` the row of each. ``sessions`` (0: none) has a hash of 64 bits
    for each row, ``questions`` one of 128 bits, of shape (rows, 2), of all that the user said. About 70 bytes a row."""

    ids: NDArray[np.bytes_]
    places: NDArray[np.int32]
    sessions: NDArray[np.uint64]
    questions: NDArray[np.uint64]

    @classmethod
    def of(cls, rows: Sequence[Interaction]) -> RowKeys:
        """Reads the rows once."""
        sessions, questions = array("Q"), array("Q")
        parts: list[NDArray[np.bytes_]] = []
        names: list[bytes] = []
        for row in rows:
            sessions.append(hashed(row.session_id))
            questions.frombytes(digest(normal(asked(row))))
            names.append(_bytes(row.answer_id))
            if len(names) == _AT_ONCE:
                parts.append(np.array(names))
                names = []
        parts.append(np.array(names, "S1" if not names else None))
        ids = np.concatenate(parts)
        places = np.argsort(ids, kind="stable").astype(np.int32)
        return cls(ids[places], places, np.array(sessions, np.uint64), np.array(questions, np.uint64).reshape(-1, 2))

    def place(self, answer_id: str) -> int:
        """The row of an answer. Raises ``KeyError``."""
        wanted = _bytes(answer_id)
        at = int(np.searchsorted(self.ids, np.array(wanted, self.ids.dtype), side="right")) - 1
        if at < 0 or self.ids[at] != wanted:
            raise KeyError(answer_id)
        return int(self.places[at])


class Distinct:
    """Counts different names by their hashes: eight bytes a name."""

    def __init__(self) -> None:
        self._known = np.zeros(0, np.uint64)
        self._new = array("Q")

    def add(self, name: str) -> None:
        self._new.append(hashed(name))
        if len(self._new) >= max(_AT_ONCE, len(self._known)):
            self._settle()

    def _settle(self) -> None:
        self._known = np.union1d(self._known, np.array(self._new, np.uint64))
        self._new = array("Q")

    def __len__(self) -> int:
        self._settle()
        return len(self._known)


def hashed(name: str) -> int:
    """A hash of 64 bits, and 0 for the empty name alone."""
    if not name:
        return 0
    return int.from_bytes(hashlib.blake2b(_bytes(name), digest_size=8).digest(), "little") or 1


def digest(text: str) -> bytes:
    """A hash of 128 bits."""
    return hashlib.blake2b(_bytes(text), digest_size=16).digest()


def runs(columns: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """An order of rows of shape (rows, columns) in which equal ones are neighbours, earlier ones first, and where in it
    others begin."""
    order = np.lexsort(columns.T)
    begins = np.ones(len(order), bool)
    if len(order):
        begins[1:] = False
        for column in columns.T:
            ordered = column[order]
            begins[1:] |= ordered[1:] != ordered[:-1]
    return order, begins


def numbered(columns: NDArray[np.uint64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """For each row of shape (rows, columns) the number of its value, from 0 by first appearance, and the first row of
    each value."""
    order, begins = runs(columns)
    firsts = order[begins]
    rank = np.empty(len(firsts), np.int32)
    rank[np.argsort(firsts)] = np.arange(len(firsts), dtype=np.int32)
    numbers = np.empty(len(order), np.int32)
    numbers[order] = rank[np.cumsum(begins) - 1]
    return numbers, np.sort(firsts)


def column(values: NDArray[Any]) -> NDArray[np.uint64]:
    """Numbers from 0 on as the one column that ``runs`` and ``numbered`` take."""
    return values.astype(np.uint64).reshape(-1, 1)


def _bytes(text: str) -> bytes:
    # The order of these bytes is the order of the texts.
    return text.encode("utf-8", "surrogatepass")
