"""Results of tools in plain words, without a model: for models that misread them.

The smallest models repeat the delimiters around a result, or make an answer up that looks like it. What the tools said
is then the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mainspring.agents.tools.base import ToolResult

LINES, CHARACTERS = 20, 600
"""The most lines of an answer, and characters of one."""
_WORDED = ("say", "answer", "text", "message", "stdout")
"""Fields that hold words, best first; of passages the first one is told, with its source."""


def told(results: Sequence[ToolResult]) -> str:
    """What the results say, in their order; empty if they say nothing."""
    lines: list[str] = []
    for each in results:
        lines += [each.error] if each.error else list(_lines(each.output, ""))
    return "\n".join(line[:CHARACTERS].strip() for line in lines if line.strip()).strip() if lines else ""


def _lines(value: Any, name: str) -> Iterator[str]:
    """One line for each value. ``name`` is that of the value's field, in words."""
    found = list(_all(value, name))
    yield from found[:LINES]
    if len(found) > LINES:
        yield f"({len(found) - LINES} more)"


def _all(value: Any, name: str) -> Iterator[str]:
    match value:
        case None | "":
            return
        case Mapping():
            passages = value.get("passages")
            if isinstance(passages, list) and passages and isinstance(passages[0], Mapping):
                source = str(passages[0].get("source") or "")
                text = " ".join(str(passages[0].get("text") or "").split())[:CHARACTERS]
                yield f"{text} ({source})" if source else text
                return
            worded = next((value[each] for each in _WORDED if isinstance(value.get(each), str) and value[each]), None)
            if worded is not None:
                yield from worded.splitlines()
                return
            for key, each in value.items():
                yield from _all(each, str(key).replace("_", " "))
        case list() | tuple():
            for each in value:
                yield from _all(each, name)
        case bool():
            yield _named(name, "yes" if value else "no")
        case str():
            yield from [_named(name, value)] if name else value.splitlines()
        case _:
            yield _named(name, str(value))


def _named(name: str, value: str) -> str:
    return f"{name[:1].upper()}{name[1:]}: {value}" if name else value
