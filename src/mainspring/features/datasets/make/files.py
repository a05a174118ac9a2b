"""Reads examples from files, line by line: JSON lines in several shapes, and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.example_json import example_of
from mainspring.evaluation.examples import Example

_LINE = 2_000_000


def read(path: Path, name: str) -> Iterator[Example]:
    """The examples of a file called ``name``; ``.csv`` is CSV with a header, anything else has a JSON object a line.

    Raises ``InvalidRequest`` naming the line and the field.
    """
    if name.lower().endswith(".csv"):
        yield from _table(path, name)
        return
    try:
        with path.open(encoding="utf-8-sig") as file:
            number = 0
            while line := file.readline(_LINE):
                number += 1
                if len(line) == _LINE:
                    raise InvalidRequest(f"{name}, line {number} is longer than {_LINE} characters", param="file")
                if line.strip():
                    yield _example(line, f"{name}, line {number}")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{name} is not UTF-8: {error}", param="file") from None


def _example(line: str, place: str) -> Example:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidRequest(f"{place} is not JSON: {error}", param="file") from None
    return example_of(row, place)


def _table(path: Path, name: str) -> Iterator[Example]:
    csv.field_size_limit(_LINE)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                place = f"{name}, line {reader.line_num}"
                if None in row:
                    raise InvalidRequest(f"{place} has more cells than the header", param="file")
                cells = {key: value for key, value in row.items() if value}
                tags = {key[5:]: cells.pop(key) for key in list(cells) if key.startswith("tags.")}
                yield example_of({**cells, **({"tags": tags} if tags else {})}, place)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest(f"{name} cannot be read: {error}", param="file") from None
