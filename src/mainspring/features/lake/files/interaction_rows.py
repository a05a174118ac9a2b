"""Interactions as rows of Parquet files. The schema follows the dataclass; messages are JSON."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.files.columns import JSON

_PLAIN: Mapping[Any, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
EXTRA = (
    pa.field("groups", pa.list_(pa.string()), False),
    pa.field("content_ids", pa.list_(pa.string()), False),
    pa.field("revision", pa.int64(), False),
)
"""Columns beside those of the interaction: whose questions it is among, the stored texts that it repeats, and the
position of the log at which it was joined: of several rows of an answer the one with the greatest counts."""


@functools.lru_cache(1)
def interaction_schema() -> pa.Schema:
    """The columns of the clean zone."""
    hints = typing.get_type_hints(Interaction)
    fields = [_field(each.name, hints[each.name]) for each in dataclasses.fields(Interaction)]
    return pa.schema([*fields, *EXTRA])


def row(found: Interaction, groups: Sequence[str], content_ids: Sequence[str], revision: int) -> dict[str, Any]:
    """A row of the clean zone."""
    made: dict[str, Any] = {}
    for name, as_json, as_map in _kinds():
        value = getattr(found, name)
        if as_json:
            value = orjson.dumps([dict(each) for each in value]).decode()
        elif as_map:
            value = list(value.items())
        made[name] = value
    made["groups"], made["content_ids"], made["revision"] = list(groups), list(content_ids), revision
    return made


def batch_of(rows: Sequence[Mapping[str, Any]], schema: pa.Schema | None = None) -> pa.RecordBatch:
    """Rows as an Arrow batch."""
    schema = schema or interaction_schema()
    columns = [pa.array([each.get(field.name) for each in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def interactions_of(batch: pa.RecordBatch) -> list[Interaction]:
    """The interactions of a batch of the clean or the training-ready zone."""
    kinds = _kinds()
    known = [name for name, _, _ in kinds if name in batch.schema.names]
    made = []
    for found in batch.select(known).to_pylist():
        for name, as_json, as_map in kinds:
            value = found.get(name)
            if value is None:
                continue
            if as_json:
                found[name] = tuple(orjson.loads(value))
            elif as_map:
                found[name] = dict(value)
            elif isinstance(value, list):
                found[name] = tuple(value)
        made.append(Interaction(**found))
    return made


@functools.lru_cache(1)
def _kinds() -> tuple[tuple[str, bool, bool], ...]:
    """Each field's name, and whether it is JSON, or a mapping."""
    schema = interaction_schema()
    names = [each.name for each in dataclasses.fields(Interaction)]
    return tuple((name, bool(schema.field(name).metadata), pa.types.is_map(schema.field(name).type)) for name in names)


def _field(name: str, hint: Any) -> pa.Field:
    optional = typing.get_origin(hint) in (types.UnionType, typing.Union)
    if optional:
        hint = next(each for each in typing.get_args(hint) if each is not type(None))
    if typing.get_origin(hint) is typing.Literal:
        hint = str
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if inner[0] in _PLAIN:
            return pa.field(name, pa.list_(_PLAIN[inner[0]]), False)
        return pa.field(name, pa.string(), False, JSON)
    if origin is Mapping:
        return pa.field(name, pa.map_(pa.string(), _PLAIN[inner[1]]), False)
    return pa.field(name, _PLAIN[hint], optional)
