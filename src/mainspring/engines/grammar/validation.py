"""JSON schemas and regular expressions that validate finished text. They come from callers: none can run for ever."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

import jsonschema
import jsonschema.validators
from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

from mainspring.core.errors import InvalidSchema
from mainspring.engines.grammar import metaschema
from mainspring.engines.grammar.checks import MAX_BYTES, MAX_NODES, PARAM

MAX_STEPS = 10_000
"""Keywords checked for one value: nested alternatives multiply with each level."""

# A validator would fetch an external reference.
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def pattern(source: str, *, param: str = PARAM) -> Callable[[str], bool]:
    """Whether a text matches, in time linear to its length. Raises ``InvalidSchema``."""
    checker = _compiled(source)
    if checker is None:
        raise InvalidSchema("the expression cannot be checked", param=param)

    def matches(text: str) -> bool:
        try:
            checker.validate_python(text)
        except ValidationError:
            return False
        return True

    return matches


@lru_cache(256)
def _compiled(source: str) -> SchemaValidator | None:
    try:
        return SchemaValidator(core_schema.str_schema(pattern=source))
    except SchemaError:
        return None


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


# The validator's own engine of expressions can be made to run for ever.
_VALIDATOR: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {
        name: _counted(keyword)
        for name, keyword in {**jsonschema.Draft202012Validator.VALIDATORS, "pattern": _matching}.items()
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


def _read(source: str, param: str) -> dict[str, Any]:
    if len(source.encode("utf-8", "replace")) > MAX_BYTES:
        raise InvalidSchema(f"the schema is longer than {MAX_BYTES} bytes", param=param)
    try:
        schema: dict[str, Any] = json.loads(source)
        places = list(islice(_walk(schema), MAX_NODES + 1))
    except (ValueError, RecursionError) as error:
        raise InvalidSchema(f"the schema is refused: {error}", param=param) from None
    if problem := metaschema.problem(schema):
        raise InvalidSchema(f"the schema is refused: {problem}", param=param)
    if len(places) > MAX_NODES:
        raise InvalidSchema(f"the schema has more than {MAX_NODES} parts", param=param)
    for place in places:
        if "patternProperties" in place or not all(str(place.get(name, "#")).startswith("#") for name in _REFERENCES):
            raise InvalidSchema("patternProperties and outside references are not validated", param=param)
        if isinstance(place.get("pattern"), str):
            pattern(place["pattern"], param=param)
    return schema


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from _walk(each)
