"""Anthropic's messages: what requests become, how answers look, and the official client on a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import anthropic
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from mainspring.core.errors import EngineDied, MainspringError
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import (
    ChatRequest,
    Citation,
    Event,
    Finish,
    Message,
    Progress,
    Reasoning,
    Text,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from mainspring.gateway.routes import anthropic as routes
from mainspring.http.access import access_to
from mainspring.http.anthropic.requests import MessagesBody
from mainspring.http.idempotency import Idempotency
from tests.conftest import Server
from tests.gateway.asgi import Kept, Keys, ask, gateway
from tests.serving.house import Recited

CHAT = "smollm2-135m-instruct"
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {
        "type": "object",
        # A small model may go on and on.
        "properties": {"city": {"type": "string", "maxLength": 30}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
CITED = Citation(1, "doc_1", "warranty.pdf", "two years", 4, 13)


def request(**fields: Any) -> ChatRequest:
    body = {"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}], **fields}
    return MessagesBody.model_validate(body).request(max_messages=4)


def app(*said: Event | MainspringError) -> FastAPI:
    """The gateway over a responder that says this; an error is raised where it stands."""
    chosen = GatewaySettings()
    access = access_to(Keys(), chosen.request_timeout_s)
    responder = Recited(*said)
    names: Any = None
    made = routes.router(responder, routes.PromptCounter(names, {}), chosen, access, Idempotency(Kept()))
    return gateway(responder, made)


async def streamed(*said: Event | MainspringError) -> list[tuple[str, dict[str, Any]]]:
    body = {"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    reply = await ask(app(*said), "POST", "/v1/messages", body)
    assert reply.status == 200
    frames = [frame.split("\n") for frame in reply.body.decode().split("\n\n") if frame]
    found = [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in frames]
    assert all(kind == data["type"] for kind, data in found)
    return found


def test_messages_become_ours_in_the_order_of_their_blocks() -> None:
    made = request(
        system=[{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": "Weather?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "a city is missing", "signature": "x"},
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Leeds"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "rain"}]},
                    {"type": "tool_result", "tool_use_id": "t2", "content": "no such city", "is_error": True},
                    {"type": "text", "text": "And tomorrow?"},
                ],
            },
        ],
        tools=[WEATHER],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        stop_sequences=["END"],
        temperature=0.5,
        top_k=4,
        metadata={"user_id": "ada"},
    )
    assert made.messages == (
        Message("system", "Be short."),
        Message("user", "Weather?"),
        Message("assistant", "I look.", tool_calls=(ToolCall("t1", "get_weather", '{"city":"Leeds"}'),)),
        Message("tool", "rain", tool_call_id="t1"),
        Message("tool", "Error: no such city", tool_call_id="t2"),
        Message("user", "And tomorrow?"),
    )
    assert (made.tool_choice, made.parallel_tool_calls, made.user) == ("required", False, "ada")
    assert (made.sampling.max_tokens, made.sampling.stop, made.sampling.top_k) == (8, ("END",), 4)
    assert made.tools[0].parameters == WEATHER["input_schema"]


def test_a_schema_for_the_answer_becomes_a_grammar() -> None:
    made = request(output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}})
    assert made.sampling.grammar is not None
    assert json.loads(made.sampling.grammar.source) == {"type": "object"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]},
            "messages[0].content[0].source",
        ),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": "Hi"}] * 5}, "messages"),
        ({"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}, "tools[0].type"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "other"}}, "tool_choice"),
        ({"stop_sequences": [""]}, "stop_sequences"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(MainspringError) as caught:
        request(**fields)
    assert caught.value.param == param


async def test_errors_come_in_anthropics_envelope() -> None:
    body = {"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}], "top_kk": 1}
    reply = await ask(app(), "POST", "/v1/messages", body)
    assert reply.status == 400
    assert reply.json["type"] == "error"
    assert reply.error["type"] == "invalid_request_error"
    assert "top_k" in reply.error["message"]
    assert reply.json["request_id"] == reply.headers["x-trace-id"][0]
    refused = await ask(app(), "POST", "/v1/messages", b"{}", headers={"authorization": "Bearer nobody"})
    assert (refused.status, refused.error["type"]) == (401, "authentication_error")


async def test_an_answer_has_thoughts_text_with_citations_and_calls() -> None:
    said: list[Event | MainspringError] = [
        Reasoning("hm"),
        Text("Two years. [1]"),
        CITED,
        ToolCallDelta(0, 0, "call_1", "get_weather", '{"city": "Leeds"}'),
        Usage(10, 5, cached_tokens=4),
        Finish("tool_calls"),
    ]
    body = {"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
    reply = (await ask(app(*said), "POST", "/v1/messages", body)).json
    thought, text, call = reply["content"]
    assert thought["thinking"] == "hm"
    assert text["citations"][0] == {
        "type": "char_location",
        "cited_text": "two years",
        "document_index": 0,
        "document_title": "warranty.pdf",
        "start_char_index": 4,
        "end_char_index": 13,
    }
    assert call == {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Leeds"}}
    assert reply["stop_reason"] == "tool_use"
    assert reply["usage"]["input_tokens"] == 6
    assert reply["usage"]["cache_read_input_tokens"] == 4


async def test_a_stream_opens_fills_and_closes_each_block_in_turn() -> None:
    found = await streamed(
        Progress("retrieve"),
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
    blocks = [(kind, data.get("index")) for kind, data in found if kind.startswith("content_block")]
    opened, delta, closed = "content_block_start", "content_block_delta", "content_block_stop"
    assert blocks == [
        *[(opened, 0), (delta, 0), (closed, 0)],
        *[(opened, 1), (delta, 1), (delta, 1), (delta, 1), (closed, 1)],
        *[(opened, 2), (delta, 2), (delta, 2), (closed, 2)],
        *[(opened, 3), (delta, 3), (closed, 3)],
    ]
    assert [kind for kind, _ in found][:2] == ["message_start", "ping"]
    assert [kind for kind, _ in found][-2:] == ["message_delta", "message_stop"]
    assert found[-2][1]["delta"]["stop_reason"] == "tool_use"
    assert found[-2][1]["usage"]["output_tokens"] == 5


async def test_calls_that_an_endpoint_streams_at_once_are_blocks_one_after_the_other() -> None:
    found = await streamed(
        ToolCallDelta(0, 0, "call_1", "a", '{"x":'),
        ToolCallDelta(0, 1, "call_2", "b", '{"y"'),
        ToolCallDelta(0, 0, None, None, "1}"),
        ToolCallDelta(0, 1, None, None, ":2}"),
        Finish("tool_calls"),
    )
    opened = [data["content_block"]["id"] for kind, data in found if kind == "content_block_start"]
    assert opened == ["call_1", "call_2"]
    deltas = [(data["index"], data["delta"]["partial_json"]) for kind, data in found if kind == "content_block_delta"]
    assert deltas == [(0, '{"x":'), (0, "1}"), (1, '{"y"'), (1, ":2}")]


@pytest.mark.parametrize(
    ("thinking", "shown"),
    [
        ({"type": "adaptive"}, True),
        ({"type": "adaptive", "display": "summarized"}, True),
        ({"type": "adaptive", "display": "omitted"}, False),
        ({"type": "disabled"}, False),
    ],
)
async def test_thoughts_are_shown_to_who_wants_them(thinking: dict[str, Any], shown: bool) -> None:
    said: list[Event | MainspringError] = [Reasoning("hm"), Text("Two."), Usage(1, 1), Finish("stop")]
    body = {"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}], "thinking": thinking}
    whole = (await ask(app(*said), "POST", "/v1/messages", body)).json
    assert [block["type"] for block in whole["content"]] == ["thinking", "text"][not shown :]
    stream = await ask(app(*said), "POST", "/v1/messages", {**body, "stream": True})
    assert (b"thinking_delta" in stream.body) == shown
    assert b"Two." in stream.body


async def test_a_stop_sequence_is_named() -> None:
    found = await streamed(Text("one"), Usage(1, 1), Finish("stop", 0, "END"))
    assert found[-2][1]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END"}


async def test_a_late_failure_is_an_error_event_and_no_end() -> None:
    found = await streamed(Text("one"), EngineDied("the engine died"))
    assert found[-1][0] == "error"
    assert found[-1][1]["error"]["code"] == "engine_died"
    assert "message_stop" not in [kind for kind, _ in found]


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key=server.key, max_retries=0) as made:
        yield made


ASKED: Any = {
    "model": CHAT,
    "max_tokens": 24,
    "messages": [{"role": "user", "content": "Say hello to Ada."}],
    "extra_body": {"options": {"cache": False}, "temperature": 0},
}


def test_the_official_client_gets_the_same_text_at_once_and_streamed(client: Any) -> None:
    whole = client.messages.create(**ASKED)
    assert whole.content[0].text
    assert whole.stop_reason in ("end_turn", "max_tokens")
    with client.messages.stream(**ASKED) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text == final.content[0].text
    assert final.usage.input_tokens == whole.usage.input_tokens > 5
    assert final.usage.output_tokens == whole.usage.output_tokens


def test_counted_tokens_are_those_that_an_answer_reports(client: Any) -> None:
    counted = client.messages.count_tokens(model=CHAT, messages=ASKED["messages"])
    assert counted.input_tokens == client.messages.create(**ASKED).usage.input_tokens
    with pytest.raises(anthropic.BadRequestError, match="not a chat model"):
        client.messages.count_tokens(model="document-qa", messages=ASKED["messages"])


def test_a_schema_beyond_grammars_is_counted(client: Any) -> None:
    wanted: Any = {"format": {"type": "json_schema", "schema": {"foo": "bar"}}}
    asked: Any = {"model": CHAT, "messages": ASKED["messages"]}
    counted = client.messages.count_tokens(**asked, output_config=wanted).input_tokens
    assert counted == client.messages.count_tokens(**asked).input_tokens


def test_models_are_listed_by_their_stage(client: Any) -> None:
    assert CHAT in [each.id for each in client.models.list(extra_query={"lifecycle": ["active", "retired"]})]
    assert not client.models.list(extra_query={"lifecycle": ["deprecated", "retired"]}).data
    for wrong in ({"after_id": "no such model"}, {"lifecycle": "active"}):
        with pytest.raises(anthropic.BadRequestError) as refused:
            client.models.list(extra_query=wrong)
        body: Any = refused.value.body
        assert body["type"] == "error"


def test_a_stop_sequence_ends_the_real_engine(client: Any) -> None:
    whole = client.messages.create(**ASKED).content[0].text
    stop = whole.split()[2]
    cut = client.messages.create(**ASKED, stop_sequences=[stop])
    assert (cut.stop_reason, cut.stop_sequence) == ("stop_sequence", stop)
    assert stop not in cut.content[0].text


def test_a_forced_tool_is_called_once(client: Any) -> None:
    answer = client.messages.create(
        model=CHAT,
        max_tokens=80,
        messages=[{"role": "user", "content": "What is the weather in Leeds?"}],
        tools=[WEATHER],
        tool_choice={"type": "tool", "name": "get_weather"},
        extra_body={"temperature": 0},
    )
    call = answer.content[-1]
    assert (answer.stop_reason, call.type, call.name) == ("tool_use", "tool_use", "get_weather")
    assert isinstance(call.input["city"], str)


class Colour(BaseModel):
    colour: Literal["red", "green", "blue"]


def test_the_official_client_parses_a_model_of_pydantic(client: Any) -> None:
    messages = [{"role": "user", "content": "Name a colour."}]
    answer = client.messages.parse(
        model=CHAT, max_tokens=64, messages=messages, output_format=Colour, extra_body={"temperature": 0}
    )
    assert isinstance(answer.parsed_output, Colour)


def test_a_forced_tool_is_streamed_as_json(client: Any) -> None:
    with client.messages.stream(
        model=CHAT,
        max_tokens=80,
        messages=[{"role": "user", "content": "What is the weather in Leeds?"}],
        tools=[WEATHER],
        tool_choice={"type": "tool", "name": "get_weather"},
        extra_body={"temperature": 0},
    ) as stream:
        pieces = [event.delta.partial_json for event in stream if event.type == "content_block_delta"]
        final = stream.get_final_message()
    assert final.content[-1].input == json.loads("".join(pieces))
    assert final.stop_reason == "tool_use"


def test_documents_answer_with_citations(client: Any) -> None:
    answer = client.messages.create(
        model="handbook",
        max_tokens=200,
        messages=[{"role": "user", "content": "How much may a hotel room in Leeds cost?"}],
    )
    cited = answer.content[0].citations
    assert any("hotel" in citation.cited_text.lower() or "£" in citation.cited_text for citation in cited)
    assert {citation.document_index for citation in cited} == set(range(len({c.document_title for c in cited})))


def test_the_official_client_reads_our_errors(client: Any) -> None:
    with pytest.raises(anthropic.NotFoundError, match="smollm2"):
        client.messages.create(**{**ASKED, "model": "smollm2"})
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="ms-nobody").messages.create(**ASKED)


def test_the_official_client_lists_models(client: Any) -> None:
    page = client.models.list(limit=1)
    assert page.has_more
    names = [model.id for model in client.models.list(limit=1)]
    assert CHAT in names
    assert client.models.retrieve(CHAT).type == "model"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nobody")


def test_tokens_are_counted_above_the_window_too(client: Any) -> None:
    said = [{"role": "user", "content": "word " * 20_000}]
    assert 20_000 < client.messages.count_tokens(model=CHAT, messages=said).input_tokens < 20_100
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: 20\d{3} tokens > 8192 maximum"):
        client.messages.create(model=CHAT, messages=said, max_tokens=8)
