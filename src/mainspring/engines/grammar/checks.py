"""Checks of JSON schemas, regular expressions and grammars before an engine sees them.

Grammar backends compile grammars inside the engine, and a bad one can stop it for everybody. Only a conservative subset
passes: malformed, unbounded or unenforceable grammars are refused with ``InvalidSchema``, naming the place. A keyword
that a backend would silently ignore is refused as well, since its caller relies on it; ``oneOf`` is enforced as
``anyOf``. Whether its own backend compiles what passed here, each engine tries out.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from mainspring.core.errors import InvalidSchema
from mainspring.core.types import Grammar
from mainspring.engines.grammar import ebnf, metaschema

MAX_BYTES = 65_536
MAX_DEPTH = 24
MAX_NODES = 4_000
MAX_PROPERTIES = 256
MAX_ENUM = 1_000
MAX_PATTERN = 2_000
MAX_REPEAT = 1_000
MAX_BOUND = 2.0**63
MAX_CHAIN = 64
"""How many references may follow each other, with nothing generated between them."""
MAX_PATHS = 4_000
"""In how many ways they may be followed: alternatives of alternatives multiply."""
PARAM = "response_format"

JSON_OBJECT = Grammar("json_schema", '{"type":"object"}')
"""What ``response_format={"type": "json_object"}`` asks for: any JSON object."""

_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_NOTES = frozenset(
    {
        "title",
        "description",
        "default",
        "examples",
        "$schema",
        "$id",
        "$comment",
        "deprecated",
        "readOnly",
        "writeOnly",
        "discriminator",
    }
)
_ENFORCED = frozenset(
    {
        *("type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "$defs", "definitions"),
        *("properties", "required", "additionalProperties", "minProperties", "maxProperties"),
        *("items", "prefixItems", "minItems", "maxItems"),
        *("pattern", "format", "minLength", "maxLength"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    }
)
_FORMATS = frozenset({"date", "time", "date-time", "duration", "email", "uuid", "ipv4", "ipv6", "hostname", "uri"})
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_SET = re.compile(r"(?<!\\)((?:\\\\)*)\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_REFUSED = (
    (re.compile(r"\(\?(?!:)"), "a group other than (...) and (?:...)"),
    (re.compile(r"[*+?}]\+"), "a possessive repetition"),
    (re.compile(r"\{,"), "a repetition without a lower bound"),
    (re.compile(r"(?<![(|:])(?<!^)\^"), "^ in the middle"),
    (re.compile(r"\$(?![)|])(?!$)"), "$ in the middle"),
)
# Backends follow only these keywords and ignore the others beside them.
_ALONE = ("$ref", "anyOf", "oneOf", "allOf")
_NEEDS_TYPE = {
    **dict.fromkeys(("properties", "required", "additionalProperties", "minProperties", "maxProperties"), "object"),
    **dict.fromkeys(("items", "prefixItems", "minItems", "maxItems"), "array"),
    **dict.fromkeys(("pattern", "format", "minLength", "maxLength"), "string"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), "number"),
}


_KNOWN = _ENFORCED | _NOTES
_BOUNDS = frozenset({*_COUNTS, "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_HOLDING = frozenset(
    {
        *("properties", "$defs", "definitions", "anyOf", "oneOf", "allOf", "prefixItems"),
        *("additionalProperties", "items"),
    }
)
# For these keywords, only the children are checked.
_FREE = _NOTES | {"$ref", "type", "$defs", "definitions", "items", "additionalProperties"}


def check(grammar: Grammar, *, param: str = PARAM) -> Grammar:
    """``grammar``, normalised, if an engine may have it. Raises ``InvalidSchema`` with the fault and, as ``param``, its
    field."""
    try:
        if len(grammar.source.encode("utf-8", "replace")) > MAX_BYTES:
            raise _invalid(f"it is longer than {MAX_BYTES} bytes")
        if grammar.kind == "regex":
            check_pattern(grammar.source, "the expression")
            return grammar
        if grammar.kind == "ebnf":
            ebnf.check(grammar.source)
            return grammar
        return Grammar("json_schema", json.dumps(check_schema(_parse(grammar.source))))
    except InvalidSchema as error:
        raise InvalidSchema(error.message, remedy=error.remedy, param=param) from None


def check_schema(schema: Any) -> dict[str, Any]:
    """``schema`` if it is in the enforceable subset. Raises ``InvalidSchema``."""
    if not isinstance(schema, dict):
        raise _invalid("the schema must be a JSON object")
    _Walk(schema).run()
    _metaschema(schema)
    return schema


def _parse(source: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not a number of JSON")

    try:
        return json.loads(source, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"it is not JSON: {error}") from None


def _metaschema(schema: dict[str, Any]) -> None:
    if found := metaschema.problem(schema):
        raise _invalid(found)


class _Walk:
    """One walk over a schema: size, depth, keywords, references."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._root = schema
        self._nodes = 0
        self._references: dict[str, str] = {}
        self._schemas: set[int] = set()

    def run(self) -> None:
        self._visit(self._root, "#", 0)
        self._chains()

    def _visit(self, schema: Any, place: str, depth: int) -> None:
        self._nodes += 1
        self._schemas.add(id(schema))
        if depth > MAX_DEPTH:
            raise _invalid(f"it is nested deeper than {MAX_DEPTH} levels", place)
        if self._nodes > MAX_NODES:
            raise _invalid(f"it has more than {MAX_NODES} parts")
        if isinstance(schema, bool):
            if not schema and not place.endswith(("/additionalProperties", "/items")):
                raise _invalid("false admits nothing", place)
            return
        if not isinstance(schema, dict):
            raise _invalid("a schema must be an object", place)
        if not schema.keys() <= _KNOWN:
            unknown = min(schema.keys() - _KNOWN)
            raise _invalid(f"{unknown!r} cannot be enforced while generating", place)
        self._types(schema, place)
        self._keywords(schema, place)
        for child, name in _children(schema):
            self._visit(child, f"{place}/{name}", depth + 1)

    def _types(self, schema: dict[str, Any], place: str) -> None:
        found = schema.get("type", [])
        types = [found] if isinstance(found, str) else _list(found, "type", place)
        if not all(isinstance(kind, str) and kind in _TYPES for kind in types):
            raise _invalid(f"unknown type {found!r}", place)
        kinds = {"number" if kind == "integer" else kind for kind in types}
        for name in schema:
            if (kind := _NEEDS_TYPE.get(name, "")) and kind not in kinds:
                raise _invalid(f'{name} needs "type": "{kind}" beside it', place)
        if schema.keys().isdisjoint(_ALONE):
            return
        beside = sorted(schema.keys() - _NOTES - {"$defs", "definitions"})
        for name in _ALONE:
            if name in schema and len(beside) > 1 and beside not in ([name, "type"], ["type", name]):
                other = next(each for each in beside if each != name)
                raise _invalid(f"{other} beside {name} cannot be enforced while generating", place)

    def _keywords(self, schema: dict[str, Any], place: str) -> None:
        if "$ref" in schema:
            self._reference(schema["$ref"], place)
        if schema.keys() <= _FREE:
            return
        if "enum" in schema:
            values = _list(schema["enum"], "enum", place)
            if not 0 < len(values) <= MAX_ENUM:
                raise _invalid(f"enum must have 1 to {MAX_ENUM} values", place)
        for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
            if name in schema and not _list(schema[name], name, place):
                raise _invalid(f"{name} is empty", place)
        if len(schema.get("allOf", [])) > 1:
            raise _invalid("allOf of several schemas cannot be enforced while generating; merge them", place)
        if len(_map(schema, "properties", place)) > MAX_PROPERTIES:
            raise _invalid(f"it has more than {MAX_PROPERTIES} properties", place)
        unknown = [name for name in schema.get("required", ()) if name not in schema.get("properties", {})]
        if unknown and schema.get("additionalProperties") is False:
            raise _invalid(f"it requires {unknown[0]!r} and forbids it", place)
        if sum(name in schema for name in ("pattern", "format")) + bool({"minLength", "maxLength"} & schema.keys()) > 1:
            raise _invalid("only one of pattern, format and a length can be enforced while generating", place)
        if "pattern" in schema:
            check_pattern(schema["pattern"], "the pattern", place)
        if "format" in schema and schema["format"] not in _FORMATS:
            raise _invalid(f"format {schema['format']!r} cannot be enforced while generating", place)
        if not schema.keys().isdisjoint(_BOUNDS):
            self._bounds(schema, place)

    def _bounds(self, schema: dict[str, Any], place: str) -> None:
        for name in _COUNTS:
            value = schema.get(name, 0)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_REPEAT:
                raise _invalid(f"{name} must be a whole number from 0 to {MAX_REPEAT}", place)
        for low, high in zip(_COUNTS[::2], _COUNTS[1::2], strict=True):
            if schema.get(low, 0) > schema.get(high, MAX_REPEAT):
                raise _invalid(f"{low} is larger than {high}", place)
        step = 1 if schema.get("type") == "integer" else 0
        lows = [_number(schema, "minimum", place), _number(schema, "exclusiveMinimum", place, step)]
        highs = [_number(schema, "maximum", place), _number(schema, "exclusiveMaximum", place, -step)]
        bounds = [bound for bound in (*lows, *highs) if bound is not None]
        lowest = max((low for low in lows if low is not None), default=None)
        highest = min((high for high in highs if high is not None), default=None)
        if any(abs(bound) > MAX_BOUND for bound in bounds):
            raise _invalid(f"bounds of numbers must lie within {MAX_BOUND:g}", place)
        if lowest is not None and highest is not None and lowest > highest:
            raise _invalid("no number lies between its bounds", place)

    def _reference(self, reference: Any, place: str) -> None:
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise _invalid(f"$ref {reference!r} must point into this schema (#/$defs/...)", place)
        self._references.setdefault(reference, place)

    def _resolve(self, reference: str, place: str) -> Any:
        node: Any = self._root
        for part in reference.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, dict) or key not in node:
                raise _invalid(f"$ref {reference!r} points at nothing", place)
            node = node[key]
        if not isinstance(node, dict | bool) or id(node) not in self._schemas:
            raise _invalid(f"$ref {reference!r} does not point at a schema", place)
        return node

    def _chains(self) -> None:
        """Refuse references that come back to themselves without generating anything, or that lead too far.

        Depth first, each target once. White is a target that was not seen, grey is in ``ahead``, black in ``ways``: the
        longest chain from it, and in how many ways it can be followed.
        """
        ways: dict[str, tuple[int, int]] = {}
        for start, place in self._references.items():
            ahead = {} if start in ways else {start: self._next(start, place)}
            path = [(each, iter(steps)) for each, steps in ahead.items()]
            while path:
                current, steps = path[-1]
                step = next((each for each in steps if each not in ways), None)
                if step is None:
                    ways[current] = self._ways(current, [ways[each] for each in ahead.pop(current)], place)
                    path.pop()
                elif step in ahead:
                    raise _invalid(f"$ref {step!r} refers to itself", place)
                else:
                    if len(ahead) > MAX_CHAIN:
                        raise _leads_too_far(start, place)
                    ahead[step] = self._next(step, place)
                    path.append((step, iter(ahead[step])))

    def _ways(self, reference: str, behind: list[tuple[int, int]], place: str) -> tuple[int, int]:
        chain = 1 + max((length for length, _ in behind), default=0)
        several = max(1, sum(count for _, count in behind))
        if chain > MAX_CHAIN or several > MAX_PATHS:
            raise _leads_too_far(reference, place)
        return chain, several

    def _next(self, reference: str, place: str) -> list[str]:
        """The references at the target of ``reference`` that generate nothing before them."""
        pending, found = [self._resolve(reference, place)], []
        while pending:
            node = pending.pop()
            if isinstance(node, dict):
                found += [node["$ref"]] if "$ref" in node else []
                pending += [each for name in ("anyOf", "oneOf", "allOf") for each in node.get(name, ())]
        return found


