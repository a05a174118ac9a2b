"""Schemas as they come: those that libraries generate, and one for each keyword."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GENERATED = Path(__file__).parents[2] / "data" / "schemas" / "generated.json"
NO_TYPES = frozenset({"RegExp", "Uint8Array", "Date", "BigInt"})
"""TypeBox's types that are no JSON."""


def generated() -> dict[str, dict[str, Any]]:
    """Schemas by origin and name."""
    found = json.loads(GENERATED.read_text())
    del found["versions"]
    for name in NO_TYPES:
        del found["typebox"][name]
    # Its list of alternatives is empty, which no draft allows.
    del found["zod_openapi"]["tuple.empty"]
    return dict(found)


_A: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
_AB: dict[str, Any] = {"a": {"type": "integer"}, "b": {"type": "string"}}

KEYWORDS: dict[str, Any] = {
    "true": {},
    "type of several": {"type": ["string", "null"]},
    "enum of mixed types": {"enum": ["x", 1, None, True, {"k": [1]}, 1.5]},
    "enum beside a type": {"type": "string", "enum": ["x", 1]},
    "const": {"const": {"k": [1]}},
    "properties": {"type": "object", "properties": _AB},
    "required": {"type": "object", "properties": _AB, "required": ["b"]},
    "required without properties": {"type": "object", "required": ["b"]},
    "additionalProperties false": {"type": "object", "properties": _AB, "additionalProperties": False},
    "additionalProperties true": {"type": "object", "properties": _AB, "additionalProperties": True},
    "additionalProperties schema": {"type": "object", "additionalProperties": {"type": "integer"}},
    "additionalProperties beside": {"type": "object", "properties": _AB, "additionalProperties": {"type": "null"}},
    "patternProperties": {"type": "object", "patternProperties": {"^[ab]$": {"type": "integer"}}},
    "patternProperties closed": {
        "type": "object",
        "patternProperties": {"^x-[a-z]+$": {"type": "integer"}},
        "additionalProperties": False,
    },
    "patternProperties of two": {
        "type": "object",
        "patternProperties": {"^x": {"type": "integer"}, "y$": {"minimum": 3, "type": "integer"}},
    },
    "propertyNames pattern": {"type": "object", "propertyNames": {"pattern": "^[a-z]{2}$"}, "minProperties": 1},
    "propertyNames enum": {"type": "object", "propertyNames": {"enum": ["a", "b"]}},
    "propertyNames enum and patternProperties": {
        "type": "object",
        "propertyNames": {"enum": ["a", "b"]},
        "patternProperties": {"^a": {"type": ["string", "null"]}},
        "properties": {"ab": {}},
    },
    "minProperties": {"type": "object", "properties": _AB, "minProperties": 1},
    "minProperties of extras": {"type": "object", "minProperties": 3},
    "maxProperties": {"type": "object", "properties": {n: {"type": "null"} for n in "abcd"}, "maxProperties": 2},
    "maxProperties of extras": {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "boolean"}},
    "dependentRequired": {"type": "object", "properties": _AB, "dependentRequired": {"a": ["b"]}},
    "dependentSchemas": {"type": "object", "properties": _AB, "dependentSchemas": {"a": {"required": ["b"]}}},
    "dependencies": {"type": "object", "properties": _AB, "dependencies": {"a": ["b"]}},
    "unevaluatedProperties": {
        "allOf": [_A, {"type": "object", "properties": {"b": {"type": "null"}}}],
        "unevaluatedProperties": False,
    },
    "items": {"type": "array", "items": {"type": "integer"}},
    "items of draft 7": {"type": "array", "items": [{"type": "integer"}, {"type": "null"}], "additionalItems": False},
    "prefixItems": {
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"type": "null"}],
        "items": {"type": "string"},
    },
    "minItems maxItems": {"type": "array", "items": {"type": "null"}, "minItems": 2, "maxItems": 3},
    "uniqueItems": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    "uniqueItems of enum": {"type": "array", "items": {"enum": ["x", "y", "z"]}, "uniqueItems": True, "minItems": 1},
    "contains": {"type": "array", "items": {"type": ["integer", "null"]}, "contains": {"type": "null"}},
    "minContains maxContains": {"type": "array", "contains": {"const": 1}, "minContains": 2, "maxContains": 3},
    "unevaluatedItems": {"type": "array", "prefixItems": [{"type": "null"}], "unevaluatedItems": False},
    "minLength maxLength": {"type": "string", "minLength": 2, "maxLength": 5},
    "maxLength long": {"type": "string", "maxLength": 5_000},
    "pattern": {"type": "string", "pattern": "^[a-z]{2,5}(?:-\\d+)?$"},
    "pattern within": {"type": "string", "pattern": "[0-9]{2}"},
    "pattern with look-ahead": {"type": "string", "pattern": "^(?=.*[0-9])(?!.*x)[a-z0-9]{3,8}$"},
    "pattern beside lengths": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 4},
    "pattern beside a length": {"type": "string", "pattern": "^(ab|c)+$", "maxLength": 4},
    "pattern with properties": {"type": "string", "pattern": "^\\p{Lu}+$"},
    **{
        f"format {name}": {"type": "string", "format": name}
        for name in "date-time time date duration email hostname ipv4 ipv6 uuid uri json-pointer".split()
    },
    "format unknown": {"type": "string", "format": "color"},
    "minimum maximum": {"type": "integer", "minimum": 3, "maximum": 12},
    "exclusive bounds": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    "exclusive bounds of draft 4": {"type": "integer", "minimum": 3, "exclusiveMinimum": True, "maximum": 5},
    "bounds of numbers": {"type": "number", "minimum": -0.25, "exclusiveMaximum": 1.5},
    "bounds of safe integers": {"type": "integer", "minimum": -(2**53) + 1, "maximum": 2**53 - 1},
    "bounds of 64 bits": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "bounds of doubles": {"type": "number", "minimum": -1.7976931348623157e308, "maximum": 1.7976931348623157e308},
    "bounds without a type": {"minimum": 3},
    "multipleOf": {"type": "integer", "multipleOf": 7},
    "multipleOf with bounds": {"type": "integer", "multipleOf": 7, "minimum": 0, "maximum": 70},
    "multipleOf 5": {"type": "integer", "multipleOf": 5},
    "multipleOf .01": {"type": "number", "multipleOf": 0.01},
    "multipleOf .25": {"type": "number", "multipleOf": 0.25, "minimum": 0},
    "anyOf": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}]},
    "anyOf beside properties": {
        "type": "object",
        "properties": _AB,
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    },
    "oneOf of types": {"oneOf": [{"type": "string"}, {"type": "null"}]},
    "oneOf of tags": {
        "oneOf": [
            {"type": "object", "properties": {"k": {"const": name}, name: {"type": "null"}}, "required": ["k"]}
            for name in ("x", "y")
        ]
    },
    "oneOf that overlaps": {"oneOf": [{"type": "integer", "multipleOf": 2}, {"type": "integer", "multipleOf": 5}]},
    "allOf": {"allOf": [_A, {"type": "object", "properties": {"b": {"type": "null"}}, "required": ["b"]}]},
    "allOf of one": {"type": "string", "allOf": [{"minLength": 1, "maxLength": 2}]},
    "allOf of numbers": {"allOf": [{"type": "number", "minimum": 3}, {"type": "integer", "maximum": 5}]},
    "not of a type": {"not": {"type": ["object", "array"]}},
    "not of constants": {"enum": ["a", "b", "c"], "not": {"const": "b"}},
    "not of a property": {"type": "object", "properties": _AB, "not": {"required": ["a"]}},
    "not in general": {"type": "string", "not": {"minLength": 3}},
    "not anything": {"type": "object", "properties": {"a": {"not": {}}, "b": {"type": "null"}}},
    "if then else": {
        "type": "object",
        "properties": {"kind": {"enum": ["x", "y"]}, "a": {"type": "null"}, "b": {"type": "null"}},
        "required": ["kind"],
        "if": {"properties": {"kind": {"const": "x"}}},
        "then": {"required": ["a"]},
        "else": {"required": ["b"]},
    },
    "if in general": {"type": "integer", "if": {"minimum": 10}, "then": {"multipleOf": 10}},
    "$ref to $defs": {"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "null"}}},
    "$ref to definitions": {"$ref": "#/definitions/x", "definitions": {"x": {"type": "integer"}}},
    "$ref beside others": {"$ref": "#/$defs/x", "maxLength": 3, "$defs": {"x": {"type": "string"}}},
    "$ref to the root": {"type": "object", "properties": {"a": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}},
    "$ref to an anchor": {"$ref": "#x", "$defs": {"any": {"$anchor": "x", "type": "integer"}}},
    "$ref to an $id": {"$ref": "x", "$defs": {"any": {"$id": "x", "type": "integer"}}},
    "$dynamicRef": {"type": "array", "items": {"$dynamicRef": "#node"}, "$dynamicAnchor": "node", "maxItems": 2},
    "$recursiveRef": {"type": "array", "items": {"$recursiveRef": "#"}, "maxItems": 2},
    "nullable": {"type": "string", "nullable": True},
    "annotations": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.com/a",
        "$comment": "c",
        "title": "t",
        "description": "d",
        "default": 3,
        "examples": [1],
        "deprecated": True,
        "readOnly": True,
        "writeOnly": False,
        "type": "integer",
    },
    "contentEncoding": {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"},
    "unknown keyword": {"type": "string", "x-order": 3},
}
"""One schema for each keyword, and for what stands beside it."""
