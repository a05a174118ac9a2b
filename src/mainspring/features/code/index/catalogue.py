"""The index of one workspace in memory: files with their symbols, names to definitions, and search by words.

Search is BM25 over pieces (a function, or a class, or some lines): how often a word stands in a piece is left out,
since code repeats names, and each word's list of pieces is as short as that.
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath

from mainspring.features.code.syntax.symbols import WORD, Outline, Symbol

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PIECE_LINES = 60
_MOST_POSTINGS = 4_000
_B = 0.5


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file as it is indexed: without secrets."""

    path: str
    sha256: str
    language: str
    text: str
    outline: Outline
    version: int = 0
    lines: tuple[str, ...] = field(default=(), compare=False)

    def part(self, first: int, last: int) -> str:
        """Its lines ``first`` to ``last`` (from 0)."""
        lines = self.lines or self.text.split("\n")
        return "\n".join(lines[first : last + 1])


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines of a file that are searched as one."""

    path: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Definition:
    """A symbol and the file that defines it."""

    path: str
    symbol: Symbol


class Catalogue:
    """The files of a workspace at ``version``."""

    def __init__(self, version: int = 0) -> None:
        self.version = version
        self.files: dict[str, IndexedFile] = {}
        self.characters = 0
        self._names: dict[str, list[Definition]] = {}
        self._ends: dict[str, list[str]] = {}
        self._pieces: list[Piece | None] = []
        self._lengths = array("I")
        self._own: dict[str, list[int]] = {}
        self._postings: dict[str, array[int]] = {}
        self._alive = 0
        self._words = 0

    def put(self, file: IndexedFile) -> None:
        """Add a file, in place of the one of its path."""
        self.drop(file.path)
        self.files[file.path] = file
        self.characters += len(file.text)
        for symbol in file.outline.symbols:
            self._names.setdefault(symbol.name, []).append(Definition(file.path, symbol))
        self._ends.setdefault(_stem(file.path), []).append(file.path)
        lines = file.lines or tuple(file.text.split("\n"))
        for piece in _pieces(file, len(lines)):
            self._add(piece, terms("\n".join(lines[piece.first : piece.last + 1])))

    def drop(self, path: str) -> None:
        """Remove a file; nothing if there is none."""
        file = self.files.pop(path, None)
        if file is None:
            return
        self.characters -= len(file.text)
        for name in {symbol.name for symbol in file.outline.symbols}:
            left = [each for each in self._names[name] if each.path != path]
            if left:
                self._names[name] = left
            else:
                del self._names[name]
        self._ends[_stem(path)].remove(path)
        for number in self._own.pop(path, ()):
            self._pieces[number] = None
            self._alive -= 1
            self._words -= self._lengths[number]
        if len(self._pieces) > 200 and self._alive < len(self._pieces) // 2:
            self._rebuild()

    def definitions(self, name: str) -> Sequence[Definition]:
        """Where ``name`` is defined."""
        return self._names.get(name, ())

    def names(self) -> Iterable[str]:
        """All defined names."""
        return self._names

    def imported(self, path: str, statement: str) -> list[str]:
        """The files of the workspace that an import ``statement`` of the file ``path`` may mean."""
        found: list[str] = []
        for module in re.findall(r"[\w./@$-]{0,200}[\w$](?:[.:/\\]{1,2}[\w$-]+)*", statement):
            found += self._module(path, module.replace("::", "/"))
        return list(dict.fromkeys(each for each in found if each != path))

    def _module(self, path: str, module: str) -> list[str]:
        slashed = module.strip("./").removesuffix(".js").removesuffix(".h")
        parts = [each for each in re.split(r"[./\\]+", slashed) if each]
        if not parts:
            return []
        candidates = [each for name in (parts[-1], "index", "__init__", "mod") for each in self._ends.get(name, ())]
        wanted = tuple(parts)
        near = PurePosixPath(path).parent.parts if module.startswith(".") else ()
        fits = []
        for each in candidates:
            own = _module_of(each)
            if own[-len(wanted) :] == wanted and (not near or own[: len(near[:1])] == near[:1]):
                fits.append(each)
        return fits[:3] if len(parts) > 1 or near else [each for each in fits if len(fits) == 1]

    def search(self, words: Iterable[str], most: int, without: str = "") -> list[tuple[float, Piece]]:
        """The pieces that fit ``words`` best, best first, none of the file ``without``."""
        scores: dict[int, float] = {}
        average = self._words / self._alive if self._alive else 1.0
        for word in dict.fromkeys(words):
            posted = self._postings.get(word)
            if posted is None or len(posted) > _MOST_POSTINGS:
                continue
            weight = math.log(1 + (self._alive - len(posted) + 0.5) / (len(posted) + 0.5)) if self._alive else 0.0
            if weight <= 0:
                continue
            for number in posted:
                scores[number] = scores.get(number, 0.0) + weight
        ranked = []
        for number, score in scores.items():
            piece = self._pieces[number]
            if piece is not None and piece.path != without:
                ranked.append((score / (1 - _B + _B * self._lengths[number] / average), number))
        ranked.sort(reverse=True)
        return [(score, piece) for score, number in ranked[:most] if (piece := self._pieces[number]) is not None]

    def _add(self, piece: Piece, found: Counter[str]) -> None:
        number = len(self._pieces)
        self._pieces.append(piece)
        self._lengths.append(len(found))
        self._own.setdefault(piece.path, []).append(number)
        self._alive += 1
        self._words += len(found)
        for word in found:
            posted = self._postings.get(word)
            if posted is None:
                posted = self._postings[word] = array("I")
            posted.append(number)

    def _rebuild(self) -> None:
        fresh = Catalogue(self.version)
        for file in self.files.values():
            fresh.put(file)
        self.__dict__.update(fresh.__dict__)


def terms(text: str) -> Counter[str]:
    """The words of ``text``: identifiers in lower case, and their parts."""
    found: Counter[str] = Counter()
    for word in WORD.findall(text):
        if len(word) < 2:
            continue
        found[word.lower()] += 1
        parts = _PARTS.findall(word)
        if len(parts) > 1:
            found.update(part.lower() for part in parts if len(part) > 2)
    return found


@lru_cache(50_000)
def _module_of(path: str) -> tuple[str, ...]:
    """The parts of the name by which the file is imported: a package's is that of its folder."""
    pure = PurePosixPath(path)
    return pure.parent.parts if pure.stem in ("index", "__init__", "mod") else (*pure.parent.parts, pure.stem)


def _stem(path: str) -> str:
    return PurePosixPath(path).stem


def _pieces(file: IndexedFile, length: int) -> list[Piece]:
    """Functions and small classes, and the rest in runs of lines. They do not overlap."""
    found: list[Piece] = []
    covered = 0
    for symbol in file.outline.symbols:
        long = symbol.last - symbol.first >= _PIECE_LINES
        if symbol.first < covered or symbol.kind == "value" or (symbol.kind == "class" and long):
            continue
        found += _runs(file.path, covered, symbol.first - 1)
        found += _runs(file.path, symbol.first, symbol.last)
        covered = symbol.last + 1
    return [*found, *_runs(file.path, covered, length - 1)]


def _runs(path: str, first: int, last: int) -> list[Piece]:
    return [Piece(path, start, min(start + _PIECE_LINES - 1, last)) for start in range(first, last + 1, _PIECE_LINES)]