def _children(schema: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    if schema.keys().isdisjoint(_HOLDING):
        return
    for name in ("properties", "$defs", "definitions"):
        for key, child in _map(schema, name, name).items():
            yield child, f"{name}/{key}"
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for index, child in enumerate(schema.get(name, ())):
            yield child, f"{name}/{index}"
    for name in ("additionalProperties", "items"):
        if name in schema:
            yield schema[name], name


def _number(schema: dict[str, Any], name: str, place: str, step: int = 0) -> float | None:
    value = schema.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise _invalid(f"{name} must be a number", place)
    return None if value is None else value + step


def _list(value: Any, name: str, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise _invalid(f"{name} must be a list", place)
    return value


def _map(schema: dict[str, Any], name: str, place: str) -> Mapping[str, Any]:
    value = schema.get(name, {})
    if not isinstance(value, dict):
        raise _invalid(f"{name} must be an object", place)
    return value


def check_pattern(pattern: Any, what: str, place: str = "") -> None:
    """Refuse a regular expression that grammar backends cannot follow or that grows without bound."""
    if not isinstance(pattern, str) or not pattern or len(pattern) > MAX_PATTERN:
        raise _invalid(f"{what} must be a text of 1 to {MAX_PATTERN} characters", place)
    try:
        with warnings.catch_warnings():
            # Sets that may gain another meaning already mean different things to different backends.
            warnings.simplefilter("error", FutureWarning)
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError, FutureWarning) as error:
        raise _invalid(f"{what} is not a regular expression: {error}", place) from None
    # Sets first: inside them most marks mean themselves. Then remove escapes, so that only syntax remains.
    outside = _SET.sub("s", pattern)
    for escape in _ESCAPE.findall(outside):
        if escape[1] in "123456789bBAZzGkpPX":
            raise _invalid(f"{what} uses {escape}, which cannot be enforced while generating", place)
    syntax = _ESCAPE.sub("e", outside)
    for mark, meaning in _REFUSED:
        if mark.search(syntax):
            raise _invalid(f"{what} uses {meaning}, which cannot be enforced while generating", place)


def _leads_too_far(reference: str, place: str) -> InvalidSchema:
    problem = f"$ref {reference!r} leads through more than {MAX_CHAIN} others, or in more than {MAX_PATHS} ways"
    return _invalid(problem, place)


def _invalid(problem: str, place: str = "") -> InvalidSchema:
    where = f" at {place}" if place and place != "#" else ""
    return InvalidSchema(f"the schema or expression is refused{where}: {problem}", param=PARAM)
