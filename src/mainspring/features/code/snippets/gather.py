"""Finds snippets for a place: definitions of the names near the cursor, what its file imports, recent edits, open files
and similar code."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mainspring.features.code.complete.place import Place
from mainspring.features.code.index.catalogue import Catalogue, Definition, terms
from mainspring.features.code.snippets.snippet import Origin, Snippet
from mainspring.features.code.syntax import symbols
from mainspring.features.code.syntax.symbols import Outline, words

_NEAR_LINES, _BELOW_LINES = 20, 8
_NAMES = 40
_SHOWN_LINES = 30
_WINDOW = 24
_COMMON = frozenset((*keyword.kwlist, *"self cls this const let var function return new null true false func".split()))
# How much each origin is worth beside the others.
WORTH = {"definition": 1.0, "import": 0.55, "edit": 0.7, "open": 0.5, "similar": 0.45}


@dataclass(frozen=True, slots=True)
class EditorText:
    """A text that the editor sends beside the place: an open file or a recent edit."""

    path: str
    text: str


def near_names(place: Place) -> dict[str, float]:
    """The names near the cursor, with how near they are (0 to 1); none that every file has."""
    found: dict[str, float] = {}
    above = place.before.split("\n")[-_NEAR_LINES:]
    for distance, line in enumerate(reversed(above)):
        for name in words(line):
            found.setdefault(name, 1.0 / (1 + 0.15 * distance))
    for distance, line in enumerate(place.after.split("\n", _BELOW_LINES + 1)[:_BELOW_LINES]):
        for name in words(line):
            found.setdefault(name, 0.6 / (1 + 0.15 * distance))
    wanted = {name: near for name, near in found.items() if len(name) > 2 and name not in _COMMON}
    return dict(sorted(wanted.items(), key=lambda each: -each[1])[:_NAMES])


def gather(
    place: Place,
    catalogue: Catalogue | None,
    opened: Sequence[EditorText] = (),
    edits: Sequence[EditorText] = (),
) -> list[Snippet]:
    """Candidates, in no order."""
    names = near_names(place)
    found: list[Snippet] = []
    if catalogue is not None:
        outline = symbols.outline(place.before, place.suffix) if place.suffix else Outline()
        imported = _imported(place, catalogue, outline)
        own = {each.name for each in outline.symbols}
        others = {name: near for name, near in names.items() if name not in own}
        found += _definitions(place, catalogue, others, imported)
        found += _imports(catalogue, imported, names)
        found += _similar(place, catalogue, names)
    words_near = set(names)
    for position, each in enumerate(edits):
        found.append(Snippet(each.path, _last_lines(each.text), "edit", WORTH["edit"] / (1 + 0.2 * position)))
    for each in opened:
        if each.path != place.path:
            found += _window(each, words_near)
    return found


def _imported(place: Place, catalogue: Catalogue, outline: Outline) -> dict[str, str]:
    """The files that the file at hand imports, with the statement that does."""
    found: dict[str, str] = {}
    for statement in outline.imports:
        for path in catalogue.imported(place.path, statement):
            found.setdefault(path, statement)
    return found


def _definitions(
    place: Place, catalogue: Catalogue, names: dict[str, float], imported: dict[str, str]
) -> Iterator[Snippet]:
    folder = place.path.rsplit("/", 1)[0]
    for name, near in names.items():
        defined = [each for each in catalogue.definitions(name) if each.path != place.path]
        named = [each for each in defined if each.path in imported]
        many = len(named or defined)
        if many > 4:
            # A name like that of many methods says nothing.
            continue
        for each in named or defined:
            beside = each.path.rsplit("/", 1)[0] == folder
            sure = 1.0 if each.path in imported else 0.7 if beside else 0.5
            yield _snippet(catalogue, each, "definition", WORTH["definition"] * near * sure / many**0.5)


def _imports(catalogue: Catalogue, imported: dict[str, str], names: dict[str, float]) -> Iterator[Snippet]:
    """The names that an import statement lists, even if none is near the cursor yet."""
    for path, statement in imported.items():
        listed = set(words(statement))
        for symbol in catalogue.files[path].outline.symbols:
            if symbol.name in listed and symbol.name not in names and not symbol.owner:
                yield _snippet(catalogue, Definition(path, symbol), "import", WORTH["import"] * 0.8)


def _similar(place: Place, catalogue: Catalogue, names: dict[str, float]) -> Iterator[Snippet]:
    query = terms("\n".join(place.before.split("\n")[-10:]) + "\n" + " ".join(names))
    found = catalogue.search(query, 4, without=place.path)
    best = found[0][0] if found else 0.0
    for score, piece in found:
        last = min(piece.last, piece.first + _SHOWN_LINES)
        text = catalogue.files[piece.path].part(piece.first, last)
        yield Snippet(piece.path, text, "similar", WORTH["similar"] * score / best, piece.first, last)


def _snippet(catalogue: Catalogue, definition: Definition, origin: Origin, score: float) -> Snippet:
    symbol, file = definition.symbol, catalogue.files[definition.path]
    if symbol.last - symbol.first < _SHOWN_LINES:
        text = file.part(symbol.first, symbol.last)
    elif symbol.kind == "class":
        inner = [each for each in file.outline.symbols if each.owner == symbol.name]
        lines = [f"    {each.signature}" for each in inner if not each.name.startswith("_")]
        text = "\n".join([symbol.signature + ":", *lines[:_SHOWN_LINES]])
    else:
        text = file.part(symbol.first, symbol.first + _SHOWN_LINES // 2)
    return Snippet(definition.path, text, origin, score, symbol.first, symbol.last)


def _window(elsewhere: EditorText, near: set[str]) -> Iterator[Snippet]:
    """The lines of an open file that share most names with those near the cursor (Jaccard)."""
    lines = elsewhere.text.split("\n")
    best, first = 0.0, 0
    for start in range(0, max(len(lines) - _WINDOW // 2, 1), _WINDOW // 2):
        own = {name for name in words("\n".join(lines[start : start + _WINDOW])) if len(name) > 2} - _COMMON
        score = len(own & near) / len(own | near) if own or near else 0.0
        if score > best:
            best, first = score, start
    if best > 0:
        last = min(first + _WINDOW, len(lines)) - 1
        text = "\n".join(lines[first : last + 1])
        yield Snippet(elsewhere.path, text, "open", WORTH["open"] * min(1.0, 3 * best), first, last)


def _last_lines(text: str) -> str:
    return "\n".join(text.split("\n")[:_SHOWN_LINES])
