"""Tools of free text in chat completions, with OpenAI's official client."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import MainspringError
from mainspring.core.types import ChatRequest, Event, Finish, Message, Text, ToolCall, ToolCallDelta, Usage
from mainspring.http.openai.requests import ChatBody
from tests.gateway.asgi import ask, events
from tests.gateway.responses.test_routes import app

WORD = {"type": "custom", "custom": {"name": "word", "description": "One word."}}
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
SAID: tuple[Event, ...] = (
    Text("So: "),
    ToolCallDelta(0, 0, "call_1", "word", ""),
    ToolCallDelta(0, 0, None, None, '{"inp'),
    ToolCallDelta(0, 0, None, None, 'ut": "a \\"b\\""}'),
    ToolCallDelta(0, 1, "call_2", "look", "{}"),
    Usage(3, 2),
    Finish("tool_calls"),
)
FUNCTION = {"id": "call_2", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CUSTOM = {"id": "call_1", "type": "custom", "custom": {"name": "word", "input": 'a "b"'}}


def read(**fields: Any) -> ChatRequest:
    said = [{"role": "user", "content": "Hi"}]
    return ChatBody.model_validate({"model": "m", "messages": said, "tools": [WORD], **fields}).request(16)


def with_format(syntax: str, definition: str) -> dict[str, Any]:
    grammar = {"type": "grammar", "grammar": {"syntax": syntax, "definition": definition}}
    return {"type": "custom", "custom": {"name": "word", "format": grammar}}


async def test_a_call_is_shown_with_its_text() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "tools": [WORD, LOOK]}
    message = (await ask(app(*SAID), "POST", "/v1/chat/completions", body)).json["choices"][0]["message"]
    assert message["tool_calls"] == [CUSTOM, FUNCTION]
    calls = await streamed({**body, "stream": True})
    assert {"index": 0, **CUSTOM} in calls
    assert {"index": 1, **FUNCTION} in calls
    # Without such tools nothing is held back.
    assert len(await streamed({**body, "tools": [LOOK], "stream": True})) == 4


async def streamed(body: dict[str, Any]) -> list[Any]:
    """The pieces of calls in a stream."""
    reply = await ask(app(*SAID), "POST", "/v1/chat/completions", body)
    chunks = [each for each in events(reply.body) if each != "[DONE]" and each["choices"]]
    return [call for each in chunks for call in each["choices"][0]["delta"].get("tool_calls", ())]


def test_a_pattern_is_enforced_and_a_grammar_is_reported() -> None:
    (tool,) = read(tools=[with_format("regex", "[a-z]+")]).tools
    assert tool.parameters["properties"]["input"]["pattern"] == "^(?:[a-z]+)$"
    assert tool.strict
    (told,) = read(tools=[with_format("lark", 'start: "a"')]).tools
    assert 'start: "a"' in told.description


def test_a_tool_of_free_text_can_be_named() -> None:
    assert read(tool_choice={"type": "custom", "custom": {"name": "word"}}).tool_choice == "word"
    allowed = {"mode": "required", "tools": [{"type": "custom", "custom": {"name": "word"}}]}
    made = read(tools=[WORD, LOOK], tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert ([each.name for each in made.tools], made.tool_choice) == (["word"], "required")


def test_a_call_is_read_back() -> None:
    said = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [CUSTOM]},
        {"role": "tool", "tool_call_id": "call_1", "content": "done"},
    ]
    assert read(messages=said).messages[1:] == (
        Message("assistant", "", tool_calls=(ToolCall("call_1", "word", '{"input":"a \\"b\\""}'),)),
        Message("tool", "done", tool_call_id="call_1"),
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "custom"}]},
        {"tools": [{"type": "function"}]},
        {"tools": [{"type": "custom", "custom": {"name": "word", "format": {"type": "grammar"}}}]},
        {"tool_choice": {"type": "custom", "custom": {"name": "other"}}},
        {"tools": [{"type": "web_search"}]},
    ],
)
def test_what_is_wrong_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises((MainspringError, ValueError)):
        read(**fields)
