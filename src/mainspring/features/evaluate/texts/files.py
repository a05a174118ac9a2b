"""Files of generated texts and their references: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest

_PREDICTION = ("prediction", "output", "completion", "answer")
_REFERENCES = ("references", "reference", "target", "expected")


@dataclass(frozen=True, slots=True)
class Example:
    """A text and what it should be. Examples of one ``source`` (a document, a conversation) are alike."""

    id: str
    prediction: str
    references: tuple[str, ...]
    source: str = ""


def read(path: Path) -> list[Example]:
    """The examples of a file of JSON lines. Raises ``InvalidRequest`` naming the line and the field."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}", param="file") from None
    found = [
        _example(line, f"{path.name}, line {number}", number) for number, line in enumerate(lines, 1) if line.strip()
    ]
    if not found:
        raise InvalidRequest(
            f"{path} has no examples", param="file", remedy='Write {"prediction": ..., "reference": ...}'
        )
    return found


def _example(line: str, place: str, number: int) -> Example:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidRequest(f"{place} is not JSON: {error}", param="file") from None
    if not isinstance(row, Mapping):
        raise InvalidRequest(f"{place} is not a JSON object", param="file")
    prediction = _field(row, _PREDICTION, place)
    wanted = _field(row, _REFERENCES, place)
    several = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(prediction, str):
        raise InvalidRequest(f"{place}: the prediction is not text", param=_PREDICTION[0])
    if not isinstance(several, list) or not several or not all(isinstance(each, str) for each in several):
        raise InvalidRequest(f"{place}: references are a text or a list of texts", param=_REFERENCES[0])
    return Example(str(row.get("id", number)), prediction, tuple(several), str(row.get("source") or ""))


def _field(row: Mapping[str, Any], names: Iterable[str], place: str) -> Any:
    for name in names:
        if name in row:
            return row[name]
    wanted = next(iter(names))
    raise InvalidRequest(f"{place} has no {wanted}", param=wanted, remedy=f"Name it {' or '.join(names)}")
