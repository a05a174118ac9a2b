"""Questions that people and agents ask an index: symbols by name, lines by pattern, files by path."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from mainspring.core.errors import InvalidRequest
from mainspring.features.code.index.catalogue import Catalogue, Definition

_MAX_LINE = 400


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of a file; ``number`` counts from 1."""

    path: str
    number: int
    text: str


def symbols(catalogue: Catalogue, name: str, most: int) -> list[Definition]:
    """Definitions whose names are like ``name``: equal ones first, then those that contain it, then similar ones."""
    wanted = name.rsplit(".", 1)[-1].strip("()` ")
    exact = list(catalogue.definitions(wanted))
    if "." in name:
        exact.sort(key=lambda each: not each.symbol.path.endswith(name.strip("()` ")))
    if len(exact) >= most:
        return exact[:most]
    lowered = wanted.lower()
    names = [each for each in catalogue.names() if each != wanted]
    containing = sorted((each for each in names if lowered and lowered in each.lower()), key=len)
    near = [each[0] for each in process.extract(wanted, names, scorer=fuzz.ratio, limit=most, score_cutoff=75)]
    found = [one for each in dict.fromkeys((*containing, *near)) for one in catalogue.definitions(each)]
    return [*exact, *found][:most]


def paths(catalogue: Catalogue, pattern: str, most: int) -> list[str]:
    """The files whose path fits ``pattern`` (``*`` for any characters); without a star, those that contain it."""
    wanted = pattern if any(each in pattern for each in "*?[") else f"*{pattern}*"
    return sorted(path for path in catalogue.files if fnmatch.fnmatch(path, wanted))[:most]


def grep(catalogue: Catalogue, pattern: str, most: int, within: str = "") -> list[SourceLine]:
    """The lines that ``pattern``, a regular expression of RE2, finds, in files that fit ``within``.

    RE2 takes time in proportion to the text, whatever the pattern is. Raises ``InvalidRequest`` for a malformed one.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    found: list[SourceLine] = []
    for path in paths(catalogue, within, len(catalogue.files)) if within else sorted(catalogue.files):
        file = catalogue.files[path]
        lines = file.lines or tuple(file.text.split("\n"))
        try:
            fits = pc.match_substring_regex(pa.array(lines, pa.string()), pattern)
        except pa.ArrowInvalid as error:
            raise InvalidRequest(
                f"{pattern[:100]!r} is not a regular expression: {error}",
                remedy="Write it in RE2's syntax, without look-around and back references",
                param="pattern",
            ) from None
        for number in pc.indices_nonzero(fits).to_pylist():
            found.append(SourceLine(path, number + 1, lines[number][:_MAX_LINE]))
            if len(found) >= most:
                return found
    return found


def read(catalogue: Catalogue, path: str, first: int = 1, last: int | None = None, most: int = 400) -> str:
    """Lines ``first`` to ``last`` (from 1) of a file, at most ``most``. Raises ``InvalidRequest`` naming the files
    that are nearest."""
    file = catalogue.files.get(path)
    if file is None:
        close = [each[0] for each in process.extract(path, list(catalogue.files), limit=3, score_cutoff=60)]
        remedy = f"Did you mean {' or '.join(close)}?" if close else "List the files first"
        raise InvalidRequest(f"the workspace has no file {path!r}", remedy=remedy, param="path")
    begin = max(first, 1) - 1
    end = begin + most if last is None else min(last, begin + most)
    return file.part(begin, end - 1)
