"""JSON schemas and regular expressions that validate finished text. They come from callers: none can run for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import jsonschema
import jsonschema.validators

from mainspring.core.errors import InvalidSchema
from mainspring.engines.grammar import expressions, formats
from mainspring.engines.grammar.normal import PARAM, SCHEMAS, invalid, normalised

MAX_STEPS = 10_000
"""Keywords checked for one value: nested alternatives multiply with each level."""


def pattern(source: str, *, param: str = PARAM) -> Callable[[str], bool]:
    """Whether a text matches, in time linear to its length. Raises ``InvalidSchema``."""
    found = _matcher(source)
    if found is None:
        raise InvalidSchema("the expression cannot be checked", param=param)
    return found


@lru_cache(512)
def _matcher(source: str) -> Callable[[str], bool] | None:
    known = formats.KNOWN.get(source)
    return expressions.matcher(known.check if known and known.check else source)


class _TooMuch(Exception):
    """A value took more steps than it may."""


class _Steps(threading.local):
    left = 0


_steps = _Steps()


def _counted(keyword: Any) -> Any:
    def check(*arguments: Any) -> Any:
        _steps.left -= 1
        if _steps.left < 0:
            raise _TooMuch
        return keyword(*arguments)

    return check


def _matching(validator: Any, expression: str, instance: Any, _: Any) -> Any:  # noqa: ARG001
    if isinstance(instance, str) and not pattern(expression)(instance):
        yield jsonschema.ValidationError("no match")


def _format(validator: Any, name: str, instance: Any, _: Any) -> Any:  # noqa: ARG001
    check = formats.CHECKS.get(name)
    if check is not None and isinstance(instance, str) and not check(instance):
        yield jsonschema.ValidationError(f"it is no {name}")


def _multiple(validator: Any, step: float, instance: Any, _: Any) -> Any:  # noqa: ARG001
    if isinstance(instance, bool) or not isinstance(instance, int | float):
        return
    try:
        # In binary .3 is no multiple of .1.
        rest = Decimal(repr(instance)) % Decimal(repr(step))
    except InvalidOperation:
        return
    if rest:
        yield jsonschema.ValidationError(f"it is not a multiple of {step}")


def _of_patterns(validator: Any, patterns: dict[str, Any], instance: Any, _: Any) -> Any:
    if isinstance(instance, dict):
        for expression, schema in patterns.items():
            matches = pattern(expression)
            for name, value in instance.items():
                if matches(name):
                    yield from validator.descend(value, schema, path=name, schema_path=expression)


def _additional(validator: Any, extra: Any, instance: Any, schema: dict[str, Any]) -> Any:
    if not isinstance(instance, dict):
        return
    patterns = [pattern(each) for each in schema.get("patternProperties", ())]
    for name, value in instance.items():
        if name in schema.get("properties", {}) or any(matches(name) for matches in patterns):
            continue
        if extra is False:
            yield jsonschema.ValidationError(f"{name!r} is one property too many")
        else:
            yield from validator.descend(value, extra, path=name)


# The validator's own engine of expressions can be made to run for ever.
_VALIDATOR: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {
        name: _counted(keyword)
        for name, keyword in {
            **jsonschema.Draft202012Validator.VALIDATORS,
            "pattern": _matching,
            "format": _format,
            "multipleOf": _multiple,
            "patternProperties": _of_patterns,
            "additionalProperties": _additional,
        }.items()
    },
)


def validator(source: str, *, param: str = PARAM) -> Callable[[Any], jsonschema.ValidationError | None]:
    """The most relevant fault of a value under the schema ``source``, JSON text; None: none. Raises ``InvalidSchema``
    naming ``param``."""
    checks = _VALIDATOR(_read(source, param))

    def fault(value: Any) -> jsonschema.ValidationError | None:
        _steps.left = MAX_STEPS
        try:
            found: jsonschema.ValidationError | None = jsonschema.exceptions.best_match(checks.iter_errors(value))
        except _TooMuch:
            found = jsonschema.ValidationError(
                "it takes too long to check", validator="steps", validator_value=MAX_STEPS
            )
        return found

    return fault


def admits(schema: Any, value: Any) -> bool:
    """Whether ``schema``, in the normal form, admits ``value``; what takes too long counts as not."""
    if isinstance(schema, dict) and schema.keys() <= {"$defs"}:
        return True
    _steps.left = MAX_STEPS
    try:
        return bool(_VALIDATOR(schema).is_valid(value))
    except (_TooMuch, InvalidSchema):
        return False


def _read(source: str, param: str) -> dict[str, Any]:
    schema = normalised(source, param=param).schema
    require_checkable(schema, param=param)
    return schema


def require_checkable(schema: dict[str, Any], *, param: str = PARAM) -> None:
    """Raise ``InvalidSchema`` for what cannot be checked in bounded time, naming its place."""
    names: set[str] = set()
    for place, node in parts(schema):
        names |= node.keys()
        for expression in [node["pattern"]] if "pattern" in node else []:
            _require(expression, place, param)
        for expression in node.get("patternProperties", ()):
            _require(expression, place, param)
    if {"unevaluatedProperties", "patternProperties"} <= names:
        problem = "unevaluatedProperties cannot be checked beside patternProperties; use additionalProperties"
        raise InvalidSchema(invalid(problem).message, param=param)


def _require(expression: str, place: str, param: str) -> None:
    if _matcher(expression) is None:
        problem = f"the pattern {expression[:80]!r} is not a regular expression that can be checked in bounded time"
        raise InvalidSchema(invalid(problem, place).message, param=param)


def parts(schema: Any, place: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """All parts of a schema in the normal form."""
    if not isinstance(schema, dict):
        return
    yield place, schema
    for name in ("properties", "patternProperties", "dependentSchemas", "$defs"):
        for key, child in schema.get(name, {}).items():
            yield from parts(child, f"{place}/{name}/{key}")
    for name in ("allOf", "anyOf", "oneOf", "prefixItems"):
        for at, child in enumerate(schema.get(name, ())):
            yield from parts(child, f"{place}/{name}/{at}")
    for name in SCHEMAS:
        if name in schema:
            yield from parts(schema[name], f"{place}/{name}")
