"""The questions of a gate: one JSON object a line, with a question or messages, and references."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Message
from mainspring.evaluation.examples import Example

_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Case:
    """``messages`` end with the user's. Cases of one ``source`` (a document, a conversation) are alike."""

    id: str
    messages: tuple[Message, ...]
    references: tuple[str, ...]
    source: str = ""


def read(path: Path) -> list[Case]:
    """The cases of a file. Raises ``InvalidRequest`` naming the line and the field."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}", param="file") from None
    found = [_case(line, f"{path.name}, line {row}", str(row)) for row, line in enumerate(lines, 1) if line.strip()]
    if len({case.id for case in found}) != len(found):
        raise InvalidRequest(f"{path} has two cases of one id", param="id")
    return found


def of_example(example: Example) -> Case:
    """An example of a data set: its group is the source."""
    return Case(example.id, example.messages, example.references, example.group)


def _case(line: str, place: str, number: str) -> Case:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidRequest(f"{place} is not JSON: {error}", param="file") from None
    if not isinstance(row, Mapping):
        raise InvalidRequest(f"{place} is not a JSON object", param="file")
    wanted = row.get("references", row.get("reference"))
    several = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(several, list) or not several or not all(isinstance(each, str) for each in several):
        raise InvalidRequest(f"{place}: references must be a text or a list of texts", param="references")
    return Case(str(row.get("id", number)), _messages(row, place), tuple(several), str(row.get("source") or ""))


def _messages(row: Mapping[str, Any], place: str) -> tuple[Message, ...]:
    question, turns = row.get("question"), row.get("messages")
    if isinstance(question, str) and turns is None:
        return (Message("user", question),)
    if not isinstance(turns, list) or not turns or question is not None:
        raise InvalidRequest(f"{place} needs a question, or messages", param="question")
    found = []
    for turn in turns:
        role, content = (turn.get("role"), turn.get("content")) if isinstance(turn, Mapping) else (None, None)
        if role not in _ROLES or not isinstance(content, str):
            raise InvalidRequest(
                f"{place}: a message needs the role {', '.join(_ROLES)} and content that is a text", param="messages"
            )
        found.append(Message(role, content))
    if found[-1].role != "user":
        raise InvalidRequest(f"{place}: the last message must be the user's", param="messages")
    return tuple(found)
