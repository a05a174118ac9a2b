"""Holes in the functions of real repositories: what stood there is what a completion is held against."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mainspring.features.code.complete.place import Place
from mainspring.features.code.index import file_rows, folder
from mainspring.features.code.index.catalogue import Catalogue
from mainspring.features.code.index.file_rows import SentFile
from mainspring.features.code.syntax import symbols
from mainspring.features.code.syntax.symbols import Symbol

MOST_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Hole:
    """A place from which ``truth`` was taken: the body of a function (``kind`` body) or the rest of a line (line)."""

    repository: str
    place: Place
    truth: str
    kind: str


def sent(root: Path) -> list[SentFile]:
    """The files of a repository."""
    return [SentFile.of(each.path, each.text) for each in folder.files(root, MOST_BYTES)]


def catalogue(files: Sequence[SentFile]) -> Catalogue:
    """The index of a repository."""
    found = Catalogue()
    for each in file_rows.made(files, MOST_BYTES).values():
        if each.file is not None:
            found.put(each.file)
    return found


def holes(root: Path, files: Sequence[SentFile], suffixes: Sequence[str], count: int, seed: int) -> list[Hole]:
    """``count`` holes of each kind, in functions of 3 to 15 lines whose files are whole; no tests."""
    chance = random.Random(seed)
    places: list[tuple[SentFile, str, Symbol]] = []
    for file in files:
        suffix = file.path.rsplit(".", 1)[-1]
        if suffix not in suffixes or "test" in file.path or "example" in file.path:
            continue
        outline = symbols.outline(file.text, suffix)
        if outline.whole:
            places += [(file, suffix, each) for each in outline.symbols if each.kind == "function"]
    chance.shuffle(places)
    found: dict[str, list[Hole]] = {"body": [], "line": []}
    for file, suffix, symbol in places:
        body = _body(file, suffix, symbol)
        if body is None:
            continue
        first, lines = body
        if len(found["body"]) < count:
            found["body"].append(_cut(root.name, file, suffix, first, len(lines), "body"))
        elif len(found["line"]) < count:
            row = first + chance.randrange(len(lines))
            hole = _cut(root.name, file, suffix, row, 1, "line", chance)
            found["line"] += [hole] if len(hole.truth.strip()) > 3 else []
        else:
            break
    return found["body"] + found["line"]


def _body(file: SentFile, suffix: str, symbol: Symbol) -> tuple[int, list[str]] | None:
    """The first line of a function's body and its lines, behind its docstring."""
    lines = file.text.split("\n")[symbol.first : symbol.last + 1]
    opener = ":" if suffix == "py" else "{"
    begin = next((number for number, line in enumerate(lines) if line.rstrip().endswith(opener)), None)
    if begin is None:
        return None
    begin += 1
    if suffix == "py" and begin < len(lines) and lines[begin].strip()[:3] in ('"""', "'''", 'r""'):
        mark = lines[begin].strip().lstrip("r")[:3]
        closing = lines[begin].count(mark) < 2
        while closing and begin + 1 < len(lines):
            begin += 1
            closing = mark not in lines[begin]
        begin += 1
    end = len(lines) if suffix == "py" else len(lines) - 1
    kept = lines[begin:end]
    return (symbol.first + begin, kept) if 3 <= len(kept) <= 15 and kept[0].strip() else None


def _cut(
    repository: str, file: SentFile, suffix: str, row: int, count: int, kind: str, chance: random.Random | None = None
) -> Hole:
    lines = file.text.split("\n")
    indent = len(lines[row]) - len(lines[row].lstrip())
    column = indent if chance is None else chance.randint(indent, max(indent, int(len(lines[row]) * 0.7)))
    before = "\n".join([*lines[:row], lines[row][:column]])
    after = "\n".join(["", *lines[row + count :]])
    truth = "\n".join(lines[row : row + count])[column:]
    return Hole(repository, Place(before, after, suffix, file.path), truth, kind)
