"""The Berkeley function-calling leaderboard, version 4: its questions as requests, and its rules for what is right.

The rules are those of its checker of syntax trees: the name, every required parameter, no unknown one, and each value
among the possible ones, where texts are compared without case and without ``,./-_*^``.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.core.types import Message, Tool

PARTS = ("multiple", "irrelevance", "simple_python", "parallel", "parallel_multiple")
_TYPES = {"dict": "object", "float": "number", "tuple": "array", "any": "string"}
_IGNORED = re.compile(r"[,./\-_*^() ]")
_NAME = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation with tools. ``possible`` are the calls that are right, each a name with the possible values of
    its parameters (an empty text among them: it may be left out); none: no call is right."""

    id: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    possible: tuple[tuple[str, Mapping[str, list[Any]]], ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``tools``: the right ones are called, each as often as it must be; ``exact``: so are their arguments."""

    tools: bool
    exact: bool


def questions(folder: Path, part: str, limit: int = 0) -> list[Question]:
    """The questions of one part, or ``limit`` of them, evenly spaced."""
    rows = _rows(folder / f"BFCL_v4_{part}.json")
    answers = folder / "possible_answer" / f"BFCL_v4_{part}.json"
    right = {row["id"]: row["ground_truth"] for row in _rows(answers)} if answers.exists() else {}
    if limit and limit < len(rows):
        rows = [rows[index * len(rows) // limit] for index in range(limit)]
    return [_question(row, right.get(row["id"], [])) for row in rows]


def judge(question: Question, calls: Iterable[tuple[str, Any]]) -> Verdict:
    """Whether ``calls`` (names and arguments) are right."""
    made = list(calls)
    named = sorted(name for name, _ in made) == sorted(name for name, _ in question.possible)
    if not named:
        return Verdict(False, False)
    schemas = {tool.name: tool.parameters for tool in question.tools}
    left = list(made)
    for name, values in question.possible:
        found = next((call for call in left if call[0] == name and _fits(call[1], values, schemas[name])), None)
        if found is None:
            return Verdict(True, False)
        left.remove(found)
    return Verdict(True, True)


def _question(row: Mapping[str, Any], right: Iterable[Mapping[str, Any]]) -> Question:
    messages = tuple(Message(each["role"], each["content"]) for each in row["question"][0])
    tools = tuple(
        Tool(_named(each["name"]), each["description"], _schema(each["parameters"])) for each in row["function"]
    )
    possible = tuple((_named(name), values) for call in right for name, values in call.items())
    return Question(row["id"], messages, tools, possible)


def _named(name: str) -> str:
    return _NAME.sub("_", name)


def _schema(value: Any) -> Any:
    match value:
        case dict():
            kept = {key: _schema(each) for key, each in value.items()}
            if isinstance(kept.get("type"), str):
                kept["type"] = _TYPES.get(kept["type"].lower(), kept["type"].lower())
            # Some of its schemas name a default among the parameters' keywords that is no value of their type.
            kept.pop("optional", None)
            return kept
        case list():
            return [_schema(each) for each in value]
        case _:
            return value


def _fits(arguments: Any, values: Mapping[str, list[Any]], schema: Mapping[str, Any]) -> bool:
    if not isinstance(arguments, Mapping):
        return False
    properties = schema.get("properties", {})
    if any(name not in arguments for name in schema.get("required", ())):
        return False
    if any(name not in values or name not in properties for name in arguments):
        return False
    if any(name not in arguments and "" not in allowed for name, allowed in values.items()):
        return False
    return all(_allowed(value, values[name], properties[name].get("type", "")) for name, value in arguments.items())


def _allowed(value: Any, allowed: list[Any], kind: str) -> bool:
    if kind in ("integer", "boolean") and type(value) is not {"integer": int, "boolean": bool}[kind]:
        # A text that names a variable is right where it is among the possible values.
        return isinstance(value, str) and value in [each for each in allowed if isinstance(each, str) and each]
    return any(_same(value, each) for each in allowed)


def _same(value: Any, right: Any) -> bool:
    match value, right:
        case bool(), _:
            return value is right
        case str(), str():
            return _plain(value) == _plain(right)
        case list() | tuple(), list() | tuple():
            return len(value) == len(right) and all(_same(a, b) for a, b in zip(value, right, strict=True))
        case dict(), dict():
            # Within objects each value is a list of possible ones.
            named = all(
                key in right and any(_same(each, one) for one in _many(right[key])) for key, each in value.items()
            )
            return named and all(key in value or "" in _many(each) for key, each in right.items())
        case int() | float(), int() | float():
            return not isinstance(right, bool) and value == right
        case _:
            return False


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plain(text: str) -> str:
    return _IGNORED.sub("", text).lower().replace("'", '"')


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        path = path.with_suffix(".json.gz")
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]
