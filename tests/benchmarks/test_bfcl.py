"""The rules of the function-calling leaderboard, on calls that are right and wrong in one way each."""

from __future__ import annotations

from typing import Any

import pytest

import _bfcl as bfcl
from mainspring.core.types import Message, Tool

TOOL = Tool(
    "book",
    "Book a room",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "nights": {"type": "integer"},
            "price": {"type": "number"},
            "extras": {"type": "array", "items": {"type": "string"}},
            "filter": {"type": "object"},
        },
        "required": ["city", "nights"],
    },
)
POSSIBLE: dict[str, list[Any]] = {
    "city": ["San Diego, CA", "SD"],
    "nights": [2],
    "price": ["", 80.0],
    "extras": ["", ["sauna", "bar"]],
    "filter": ["", {"stars": [4, 5], "view": ["sea", ""]}],
}
QUESTION = bfcl.Question("1", (Message("user", "book"),), (TOOL, Tool("other")), (("book", POSSIBLE),))


@pytest.mark.parametrize(
    "arguments",
    [
        {"city": "san diego CA", "nights": 2},
        {"city": "SD", "nights": 2, "price": 80},
        {"city": "SD", "nights": 2, "extras": ["Sauna", "bar"]},
        {"city": "SD", "nights": 2, "filter": {"stars": 5}},
        {"city": "SD", "nights": 2, "filter": {"stars": 4, "view": "sea"}},
    ],
)
def test_right_calls(arguments: dict[str, Any]) -> None:
    assert bfcl.judge(QUESTION, [("book", arguments)]) == bfcl.Verdict(True, True)


@pytest.mark.parametrize(
    "arguments",
    [
        None,
        {"city": "SD"},
        {"city": "LA", "nights": 2},
        {"city": "SD", "nights": "2"},
        {"city": "SD", "nights": True},
        {"city": "SD", "nights": 2, "price": 90},
        {"city": "SD", "nights": 2, "rooms": 1},
        {"city": "SD", "nights": 2, "extras": ["bar", "sauna"]},
        {"city": "SD", "nights": 2, "filter": {"view": "sea"}},
        {"city": "SD", "nights": 2, "filter": {"stars": 3}},
    ],
)
def test_the_right_tool_with_wrong_arguments(arguments: Any) -> None:
    assert bfcl.judge(QUESTION, [("book", arguments)]) == bfcl.Verdict(True, False)


def test_wrong_tools_and_numbers_of_calls() -> None:
    well = {"city": "SD", "nights": 2}
    wrong: list[list[tuple[str, Any]]] = [[], [("other", {})], [("book", well), ("book", well)]]
    for calls in wrong:
        assert bfcl.judge(QUESTION, calls) == bfcl.Verdict(False, False)


def test_where_no_call_is_right_any_call_is_wrong() -> None:
    nothing = bfcl.Question("2", (Message("user", "hello"),), (TOOL,), ())
    assert bfcl.judge(nothing, []) == bfcl.Verdict(True, True)
    assert bfcl.judge(nothing, [("book", {})]) == bfcl.Verdict(False, False)


def test_several_calls_may_come_in_any_order() -> None:
    one: dict[str, list[Any]] = {"city": ["A"], "nights": [1]}
    other: dict[str, list[Any]] = {"city": ["B"], "nights": [2]}
    two = (("book", one), ("book", other))
    question = bfcl.Question("3", (Message("user", "book"),), (TOOL,), two)
    first, second = ("book", {"city": "B", "nights": 2}), ("book", {"city": "A", "nights": 1})
    assert bfcl.judge(question, [first, second]).exact
    assert not bfcl.judge(question, [first, first]).exact
