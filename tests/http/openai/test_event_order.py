"""For any order of pieces, each call is sent at once and complete, and nothing is lost."""

from __future__ import annotations

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.types import Event, Finish, Text, ToolCallDelta
from mainspring.http.openai.event_order import EventOrder


def told(*events: Event) -> list[Event]:
    turn = EventOrder()
    return [*itertools.chain.from_iterable(map(turn.take, events)), *turn.rest()]


def piece(index: int, arguments: str, name: str | None = None) -> ToolCallDelta:
    return ToolCallDelta(0, index, f"call_{index}" if name else None, name, arguments)


def test_calls_that_come_one_after_the_other_pass_as_they_come() -> None:
    turn = EventOrder()
    events: list[Event] = [
        Text("so"),
        piece(0, "", "a"),
        piece(0, '{"x":'),
        piece(0, "1}"),
        piece(1, "{}", "b"),
        Text("there"),
    ]
    for event in events:
        assert list(turn.take(event)) == [event]
    assert list(turn.rest()) == []


def test_calls_that_come_at_once_are_reported_one_after_the_other() -> None:
    first, second = piece(0, "", "a"), piece(1, '{"x"', "b")
    assert told(first, second, piece(0, '{"y":1}'), piece(1, ":2}"), Finish("tool_calls")) == [
        *[first, piece(0, '{"y":1}'), second, piece(1, ":2}")],
        Finish("tool_calls"),
    ]


def test_arguments_that_are_no_json_hold_the_others_until_the_end() -> None:
    first, second = piece(0, "{x", "a"), piece(1, "{}", "b")
    assert told(first, second, piece(0, "}")) == [first, piece(0, "}"), second]


def test_an_empty_piece_of_a_call_that_is_over_opens_nothing() -> None:
    first, second = piece(0, "{}", "a"), piece(1, "{}", "b")
    assert told(first, second, piece(0, "")) == [first, second]


@given(st.data(), st.lists(st.dictionaries(st.text(max_size=3), st.integers()), min_size=1, max_size=4))
def test_any_mixture_of_calls_is_put_in_order(data: st.DataObject, wanted: list[dict[str, int]]) -> None:
    pieces = []
    for index, arguments in enumerate(wanted):
        text = json.dumps(arguments)
        cut = data.draw(st.integers(1, len(text)))
        pieces.append([piece(index, "", "f"), piece(index, text[:cut]), piece(index, text[cut:])])
    turns = data.draw(st.permutations([index for index in range(len(wanted)) for _ in range(3)]))
    found = told(*[pieces[index].pop(0) for index in turns])
    runs = [(index, list(run)) for index, run in itertools.groupby(found, lambda event: event.index)]  # type: ignore[union-attr]
    assert sorted(index for index, _ in runs) == list(range(len(wanted)))
    for index, run in runs:
        assert json.loads("".join(event.arguments for event in run)) == wanted[index]  # type: ignore[union-attr]
        assert run[0].name == "f"  # type: ignore[union-attr]
