"""Many different texts in order, in a file: each is there once, with the number of the first row that has it."""

from __future__ import annotations

import heapq
import os
import struct
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import IO

import numpy as np

_RUN_BYTES = 16 * 2**20
"""Bytes of texts that are sorted at a time."""
_EACH = 100
"""What an entry takes beside its text."""
_HEAD = struct.Struct("<ii")
Numbered = tuple[bytes, int]


class SortedTexts:
    """Texts by their rank, each with a number."""

    def __init__(self, file: IO[bytes], ends: array[int], numbers: array[int]) -> None:
        self._file = file
        self._ends = np.array(ends, np.int64)
        self._numbers = np.array(numbers, np.int32)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, rank: int) -> tuple[str, int]:
        begin = int(self._ends[rank - 1]) if rank else 0
        data = os.pread(self._file.fileno(), int(self._ends[rank]) - begin, begin)
        return data.decode("utf-8", "surrogatepass"), int(self._numbers[rank])


def sorted_texts(found: Iterable[tuple[str, int]], folder: Path | None) -> SortedTexts:
    """Texts with numbers that ascend, of which the first counts. Memory: ``_RUN_BYTES``, and twelve bytes a text. The
    files have no names, so that nothing is left of them when the process ends. Raises ``OSError``."""
    sorted_runs: list[IO[bytes]] = []
    held: dict[bytes, int] = {}
    size = 0
    for text, number in found:
        data = text.encode("utf-8", "surrogatepass")
        if data not in held:
            held[data] = number
            size += len(data) + _EACH
        if size > _RUN_BYTES:
            sorted_runs.append(_written(sorted(held.items()), folder))
            held, size = {}, 0
    last = iter(sorted(held.items()))
    file, ends, numbers = _nameless(folder), array("q"), array("i")
    end = 0
    for data, same in groupby(heapq.merge(*map(_read, sorted_runs), last), key=lambda each: each[0]):
        file.write(data)
        end += len(data)
        ends.append(end)
        numbers.append(next(same)[1])
    file.flush()
    for each in sorted_runs:
        each.close()
    return SortedTexts(file, ends, numbers)


def _nameless(folder: Path | None) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=folder)


def _written(texts: Iterable[Numbered], folder: Path | None) -> IO[bytes]:
    file = _nameless(folder)
    for data, number in texts:
        file.write(_HEAD.pack(len(data), number) + data)
    file.seek(0)
    return file


def _read(file: IO[bytes]) -> Iterator[Numbered]:
    while head := file.read(_HEAD.size):
        length, number = _HEAD.unpack(head)
        yield file.read(length), number
