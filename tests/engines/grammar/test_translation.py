"""Grammars of schemas admit nothing that their schemas refuse, and what models write."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.core.errors import InvalidSchema
from mainspring.engines.grammar import conjunction, translation, validation
from mainspring.engines.grammar.translation import translate
from tests.engines.grammar import pydantic_corpus
from tests.engines.grammar.grammar_texts import GrammarTexts
from tests.engines.grammar.schema_corpus import KEYWORDS, generated

CORPUS = {f"{origin}: {name}": schema for origin, table in generated().items() for name, schema in table.items()}
CORPUS |= {f"keyword: {name}": schema for name, schema in KEYWORDS.items()}
CORPUS |= {f"pydantic: {name}": schema for name, schema in pydantic_corpus.schemas().items()}
CORPUS |= {f"openai: {name}": schema for name, schema in pydantic_corpus.strict_schemas().items()}


def broken(schema: Any, draws: int = 25, seed: int = 0) -> list[str]:
    """Keywords that texts of the schema's grammar break. They are all JSON."""
    source = json.dumps(schema)
    found, fault = translate(source), validation.validator(source)
    assert found.grammar is not None
    texts, rng = GrammarTexts(found.grammar), random.Random(seed)
    names = set()
    for _ in range(draws):
        text = texts.draw(rng)
        value = json.loads(text, parse_constant=pytest.fail)
        assert "Infinity" not in repr(value)
        if (error := fault(value)) is not None:
            names.add(str(error.validator))
    return sorted(names)


@pytest.mark.parametrize("name", CORPUS)
def test_what_a_grammar_admits_the_schema_admits(name: str) -> None:
    checked = translate(json.dumps(CORPUS[name])).checked
    assert not broken(CORPUS[name]) or checked


WRITTEN: list[tuple[Any, list[Any], list[Any]]] = [
    (KEYWORDS["properties"], [{"a": 1, "b": "x"}, {"a": -3}, {}], [{"a": 1.5}, {"c": 1}]),
    (KEYWORDS["additionalProperties beside"], [{"a": 1, "zz": None}, {"ab": None, "ba": None}], [{"zz": 1}]),
    (KEYWORDS["patternProperties closed"], [{"x-a": 1}, {}], [{"x-": 1}, {"y": 1}]),
    (KEYWORDS["propertyNames pattern"], [{"ab": 1}, {"ab": 1, "cd": [2]}], [{}, {"abc": 1}]),
    (KEYWORDS["propertyNames enum and patternProperties"], [{"a": None}, {"a": "x"}, {}], [{"a": 1}, {"ab": 1}]),
    (KEYWORDS["maxProperties"], [{"a": None, "d": None}, {}], [{"a": None, "b": None, "c": None}]),
    (KEYWORDS["minProperties"], [{"b": "x"}, {"a": 1}], [{}]),
    (KEYWORDS["dependentRequired"], [{"b": "x"}, {"a": 1, "b": "x"}, {}], [{"a": 1}]),
    (KEYWORDS["uniqueItems of enum"], [["x"], ["x", "z"]], [[], ["x", "x"]]),
    (KEYWORDS["contains"], [[None], [None, 3]], [[], [3]]),
    (KEYWORDS["if then else"], [{"kind": "x", "a": None}, {"kind": "y", "b": None}], [{"kind": "x"}, {"kind": "y"}]),
    (KEYWORDS["bounds of numbers"], [-0.25, 0, 0.5, 1, 1.49, 1.4999], [-0.26, 1.5, 2, -1]),
    (KEYWORDS["bounds of safe integers"], [0, -5, 2**53 - 1, -(2**53) + 1], [2**53, 10**17, 1.5]),
    (KEYWORDS["bounds of 64 bits"], [2**63 - 1, -(2**63)], [2**63]),
    (KEYWORDS["exclusive bounds"], [4], [3, 5]),
    (KEYWORDS["multipleOf 5"], [0, 5, -15, 120], [3, 12]),
    (KEYWORDS["multipleOf .01"], [0, 1.15, 20, 3.5], [1.155]),
    (KEYWORDS["multipleOf .25"], [0, 0.25, 1.5, 3], [0.2, -0.25]),
    (KEYWORDS["pattern beside lengths"], ["ab", "abcd"], ["a", "abcde", "AB"]),
    (KEYWORDS["pattern within"], ["12", "a12b", 'q"12'], ["1", "ab"]),
    (KEYWORDS["format date"], ["2026-11-28", "2024-02-29"], ["2026-02-29", "2026-13-01", "x"]),
    (KEYWORDS["format date-time"], ["2026-11-28T10:00:00Z", "2026-11-28T10:00:00.5+01:00"], ["2026-11-28"]),
    (KEYWORDS["format email"], ["ann.lee@example.co.uk"], ["ann", "ann@", "a b@example.com"]),
    (KEYWORDS["format uri"], ["https://example.com/a/b?c=d#e"], ["example", "https://"]),
    (KEYWORDS["format ipv4"], ["192.168.0.1"], ["078.1.1.1", "256.1.1.1"]),
    (KEYWORDS["oneOf of tags"], [{"k": "x", "x": None}, {"k": "y"}], [{"k": "z"}]),
    (KEYWORDS["allOf of numbers"], [3, 4, 5], [2, 6, 3.5]),
    (KEYWORDS["not of constants"], ["a", "c"], ["b"]),
    (KEYWORDS["$dynamicRef"], [[], [[], [[]]]], [[[], [], []], [1]]),
    ({"type": "number"}, [0, 7, -3.5, 0.25, -0.5, 12.5, 43.653225, -79.383186, 1000000.01, 1.5e-7], ["12.5", "x"]),
    ({"type": "object"}, [{"a": [1.25, 12.5], "b": -79.38}], []),
    ({"type": "object"}, [{"a": [1, {"b": None}], "c": "d\n\u00e9\u4e2d"}], [[], 3]),
]


