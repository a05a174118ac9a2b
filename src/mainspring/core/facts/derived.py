"""Derives from the marks what an erasure keeps, what a data subject is shown, and the columns of each kind."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.core.facts.base import Facts, Field, Part, shape
from mainspring.core.facts.registry import KINDS, foreign

UNSERVED = "model_not_found"
"""The ``error`` of a request under an unknown name."""
_DIGESTED = re.compile(r"erased:[0-9a-f]{16}\Z")
_GONE = object()


class Eraser:
    """One erasure. The key of its digests is discarded with it."""

    def __init__(self) -> None:
        self._key = os.urandom(16)

    def left(self, kind: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The part of an event's facts that survives, as JSON. Of unknown fields only numbers survive."""
        return self._part(KINDS.get(kind) or foreign(kind), facts)

    def _part(self, kind: type[Part], found: Mapping[str, Any]) -> dict[str, Any]:
        fields, unserved = shape(kind).by_name, found.get("error") == UNSERVED
        made = {}
        for name, value in found.items():
            field = fields.get(name)
            left = _number(value) if field is None else self._value(field, value, unserved)
            if left is not _GONE:
                made[name] = left
        return made

    def _value(self, field: Field, value: Any, unserved: bool) -> Any:
        if field.mark.erasure == "erase" or (field.mark.served and unserved):
            return _GONE
        if value is None or (field.mark.erasure == "keep" and field.part is None):
            return value
        if field.mark.erasure == "digest":
            return self._digest(value)
        assert field.part is not None
        if isinstance(value, Mapping):
            return self._part(field.part, value)
        return [self._part(field.part, each) for each in value if isinstance(each, Mapping)] if field.many else _GONE

    def _digest(self, value: Any) -> Any:
        text = str(value)
        if not text or _DIGESTED.match(text):
            return text
        return f"erased:{hashlib.blake2b(text.encode('utf-8', 'replace'), digest_size=8, key=self._key).hexdigest()}"


def _number(value: Any) -> Any:
    """``value`` if it is a number; the numbers in mappings and lists."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {name: left for name, each in value.items() if (left := _number(each)) is not _GONE}
    if isinstance(value, list | tuple):
        return [left for each in value if (left := _number(each)) is not _GONE]
    return _GONE


def exported(kind: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of an event that a data subject is shown, as JSON: all except those marked otherwise."""
    return _exported(KINDS.get(kind) or foreign(kind), facts)


def _exported(kind: type[Part], found: Mapping[str, Any]) -> dict[str, Any]:
    fields = shape(kind).by_name
    made = {}
    for name, value in found.items():
        field = fields.get(name)
        if field is not None and not field.mark.exported:
            continue
        if field is not None and field.part is not None and value is not None:
            value = [_exported(field.part, each) for each in value] if field.many else _exported(field.part, value)
        made[name] = value
    return made


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an event kind: the name of the fact, its type (``list[str]``, ``float | null``; for nested fields
    their names after a dot), its treatment by an erasure, and whether it is exported."""

    name: str
    type: str
    erasure: str
    exported: bool


def columns(kind: type[Part], of: str = "", exported: bool = True) -> Iterator[Column]:
    """The columns of a kind of events, for a lake and for the documentation."""
    for field in shape(kind).fields:
        shown = exported and field.mark.exported
        if field.part is not None:
            yield from columns(field.part, f"{of}{field.name}{'[]' if field.many else ''}.", shown)
        else:
            yield Column(of + field.name, field.json_type, str(field.mark.erasure), shown)


def summed(kind: type[Facts], how: str) -> tuple[str, ...]:
    """The names of the facts that the ledger sums or counts (``sum`` or ``count``)."""
    return tuple(field.name for field in shape(kind).fields if field.mark.ledger == how)
