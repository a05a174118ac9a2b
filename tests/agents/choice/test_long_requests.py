"""What reads a request of a user takes time that grows with its length, and not with its square."""

from __future__ import annotations

from collections.abc import Callable

from mainspring.agents.choice import grounding, slots
from mainspring.agents.choice.reading import parts, stems
from mainspring.core.types import Tool
from tests.lengths import squares

_NAMES = {"email": {"type": "string"}, "url": {"type": "string"}, "phone": {"type": "string"}, "order_id": {}}
_COUNT = {"count": {"type": "integer"}}


def _tool(known: dict[str, dict[str, str]]) -> Tool:
    return Tool("find", "", {"type": "object", "properties": known, "required": list(known)})


def test_requests_are_read_in_linear_time() -> None:
    named, counted = _tool(_NAMES), _tool(_COUNT)
    functions: dict[str, Callable[[str], object]] = {
        "parts": parts,
        "stems": stems,
        "slots": lambda text: slots.found(named, text),
        "count": lambda text: slots.found(counted, text),
        "numbers": grounding.numbers,
        "grounded": lambda text: grounding.grounded("Berlin", {"type": "string"}, "city", text),
    }
    assert {name: piece for name, each in functions.items() for piece in squares(each)} == {}


def test_a_number_of_too_many_digits_is_none() -> None:
    assert slots.found(_tool(_COUNT), "Show 12 of them") == {"count": 12}
    assert slots.found(_tool(_COUNT), f"Show {'9' * 400} of them") == {}
