"""The Responses API: what requests become, how answers and streams look, chains, and the official client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from mainspring.core.errors import EngineDied, MainspringError, NotFound
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import (
    ChatRequest,
    Citation,
    Context,
    Event,
    EventRecord,
    Finish,
    Message,
    Principal,
    Reasoning,
    Request,
    Text,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from mainspring.gateway.routes import responses
from mainspring.http.access import access_to
from mainspring.http.idempotency import Idempotency
from mainspring.http.openai.responses_requests import ResponsesBody
from mainspring.stores.events.audit_log import By
from tests.cli.command import data
from tests.conftest import Server
from tests.gateway.asgi import Kept, Keys, ask, gateway
from tests.http.test_access import run
from tests.serving.house import Recited

CHAT = "smollm2-135m-instruct"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        # A small model may go on and on.
        "properties": {"city": {"type": "string", "maxLength": 30}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
CITED = Citation(1, "doc_1", "warranty.pdf", "two years", 4, 13)


def request(history: tuple[Message, ...] = (), **fields: Any) -> ChatRequest:
    body = {"model": "m", "input": "Hi", **fields}
    return ResponsesBody.model_validate(body).request(history, max_messages=8)


class NoEvents:
    async def answer_for(self, principal: Principal, answer_id: str) -> EventRecord:
        raise NotFound("no answers are recorded")

    async def erase(self, tenant: str, subject: str, *, by: By) -> EventRecord:
        raise AssertionError("there is nothing to erase")


def app(*said: Event | MainspringError) -> FastAPI:
    chosen = GatewaySettings()
    responder = Recited(*said)
    access = access_to(Keys(), chosen.request_timeout_s)
    made = responses.router(responder, NoEvents(), chosen, access, Idempotency(Kept()), unchanged, counted)  # type: ignore[arg-type]
    return gateway(responder, made)


async def counted(request: ChatRequest, context: Context) -> int:
    return len(request.messages)


async def unchanged(request: Request, context: Context) -> str:
    return ""


async def streamed(*said: Event | MainspringError) -> list[dict[str, Any]]:
    reply = await ask(app(*said), "POST", "/v1/responses", {"model": "m", "input": "Hi", "stream": True})
    assert reply.status == 200
    frames = [frame.split("\n") for frame in reply.body.decode().split("\n\n") if frame]
    found = [json.loads(data.removeprefix("data: ")) for _, data in frames]
    assert [data["sequence_number"] for data in found] == list(range(len(found)))
    assert [kind.removeprefix("event: ") for kind, _ in frames] == [data["type"] for data in found]
    return found


def test_items_become_messages_behind_the_history() -> None:
    made = request(
        (Message("user", "before"), Message("assistant", "yes")),
        instructions="Be short.",
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
            {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city": "Leeds"}'},
            {"type": "function_call_output", "call_id": "c1", "output": "rain"},
        ],
        tools=[WEATHER],
        tool_choice={"type": "function", "name": "get_weather"},
        parallel_tool_calls=False,
        max_output_tokens=7,
        text={"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}},
    )
    assert made.messages == (
        Message("system", "Be short."),
        Message("user", "before"),
        Message("assistant", "yes"),
        Message("user", "Weather?"),
        Message("assistant", "I look.", tool_calls=(ToolCall("c1", "get_weather", '{"city": "Leeds"}'),)),
        Message("tool", "rain", tool_call_id="c1"),
    )
    assert (made.tool_choice, made.parallel_tool_calls, made.sampling.max_tokens) == ("get_weather", False, 7)
    assert made.sampling.grammar is not None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": [{"type": "reasoning"}]}, "input"),
        ({"input": [{"type": "message", "role": "user"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0]"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"reasoning": {"effort": "high"}}, "reasoning.effort"),
        ({"include": ["file_search_call.results"]}, "include"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format"),
        ({"session_id": "s", "previous_response_id": "r"}, "session_id"),
        ({"input": [{"role": "user", "content": "Hi"}] * 9}, "input"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(MainspringError) as caught:
        request(**fields)
    assert caught.value.param == param


async def test_an_answer_has_thoughts_a_message_with_annotations_and_calls() -> None:
    said = (
        Reasoning("hm"),
        Text("Two years."),
        CITED,
        ToolCallDelta(0, 0, "call_1", "get_weather", "{}"),
        Usage(10, 5, cached_tokens=4),
        Finish("tool_calls"),
    )
    reply = (await ask(app(*said), "POST", "/v1/responses", {"model": "m", "input": "Hi"})).json
    assert [item["type"] for item in reply["output"]] == ["reasoning", "message", "function_call"]
    note = reply["output"][1]["content"][0]["annotations"][0]
    assert (note["type"], note["filename"], note["quote"], note["index"]) == (
        "file_citation",
        "warranty.pdf",
        "two years",
        10,
    )
    assert reply["status"] == "completed"
    assert reply["usage"]["input_tokens_details"]["cached_tokens"] == 4


async def test_an_answer_that_reached_its_limit_is_incomplete() -> None:
    said = (Text("Two"), Usage(1, 1), Finish("length"))
    reply = (await ask(app(*said), "POST", "/v1/responses", {"model": "m", "input": "Hi"})).json
    assert (reply["status"], reply["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


async def test_a_stream_adds_fills_and_closes_each_item_in_turn() -> None:
    found = await streamed(
        Reasoning("hm"),
        Text("Two "),
        Text("years."),
        CITED,
        ToolCallDelta(0, 0, "call_1", "a", '{"x":'),
        ToolCallDelta(0, 0, None, None, "1}"),
        ToolCallDelta(0, 1, "call_2", "b", "{}"),
        Usage(10, 5),
        Finish("tool_calls"),
    )
    kinds = [data["type"].removeprefix("response.") for data in found]
    call = ["output_item.added", "function_call_arguments.delta"]
    assert kinds == [
        *["created", "in_progress", "output_item.added", "reasoning_text.delta", "reasoning_text.done"],
        *["output_item.done", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta"],
        *["output_text.annotation.added", "output_text.done", "content_part.done", "output_item.done"],
        *[*call, "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"],
        *[*call, "function_call_arguments.done", "output_item.done", "completed"],
    ]
    done = [data["item"] for data in found if data["type"] == "response.output_item.done"]
    whole = found[-1]["response"]["output"]
    assert [item["type"] for item in done] == [item["type"] for item in whole]
    assert done[1]["content"][0]["text"] == whole[1]["content"][0]["text"] == "Two years."
    assert [item["arguments"] for item in done[2:]] == ['{"x":1}', "{}"]


async def test_the_last_event_of_a_stream_has_the_items_that_it_told_in_their_order() -> None:
    """Official clients fail where the two differ."""
    found = await streamed(
        Text("Let me see. "),
        ToolCallDelta(0, 0, "call_1", "a", '{"x":'),
        ToolCallDelta(0, 1, "call_2", "b", '{"y"'),
        ToolCallDelta(0, 0, None, None, "1}"),
        ToolCallDelta(0, 1, None, None, ":2}"),
        Text("Done."),
        Finish("tool_calls"),
    )
    done = [data["item"] for data in found if data["type"] == "response.output_item.done"]
    assert found[-1]["response"]["output"] == done
    assert len({item["id"] for item in done}) == 4
    assert [item.get("arguments") for item in done] == [None, '{"x":1}', '{"y":2}', None]


async def test_a_late_failure_ends_the_stream_as_failed() -> None:
    found = await streamed(Text("one"), EngineDied("the engine died"))
    assert found[-1]["type"] == "response.failed"
    assert found[-1]["response"]["error"]["code"] == "engine_died"
    assert found[-1]["response"]["output"][0]["content"][0]["text"] == "one"


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0) as made:
        yield made


ASKED: Any = {"model": CHAT, "max_output_tokens": 24, "temperature": 0, "input": "Say hello to Ada."}


def test_the_official_client_gets_the_same_text_at_once_and_streamed(client: Any) -> None:
    plain = {**ASKED, "extra_body": {"options": {"cache": False}}}
    whole = client.responses.create(**plain)
    assert whole.output_text
    events = list(client.responses.create(**plain, stream=True))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    final = events[-1].response
    assert final.status == whole.status
    assert text == whole.output_text == final.output_text
    assert final.usage.output_tokens == whole.usage.output_tokens > 0


def test_a_response_is_continued_forked_read_and_deleted(client: Any) -> None:
    first = client.responses.create(**{**ASKED, "input": "My dog is called Rex."})
    second = client.responses.create(**{**ASKED, "input": "And my cat Tom."}, previous_response_id=first.id)
    fork = client.responses.create(**{**ASKED, "input": "And my cat Ann."}, previous_response_id=first.id)
    # Each has what came before it in its prompt, and the fork nothing of the other branch.
    alone = client.responses.create(**{**ASKED, "input": "And my cat Tom."})
    assert second.usage.input_tokens > alone.usage.input_tokens + first.usage.input_tokens - 40
    assert abs(fork.usage.input_tokens - second.usage.input_tokens) < 3
    read = client.responses.retrieve(second.id)
    assert (read.output_text, read.previous_response_id) == (second.output_text, first.id)
    items = client.responses.input_items.list(second.id)
    assert [item.content[0].text for item in items] == ["And my cat Tom."]
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError, match="not stored"):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(**ASKED, previous_response_id=second.id)


def test_a_response_is_read_again_as_it_was_given(client: Any) -> None:
    asked = {
        **ASKED,
        "instructions": "Be kind.",
        "metadata": {"order": "7"},
        "tools": [WEATHER],
        "tool_choice": "none",
        "text": {"format": {"type": "text"}},
    }
    said = client.responses.create(**asked)
    read = client.responses.retrieve(said.id)
    for name in ("instructions", "metadata", "tools", "tool_choice", "text", "temperature", "max_output_tokens"):
        assert getattr(read, name) == getattr(said, name), name
    assert (read.metadata, read.instructions) == ({"order": "7"}, "Be kind.")
    assert read.usage.output_tokens == said.usage.output_tokens


def test_input_items_come_in_pages(client: Any) -> None:
    turns = [{"role": "user", "content": str(number)} for number in range(5)]
    said = client.responses.create(**{**ASKED, "input": turns})
    listed = client.responses.input_items.list

    def texts(page: Any) -> list[str]:
        return [item.content[0].text for item in page.data]

    assert texts(listed(said.id)) == ["4", "3", "2", "1", "0"]
    first = listed(said.id, limit=2, order="asc")
    assert (texts(first), first.has_more) == (["0", "1"], True)
    assert texts(listed(said.id, order="asc", after=first.data[-1].id)) == ["2", "3", "4"]
    # The client walks on by itself.
    assert [item.content[0].text for item in listed(said.id, limit=2, order="asc")] == ["0", "1", "2", "3", "4"]
    with pytest.raises(openai.BadRequestError, match="after"):
        listed(said.id, after="in_9")


def test_counted_tokens_are_those_that_an_answer_reports(client: Any) -> None:
    counted = client.responses.input_tokens.count(model=CHAT, input=ASKED["input"])
    assert counted.input_tokens == client.responses.create(**ASKED).usage.input_tokens
    assert counted.object == "response.input_tokens"


def test_what_was_not_stored_or_is_anothers_cannot_be_continued(client: Any, server: Server) -> None:
    unstored = client.responses.create(**ASKED, store=False)
    with pytest.raises(openai.NotFoundError, match="not stored"):
        client.responses.create(**ASKED, previous_response_id=unstored.id)
    mine = client.responses.create(**ASKED)
    other = data(run(server, "keys", "create", "another", "--scope", "chat", "--json"))["secret"]
    with pytest.raises(openai.NotFoundError, match="no response"):
        client.with_options(api_key=other).responses.retrieve(mine.id)


def test_a_forced_function_is_called(client: Any) -> None:
    answer = client.responses.create(
        model=CHAT,
        input="What is the weather in Leeds?",
        tools=[WEATHER],
        tool_choice={"type": "function", "name": "get_weather"},
        max_output_tokens=80,
        temperature=0,
    )
    call = answer.output[-1]
    assert (call.type, call.name) == ("function_call", "get_weather")
    assert isinstance(json.loads(call.arguments)["city"], str)


class Colour(BaseModel):
    colour: Literal["red", "green", "blue"]


def test_the_official_client_parses_a_model_of_pydantic(client: Any) -> None:
    question = "Name a colour."
    said = client.responses.parse(model=CHAT, input=question, text_format=Colour, max_output_tokens=64, temperature=0)
    assert isinstance(said.output_parsed, Colour)
    messages = [{"role": "user", "content": question}]
    chat = client.chat.completions.parse(
        model=CHAT, messages=messages, response_format=Colour, max_tokens=64, temperature=0
    )
    assert chat.choices[0].message.parsed == said.output_parsed


def test_documents_answer_with_annotations(client: Any) -> None:
    answer = client.responses.create(model="handbook", input="How much may a hotel room in Leeds cost?")
    [message] = answer.output
    assert message.content[0].annotations[0].filename
    assert message.content[0].annotations[0].type == "file_citation"
