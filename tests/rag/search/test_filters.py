"""Filters: what they keep, and what is refused with the place at fault."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import InvalidRequest
from mainspring.rag.ingest.attributes import Attributes
from mainspring.rag.search import filters
from mainspring.stores.documents.records import About, Document


def keeps(value: object, **attributes: Any) -> bool:
    tree = filters.parse(value)
    assert tree is not None
    return tree.matches(attributes.get)


def compare(kind: str, value: object, key: str = "year") -> dict[str, object]:
    return {"type": kind, "key": key, "value": value}


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("eq", 2024, [2024]),
        ("ne", 2024, [2023, 2025]),
        ("gt", 2024, [2025]),
        ("gte", 2024, [2024, 2025]),
        ("lt", 2024, [2023]),
        ("lte", 2024.0, [2023, 2024]),
        ("in", [2023, 2025], [2023, 2025]),
        ("nin", [2023, 2025], [2024]),
    ],
)
def test_comparisons(kind: str, value: object, kept: list[int]) -> None:
    assert [year for year in (2023, 2024, 2025) if keeps(compare(kind, value), year=year)] == kept


def test_compounds_nest() -> None:
    tree = {
        "type": "and",
        "filters": [
            compare("gte", 2024),
            {"type": "or", "filters": [compare("eq", "north", "team"), compare("eq", "south", "team")]},
        ],
    }
    assert keeps(tree, year=2024, team="south")
    assert not keeps(tree, year=2024, team="west")
    assert not keeps(tree, year=2023, team="south")


def test_values_compare_within_their_kind_only() -> None:
    assert not keeps(compare("eq", 1), year=True)
    assert not keeps(compare("gt", 2023), year="2024")
    assert not keeps(compare("eq", "2024"), year=2024)
    assert keeps(compare("gt", "2024-01-01"), year="2024-06-30")


def test_an_absent_attribute_passes_only_what_excludes() -> None:
    assert [kind for kind in ("eq", "gt", "lt", "ne") if keeps(compare(kind, 1))] == ["ne"]
    assert not keeps(compare("in", [1]))
    assert keeps(compare("nin", [1]))


def test_any_of_several_values_matches() -> None:
    assert keeps(compare("eq", "red", "tags"), tags=["red", "round"])
    assert not keeps(compare("ne", "red", "tags"), tags=["red", "round"])


def test_attributes_come_before_fields() -> None:
    class Document:
        name = "a.txt"
        secret = "x"

    assert filters.reader(Document(), {})("name") == "a.txt"
    assert filters.reader(Document(), {"name": "other"})("name") == "other"
    assert filters.reader(Document(), {})("secret") is None


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ("year", "filters"),
        ({"type": "near", "key": "year", "value": 1}, "filters.type"),
        ({"type": "eq", "value": 1}, "filters.key"),
        ({"type": "eq", "key": "year"}, "filters.value"),
        ({"type": "eq", "key": "year", "value": [1]}, "filters.value"),
        ({"type": "in", "key": "year", "value": 1}, "filters.value"),
        ({"type": "gt", "key": "year", "value": True}, "filters.value"),
        ({"type": "eq", "key": "year", "value": float("nan")}, "filters.value"),
        ({"type": "eq", "key": "year", "value": 1, "boost": 2}, "filters.boost"),
        ({"type": "and", "filters": []}, "filters.filters"),
        ({"type": "or", "filters": [{"type": "eq", "key": "a", "value": 1}, {"type": "eq"}]}, "filters.filters.1.key"),
        ({"colour": ["red"]}, "filters"),
    ],
)
def test_refusals_name_the_place(value: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        filters.parse(value)
    assert refused.value.param == param


def test_bottomless_filters_are_refused() -> None:
    tree: dict[str, object] = compare("eq", 1)
    for _ in range(20):
        tree = {"type": "and", "filters": [tree]}
    with pytest.raises(InvalidRequest, match="deep"):
        filters.parse(tree)
    with pytest.raises(InvalidRequest, match="long"):
        filters.parse({"type": "or", "filters": [compare("eq", 1)] * 300})


_VALUES = st.one_of(
    st.sampled_from(["a", "b", "2024"]), st.integers(-2, 2), st.sampled_from([0.0, 1.0, 1.5]), st.booleans()
)
_COMPARED = st.builds(
    filters.Comparison,
    st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]),
    st.sampled_from(["x", "y", "name"]),
    _VALUES,
)
_LISTED = st.builds(
    filters.Comparison, st.sampled_from(["in", "nin"]), st.sampled_from(["x", "name"]), st.tuples(_VALUES, _VALUES)
)
_TREES: st.SearchStrategy[filters.Filter] = st.recursive(
    st.one_of(_COMPARED, _LISTED),
    lambda parts: st.builds(filters.Compound, st.booleans(), st.lists(parts, min_size=1, max_size=3).map(tuple)),
    max_leaves=5,
)


@given(_TREES, st.lists(st.fixed_dictionaries({}, optional={"x": _VALUES | st.lists(_VALUES), "y": _VALUES})))
def test_attributes_by_value_keep_what_each_document_alone_says(
    tree: filters.Filter, attributes: list[dict[str, Any]]
) -> None:
    documents = {f"d{n}": _document(f"d{n}", "ab"[n % 2], found) for n, found in enumerate(attributes)}
    kept = {name for name, document in documents.items() if tree.matches(filters.reader(document, document.attributes))}
    assert Attributes(documents).matching(tree) == kept


def _document(name: str, title: str, attributes: dict[str, Any]) -> Document:
    return Document(
        name, name, title, "", 1, "completed", "", 1, 1, None, "", "", None, 0.0, 0.0, About(attributes=attributes)
    )
