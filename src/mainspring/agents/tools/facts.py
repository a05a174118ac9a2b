"""Facts in an untrusted value: what can hold no instruction, since the declared form leaves no room for one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mainspring.core.errors import InvalidSchema
from mainspring.engines.grammar.validation import pattern

_FORMATS = {
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "date-time": re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|z|[+-]\d\d:?\d\d)?"),
    "time": re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|z|[+-]\d\d:?\d\d)?"),
    "duration": re.compile(r"P[0-9YMWDTHS.]{1,40}"),
    "uuid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
}
_SHORT = 64
_DEPTH = 32


def facts(
    value: Any,
    schema: Any,
    known: Callable[[str], bool],
    handle: Callable[[str], str],
    *,
    own: bool = False,
) -> Any:
    """``value`` with a ``handle`` in place of each text that is no fact. ``known`` says whether a trusted text has the
    same words. ``own``: the names in objects are the schema's of our own tool, and no words of a stranger."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return _Reading(schema, known, handle, own).seen(value, schema, 0)


class _Reading:
    def __init__(self, root: Any, known: Callable[[str], bool], handle: Callable[[str], str], own: bool) -> None:
        self._root = root
        self._known = known
        self._handle = handle
        self._own = own

    def seen(self, value: Any, schema: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth > _DEPTH:
            return self._handle(str(value)[:1000])
        if isinstance(value, str):
            fact = self._known(value) or any(_narrow(value, each) for each in self._branches(schema))
            return value if fact else self._handle(value)
        if isinstance(value, list):
            inner = [each.get("items") for each in self._branches(schema) if isinstance(each.get("items"), Mapping)]
            return [self.seen(each, {"anyOf": inner} if inner else None, depth + 1) for each in value]
        return {
            key if inner or self._own or self._known(key) else self._handle(key): self.seen(
                each, {"anyOf": inner} if inner else None, depth + 1
            )
            for key, each in value.items()
            for inner in [self._property(schema, key)]
        }

    def _property(self, schema: Any, key: str) -> list[Any]:
        found = [each.get("properties") for each in self._branches(schema)]
        return [table[key] for table in found if isinstance(table, Mapping) and key in table]

    def _branches(self, schema: Any, depth: int = 0) -> list[Mapping[str, Any]]:
        """The schema and the alternatives in it, references followed."""
        if not isinstance(schema, Mapping) or depth > _DEPTH:
            return []
        found: list[Mapping[str, Any]] = [schema]
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/"):
            found += self._branches(self._at(reference), depth + 1)
        for keyword in ("anyOf", "oneOf", "allOf"):
            for each in schema.get(keyword) or ():
                found += self._branches(each, depth + 1)
        return found

    def _at(self, reference: str) -> Any:
        found = self._root
        for part in reference[2:].split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        return found


def _narrow(text: str, schema: Mapping[str, Any]) -> bool:
    """Whether the declared form of ``text`` leaves no room for an instruction."""
    if "enum" in schema:
        return text in schema["enum"]
    if "const" in schema:
        return bool(text == schema["const"])
    form = _FORMATS.get(str(schema.get("format", "")))
    if form is not None:
        return form.fullmatch(text) is not None
    source = schema.get("pattern")
    if not isinstance(source, str) or len(text) > _SHORT or any(each.isspace() for each in text):
        return False
    try:
        return pattern(source)(text)
    except InvalidSchema:
        return False
