"""The columns of the lake's files: of raw events, by the marks of their facts, and of interactions.

A column of a raw file has the name and the type of its fact. What is no plain value, list of such, or mapping of names
to such is JSON. Facts that are marked as not exported have no column.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from mainspring.core.facts.base import Facts, Field, shape
from mainspring.core.facts.registry import KINDS, foreign

_PLAIN = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
_LIST = re.compile(r"list\[(\w+)\]\Z")
_MAP = re.compile(r"dict\[str, (\w+)\]\Z")
JSON = {b"type": b"json"}
"""The metadata of a column that holds JSON."""
HEAD = (
    pa.field("id", pa.string(), False),
    pa.field("at", pa.float64(), False),
    pa.field("trace_id", pa.string(), False),
    pa.field("parent_id", pa.string()),
    pa.field("subject", pa.string(), False),
    pa.field("version", pa.int64(), False),
    pa.field("consent", pa.bool_(), False),
    pa.field("retention", pa.string(), False),
    pa.field("person", pa.string(), False),
    pa.field("settled", pa.int64(), False),
)
"""The columns that events of all kinds have; the facts follow, and ``unknown`` facts of other versions, as JSON."""
_HEADS = frozenset(each.name for each in HEAD)


@functools.lru_cache(256)
def raw_schema(kind: str) -> pa.Schema:
    """The columns of a kind of events."""
    facts = [pa.field(_column(each), *_arrow(each)) for each in _exported(_facts(kind))]
    return pa.schema([*HEAD, *facts, pa.field("unknown", pa.string(), metadata=JSON)], {b"kind": kind.encode()})


def raw_row(head: Mapping[str, Any], kind: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the raw zone. ``head`` has the columns of ``HEAD``; ``facts`` are JSON of any version. A value that is
    not of its column's type is among the unknown ones."""
    row = dict(head)
    unknown: dict[str, Any] = {}
    by_name = shape(_facts(kind)).by_name
    for name, value in facts.items():
        field = by_name.get(name)
        if field is None:
            unknown[name] = value
        elif field.mark.exported and value is not None:
            fits, made = _fitting(field, value)
            if fits:
                row[_column(field)] = made
            else:
                unknown[name] = value
    if unknown:
        row["unknown"] = orjson.dumps(unknown).decode()
    return row


def facts_of(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a row, as JSON: the inverse of ``raw_row``."""
    found: dict[str, Any] = orjson.loads(row["unknown"]) if row.get("unknown") else {}
    for field in _exported(_facts(kind)):
        value = row.get(_column(field))
        if value is not None:
            kind_of = _arrow(field)
            if kind_of[2] is not None:
                value = orjson.loads(value)
            elif pa.types.is_map(kind_of[0]):
                value = dict(value)
            found[field.name] = value
    return found


def table(schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table; missing values are null."""
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _facts(kind: str) -> type[Facts]:
    return KINDS.get(kind) or foreign(kind)


def _exported(kind: type[Facts]) -> list[Field]:
    return [each for each in shape(kind).fields if each.mark.exported]


def _column(field: Field) -> str:
    return f"fact_{field.name}" if field.name in _HEADS or field.name == "unknown" else field.name


@functools.lru_cache(4096)
def _typed(json_type: str) -> tuple[pa.DataType, bool]:
    """The Arrow type, and whether it is JSON."""
    base = json_type.removesuffix(" | null")
    if base in _PLAIN:
        return _PLAIN[base], False
    if (found := _LIST.match(base)) and found[1] in _PLAIN:
        return pa.list_(_PLAIN[found[1]]), False
    if (found := _MAP.match(base)) and found[1] in _PLAIN:
        return pa.map_(pa.string(), _PLAIN[found[1]]), False
    return pa.string(), True


def _arrow(field: Field) -> tuple[pa.DataType, bool, Mapping[bytes, bytes] | None]:
    made, as_json = (pa.string(), True) if field.part is not None else _typed(field.json_type)
    return made, True, JSON if as_json else None


def _fitting(field: Field, value: Any) -> tuple[bool, Any]:
    """Whether a value fits its column, and the value as the column holds it."""
    made, _, as_json = _arrow(field)
    if as_json is not None:
        return True, orjson.dumps(value).decode()
    if pa.types.is_map(made):
        fits = isinstance(value, Mapping) and all(_is(made.item_type, each) for each in value.values())
        return fits, list(value.items()) if fits else None
    if pa.types.is_list(made):
        fits = isinstance(value, list) and all(each is None or _is(made.value_type, each) for each in value)
        return fits, value
    return _is(made, value), value


def _is(made: pa.DataType, value: Any) -> bool:
    if pa.types.is_string(made):
        return isinstance(value, str)
    if pa.types.is_boolean(made):
        return isinstance(value, bool)
    if pa.types.is_integer(made):
        return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    return isinstance(value, int | float) and not isinstance(value, bool)
