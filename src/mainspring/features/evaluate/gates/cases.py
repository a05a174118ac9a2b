"""The cases of a gate: examples of a file with one JSON object a line, or of a data set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.example_json import example_of
from mainspring.evaluation.examples import Example, ExampleStream
from mainspring.feature import Rooms, Services

DATA_SET = "dataset:"


def read(path: Path, *, referenced: bool = True) -> list[Example]:
    """The cases of a file, each with references if they must be ``referenced``. The ``group`` is the source. Raises
    ``InvalidRequest`` naming the line and the field."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}", param="file") from None
    found = [
        _case(line, f"{path.name}, line {row}", str(row), referenced)
        for row, line in enumerate(lines, 1)
        if line.strip()
    ]
    if len({case.id for case in found}) != len(found):
        raise InvalidRequest(f"{path} has two cases of one id", param="id")
    return found


async def of_data_set(text: str, opened: tuple[Rooms, Services]) -> list[Example]:
    """The examples of ``dataset:NAME@VERSION``. Raises ``InvalidRequest`` if there is none, ``NotFound``."""
    rooms, services = opened
    stored = services.perhaps(ExampleStream)  # type: ignore[type-abstract]
    if stored is None:
        raise InvalidRequest("no feature keeps data sets", param="file")
    name, _, version = text.removeprefix(DATA_SET).partition("@")
    wanted = await stored.version(rooms.local, name, int(version) if version.isdigit() else version or None)
    found = [each async for _, each in stored.stream(rooms.local, name, wanted.number)]
    if not found:
        raise InvalidRequest(f"{name}@{wanted.number} has no examples", param="file")
    return found


def _case(line: str, place: str, number: str, referenced: bool) -> Example:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidRequest(f"{place} is not JSON: {error}", param="file") from None
    if not isinstance(row, Mapping):
        raise InvalidRequest(f"{place} is not a JSON object", param="file")
    if "question" in row and "messages" in row:
        raise InvalidRequest(f"{place} needs a question, or messages, but not both", param="question")
    made = example_of({**row, "id": str(row.get("id", number))}, place)
    if referenced and not made.references:
        raise InvalidRequest(f"{place}: references must be a text or a list of texts", param="references")
    if made.messages[-1].role != "user":
        raise InvalidRequest(f"{place}: the last message must be the user's", param="messages")
    return made
