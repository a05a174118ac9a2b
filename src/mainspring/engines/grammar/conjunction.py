"""Schemas with combinators as alternatives without: ``allOf`` is merged, ``anyOf`` multiplied out, ``if`` split.

An alternative has only ``type``, ``enum``, bounds and children, or is one reference alone. ``patterns`` and ``formats``
are lists. What cannot be expressed so is reported to ``left`` with its keyword: the alternatives then admit more than
the schema. Children are merged when they are asked for, as ``allOf``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from mainspring.engines.grammar import expressions
from mainspring.engines.grammar.normal import same

MAX_ALTERNATIVES = 256
MAX_MERGES = 4_000
Simple = dict[str, Any]
Holds = Callable[[Any, Any], bool]
"""Whether a schema admits a value."""

_COMBINING = frozenset(
    """$ref allOf anyOf oneOf not if then else dependentRequired dependentSchemas unevaluatedProperties
    unevaluatedItems""".split()
)
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
_ALL = ("null", "boolean", "number", "string", "array", "object")


class TooMany(Exception):
    """A schema with more alternatives than are worth a grammar."""


class Alternatives:
    """Splits schemas whose references lie in ``definitions``."""

    def __init__(self, definitions: Mapping[str, Any], left: Callable[[str], None], holds: Holds) -> None:
        self._definitions = definitions
        self._left = left
        self._holds = holds
        self._merges = 0

    def of(self, schema: Any) -> list[Simple]:
        """The alternatives of ``schema``; none if it admits nothing. Raises ``TooMany``."""
        found: list[Simple] = []
        for simple in self._of(schema):
            # Exclusions come last, when all else is known.
            rest = [{name: value for name, value in simple.items() if name != "nots"}]
            for wrong in simple.get("nots", ()):
                rest = [each for one in rest for each in self._excluding(one, wrong, "not")]
            found += rest
        return found

    def _of(self, schema: Any, within: frozenset[str] = frozenset()) -> list[Simple]:
        if isinstance(schema, bool):
            return [{}] if schema else []
        base = _plain(schema)
        if base is None:
            return []
        if not base and schema.keys() == {"$ref"}:
            return [{"$ref": schema["$ref"]}]
        found = [base]
        if "$ref" in schema:
            found = self._referred(found, schema["$ref"], within)
        for each in schema.get("allOf", ()):
            found = self._product(found, self._of(each, within), within)
        for name in ("anyOf", "oneOf"):
            if name in schema:
                branches = [self._of(each, within) for each in schema[name]]
                if name == "oneOf" and not self._apart(branches):
                    self._left("oneOf")
                found = self._product(found, [each for branch in branches for each in branch], within)
        return self._conditions(found, schema, within)

    def target(self, reference: str) -> Any:
        return self._definitions[reference.rpartition("/")[2]]

    def _referred(self, found: list[Simple], reference: str, within: frozenset[str]) -> list[Simple]:
        if reference in within:
            self._left("$ref")
            return found
        return self._product(found, self._of(self.target(reference), within | {reference}), within | {reference})

    def _product(self, left: list[Simple], right: list[Simple], within: frozenset[str]) -> list[Simple]:
        found: list[Simple] = []
        for one in left:
            for other in right:
                found += self._merged(one, other, within)
                if len(found) > MAX_ALTERNATIVES:
                    raise TooMany
        return found

    def _merged(self, one: Simple, other: Simple, within: frozenset[str]) -> list[Simple]:
        self._merges += 1
        if self._merges > MAX_MERGES:
            raise TooMany
        for this, that in ((one, other), (other, one)):
            if not this or this == that:
                return [that]
        for this, that in ((one, other), (other, one)):
            if "$ref" in this:
                return self._referred([that], this["$ref"], within)
        merged = self._both(one, other)
        return [] if merged is None else [merged]

    def _both(self, one: Simple, other: Simple) -> Simple | None:
        found = {**one, **other}
        if "type" in one and "type" in other:
            found["type"] = [kind for kind in one["type"] if kind in other["type"]]
            kinds = set(one["type"]) ^ set(other["type"])
            if {"number", "integer"} <= kinds and "integer" not in found["type"]:
                found["type"].append("integer")
            if not found["type"]:
                return None
        if "enum" in one and "enum" in other:
            found["enum"] = [each for each in one["enum"] if any(same(each, value) for value in other["enum"])]
            if not found["enum"]:
                return None
        for names, tighter in ((_LOWER, max), (_UPPER, min)):
            for name in names:
                if name in one and name in other:
                    found[name] = tighter(one[name], other[name])
        for name in ("patterns", "formats"):
            if name in found:
                found[name] = list(dict.fromkeys([*one.get(name, ()), *other.get(name, ())]))
        if "nots" in one and "nots" in other:
            found["nots"] = [*one["nots"], *other["nots"]]
        for name in ("items", "propertyNames"):
            if name in one and name in other:
                found[name] = {"allOf": [one[name], other[name]]}
        if "prefixItems" in found:
            found["prefixItems"] = list(_prefix(one, other))
        self._divided(one, other, found)
        if "contains" in one and "contains" in other and one["contains"] != other["contains"]:
            self._left("contains")
        if one.keys() & other.keys() & {"required"}:
            found["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
        _objects(one, other, found)
        return found

    def _divided(self, one: Simple, other: Simple, found: Simple) -> None:
        if "multipleOf" in one and "multipleOf" in other and one["multipleOf"] != other["multipleOf"]:
            large, small = sorted((Decimal(repr(each["multipleOf"])) for each in (one, other)), reverse=True)
            found["multipleOf"] = max(one["multipleOf"], other["multipleOf"])
            if large % small:
                self._left("multipleOf")

    # --- conditions --------------------------------------------------------------------------------------------

    def _conditions(self, found: list[Simple], schema: Simple, within: frozenset[str]) -> list[Simple]:
        if "if" in schema:
            found = self._split(found, schema, within)
        if "not" in schema:
            found = [{**one, "nots": [*one.get("nots", ()), schema["not"]]} for one in found]
        needs = {
            **{name: {"required": names} for name, names in schema.get("dependentRequired", {}).items() if names},
            **schema.get("dependentSchemas", {}),
        }
        for name, needed in needs.items():
            keyword = "dependentRequired" if name in schema.get("dependentRequired", {}) else "dependentSchemas"
            if name in schema.get("dependentRequired", {}) and name in schema.get("dependentSchemas", {}):
                needed = {"allOf": [{"required": schema["dependentRequired"][name]}, needed]}
            given = self._product(found, self._of({"allOf": [{"required": [name]}, needed]}, within), within)
            found = [each for one in found for each in self._excluding(one, {"required": [name]}, keyword)] + given
            if len(found) > MAX_ALTERNATIVES:
                raise TooMany
        return found

    def _split(self, found: list[Simple], schema: Simple, within: frozenset[str]) -> list[Simple]:
        then = self._of({"allOf": [schema["if"], schema.get("then", True)]}, within)
        given = self._product(found, then, within)
        otherwise = [each for one in found for each in self._excluding(one, schema["if"], "if")]
        return given + self._product(otherwise, self._of(schema.get("else", True), within), within)

    def _excluding(self, simple: Simple, wrong: Any, keyword: str) -> list[Simple]:
        """What of ``simple`` does not fit ``wrong``; all of it, reported, where that cannot be expressed."""
        if isinstance(wrong, bool) or not wrong:
            return [simple] if wrong is False else []
        if "enum" in simple:
            values = [value for value in simple["enum"] if not self._holds(wrong, value)]
            return [{**simple, "enum": values}] if values else []
        keys = wrong.keys() - {"type"} if wrong.get("type") == "object" else wrong.keys()
        if keys == {"required"} and len(wrong["required"]) == 1:
            return self._lacking(simple, wrong["required"][0], others=wrong.get("type") == "object")
        if keys == {"type"}:
            kinds = _kinds(wrong["type"])
            left = [
                kind
                for kind in simple.get("type", _ALL)
                if kind not in kinds and not (kind == "integer" and "number" in kinds)
            ]
            if "integer" not in kinds or "number" in kinds or "number" not in left:
                return [{**simple, "type": left}] if left else []
        if keys in ({"properties"}, {"properties", "required"}) and len(wrong["properties"]) == 1:
            (name, inner), required = next(iter(wrong["properties"].items())), wrong.get("required", [])
            if required in ([], [name]) and name in simple.get("properties", {}):
                child = {"allOf": [simple["properties"][name], {"not": inner}]}
                with_other = {**simple, "properties": {**simple["properties"], name: child}}
                if not required:
                    # Without the property the condition holds, so it must be there and differ.
                    return [{**with_other, "required": list(dict.fromkeys([*simple.get("required", ()), name]))}]
                return [with_other]
        self._left(keyword)
        return [simple]

    def _lacking(self, simple: Simple, name: str, *, others: bool) -> list[Simple]:
        """Objects without ``name``, and ``others`` than objects: to them ``required`` says nothing, so that they fit
        it unless it asks for an object."""
        kinds = simple.get("type", _ALL)
        kept = list(kinds) if others else [kind for kind in kinds if kind == "object"]
        if name in simple.get("required", ()):
            kept = [kind for kind in kept if kind != "object"]
        if not kept:
            return []
        if "object" not in kept:
            return [{**simple, "type": kept}]
        return [{**simple, "type": kept, "properties": {**simple.get("properties", {}), name: False}}]

    # --- oneOf -------------------------------------------------------------------------------------------------

    def _apart(self, branches: list[list[Simple]]) -> bool:
        """Whether no value can fit two branches, as far as types and constants tell."""
        plain = [[self._seen(each) for each in branch] for branch in branches]
        if sum(map(len, plain)) > 64:
            return False
        return all(
            self._differ(left, right)
            for index, one in enumerate(plain)
            for other in plain[index + 1 :]
            for left in one
            for right in other
        )

    def _seen(self, simple: Simple) -> Simple:
        if "$ref" not in simple:
            return simple
        target = self.target(simple["$ref"])
        return (_plain(target) or {}) if isinstance(target, dict) and not target.keys() & _COMBINING else {}

    def _differ(self, left: Simple, right: Simple) -> bool:
        kinds = [{"number" if kind == "integer" else kind for kind in each.get("type", _ALL)} for each in (left, right)]
        if not kinds[0] & kinds[1]:
            return True
        if "enum" in left and "enum" in right:
            return not any(same(one, other) for one in left["enum"] for other in right["enum"])
        if kinds[0] & kinds[1] != {"object"}:
            return False
        shared = {*left.get("required", ())} & {*right.get("required", ())}
        if any(self._differ(self._property(left, name), self._property(right, name)) for name in shared):
            return True
        return any(
            one.get("additionalProperties") is False
            and set(other.get("required", ())) - one.get("properties", {}).keys()
            for one, other in ((left, right), (right, left))
            if "patternProperties" not in one
        )

    def _property(self, simple: Simple, name: str) -> Simple:
        child = simple.get("properties", {}).get(name, {})
        if not isinstance(child, dict):
            return {}
        return self._seen({"$ref": child["$ref"]}) if "$ref" in child else _plain(child) or {}


def _plain(schema: Simple) -> Simple | None:
    """The keywords of ``schema`` that combine nothing; None: its type admits nothing."""
    found = {name: value for name, value in schema.items() if name not in _COMBINING and name != "$defs"}
    if "type" in found:
        found["type"] = _kinds(found["type"])
    if "pattern" in found:
        found["patterns"] = [found.pop("pattern")]
    if "format" in found:
        found["formats"] = [found.pop("format")]
    if found.get("uniqueItems") is False:
        del found["uniqueItems"]
    return found


def _kinds(found: str | list[str]) -> list[str]:
    return [found] if isinstance(found, str) else list(found)


def _prefix(one: Simple, other: Simple) -> Iterator[Any]:
    for index in range(max(len(each.get("prefixItems", ())) for each in (one, other))):
        parts = [
            each["prefixItems"][index] if index < len(each.get("prefixItems", ())) else each.get("items", True)
            for each in (one, other)
        ]
        yield {"allOf": parts}


def _objects(one: Simple, other: Simple, found: Simple) -> None:
    if "properties" in found:
        names = dict.fromkeys([*one.get("properties", {}), *other.get("properties", {})])
        found["properties"] = {
            name: parts[0] if len(parts := [*_named(one, name), *_named(other, name)]) == 1 else {"allOf": parts}
            for name in names
        }
    if "patternProperties" in one and "patternProperties" in other:
        tables = one["patternProperties"], other["patternProperties"]
        found["patternProperties"] = {
            name: {"allOf": [table[name] for table in tables if name in table]} for name in {**tables[0], **tables[1]}
        }
    if "additionalProperties" in one and "additionalProperties" in other:
        parts = [one["additionalProperties"], other["additionalProperties"]]
        found["additionalProperties"] = False if False in parts else {"allOf": parts}


def _named(simple: Simple, name: str) -> list[Any]:
    """What ``simple`` says of a property that it or another one names."""
    if name in simple.get("properties", {}):
        return [simple["properties"][name]]
    patterns = [
        child
        for pattern, child in simple.get("patternProperties", {}).items()
        if (matches := expressions.matcher(pattern)) is not None and matches(name)
    ]
    return patterns or ([simple["additionalProperties"]] if "additionalProperties" in simple else [])
