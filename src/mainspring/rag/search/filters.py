"""Filters over documents, in the language of OpenAI's vector stores: comparisons, joined by ``and`` and ``or``.

A key names an attribute of the document, or one of its own fields (``FIELDS``) if it has no such attribute. Values
compare within their kind only (text, number, truth): ``gt`` on a text attribute with a number keeps nothing. A document
without the attribute passes only ``ne`` and ``nin``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import InvalidRequest

FIELDS = ("document_id", "source_key", "file_id", "name", "pages", "created_at", "modified_at")
_LISTED = ("document_id", "source_key", "file_id", "name")
_COMPARISONS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin")
_MAX_DEPTH = 8
_MAX_PARTS = 256
_MAX_VALUES = 1000

Read = Callable[[str], Any]
"""Reads an attribute or field of one document by key; None: it has none."""
Value = str | float | bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """``kind`` is one of ``eq ne gt gte lt lte in nin``; ``value`` a tuple for the last two."""

    kind: str
    key: str
    value: Value | tuple[Value, ...]

    def matches(self, read: Read) -> bool:
        found = read(self.key)
        if isinstance(self.value, tuple):
            inside = found is not None and any(_same(found, value) for value in self.value)
            return inside if self.kind == "in" else not inside
        if self.kind == "eq":
            return found is not None and _same(found, self.value)
        if self.kind == "ne":
            return found is None or not _same(found, self.value)
        return _ordered(self.kind, found, self.value)


@dataclass(frozen=True, slots=True)
class Compound:
    """``every``: all parts must match; otherwise any part."""

    every: bool
    parts: tuple[Filter, ...]

    def matches(self, read: Read) -> bool:
        return (all if self.every else any)(part.matches(read) for part in self.parts)


Filter = Comparison | Compound


def parse(value: object, param: str = "filters") -> Filter | None:
    """The filter that ``value`` writes out; None for None.

    Besides OpenAI's objects ``{"name": ["a.pdf", "b.pdf"]}`` is read: lists of the values that ``document_id``,
    ``source_key``, ``file_id`` and ``name`` may have. Raises ``InvalidRequest`` whose ``param`` is the faulty place
    (``filters.filters.1.value``).
    """
    if value is None or isinstance(value, Comparison | Compound):
        return value
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{param} must be an object", param=param)
    if "type" in value or "filters" in value or "key" in value:
        return _parse(value, param, 0, [_MAX_PARTS])
    return _listed(value, param)


def reader(document: Any, attributes: Mapping[str, Any]) -> Read:
    """Reads from a document's ``attributes`` first, then from its own fields."""

    def read(key: str) -> Any:
        found = attributes.get(key)
        return getattr(document, key, None) if found is None and key in FIELDS else found

    return read


def _parse(value: object, param: str, depth: int, room: list[int]) -> Filter:
    room[0] -= 1
    if depth > _MAX_DEPTH or room[0] < 0:
        raise InvalidRequest(f"{param} is too deep or too long a filter", param=param)
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{param} must be an object", param=param)
    kind = value.get("type")
    if kind in ("and", "or"):
        _only(value, ("type", "filters"), param)
        parts = value.get("filters")
        if not isinstance(parts, Sequence) or isinstance(parts, str) or not parts:
            raise InvalidRequest(f"{param}.filters must be a list of filters", param=f"{param}.filters")
        found = [_parse(part, f"{param}.filters.{number}", depth + 1, room) for number, part in enumerate(parts)]
        return Compound(kind == "and", tuple(found))
    if kind not in _COMPARISONS:
        raise InvalidRequest(f"{param}.type must be one of {', '.join(_COMPARISONS)}, and, or", param=f"{param}.type")
    _only(value, ("type", "key", "value"), param)
    key = value.get("key")
    if not isinstance(key, str) or not key:
        raise InvalidRequest(f"{param}.key must name an attribute", param=f"{param}.key")
    return Comparison(str(kind), key, _value(str(kind), value.get("value"), f"{param}.value"))


def _value(kind: str, value: object, param: str) -> Value | tuple[Value, ...]:
    if kind in ("in", "nin"):
        if not isinstance(value, Sequence) or isinstance(value, str) or not all(map(_is_value, value)):
            raise InvalidRequest(f"{param} must be a list of texts, numbers or booleans", param=param)
        if len(value) > _MAX_VALUES:
            raise InvalidRequest(f"{param} may have {_MAX_VALUES} values at most", param=param)
        return tuple(value)
    if not _is_value(value):
        raise InvalidRequest(f"{param} must be a text, a number or a boolean", param=param)
    if kind not in ("eq", "ne") and isinstance(value, bool):
        raise InvalidRequest(f"{param} has no order", remedy=f"Use eq or ne in place of {kind}", param=param)
    return value  # type: ignore[return-value]


def _listed(value: Mapping[Any, Any], param: str) -> Filter:
    parts: list[Filter] = []
    for key, allowed in value.items():
        if key not in _LISTED:
            raise InvalidRequest(
                f"documents cannot be filtered by {key} in this form",
                remedy=f'Use {", ".join(_LISTED)}, or {{"type": "eq", "key": ..., "value": ...}}',
                param=param,
            )
        values = [allowed] if isinstance(allowed, str) else allowed
        parts.append(Comparison("in", key, _value("in", values, f"{param}.{key}")))
    return Compound(True, tuple(parts))


def _only(value: Mapping[Any, Any], known: tuple[str, ...], param: str) -> None:
    for name in value:
        if name not in known:
            raise InvalidRequest(
                f"unknown field {param}.{name}", remedy=f"A filter has {', '.join(known)}", param=f"{param}.{name}"
            )


def _is_value(value: object) -> bool:
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else "other"


def _same(found: object, value: object) -> bool:
    # An attribute with several values matches if one of them does.
    if isinstance(found, list | tuple):
        return any(_same(one, value) for one in found)
    return _kind(found) == _kind(value) and found == value


def _ordered(kind: str, found: Any, value: Any) -> bool:
    if isinstance(found, list | tuple):
        return any(_ordered(kind, one, value) for one in found)
    if found is None or _kind(found) != _kind(value) or _kind(found) not in ("number", "text"):
        return False
    if kind == "gt":
        return bool(found > value)
    if kind == "gte":
        return bool(found >= value)
    return bool(found < value) if kind == "lt" else bool(found <= value)
