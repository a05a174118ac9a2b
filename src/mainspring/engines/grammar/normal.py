"""JSON schemas of all drafts in one form: draft 2020-12, every reference to ``#/$defs/NUMBER``, no annotations.

Draft 4 to 7, OpenAPI's ``nullable``, anchors and ``$id`` are rewritten. A part that no reference reaches is left out.
What is no schema, or refers to something outside, is refused with its place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from mainspring.core.errors import InvalidSchema
from mainspring.engines.grammar import metaschema

MAX_BYTES = 65_536
MAX_NODES = 4_000
MAX_DEPTH = 24
MAX_ENUM = 1_000
MAX_PROPERTIES = 256
PARAM = "response_format"

NOTES = frozenset(
    """title description default examples example $schema $id id $comment $anchor $dynamicAnchor $recursiveAnchor
    $vocabulary $defs definitions deprecated readOnly writeOnly discriminator contentEncoding contentMediaType
    contentSchema externalDocs xml nullable""".split()
)
"""Keywords that admit and exclude nothing, or that are rewritten here."""
TABLES = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
SCHEMAS = frozenset(
    """items contains additionalProperties propertyNames not if then else unevaluatedItems unevaluatedProperties
    additionalItems contentSchema""".split()
)
LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
KEPT = frozenset(
    """type enum multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern format
    maxItems minItems uniqueItems maxContains minContains maxProperties minProperties required
    dependentRequired""".split()
)
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_VALUES = frozenset({"enum", "const", "default", "examples", "example", "required"})


@dataclass(frozen=True, slots=True)
class NormalSchema:
    """``schema`` in the one form, the ``ignored`` keywords that no draft knows, and what ``references`` were, by their
    number."""

    schema: dict[str, Any]
    ignored: tuple[str, ...]
    references: dict[str, str]


def normalised(source: str, *, param: str = PARAM) -> NormalSchema:
    """The schema of JSON text. Raises ``InvalidSchema`` naming ``param`` and the place at fault."""
    try:
        return _normalised(source)
    except InvalidSchema as error:
        raise InvalidSchema(error.message, remedy=error.remedy, param=param) from None


@lru_cache(256)
def _normalised(source: str) -> NormalSchema:
    if len(source.encode("utf-8", "replace")) > MAX_BYTES:
        raise invalid(f"it is longer than {MAX_BYTES} bytes")
    root = parsed(source)
    if isinstance(root, bool):
        raise invalid("the schema must be a JSON object")
    walk = _Walk(root)
    schema = walk.run()
    if problem := metaschema.problem(schema):
        raise invalid(problem)
    return NormalSchema(schema, tuple(sorted(walk.ignored)), walk.references)


def parsed(source: str) -> Any:
    """The JSON value of ``source``. Raises ``InvalidSchema``."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not a number of JSON")

    try:
        root = json.loads(source, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise invalid(f"it is not JSON: {error}") from None
    if not isinstance(root, dict | bool):
        raise invalid("the schema must be a JSON object")
    return root


class _Walk:
    """Rewrites what the root reaches; targets of references wait in a line, so that depth is that of one part."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._nodes = 0
        self._numbers: dict[int, str] = {}
        self._line: list[tuple[Any, str, str]] = []
        self._names: dict[str, Any] | None = None
        self.ignored: set[str] = set()
        self.references: dict[str, str] = {}

    def run(self) -> dict[str, Any]:
        schema = self._visit(self._root, "#", 0)
        found: dict[str, Any] = {}
        while self._line:
            target, place, number = self._line.pop()
            found[number] = self._visit(target, place, 0)
        if isinstance(schema, bool):
            schema = {} if schema else {"not": {}}
        return {**schema, "$defs": found} if found else schema

    def _visit(self, schema: Any, place: str, depth: int) -> Any:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise invalid(f"it is nested deeper than {MAX_DEPTH} levels", place)
        if self._nodes > MAX_NODES:
            raise invalid(f"it has more than {MAX_NODES} parts")
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise invalid("a schema must be an object", place)
        found: dict[str, Any] = {}
        for name, value in self._modern(schema, place).items():
            if name in ("$defs", "definitions", "contentSchema"):
                continue
            if name in TABLES:
                children = _table(value, name, place)
                found[name] = {
                    key: self._visit(child, f"{place}/{name}/{key}", depth + 1) for key, child in children.items()
                }
            elif name in LISTS:
                found[name] = [
                    self._visit(child, f"{place}/{name}/{index}", depth + 1)
                    for index, child in enumerate(_list(value, name, place))
                ]
            elif name in SCHEMAS:
                found[name] = self._visit(value, f"{place}/{name}", depth + 1)
            elif name in _REFERENCES:
                found["$ref"] = self._reference(name, value, place)
            elif name in KEPT:
                found[name] = value
            elif name not in NOTES:
                self.ignored.add(name)
        _limits(found, place)
        return _nullable(found) if schema.get("nullable") is True else found

    def _modern(self, schema: dict[str, Any], place: str) -> dict[str, Any]:
        """Draft 4 to 7 in the words of 2020-12."""
        found = dict(schema)
        if isinstance(found.get("items"), list):
            found["prefixItems"] = found.pop("items")
            if "additionalItems" in found:
                found["items"] = found.pop("additionalItems")
        found.pop("additionalItems", None)
        if found.get("prefixItems") == []:
            del found["prefixItems"]
        for side, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if isinstance(found.get(side), bool):
                exclusive = found.pop(side)
                if exclusive and bound in found:
                    found[side] = found.pop(bound)
        if "dependencies" in found:
            for name, value in _table(found.pop("dependencies"), "dependencies", place).items():
                kind = "dependentRequired" if isinstance(value, list) else "dependentSchemas"
                found[kind] = {**_table(found.get(kind, {}), kind, place), name: value}
        if "const" in found:
            found["enum"] = [found.pop("const")] if "enum" not in found else _both(found.pop("const"), found["enum"])
        return found

    def _reference(self, keyword: str, reference: Any, place: str) -> str:
        target, at = self._resolve(keyword, reference, place)
        number = self._numbers.get(id(target))
        if number is None:
            number = self._numbers[id(target)] = str(len(self._numbers))
            self._line.append((target, at, number))
            self.references[number] = str(reference)
        return f"#/$defs/{number}"

    def _resolve(self, keyword: str, reference: Any, place: str) -> tuple[Any, str]:
        if not isinstance(reference, str):
            raise invalid(f"{keyword} must be a text", place)
        if reference == "#":
            return self._root, "#"
        if reference.startswith("#/"):
            return self._pointed(self._root, reference, place), reference
        base, _, rest = reference.partition("#")
        target = self._named(f"#{rest}" if not base else base.rstrip("/"))
        if target is None:
            raise invalid(f"{keyword} {reference!r} must point into this schema (#/$defs/...)", place)
        if base and rest:
            target = self._pointed(target, f"#{rest}", place)
        return target, reference

    def _pointed(self, node: Any, reference: str, place: str) -> Any:
        within = "schema"
        for part in reference.split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
                node = node[int(key)]
            elif isinstance(node, dict) and key in node:
                node = node[key]
            else:
                raise invalid(f"$ref {reference!r} points at nothing", place)
            if within == "schema":
                within = "none" if key in _VALUES else "table" if key in TABLES or key in LISTS else within
                within = "schema" if key in SCHEMAS else within if key in _VALUES | TABLES | LISTS else "other"
            else:
                within = "none" if within == "none" else "schema" if within == "table" else "other"
        if not isinstance(node, dict | bool) or within in ("none", "table"):
            raise invalid(f"$ref {reference!r} does not point at a schema", place)
        return node

    def _named(self, name: str) -> Any:
        """The part with that ``$id``, or (``#name``) that anchor."""
        if self._names is None:
            self._names = {}
            pending: list[Any] = [self._root]
            while pending:
                node = pending.pop()
                if isinstance(node, list):
                    pending += node
                elif isinstance(node, dict):
                    for keyword, mark in (("$id", ""), ("id", ""), ("$anchor", "#"), ("$dynamicAnchor", "#")):
                        if isinstance(node.get(keyword), str):
                            self._names.setdefault(mark + node[keyword].rstrip("/#"), node)
                    pending += [value for key, value in node.items() if key not in _VALUES]
        return self._names.get(name)


def _limits(schema: dict[str, Any], place: str) -> None:
    if "enum" in schema:
        values = _list(schema["enum"], "enum", place)
        if not 0 < len(values) <= MAX_ENUM:
            raise invalid(f"enum must have 1 to {MAX_ENUM} values", place)
    if len(schema.get("properties", ())) > MAX_PROPERTIES:
        raise invalid(f"it has more than {MAX_PROPERTIES} properties", place)
    for name in LISTS:
        if name in schema and not schema[name]:
            raise invalid(f"{name} is empty", place)
    if problem := metaschema.problem({name: value for name, value in schema.items() if name in KEPT}):
        raise invalid(problem, place)
    found = schema.get("type", [])
    if isinstance(found, list):
        schema.pop("type", None)
        if found:
            schema["type"] = found if len(found) > 1 else found[0]


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]} if schema else schema


def _both(value: Any, values: Any) -> Any:
    return [each for each in values if same(each, value)] if isinstance(values, list) else values


def same(left: Any, right: Any) -> bool:
    """Equality of JSON values: 1 is 1.0, and not true."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


def _table(value: Any, name: str, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object", place)
    return value


def _list(value: Any, name: str, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise invalid(f"{name} must be a list", place)
    return value


def invalid(problem: str, place: str = "") -> InvalidSchema:
    where = f" at {place}" if place and place != "#" else ""
    return InvalidSchema(f"the schema or expression is refused{where}: {problem}", param=PARAM)
