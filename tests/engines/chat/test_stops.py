from collections.abc import AsyncGenerator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.types import Event, Finish, Text, TokenLogprob, Usage
from mainspring.engines.chat.stops import stopped


class Source:
    """A scripted stream that notes when it is closed."""

    def __init__(self, *events: Event) -> None:
        self._events = events
        self.closed_early = False

    async def stream(self) -> AsyncGenerator[Event, None]:
        try:
            for event in self._events:
                yield event
        except GeneratorExit:
            self.closed_early = True
            raise


async def read(source: Source, stops: Sequence[str], choices: int = 1) -> list[Event]:
    return [event async for event in stopped(source.stream(), stops, choices=choices, prompt_tokens=5)]


def text_of(events: list[Event], choice: int = 0) -> str:
    return "".join(event.text for event in events if isinstance(event, Text) and event.choice == choice)


@given(
    st.lists(st.text("ab", min_size=1, max_size=3), max_size=10),
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3),
)
async def test_the_text_ends_before_the_first_stop_string(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    source = Source(*(Text(piece, tokens=1) for piece in pieces), Usage(5, len(pieces)), Finish("length"))
    events = await read(source, stops)
    # What is shown is a prefix; it is all of it exactly if no stop string occurs.
    assert whole.startswith(text_of(events))
    assert not any(stop in text_of(events) for stop in stops)
    occurs = any(stop in whole for stop in stops)
    finish = events[-1]
    assert isinstance(finish, Finish)
    assert finish.reason == ("stop" if occurs else "length")
    assert finish.stopped_by in (stops if occurs else [""])
    assert occurs or text_of(events) == whole
    assert not occurs or any(whole[len(text_of(events)) :].startswith(stop) for stop in stops)
    assert isinstance(events[-2], Usage)


async def test_the_source_is_closed_at_the_stop_and_usage_counted() -> None:
    source = Source(Text("a", tokens=1), Text("END", tokens=2), Text("b", tokens=1), Usage(5, 9), Finish("stop"))
    assert await read(source, ["END"]) == [Text("a", tokens=1), Usage(5, 3), Finish("stop", 0, "END")]
    assert source.closed_early


async def test_choices_stop_by_themselves() -> None:
    source = Source(
        *(Text("x!", 0, 1), Text("y", 1, 1), Text("more", 0, 1), Text("z", 1, 1)),
        *(Usage(5, 4), Finish("length", 0), Finish("length", 1)),
    )
    events = await read(source, ["!"], choices=2)
    assert (text_of(events, 0), text_of(events, 1)) == ("x", "yz")
    assert events[-3:] == [Usage(5, 4), Finish("stop", 0, "!"), Finish("length", 1)]
    assert not source.closed_early


async def test_log_probabilities_travel_with_what_was_held() -> None:
    first, second = TokenLogprob("E", -1.0), TokenLogprob("f", -2.0)
    source = Source(Text("E", 0, 1, (first,)), Text("f", 0, 1, (second,)), Usage(5, 2), Finish("stop"))
    assert (await read(source, ["END"]))[0] == Text("Ef", 0, 2, (first, second))
