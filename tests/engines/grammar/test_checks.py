import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import InvalidSchema
from mainspring.core.types import Grammar
from mainspring.engines.grammar import checks
from mainspring.engines.grammar.checks import JSON_OBJECT, check


def schema(value: Any) -> Grammar:
    return Grammar("json_schema", value if isinstance(value, str) else json.dumps(value))


def holding(value: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": value}, "required": ["a"], "additionalProperties": False}


ACCEPTED: list[Any] = [
    {"type": "object"},
    holding({"type": ["string", "null"], "description": "d", "default": None}),
    holding({"enum": ["x", 1, None, True]}),
    holding({"type": "string", "enum": ["x"]}),
    holding({"const": {"k": [1]}}),
    holding({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}, "maxItems": 3}]}),
    holding({"oneOf": [{"type": "string"}, {"type": "null"}], "discriminator": {"propertyName": "x"}}),
    holding({"type": "string", "pattern": "^[a-z]{2,5}(?:-\\d+)?$"}),
    holding({"type": "string", "format": "date"}),
    holding({"type": "integer", "minimum": 3, "exclusiveMaximum": 5}),
    holding({"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
    holding({"type": "array", "prefixItems": [{"type": "string"}], "items": False}),
    {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1, "maxProperties": 3},
    {**holding({"$ref": "#/$defs/n", "description": "d"}), "$defs": {"n": {"type": "integer"}}},
    {"type": "object", "properties": {"child": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}},
    {"type": "array", "items": {"type": "string"}},
]


@pytest.mark.parametrize("value", ACCEPTED, ids=json.dumps)
def test_what_backends_enforce_passes_unchanged(value: Any) -> None:
    assert json.loads(check(schema(value)).source) == value


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        value = holding(value)
    return value


REFUSED: list[tuple[Any, str]] = [
    ("{", "not JSON"),
    ("[]", "must be a JSON object"),
    ("true", "must be a JSON object"),
    ('{"minimum": NaN, "type": "number"}', "not JSON"),
    ("[" * 100_000, "bytes"),
    ("[" * 60_000, "not JSON"),
    ({"type": "objekt"}, "unknown type"),
    ({"type": [["object"]]}, "unknown type"),
    ({"type": "object", "properties": []}, "must be an object"),
    (holding(3), "must be an object"),
    (holding(False), "admits nothing"),
    (holding({"enum": []}), "enum"),
    (holding({"enum": list(range(2000))}), "enum"),
    (holding({"anyOf": []}), "empty"),
    (holding({"anyOf": "x"}), "list"),
    (holding({"not": {"type": "string"}}), "'not' cannot be enforced"),
    ({"type": "object", "if": {}, "then": {}}, "'if' cannot be enforced"),
    ({"type": "object", "patternProperties": {"a": {}}}, "'patternProperties' cannot be enforced"),
    (holding({"type": "array", "uniqueItems": True}), "'uniqueItems' cannot be enforced"),
    (holding({"type": "number", "multipleOf": 2}), "'multipleOf' cannot be enforced"),
    (holding({"allOf": [{"type": "string"}, {"type": "string"}]}), "merge them"),
    (holding({"type": "string", "format": "color"}), "format 'color'"),
    (holding({"type": "string", "pattern": "a(?=b)"}), "group"),
    (holding({"type": "string", "pattern": "["}), "not a regular expression"),
    (holding({"type": "string", "pattern": "a", "maxLength": 3}), "only one of"),
    (holding({"type": "string", "minLength": 5, "maxLength": 3}), "minLength is larger"),
    (holding({"type": "string", "maxLength": 10**9}), "maxLength"),
    (holding({"type": "string", "maxLength": True}), "maxLength"),
    (holding({"type": "array", "items": {}, "minItems": -1}), "minItems"),
    (holding({"type": "integer", "minimum": 5, "maximum": 3}), "no number"),
    (holding({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 4}), "no number"),
    (holding({"type": "number", "minimum": "3"}), "must be a number"),
    (holding({"type": "number", "minimum": -1e300}), "within"),
    (holding({"minimum": 3}), 'needs "type": "number"'),
    (holding({"properties": {}}), 'needs "type": "object"'),
    ({"type": "object", "properties": {}, "anyOf": [{"type": "object"}]}, "beside anyOf"),
    (holding({"$ref": "#/$defs/x"}), "points at nothing"),
    (holding({"$ref": "https://example.com/schema.json"}), "must point into this schema"),
    (holding({"$ref": "file:///etc/passwd"}), "must point into this schema"),
    ({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "refers to itself"),
    (
        {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        "itself",
    ),
    ({"type": "object", "required": ["b"], "properties": {}, "additionalProperties": False}, "forbids it"),
    ({"type": "object", "required": "a"}, "required"),
    (deep(30), "nested deeper"),
    ('{"type":"object","properties":{"a":' * 1500 + "{}" + "}}" * 1500, "JSON|nested"),
    ({"type": "object", "properties": {str(n): {} for n in range(300)}}, "properties"),
]


@pytest.mark.parametrize(("value", "says"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_malformed_or_not_enforceable_is_refused(value: Any, says: str) -> None:
    with pytest.raises(InvalidSchema, match=says) as caught:
        check(schema(value))
    assert caught.value.param == "response_format"


def test_the_message_names_the_place_and_the_field() -> None:
    with pytest.raises(InvalidSchema, match=r"at #/properties/a/items") as caught:
        check(schema(holding({"type": "array", "items": {"type": "x"}})), param="tools")
    assert caught.value.param == "tools"


def test_many_parts_are_refused() -> None:
    wide = holding({"anyOf": [holding({"type": "string"}) for _ in range(300)]})
    assert check(schema(wide))
    wider = {"type": "object", "properties": {str(n): {"anyOf": [{}] * 20} for n in range(250)}}
    with pytest.raises(InvalidSchema, match="more than"):
        check(schema(wider))


def test_json_object_mode_is_a_schema_that_passes() -> None:
    assert json.loads(check(JSON_OBJECT).source) == {"type": "object"}


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "[0-9]{4}-[0-9]{2}",
            "a|b",
            "(?:a|b)*?c",
            "^abc$",
            "(^a$|^b$)",
            "[^\\]a]+",
            "\\d\\w\\s\\.",
            "é+",
            "[a$^+]+",
        ),
        *("\\(\\?=", "\\^\\$", "[(?=]", "\\\\[a-z]", "a\\+\\+", "[]a]"),
    ],
)
def test_plain_expressions_pass(pattern: str) -> None:
    assert check(Grammar("regex", pattern)).source == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "",
            "(",
            "a{2,1}",
            "(a)\\1",
            "(?=a)b",
            "a(?!b)",
            "(?<=a)b",
            "(?<!a)b",
            "\\bfoo",
            "(?P<n>a)",
            "(?P=n)",
            "(?i)a",
        ),
        *("(?#c)a", "(?>a)", "a++", "a*+", "a{,5}", "a^b", "$a", "\\Aab\\Z", "[[:alpha:]]", "\\p{L}", "x" * 3000),
        "\\\\\\bfoo",
    ],
)
def test_expressions_that_backends_cannot_follow_are_refused(pattern: str) -> None:
    with pytest.raises(InvalidSchema):
        check(Grammar("regex", pattern))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*checks._ENFORCED, "x", "title"]), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(JSON)
