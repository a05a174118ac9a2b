"""JSON schemas and expressions by which finished text is validated. They come from callers: none can run for ever."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import jsonschema.validators
from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

from mainspring.engines.grammar import MAX_BYTES, PARAM
from mainspring.errors import InvalidSchema

# What refers elsewhere would be fetched from there by whoever validates.
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def pattern(source: str, *, param: str = PARAM) -> Callable[[str], bool]:
    """Whether a text matches, in time linear to its length. Raises ``InvalidSchema``."""
    try:
        checker = SchemaValidator(core_schema.str_schema(pattern=source))
    except SchemaError:
        raise InvalidSchema("the expression cannot be checked", param=param) from None

    def matches(text: str) -> bool:
        try:
            checker.validate_python(text)
        except ValidationError:
            return False
        return True

    return matches


def _matching(validator: Any, expression: str, instance: Any, _: Any) -> Any:  # noqa: ARG001
    if isinstance(instance, str) and not pattern(expression)(instance):
        yield jsonschema.ValidationError("no match")


# The validator's own engine of expressions can be made to run for ever.
_VALIDATOR: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator, {"pattern": _matching}
)


def validator(source: str, *, param: str = PARAM) -> Callable[[Any], jsonschema.ValidationError | None]:
    """What is most wrong with a value under the schema ``source``, JSON text; None: nothing. Raises ``InvalidSchema``
    naming ``param``."""
    checks = _VALIDATOR(_read(source, param))

    def fault(value: Any) -> jsonschema.ValidationError | None:
        found: jsonschema.ValidationError | None = jsonschema.exceptions.best_match(checks.iter_errors(value))
        return found

    return fault


def _read(source: str, param: str) -> dict[str, Any]:
    if len(source.encode("utf-8", "replace")) > MAX_BYTES:
        raise InvalidSchema(f"the schema is longer than {MAX_BYTES} bytes", param=param)
    try:
        schema: dict[str, Any] = json.loads(source)
        jsonschema.Draft202012Validator.check_schema(schema)
    except (ValueError, RecursionError, jsonschema.SchemaError) as error:
        problem = getattr(error, "message", str(error))
        raise InvalidSchema(f"the schema is refused: {problem}", param=param) from None
    for place in _walk(schema):
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
