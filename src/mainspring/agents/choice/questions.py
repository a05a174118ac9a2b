"""Questions back for what is missing, which are recognised in the conversation later: no state is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from mainspring.agents.choice.reading import kind, properties, required, words
from mainspring.agents.tools.base import BaseTool
from mainspring.core.types import Tool

_MOST = 6
"""Of more required arguments, all that can be missing together are not tried out: each alone, and all."""
_ID = re.compile(r"\bids?$")


def question(tool: Tool, missing: Sequence[str]) -> str:
    """What the user is asked: ``Which order number?``"""
    known = properties(tool)
    if len(missing) == 1:
        return _one(missing[0], known[missing[0]])
    listed = [_named(each) for each in missing]
    return f"I need some more information: {', '.join(listed[:-1])} and {listed[-1]}. What are they?"


def asked(text: str, tools: Sequence[BaseTool]) -> tuple[BaseTool, tuple[str, ...]] | None:
    """The tool and its arguments that the assistant's ``text`` asks for; None: it is no such question."""
    for tool in tools:
        for missing in _sets(required(tool.declaration)):
            if text.strip().endswith(question(tool.declaration, missing)):
                return tool, missing
    return None


def _sets(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if len(names) > _MOST:
        yield names
        yield from ((name,) for name in names)
        return
    for size in range(len(names), 0, -1):
        yield from combinations(names, size)


def _one(name: str, schema: Mapping[str, Any]) -> str:
    options = [str(each) for each in schema.get("enum", ())]
    if 1 < len(options) <= _MOST:
        return f"Which {_named(name)}: {', '.join(options[:-1])} or {options[-1]}?"
    if kind(schema) == "boolean":
        return f"{_named(name).capitalize()}: yes or no?"
    return f"Which {_named(name)}?"


def _named(name: str) -> str:
    return _ID.sub("number", words(name)) or name