def test_nothing_gets_past_as_anything_but_a_verdict(value: Any) -> None:
    try:
        checked = check(schema(value))
    except InvalidSchema:
        return
    assert json.loads(checked.source) == value


def chained(levels: int) -> dict[str, Any]:
    """Definitions of which each is the next."""
    names = {f"d{number}": {"$ref": f"#/$defs/d{number + 1}"} for number in range(levels)}
    return {"$defs": {**names, f"d{levels}": {"type": "string"}}, **holding({"$ref": "#/$defs/d0"})}


def doubled(levels: int) -> dict[str, Any]:
    """Definitions of which each is the next in two ways."""
    schema = chained(levels)
    for number in range(levels):
        schema["$defs"][f"d{number}"] = {"anyOf": 2 * [{"$ref": f"#/$defs/d{number + 1}"}]}
    return schema


@pytest.mark.parametrize("value", [chained(1_400), doubled(700)])
def test_each_reference_is_followed_once(value: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    followed: list[str] = []
    resolve = checks._Walk._resolve

    def counted(walk: Any, reference: str, place: str) -> Any:
        followed.append(reference)
        return resolve(walk, reference, place)

    monkeypatch.setattr(checks._Walk, "_resolve", counted)
    with contextlib.suppress(InvalidSchema):
        check(schema(value))
    assert 0 < len(followed) == len(set(followed))


def test_a_chain_that_leads_too_far_is_followed_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    followed: list[str] = []
    resolve = checks._Walk._resolve

    def counted(walk: Any, reference: str, place: str) -> Any:
        followed.append(reference)
        return resolve(walk, reference, place)

    monkeypatch.setattr(checks._Walk, "_resolve", counted)
    with pytest.raises(InvalidSchema, match="leads through more than"):
        check(schema(chained(1_400)))
    assert len(followed) <= checks.MAX_CHAIN + 1


def test_what_is_referred_to_from_several_places_is_no_cycle() -> None:
    shared = {
        "$defs": {"x": {"type": "string"}, "y": {"$ref": "#/$defs/x"}},
        **holding({"anyOf": [{"$ref": "#/$defs/x"}, {"$ref": "#/$defs/y"}]}),
    }
    assert check(schema(shared))
    assert check(schema(chained(60)))


@pytest.mark.parametrize(
    "value",
    [
        {"$defs": {"a": {"anyOf": [{"anyOf": [{"$ref": "#/$defs/a"}]}]}}, **holding({"$ref": "#/$defs/a"})},
        {"$defs": {f"a{n}": {"$ref": f"#/$defs/a{(n + 1) % 9}"} for n in range(9)}, **holding({"$ref": "#/$defs/a4"})},
    ],
)
def test_cycles_are_found_wherever_they_begin(value: dict[str, Any]) -> None:
    with pytest.raises(InvalidSchema, match="refers to itself"):
        check(schema(value))


@pytest.mark.parametrize("value", [chained(100), doubled(20)])
def test_references_lead_only_so_far(value: dict[str, Any]) -> None:
    with pytest.raises(InvalidSchema, match="leads through more than"):
        check(schema(value))


@pytest.mark.parametrize("target", ["#/default", "#/$defs", "#/properties/a/enum"])
def test_a_reference_points_at_a_schema(target: str) -> None:
    value = {"$defs": {}, "default": {"anyOf": 3}, **holding({"enum": [{}]})}
    value["properties"]["b"] = {"$ref": target}
    with pytest.raises(InvalidSchema, match="does not point at a schema"):
        check(schema(value))