@pytest.mark.parametrize(("schema", "right", "wrong"), WRITTEN, ids=[json.dumps(each[0])[:60] for each in WRITTEN])
def test_it_admits_what_models_write(schema: Any, right: list[Any], wrong: list[Any]) -> None:
    found = translate(json.dumps(schema)).grammar
    assert found is not None
    texts = GrammarTexts(found)
    for value in right:
        for indent in (None, 2):
            assert texts.admits(json.dumps(value, indent=indent, ensure_ascii=False)), value
        assert texts.admits(json.dumps(value, separators=(",", ":"), ensure_ascii=False)), value
    for value in wrong:
        assert not texts.admits(json.dumps(value)), value


def test_white_space_comes_to_an_end() -> None:
    found = translate(json.dumps(KEYWORDS["properties"])).grammar
    assert found is not None
    texts = GrammarTexts(found)
    assert texts.admits('{\n  "a": 1\n}')
    assert not texts.admits('{\n\n  "a": 1}')
    assert not texts.admits('{"a":  1}')
    assert not texts.admits("{" + " " * 30 + "}")


@pytest.mark.parametrize(
    ("schema", "checked"),
    [
        (KEYWORDS["uniqueItems"], ("uniqueItems",)),
        (KEYWORDS["not in general"], ("not",)),
        (KEYWORDS["if in general"], ("if", "multipleOf")),
        (KEYWORDS["oneOf that overlaps"], ("oneOf",)),
        (KEYWORDS["maxLength long"], ("maxLength",)),
        (KEYWORDS["pattern with look-ahead"], ("pattern",)),
        (KEYWORDS["pattern with properties"], ("pattern",)),
        (KEYWORDS["multipleOf"], ("multipleOf",)),
        (KEYWORDS["minContains maxContains"], ("maxContains",)),
        (KEYWORDS["oneOf of tags"], ()),
        (KEYWORDS["if then else"], ()),
        (KEYWORDS["pattern beside lengths"], ()),
    ],
)
def test_what_is_left_is_named(schema: Any, checked: tuple[str, ...]) -> None:
    assert translate(json.dumps(schema)).checked == checked


def test_what_says_nothing_is_named() -> None:
    assert translate(json.dumps(KEYWORDS["unknown keyword"])).ignored == ("x-order",)
    assert translate(json.dumps(KEYWORDS["format unknown"])).ignored == ("format:color",)


