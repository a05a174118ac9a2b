"""Arguments that are read without a model, only where one reading is possible."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.agents.choice import slots
from mainspring.core.types import Tool
from tests.agents.choice.support import declared

TEXT: dict[str, Any] = {"type": "string"}


def found(said: str, **properties: Any) -> dict[str, Any]:
    tool: Tool = declared("act", "Act", **properties).declaration
    return slots.found(tool, said)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("status of order A-1234 please", "A-1234"),
        ("my order number is 987654", "987654"),
        ("order #98", "98"),
        ("it's 42", "42"),
        ("I paid $500 in 2026 for order izQ9px", "izQ9px"),
        ("the id is 'vyBYVV'", "vyBYVV"),
    ],
)
def test_the_only_identifier_is_read(said: str, value: str) -> None:
    assert found(said, order_id=TEXT) == {"order_id": value}


@pytest.mark.parametrize(
    "said",
    [
        "orders A-1 and B-2",
        "my order of 2025",
        "it cost $500 and it never came, what is going on there?",
        "where is my order",
        "it came on the 15th and I want to give it back to you now",
    ],
)
def test_what_may_be_another_thing_is_left_to_the_model(said: str) -> None:
    assert found(said, order_id=TEXT) == {}


def test_each_kind_is_read_by_its_form() -> None:
    said = "Write to jo@example.org about https://example.org/a?b=1 on 2026-01-31, or call +49 30 123456"
    values = found(said, email=TEXT, url=TEXT, date=TEXT, phone=TEXT)
    expected = {"email": "jo@example.org", "url": "https://example.org/a?b=1", "date": "2026-01-31"}
    assert values == {**expected, "phone": "+49 30 123456"}


def test_one_date_does_not_tell_which_of_two_it_is() -> None:
    assert found("born on 1990-05-15", birth_date=TEXT, current_date=TEXT) == {}


def test_the_option_that_is_named_is_taken() -> None:
    size = {"type": "string", "enum": ["small", "medium", "extra_large"]}
    assert found("the Small one", size=size) == {"size": "small"}
    assert found("extra large please", size=size) == {"size": "extra_large"}
    assert found("small or medium?", size=size) == {}


def test_the_only_number_goes_to_the_only_numeric_argument() -> None:
    assert found("the factorial of 5", number={"type": "integer"}) == {"number": 5}
    assert found("5.5 metres", number={"type": "integer"}) == {}
    assert found("5 and 6", number={"type": "integer"}) == {}
    assert found("the sum of 5", a={"type": "number"}, b={"type": "number"}) == {}


def test_a_pattern_of_the_schema_is_followed() -> None:
    assert found("take AB-12.", code={"type": "string", "pattern": "^[A-Z]{2}-[0-9]{2}$"}) == {"code": "AB-12"}
