"""Unlimited white space between JSON tokens, which grammars allow: a model may write nothing else until it is cut off.
If closing the open parts gives JSON that the schema allows, they are closed; else the text is cut.
"""

from __future__ import annotations

import json
from typing import Any

LIMIT = 128
"""Indentation needs some, and no JSON needs more characters in a row."""
LINES = 3
"""No JSON needs more ends of lines in a row: from here on it is tried to close it."""
_CLOSERS = {"{": "}", "[": "]"}


class Blanks:
    """Parses JSON while it is written. ``closing`` is the text that completes it, if one was found; empty if the text
    is cut."""

    __slots__ = ("_escaped", "_lines", "_open", "_run", "_schema", "_string", "_text", "closing")

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._string = False
        self._escaped = False
        self._run = self._lines = 0
        self._open: list[str] = []
        self._text: list[str] = []
        self.closing = ""

    def push(self, text: str) -> bool:
        """Whether the text ends here: with ``closing`` behind it, or cut after more than ``LIMIT`` blanks in a row."""
        self._text.append(text)
        for character in text:
            if self._string:
                self._string = self._escaped or character != '"'
                self._escaped = not self._escaped and character == "\\"
            elif character in " \t\r\n":
                self._run += 1
                self._lines += character == "\n"
            else:
                self._run = self._lines = 0
                self._string = character == '"'
                if character in _CLOSERS:
                    self._open.append(_CLOSERS[character])
                elif character in "}]" and self._open:
                    self._open.pop()
        if not self._string and self._open and self._lines > LINES and text.isspace():
            closing = "".join(reversed(self._open))
            if _holds(self._schema, "".join(self._text) + closing):
                self.closing = closing
                return True
        return self._run > LIMIT


def _holds(schema: str, text: str) -> bool:
    """Whether ``text`` is JSON that ``schema`` allows."""
    # The import is here because most processes that start engines never need it.
    import jsonschema

    try:
        value: Any = json.loads(text)
        jsonschema.validate(value, json.loads(schema))
    except (ValueError, RecursionError, jsonschema.ValidationError, jsonschema.SchemaError):
        return False
    return True
