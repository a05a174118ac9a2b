"""What agents' models are asked fits their windows, the same each time, and long results can be read by parts."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.agents.context.composer import TieredComposer, by_bytes
from mainspring.agents.tools.base import ToolContext
from mainspring.core.types import Context, Message, Principal, ToolCall, TraceParent
from tests.serving.house import MemoryTracing

ME = Principal("acme", "key_1")
LONG = "\n".join(f"Row {number}: the refund window of item {number} is {number} days." for number in range(2000))


def conversation() -> Sequence[Message]:
    call = ToolCall("c1", "lookup", "{}")
    return (
        Message("system", "Be brief."),
        Message("user", "What is the refund window of item 777?"),
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", LONG, name="lookup", tool_call_id="c1"),
    )


async def test_a_context_fits_the_window_and_is_the_same_each_time() -> None:
    tracing = MemoryTracing()
    composer = TieredComposer(lambda _: 4096, tracing=tracing)
    made = await composer.compose(conversation(), "small", Context(ME))
    assert sum(await by_bytes(made)) <= composer.tokens("small") < 4096
    again = await TieredComposer(lambda _: 4096).compose(conversation(), "small", Context(ME))
    assert list(again) == list(made)
    [span] = tracing.spans
    assert span.attributes["mainspring.context.artifacts"] > 0
    assert span.attributes["mainspring.context.question"] > 0


async def test_the_rest_of_a_long_result_is_read_by_its_handle() -> None:
    context, other = Context(ME), Context(ME)
    composer = TieredComposer(lambda _: 4096)
    assert composer.tools(context) == ()
    made = await composer.compose(conversation(), "small", context)
    assert "item 777 " not in made[-1].content
    [reader] = composer.tools(context)
    handle = made[-1].content.partition("[a part of ")[2].partition(",")[0]
    called = ToolContext(context, "run_1", "c2", "key", "agent", {})
    found = await reader.call({"handle": handle, "query": "refund window item 777"}, called)
    assert "item 777 is 777 days" in found.output["text"]
    assert (await reader.call({"handle": "art_0"}, called)).error
    # Another run has none of it.
    assert composer.tools(other) == ()


async def test_the_setting_bounds_a_large_window() -> None:
    composer = TieredComposer(lambda _: 1_000_000, 2000)
    made = await composer.compose(conversation(), "large", Context(ME))
    assert sum(await by_bytes(made)) <= 2000


async def test_the_artifacts_of_a_trace_are_those_of_one_caller() -> None:
    composer = TieredComposer(lambda _: 1000)
    said = [Message("user", "q"), Message("assistant", "", tool_calls=(ToolCall("1", "read", "{}"),))]
    long = [*said, Message("tool", "word " * 5000, name="read", tool_call_id="1")]
    mine, other = (Context(Principal(tenant, "k"), TraceParent("0" * 32, "1" * 16)) for tenant in ("a", "b"))
    await composer.compose(long, "m", mine)
    assert composer.tools(mine)
    assert not composer.tools(other)
