"""Interactions that wait on the disk: a file of JSON lines, of which a few bytes a row are in memory."""

from __future__ import annotations

import dataclasses
import os
import typing
from abc import abstractmethod
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import orjson
from numpy.typing import NDArray

from mainspring.core import private_files
from mainspring.evaluation.interactions import Interaction

Numbers = NDArray[np.int64]


class LazyRows(Sequence[Interaction]):
    """Interactions that are read when they are asked for, one at a time. A part is a list."""

    @abstractmethod
    def row(self, place: int) -> Interaction:
        """The interaction at a place from 0 on."""

    @overload
    def __getitem__(self, place: int) -> Interaction: ...
    @overload
    def __getitem__(self, place: slice) -> list[Interaction]: ...
    def __getitem__(self, place: int | slice) -> Interaction | list[Interaction]:
        if isinstance(place, slice):
            return [self.row(each) for each in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        return self.row(place % len(self))

    def __iter__(self) -> Iterator[Interaction]:
        return map(self.row, range(len(self)))


class HeldRows(LazyRows):
    """The rows of a file that ``RowSpill`` wrote. Another process may be given them: it opens the file itself."""

    def __init__(self, path: Path, ends: NDArray[np.int64]) -> None:
        self._path = path
        self._ends = ends
        self._file: Any = None

    def __len__(self) -> int:
        return len(self._ends)

    def row(self, place: int) -> Interaction:
        """See ``LazyRows``. Raises ``OSError``."""
        if self._file is None:
            self._file = self._path.open("rb", buffering=0)
        begin = int(self._ends[place - 1]) if place else 0
        return _read(os.pread(self._file.fileno(), int(self._ends[place]) - begin, begin))

    def __reduce__(self) -> tuple[Any, ...]:
        return HeldRows, (self._path, self._ends)


class RowSpill:
    """Writes interactions into a file that its owner alone reads."""

    def __init__(self, path: Path) -> None:
        private_files.file(path)
        self._path = path
        self._file = path.open("wb")
        self._ends = array("q")
        self._end = 0

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def bytes(self) -> int:
        """What the rows take on the disk."""
        return self._end

    def add(self, rows: Sequence[Interaction]) -> None:
        """Raises ``OSError``."""
        for row in rows:
            data = orjson.dumps(row)
            self._file.write(data)
            self._end += len(data)
            self._ends.append(self._end)

    def ended(self) -> HeldRows:
        """The rows; none come after. Raises ``OSError``."""
        self._file.close()
        return HeldRows(self._path, np.array(self._ends, np.int64))

    def close(self) -> None:
        """Close the file if it is open."""
        self._file.close()


class ChosenRows(LazyRows):
    """Some rows of others, by their places."""

    def __init__(self, rows: Sequence[Interaction], places: NDArray[Any]) -> None:
        self._rows = rows
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def row(self, place: int) -> Interaction:
        """See ``LazyRows``."""
        return self._rows[int(self._places[place])]


class ChangedRows(LazyRows):
    """Rows with a change that is made when one is read."""

    def __init__(self, rows: Sequence[Interaction], change: Callable[[int, Interaction], Interaction]) -> None:
        self._rows = rows
        self._change = change

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, place: int) -> Interaction:
        """See ``LazyRows``."""
        return self._change(place, self._rows[place])


def chosen(rows: Sequence[Interaction], test: Callable[[Interaction], object]) -> ChosenRows:
    """The rows for which ``test`` is true. Memory: four bytes a row."""
    places = array("i", (place for place, row in enumerate(rows) if test(row)))
    return ChosenRows(rows, np.array(places, np.int32))


def _tuples() -> tuple[str, ...]:
    hints = typing.get_type_hints(Interaction)
    return tuple(each.name for each in dataclasses.fields(Interaction) if typing.get_origin(hints[each.name]) is tuple)


_TUPLES = _tuples()


def _read(data: bytes) -> Interaction:
    found = orjson.loads(data)
    for name in _TUPLES:
        found[name] = tuple(found[name])
    return Interaction(**found)
