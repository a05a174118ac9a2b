"""Artifacts: long texts by a handle, of which a model reads parts.

Nothing is stored: an artifact is the recorded outcome of a tool's call, so a run that is resumed has the same ones
under the same handles.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mainspring.agents.tools.base import BaseTool, ToolPolicy, ToolResult
from mainspring.agents.tools.functions import FunctionTool
from mainspring.serving.memory.terms import words

PREFIX = "art_"
# Characters of one part that is read, and of the passages that a search compares.
PART, _PASSAGE = 4000, 500
_LINE = re.compile(r"\n+")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A text under a handle; ``name`` says where it comes from."""

    handle: str
    name: str
    text: str


class Artifacts:
    """The artifacts of one run."""

    def __init__(self) -> None:
        self._found: dict[str, Artifact] = {}

    def put(self, name: str, text: str) -> Artifact:
        """Keep ``text``; equal texts of one name have one handle."""
        handle = PREFIX + hashlib.sha256(f"{name}\0{text}".encode("utf-8", "replace")).hexdigest()[:12]
        return self._found.setdefault(handle, Artifact(handle, name, text))

    def get(self, handle: str) -> Artifact | None:
        return self._found.get(handle.strip())

    def __len__(self) -> int:
        return len(self._found)

    def tool(self) -> BaseTool:
        """The tool with which a model reads parts."""

        def read_artifact(handle: str, start: int = 0, query: str = "") -> ToolResult:
            """Read a part of an artifact: a long result of which only the beginning and the end were shown.

            Args:
                handle: the handle, as it was shown (art_...)
                start: the character at which the part begins
                query: words to look for: the part that has most of them is read instead
            """
            found = self.get(handle)
            if found is None:
                known = ", ".join(self._found) or "none"
                return ToolResult(error=f"There is no artifact {handle!r}. There are: {known}.")
            begin = best_start(found.text, query) if query.strip() else max(0, min(start, len(found.text)))
            part = found.text[begin : begin + PART]
            more = begin + len(part) < len(found.text)
            return ToolResult(
                {"handle": found.handle, "start": begin, "of": len(found.text), "more": more, "text": part}
            )

        return FunctionTool(read_artifact, policy=ToolPolicy(effect="none"))


def best_start(text: str, query: str) -> int:
    """Where the passage of ``text`` begins that has most of the words of ``query``; 0 if none has any."""
    wanted = frozenset(words(query))
    best, at = 0, 0
    for start, passage in _passages(text):
        found = len(wanted & frozenset(words(passage)))
        if found > best:
            best, at = found, start
    return at


def _passages(text: str) -> Iterator[tuple[int, str]]:
    """Runs of lines of about ``_PASSAGE`` characters, with their places; long lines are cut."""
    begin = 0
    while begin < len(text):
        end = min(len(text), begin + _PASSAGE)
        if (line := _LINE.search(text, end)) is not None and line.start() - end < _PASSAGE:
            end = line.end()
        yield begin, text[begin:end]
        begin = end


def tools(artifacts: Artifacts) -> Sequence[BaseTool]:
    """The tools for the artifacts of a run: none while there are none, so that short runs are told of none."""
    return (artifacts.tool(),) if len(artifacts) else ()
