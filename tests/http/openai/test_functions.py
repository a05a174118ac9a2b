"""The deprecated form of tools: ``functions`` and ``function_call`` in, ``function_call`` out."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import ChatRequest, Event, Finish, Message, Text, Tool, ToolCall, ToolCallDelta
from mainspring.http.openai.requests import ChatBody
from tests.gateway.asgi import ask, events, gateway
from tests.serving.house import Recited

LOOK = {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}
HELLO = {"role": "user", "content": "Hi"}
CALL = {"name": "look", "arguments": '{"at": "it"}'}
ASK = {"model": "m", "messages": [HELLO], "functions": [LOOK]}
SAID: list[Event] = [ToolCallDelta(0, 0, "call_1", "look", CALL["arguments"]), Finish("tool_calls")]


def request(**fields: Any) -> ChatRequest:
    return ChatBody.model_validate({**ASK, **fields}).request(16)


def test_functions_are_tools_and_one_is_called_at_a_time() -> None:
    made = request()
    assert made.tools == (Tool("look", "", LOOK["parameters"]),)  # type: ignore[arg-type]
    assert (made.tool_choice, made.parallel_tool_calls) == ("auto", False)
    assert request(function_call={"name": "look"}).tool_choice == "look"
    assert request(function_call="none").tool_choice == "none"


def test_a_call_and_its_result_are_read_as_history() -> None:
    said = [
        HELLO,
        {"role": "assistant", "content": None, "function_call": CALL},
        {"role": "function", "name": "look", "content": "A cat."},
    ]
    called, result = request(messages=said).messages[1:]
    assert called == Message("assistant", "", tool_calls=(ToolCall("call_1", "look", CALL["arguments"]),))
    assert result == Message("tool", "A cat.", "look", tool_call_id="call_1")


def test_a_result_of_no_call_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match=r"messages\[1\]"):
        request(messages=[HELLO, {"role": "function", "name": "look", "content": "A cat."}])


async def test_the_answer_is_in_the_form_of_the_question() -> None:
    answer = (await ask(gateway(Recited(*SAID)), "POST", "/v1/chat/completions", ASK)).json
    (choice,) = answer["choices"]
    assert choice["message"]["function_call"] == CALL
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"


async def test_a_stream_is_in_the_form_of_the_question() -> None:
    reply = await ask(gateway(Recited(*SAID)), "POST", "/v1/chat/completions", {**ASK, "stream": True})
    first, last, done = events(reply.body)
    assert first["choices"][0]["delta"] == {
        "role": "assistant",
        "function_call": CALL | {"arguments": CALL["arguments"]},
    }
    assert (last["choices"][0]["finish_reason"], done) == ("function_call", "[DONE]")


async def test_tools_are_answered_as_tools() -> None:
    asked = {"model": "m", "messages": [HELLO], "tools": [{"type": "function", "function": LOOK}]}
    answer = (await ask(gateway(Recited(Text("One moment."), *SAID)), "POST", "/v1/chat/completions", asked)).json
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"] == CALL
    assert answer["choices"][0]["finish_reason"] == "tool_calls"


def test_some_of_the_tools_may_be_allowed() -> None:
    names = [{"type": "function", "function": {"name": "look"}}]
    tools = [{"type": "function", "function": LOOK}, {"type": "function", "function": {"name": "smell"}}]
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": names}}
    made = ChatBody.model_validate({"model": "m", "messages": [HELLO], "tools": tools, "tool_choice": choice})
    assert [tool.name for tool in made.request(8).tools] == ["look"]
    assert made.request(8).tool_choice == "required"
    choice["allowed_tools"]["tools"] = [{"type": "function", "function": {"name": "hear"}}]  # type: ignore[index]
    other = ChatBody.model_validate({"model": "m", "messages": [HELLO], "tools": tools, "tool_choice": choice})
    with pytest.raises(InvalidRequest, match="hear"):
        other.request(8)
