"""Validates JSON schemas (draft 2020-12) against their metaschema, which is compiled.

A validator that interprets the metaschema takes 150 µs a part, half a second for the largest request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from pydantic_core import CoreSchema, PydanticCustomError, SchemaValidator, ValidationError
from pydantic_core import core_schema as core

from mainspring.engines.grammar import expressions

_TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"]
_TEXTS = (
    *("$schema", "$ref", "$dynamicRef", "$recursiveRef", "$comment"),
    *("title", "description", "format", "contentEncoding", "contentMediaType"),
)
_TABLES = ("$defs", "definitions", "properties", "patternProperties", "dependentSchemas")
_SCHEMAS = (
    *("items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else"),
    *("unevaluatedItems", "unevaluatedProperties", "contentSchema"),
)
_LISTS = ("prefixItems", "allOf", "anyOf", "oneOf")
_COUNTS = tuple(f"{side}{what}" for side in ("min", "max") for what in ("Length", "Items", "Contains", "Properties"))
_NUMBERS = ("maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum")
_FLAGS = ("uniqueItems", "deprecated", "readOnly", "writeOnly")


def problem(schema: Any) -> str:
    """The fault of ``schema`` and its place; empty: none."""
    try:
        _validator().validate_python(schema)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "/".join(str(part) for part in first["loc"] if part not in (_FLAG, _PARTS))
        return f"{first['msg']} (at {place or 'its root'})"
    return ""


# Places name them too; no keyword or property is called so.
_FLAG, _PARTS = "\0flag", "\0parts"


@cache
def _validator() -> SchemaValidator:
    text, number = core.str_schema(strict=True), core.union_schema([core.int_schema(strict=True), _real()])
    names = core.no_info_after_validator_function(_unique, core.list_schema(text, strict=True))
    schema = core.definition_reference_schema("schema")
    table = core.dict_schema(text, schema, strict=True)
    kinds = core.literal_schema(list(_TYPES))
    several = core.list_schema(kinds, min_length=1, strict=True)
    fields: dict[str, CoreSchema] = {
        "$id": core.str_schema(strict=True, pattern=r"^[^#]*#?$"),
        "$vocabulary": core.dict_schema(text, core.bool_schema(strict=True), strict=True),
        "dependencies": core.dict_schema(text, core.union_schema([names, schema]), strict=True),
        "dependentRequired": core.dict_schema(text, names, strict=True),
        "type": core.union_schema([kinds, core.no_info_after_validator_function(_unique, several)]),
        "multipleOf": core.no_info_after_validator_function(_positive, number),
        "pattern": core.no_info_after_validator_function(_expression, text),
        "required": names,
        **_each(("$anchor", "$dynamicAnchor"), core.str_schema(strict=True, pattern=r"^[A-Za-z_][-A-Za-z0-9._]*$")),
        **_each(_TEXTS, text),
        **_each(_TABLES, table),
        **_each(_SCHEMAS, schema),
        **_each(_LISTS, core.list_schema(schema, min_length=1, strict=True)),
        **_each(("enum", "examples"), core.list_schema(strict=True)),
        **_each(_NUMBERS, number),
        **_each(_COUNTS, core.no_info_after_validator_function(_whole, number)),
        **_each(_FLAGS, core.bool_schema(strict=True)),
    }
    parts = core.typed_dict_schema(
        {name: core.typed_dict_field(kind, required=False) for name, kind in fields.items()},
        extra_behavior="allow",
        strict=True,
    )
    kind = core.tagged_union_schema(
        {_FLAG: core.bool_schema(strict=True), _PARTS: parts},
        lambda value: _FLAG if isinstance(value, bool) else _PARTS,
        ref="schema",
    )
    return SchemaValidator(core.definitions_schema(parts, [kind]))


def _each(names: Iterable[str], kind: CoreSchema) -> dict[str, CoreSchema]:
    return dict.fromkeys(names, kind)


def _real() -> CoreSchema:
    return core.float_schema(strict=True, allow_inf_nan=False)


def _unique(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise PydanticCustomError("unique", "it has an item twice")
    return values


def _whole(number: float) -> float:
    if number < 0 or number != int(number):
        raise PydanticCustomError("whole", "it must be a whole number from 0")
    return number


def _positive(number: float) -> float:
    if number <= 0:
        raise PydanticCustomError("positive", "it must be above 0")
    return number


def _expression(text: str) -> str:
    if expressions.matcher(text) is not None:
        # Others know expressions that Python does not.
        return text
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise PydanticCustomError("expression", "it is not a regular expression: {why}", {"why": str(error)}) from None
    return text