REFUSED: list[tuple[Any, str]] = [
    ({"type": "objekt"}, "type"),
    ({"type": "object", "properties": {"a": {"items": {"type": "x"}, "type": "array"}}}, "at #/properties/a/items"),
    ({"$ref": "https://example.com/schema.json"}, "must point into this schema"),
    ({"type": "array", "items": {"$ref": "file:///etc/passwd"}}, "at #/items"),
    ({"$ref": "#/$defs/x"}, "points at nothing"),
    ({"$ref": "#/$defs", "$defs": {}}, "does not point at a schema"),
    ({"$ref": "#/default", "default": {}}, "does not point at a schema"),
    ({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "itself"),
    ({"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "itself"),
    ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "comes to an end"),
    ({"type": "string", "pattern": "("}, "not a regular expression"),
    ({"type": "string", "pattern": "((((a{100}){100}){100}){100})"}, "cannot be checked|can be checked"),
    ({"type": "array", "items": {"type": "string", "pattern": "(a)\\1"}}, "at #/items: the pattern"),
    ({"type": "string", "pattern": "a(?=b)"}, "can be checked"),
    ({"type": "integer", "minimum": 5, "maximum": 3}, "admits nothing"),
    ({"type": "object", "required": ["b"], "properties": {}, "additionalProperties": False}, "admits nothing"),
    ({"allOf": [{"type": "string"}, {"type": "null"}]}, "admits nothing"),
    ({"enum": []}, "enum"),
    ({"enum": list(range(2000))}, "enum"),
    ({"anyOf": []}, "empty"),
    ({"type": "string", "minLength": -1}, "minLength"),
    ({"type": "object", "properties": {str(n): {} for n in range(300)}}, "properties"),
    ({"anyOf": [{}] * 5000}, "parts"),
]


@pytest.mark.parametrize(("schema", "says"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_schema_is_refused_with_its_place(schema: Any, says: str) -> None:
    with pytest.raises(InvalidSchema, match=says):
        translate(json.dumps(schema))


_LEAVES = st.sampled_from([value for value in KEYWORDS.values() if "$ref" not in json.dumps(value)])
_SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda each: {"type": "array", "items": each, "maxItems": 3}, inner),
        st.builds(lambda one, two: {"allOf": [one, two]}, inner, inner),
        st.builds(lambda one, two: {"anyOf": [one, two]}, inner, inner),
        st.builds(lambda one, two: {"oneOf": [one, two]}, inner, inner),
        st.builds(lambda one, two: {"if": one, "then": two}, inner, inner),
        st.builds(lambda one, two: {**one, "not": two}, inner, inner),
        st.builds(lambda one, two: {**one, **two}, inner, inner),
        st.builds(
            lambda one, two: {"type": "object", "properties": {"a": one, "b": two}, "required": ["a"]}, inner, inner
        ),
        st.builds(lambda one, two: {"patternProperties": {"^a": one}, "properties": {"ab": two}}, inner, inner),
    ),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(_SCHEMAS)
def test_schemas_at_random_are_translated_or_refused(schema: Any) -> None:
    source = json.dumps(schema)
    try:
        found = translate(source)
        validation.validator(source)
    except InvalidSchema:
        return
    if found.grammar is not None and not found.checked:
        assert broken(schema, draws=6) == []


def chained(links: int) -> dict[str, Any]:
    """References that follow each other."""
    names = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(links)}
    return {"$defs": {**names, f"d{links}": {"type": "string"}}, "$ref": "#/$defs/d0"}


def split(levels: int) -> dict[str, Any]:
    """References of which each level splits in two ways that differ."""
    names = {
        f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}", side: n} for side in ("minLength", "maxLength")]}
        for n in range(levels)
    }
    return {"$defs": {**names, f"d{levels}": {"type": "string"}}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    "schema",
    [
        chained(1_400),
        split(40),
        {"allOf": [{"anyOf": [{"properties": {f"p{n}{m}": {}}} for m in range(20)]} for n in range(20)]},
        {"allOf": [{"if": {"required": [f"p{n}"]}, "then": {"required": [f"q{n}"]}} for n in range(40)]},
        {"type": "object", "properties": {f"p{n}": {"minimum": n + 0.123456789, "maximum": 1e9} for n in range(250)}},
    ],
)
def test_merging_takes_so_many_steps(schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    merged: list[int] = []
    both = conjunction.Alternatives._both

    def counted(self: conjunction.Alternatives, one: Any, other: Any) -> Any:
        merged.append(1)
        return both(self, one, other)

    monkeypatch.setattr(conjunction.Alternatives, "_both", counted)
    found = translate.__wrapped__(json.dumps(schema))
    assert found.grammar is None or len(found.grammar) <= translation.MAX_SOURCE + 1_000
    assert found.grammar is not None or found.checked == ("everything",)
    assert len(merged) <= conjunction.MAX_MERGES
