"""A small value that fits a JSON schema: what a model without wit answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FORMATS = {
    "date": "2026-01-02",
    "date-time": "2026-01-02T03:04:05Z",
    "time": "03:04:05Z",
    "duration": "P1D",
    "email": "ada@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "5f0c6f3e-8d4a-4c1e-9b1a-2f6f7d8e9a0b",
}


def instance(schema: Mapping[str, Any] | bool, root: Mapping[str, Any] | None = None) -> Any:
    """The smallest value of ``schema`` that has all its properties. Patterns are not looked at."""
    if isinstance(schema, bool) or not schema:
        return "text"
    root = schema if root is None else root
    if "$ref" in schema:
        return instance(_target(schema["$ref"], root), root)
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    for word in ("enum", "examples"):
        if schema.get(word):
            return schema[word][0]
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return instance(next((one for one in schema[word] if one.get("type") != "null"), schema[word][0]), root)
    if "allOf" in schema:
        merged: dict[str, Any] = {}
        for part in schema["allOf"]:
            part = _target(part["$ref"], root) if "$ref" in part else part
            merged |= {**part, "properties": {**merged.get("properties", {}), **part.get("properties", {})}}
        return instance(merged, root)
    return _typed(schema, root)


def _typed(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = next((one for one in kind if one != "null"), "null") if isinstance(kind, list) else kind
    match kind:
        case "object":
            return {name: instance(part, root) for name, part in schema.get("properties", {}).items()}
        case "array":
            first = [instance(part, root) for part in schema.get("prefixItems", ())]
            wanted = max(schema.get("minItems", 1), len(first))
            return first + [instance(schema.get("items", {}), root) for _ in range(wanted - len(first))]
        case "integer" | "number":
            return _number(schema, whole=kind == "integer")
        case "boolean":
            return True
        case "null":
            return None
        case _:
            text = FORMATS.get(schema.get("format", ""), "text").ljust(schema.get("minLength", 0), "x")
            return text[: schema.get("maxLength", len(text))]


def _number(schema: Mapping[str, Any], *, whole: bool) -> Any:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -1e9))
    high = schema.get("maximum", schema.get("exclusiveMaximum", 1e9))
    step = schema.get("multipleOf", 1)
    wanted = min(max(7, low), high)
    if wanted == schema.get("exclusiveMinimum"):
        wanted += 1 if whole else 0.5
    if wanted == schema.get("exclusiveMaximum"):
        wanted -= 1 if whole else 0.5
    return -(-wanted // step) * step if "multipleOf" in schema else wanted


def _target(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")] if part else found
    return found  # type: ignore[no-any-return]
