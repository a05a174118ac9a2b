import asyncio

import pytest

from mainspring.core.errors import (
    DeadlineExceeded,
    EngineDied,
    EngineError,
    Overloaded,
    PromptTooLong,
    RateLimited,
)
from mainspring.core.types import Event, Finish, Message, Sampling, Text, Usage
from mainspring.engines.base import Capabilities, Engine, EngineStream, Generation
from mainspring.engines.scripted import ScriptedEngine, words


async def read(stream: EngineStream) -> list[Event]:
    return [event async for event in stream]


def text_of(events: list[Event], choice: int = 0) -> str:
    return "".join(event.text for event in events if isinstance(event, Text) and event.choice == choice)


def ask(prompt: str = "hello", *, timeout: float | None = None, **sampling: object) -> Generation:
    return Generation(prompt, Sampling(**sampling), timeout=timeout)  # type: ignore[arg-type]


async def test_says_its_script_and_ends_with_usage_and_finish() -> None:
    engine: Engine = ScriptedEngine({"refund": ["Thirty", " days", "."]})
    events = await read(await engine.generate(ask("the refund period?")))
    assert events == [
        Text("Thirty", tokens=1),
        Text(" days", tokens=1),
        Text(".", tokens=1),
        Usage(4, 3),
        Finish("stop"),
    ]


async def test_a_mapping_without_an_answer_is_an_error_before_the_commit() -> None:
    with pytest.raises(EngineError, match="no answer"):
        await ScriptedEngine({"refund": ["x"]}).generate(ask("warranty"))


async def test_echo_repeats_the_last_message() -> None:
    engine = ScriptedEngine(templates=True)
    generation = Generation("", Sampling(), messages=(Message("user", "one two"),))
    assert text_of(await read(await engine.generate(generation))) == "one two"
    assert engine.seen == [generation]


async def test_stop_strings_span_tokens_and_are_not_sent() -> None:
    engine = ScriptedEngine(lambda _: ["a", "b\n", "\nc", "d"])
    events = await read(await engine.generate(ask(stop=("\n\n", "zz"))))
    assert text_of(events) == "ab"
    assert events[-1] == Finish("stop", 0, "\n\n")
    assert sum(event.tokens for event in events if isinstance(event, Text)) <= 3


async def test_text_that_only_resembles_a_stop_string_is_sent_whole() -> None:
    events = await read(await ScriptedEngine(lambda _: ["a\n", "b", "\n"]).generate(ask(stop=("\n\n",))))
    assert text_of(events) == "a\nb\n"


async def test_max_tokens_and_choices() -> None:
    events = await read(await ScriptedEngine(lambda _: list("abcdef")).generate(ask(max_tokens=2, n=2)))
    assert [text_of(events, choice) for choice in (0, 1)] == ["ab", "ab"]
    assert events[-3:] == [Usage(1, 4), Finish("length", 0), Finish("length", 1)]


async def test_logprobs_hold_as_many_alternatives_as_asked_for() -> None:
    events = await read(await ScriptedEngine(lambda _: ["a"]).generate(ask(logprobs=3)))
    assert isinstance(events[0], Text)
    assert len(events[0].logprobs[0].top) == 3


async def test_errors_before_and_after_the_commit() -> None:
    with pytest.raises(RateLimited):
        await ScriptedEngine(lambda _: [RateLimited("slow down")]).generate(ask())
    stream = await ScriptedEngine(lambda _: ["a", "b", EngineError("cut")]).generate(ask())
    assert await anext(stream) == Text("a", tokens=1)
    assert await anext(stream) == Text("b", tokens=1)
    with pytest.raises(EngineError, match="cut"):
        await anext(stream)


async def test_a_slot_is_freed_even_when_the_stream_was_never_read() -> None:
    engine = ScriptedEngine(lambda _: ["a", "b"], slots=1)
    stream = await engine.generate(ask())
    assert engine.live == 1
    await stream.aclose()
    assert (engine.live, engine.cancelled) == (0, 1)
    assert text_of(await read(await engine.generate(ask()))) == "ab"


async def test_slots_limit_what_runs_and_the_queue_is_bounded() -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(lambda _: ["a", gate, "b"], slots=1, max_waiting=1)
    first = await engine.generate(ask())
    second = asyncio.create_task(engine.generate(ask()))
    await asyncio.sleep(0)
    assert engine.statistics()["waiting"] == 1
    with pytest.raises(Overloaded):
        await engine.generate(ask())
    gate.set()
    assert text_of(await read(first)) == "ab"
    assert text_of(await read(await second)) == "ab"
    assert engine.peak == 1


async def test_a_cancelled_waiter_takes_no_slot() -> None:
    engine = ScriptedEngine(lambda _: ["a"], slots=1)
    first = await engine.generate(ask())
    waiter = asyncio.create_task(engine.generate(ask()))
    await asyncio.sleep(0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    await first.aclose()
    assert (engine.live, engine.waiting) == (0, 0)


async def test_timeouts_and_closing_end_what_runs() -> None:
    engine = ScriptedEngine(lambda _: ["a", asyncio.Event()])
    stream = await engine.generate(ask(timeout=0.01))
    await anext(stream)
    with pytest.raises(DeadlineExceeded):
        await anext(stream)
    slow = ScriptedEngine(lambda _: ["a"], delay=30)
    task = asyncio.create_task(slow.generate(ask()))
    await asyncio.sleep(0)
    await slow.close()
    with pytest.raises(EngineDied):
        await task
    assert not slow.healthy()
    with pytest.raises(EngineDied):
        await slow.generate(ask())
    await slow.start()
    assert slow.healthy()


async def test_a_prompt_over_the_window_is_refused() -> None:
    engine = ScriptedEngine(context_window=3)
    with pytest.raises(PromptTooLong, match="5 tokens"):
        await engine.generate(ask("a b c d e"))
    assert engine.live == 0


async def test_delay_passes_before_each_token() -> None:
    assert text_of(await read(await ScriptedEngine(lambda _: ["a", "b"], delay=0.001).generate(ask()))) == "ab"


def test_capabilities_can_be_narrowed() -> None:
    assert ScriptedEngine(capabilities=Capabilities(8)).capabilities.logprobs is None


def test_words_join_to_the_text() -> None:
    text = " Hi,  you—there!\n"
    assert "".join(words(text)) == text
