"""Our check of schemas agrees with the metaschema."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.core.errors import InvalidSchema
from mainspring.engines.grammar import expressions
from mainspring.engines.grammar import validation as schemas
from mainspring.engines.grammar.metaschema import problem

_ANY = st.none() | st.booleans() | st.integers(-2, 5) | st.floats(-1, 3) | st.sampled_from(["a", "string", "#", "x#y"])
_KEYWORDS = st.sampled_from(
    """$id $schema $ref $anchor $dynamicRef $dynamicAnchor $vocabulary $comment $defs definitions prefixItems items
    contains additionalProperties properties patternProperties dependentSchemas propertyNames if then else allOf anyOf
    oneOf not unevaluatedItems unevaluatedProperties type const enum multipleOf maximum exclusiveMaximum minimum
    exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems maxContains minContains maxProperties
    minProperties required dependentRequired title description default deprecated readOnly writeOnly examples format
    contentEncoding contentMediaType contentSchema dependencies unknown""".split()
)
values = st.recursive(
    _ANY,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
        | st.dictionaries(_KEYWORDS, inner, max_size=3)
    ),
    max_leaves=6,
)


def right(schema: Any) -> bool:
    try:
        jsonschema.Draft202012Validator.check_schema(schema, format_checker=jsonschema.FormatChecker(["regex"]))
    except jsonschema.SchemaError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(_KEYWORDS, values, max_size=2))
def test_it_is_what_the_metaschema_says(schema: dict[str, Any]) -> None:
    assert (problem(schema) == "") == right(schema)


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"required": "a"}, "at required"),
        ({"properties": {"a": {"anyOf": [{"minimum": "3"}]}}}, "at properties/a/anyOf/0/minimum"),
        ({"required": ["a", "a"]}, "twice"),
        ({"pattern": "("}, "not a regular expression"),
    ],
)
def test_it_names_the_place(schema: dict[str, Any], says: str) -> None:
    assert says in problem(schema)


def bomb(levels: int) -> str:
    """A schema of which each level looks at the next one twice."""
    names = {f"d{n}": {"anyOf": 2 * [{"$ref": f"#/$defs/d{n + 1}"}]} for n in range(levels)}
    return json.dumps({"$defs": {**names, f"d{levels}": {"type": "string"}}, "$ref": "#/$defs/d0"})


def test_checking_a_value_takes_so_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "MAX_STEPS", 500)
    fault = schemas.validator(bomb(30))(3)
    assert fault is not None
    assert "too long" in fault.message
    assert schemas.validator(bomb(30))("text") is None
    fault = schemas.validator(bomb(3))(3)
    assert fault is not None
    assert "too long" not in fault.message


def test_a_schema_for_checking_has_so_many_parts() -> None:
    many = json.dumps({"anyOf": [{}] * 5000})
    with pytest.raises(InvalidSchema, match="parts"):
        schemas.validator(many)


def test_an_expression_is_compiled_once() -> None:
    expressions.matcher.cache_clear()
    schemas._matcher.cache_clear()
    check = schemas.validator(json.dumps({"type": "array", "items": {"pattern": "^a+$"}}))
    assert check(["a"] * 50) is None
    assert check(["b"]) is not None
    assert expressions.matcher.cache_info().misses == 1
