"""Calls that small models write as text, outside of the form that their template has for calls.

Qwen2.5-Coder-1.5B writes them fenced, or in double braces as its template's example does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container

from mainspring.agents.loop.steps import Reply
from mainspring.core.types import Text, ToolCall

_SIGNS = ("{", "```", "<tool_call>")
_FENCE = re.compile(r"```\w*+\s*+")
_MARKS = re.compile(r"</?tool_call>")


class HeldBackText:
    """Passes text on to ``say``, but holds it back as long as it may be a call."""

    __slots__ = ("_held", "_open", "_say")

    def __init__(self, say: Callable[[Text], None]) -> None:
        self._say = say
        self._held: list[Text] = []
        self._open = True

    def __call__(self, text: Text) -> None:
        if not self._open:
            self._say(text)
            return
        self._held.append(text)
        begun = "".join(each.text for each in self._held).lstrip()
        if begun and not any(begun.startswith(each) or each.startswith(begun) for each in _SIGNS):
            self.release()

    def release(self) -> None:
        """It is no call."""
        self._open = False
        for each in self._held:
            self._say(each)
        self._held = []


def salvaged(reply: Reply, names: Container[str], path: str) -> list[ToolCall]:
    """The calls of tools with these ``names`` that the text of ``reply`` is; none if it is anything else."""
    text = reply.text.strip()
    if reply.calls or not text.startswith(_SIGNS):
        return []
    fence = _FENCE.match(text)
    text = _MARKS.sub("\n", text[fence.end() :].removesuffix("```") if fence else text).strip()
    found = []
    for index, value in enumerate(_objects(text)):
        name, arguments = value.get("name"), value.get("arguments", value.get("parameters", {}))
        if not isinstance(name, str) or name not in names or not isinstance(arguments, dict):
            return []
        found.append(ToolCall(f"call_{path}_{index}", name, json.dumps(arguments, ensure_ascii=False)))
    return found


def _objects(text: str) -> list[dict[str, object]]:
    """The JSON objects that ``text`` consists of; none if it is anything else."""
    doubled = text.startswith("{{")
    # In double braces; and in those with one too few at the end.
    for written in (text, text[1:-1] if doubled and text.endswith("}}") else "", text[1:] if doubled else ""):
        found: list[dict[str, object]] = []
        place, decoder = 0, json.JSONDecoder()
        while place < len(written):
            try:
                value, place = decoder.raw_decode(written, place)
            except ValueError:
                found = []
                break
            if not isinstance(value, dict):
                return []
            found.append(value)
            while place < len(written) and written[place] in " \n\r\t,":
                place += 1
        if found:
            return found
    return []
