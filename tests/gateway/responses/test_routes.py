"""The Responses API: what requests become, how answers and streams look, chains, and the official client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal, get_args

import openai
import pytest
from fastapi import FastAPI
from openai.types import shared_params
from openai.types.responses.input_token_count_params import InputTokenCountParams
from openai.types.responses.response_compact_params import ResponseCompactParams
from openai.types.responses.response_create_params import ResponseCreateParamsBase
from pydantic import BaseModel

from mainspring.core.errors import EngineDied, InvalidRequest, MainspringError, NotFound
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
from mainspring.gateway.responses import routes as responses
from mainspring.http.access import access_to
from mainspring.http.idempotency import Idempotency
from mainspring.http.openai.responses_requests import CompactBody, InputTokensBody, ResponsesBody
from mainspring.stores.events.audit_log import Actor
from tests.cli.command import data
from tests.conftest import Server
from tests.gateway.asgi import Kept, Keys, ask, behind, gateway
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

    async def erase(self, tenant: str, subject: str, *, by: Actor) -> EventRecord:
        raise AssertionError("there is nothing to erase")


def app(*said: Event | MainspringError, responder: Recited | None = None) -> FastAPI:
    chosen = GatewaySettings()
    responder = responder or Recited(*said)
    access = access_to(Keys(), chosen.request_timeout_s)
    made = responses.router(
        responder,
        NoEvents(),  # type: ignore[arg-type]
        chosen,
        access,
        Idempotency(Kept()),
        behind(unchanged, counted),
    )
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
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0]"),
        ({"tools": [{"type": "web_search", "external_web_access": False}]}, "tools"),
        (
            {"tools": [{"type": "web_search", "filters": {"blocked_domains": "a.example"}}]},
            "tools[0].filters.blocked_domains",
        ),
        ({"tools": [{"type": "image_generation"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"include": ["unheard.of"]}, "include"),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "tools[0].server_url"),
        ({"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, "tools[0].container"),
        ({"input": [{"type": "mcp_call", "id": "mcp_1", "name": "x"}]}, "input[0].server_label"),
        ({"tools": [WEATHER, WEATHER]}, "tools"),
        ({"tools": [{"type": "custom", "name": "a", "format": {"type": "grammar"}}]}, "tools[0].format"),
        ({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}, "tool_choice.tools"),
        ({"input": [{"type": "function_call_output", "call_id": "c9", "output": "x"}]}, "input"),
        ({"input": [{"type": "compaction", "encrypted_content": "gAAA"}]}, "input[0].encrypted_content"),
        ({"input": [{"type": "mcp_list_tools", "server_label": "x", "tools": []}]}, "input"),
        ({"conversation": "conv_1", "previous_response_id": "resp_1"}, "conversation"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format"),
        ({"session_id": "s", "previous_response_id": "r"}, "session_id"),
        ({"input": [{"role": "user", "content": "Hi"}] * 9}, "input"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(MainspringError) as caught:
        request(**fields)
    assert caught.value.param == param


FIELDS = """id object created_at completed_at status incomplete_details model previous_response_id instructions output
error tools tool_choice truncation parallel_tool_calls text top_p presence_penalty frequency_penalty top_logprobs
temperature reasoning usage max_output_tokens max_tool_calls store background service_tier metadata safety_identifier
prompt_cache_key"""


async def test_a_response_has_every_field_of_the_specification() -> None:
    body = {"model": "m", "input": "Hi", "prompt_cache_key": "k", "safety_identifier": "p", "max_tool_calls": 3}
    body |= {"tools": [{"type": "function", "name": "f"}]}
    reply = (await ask(app(Text("Yes."), Usage(10, 5), Finish("stop")), "POST", "/v1/responses", body)).json
    assert set(FIELDS.split()) <= set(reply)
    assert [type(reply[name]) for name in ("created_at", "completed_at")] == [int, int]
    assert (reply["prompt_cache_key"], reply["safety_identifier"], reply["max_tool_calls"]) == ("k", "p", 3)
    numbers = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs")
    assert [reply[name] for name in numbers] == [1.0, 1.0, 0.0, 0.0, 0]
    tool = {"type": "function", "name": "f", "description": None, "parameters": None, "strict": False}
    assert (reply["tools"], reply["service_tier"]) == ([tool], "default")
    assert reply["usage"]["output_tokens_details"] == {"reasoning_tokens": 0}


async def test_thoughts_count_as_tokens_by_their_share_of_the_text() -> None:
    said = (Reasoning("abcdefgh"), Text("ab"), Usage(1, 50), Finish("stop"))
    reply = (await ask(app(*said), "POST", "/v1/responses", {"model": "m", "input": "Hi"})).json
    assert reply["usage"]["output_tokens_details"] == {"reasoning_tokens": 40}


def test_effort_and_verbosity_reach_models_that_read_them() -> None:
    made = request(reasoning={"effort": "low"}, text={"verbosity": "high"})
    assert made.variables == {"reasoning_effort": "low", "verbosity": "high"}
    assert request().variables == {}


def test_what_went_before_can_be_counted_and_compacted_alone() -> None:
    before = (Message("user", "One."), Message("assistant", "Two."))
    body = CompactBody.model_validate({"model": "m", "previous_response_id": "resp_1", "instructions": "Be kind."})
    assert body.counted(before, max_messages=8).messages == (Message("system", "Be kind."), *before)
    with pytest.raises(InvalidRequest, match="input is empty"):
        body.counted((), max_messages=8)


async def test_fields_that_change_no_answer_are_named_in_the_header() -> None:
    sent: dict[str, Any] = {"client_metadata": {"session": "1"}, "service_tier": "flex"}
    sent |= {"text": {"verbosity": "low"}, "stream_options": {"include_obfuscation": False}, "instructions": None}
    sent |= {"reasoning": {"effort": "high"}}
    reply = await ask(app(Text("Yes."), Finish("stop")), "POST", "/v1/responses", {"model": "m", "input": "Hi", **sent})
    [named] = reply.headers["x-mainspring-ignored"]
    assert set(named.split(", ")) == {
        *("client_metadata", "service_tier"),
        "stream_options.include_obfuscation",
    }


def test_every_documented_field_of_a_request_is_honoured_accepted_or_refused() -> None:
    """None is unknown, and none is dropped silently."""
    documented = {*ResponseCreateParamsBase.__annotations__, "stream"}
    assert documented - set(ResponsesBody.model_fields) == set()
    assert set(InputTokenCountParams.__annotations__) - set(InputTokensBody.model_fields) == set()
    assert set(ResponseCompactParams.__annotations__) - set(CompactBody.model_fields) == set()
    nested = ResponsesBody.model_fields["reasoning"].annotation
    assert set(shared_params.Reasoning.__annotations__) <= set(get_args(nested)[0].model_fields)


def test_calls_of_every_kind_of_tool_are_read_back() -> None:
    made = request(
        input=[
            {"role": "user", "content": "Do it."},
            {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "*** Begin"},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "done"}]},
            {"type": "local_shell_call", "call_id": "c2", "action": {"type": "exec", "command": ["ls"]}},
            {"type": "local_shell_call_output", "id": "c2", "output": "a.py"},
            {"type": "function_call", "call_id": "c3", "name": "read", "namespace": "fs", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c3", "output": "text"},
            {"type": "file_search_call", "id": "fs_1", "queries": ["x"], "status": "completed", "results": []},
            {"type": "message", "role": "assistant", "phase": "final_answer", "content": "Done."},
        ],
    )
    calls = [call for message in made.messages for call in message.tool_calls]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [
        ("patch", {"input": "*** Begin"}),
        ("local_shell", {"type": "exec", "command": ["ls"]}),
        ("fs__read", {}),
    ]
    assert [message.content for message in made.messages if message.role == "tool"] == ["done", "a.py", "text"]


def test_a_custom_tool_is_a_function_of_one_text_whose_expression_is_enforced() -> None:
    grammar = {"type": "grammar", "syntax": "regex", "definition": "[a-z]+"}
    made = request(tools=[{"type": "custom", "name": "word", "format": grammar}])
    assert made.tools[0].strict
    assert made.tools[0].parameters["properties"]["input"] == {"type": "string", "pattern": "^(?:[a-z]+)$"}
    lark = {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}
    told = request(tools=[{"type": "custom", "name": "word", "description": "A word.", "format": lark}])
    assert "start: WORD" in told.tools[0].description


CUSTOM = {"type": "custom", "name": "patch"}
SPACE = {"type": "namespace", "name": "fs", "description": "Files", "tools": [{"type": "function", "name": "read"}]}


@pytest.mark.parametrize("streaming", [False, True])
async def test_calls_of_custom_tools_and_namespaces_have_the_clients_names(streaming: bool) -> None:
    said: list[Event] = [
        ToolCallDelta(0, 0, "call_1", "patch", '{"input": "*** '),
        ToolCallDelta(0, 0, None, None, 'Begin"}'),
        ToolCallDelta(0, 1, "call_2", "fs__read", "{}"),
        Finish("tool_calls"),
    ]
    body = {"model": "m", "input": "Hi", "tools": [CUSTOM, SPACE], "stream": streaming}
    reply = await ask(app(*said), "POST", "/v1/responses", body)
    if streaming:
        events = [json.loads(line[6:]) for line in reply.body.decode().split("\n") if line.startswith("data: ")]
        custom = [each for each in events if "custom_tool_call_input" in each["type"]]
        assert [each.get("delta", each.get("input")) for each in custom] == ["*** Begin", "*** Begin"]
        items = events[-1]["response"]["output"]
    else:
        items = reply.json["output"]
    first, second = items
    assert (first["type"], first["name"], first["input"], first["call_id"]) == (
        *("custom_tool_call", "patch", "*** Begin"),
        "call_1",
    )
    assert (second["type"], second["name"], second["namespace"], second["arguments"]) == (
        *("function_call", "read", "fs"),
        "{}",
    )
    assert [item["id"][:3] for item in items] == ["ctc", "fc_"]


def test_allowed_tools_are_the_ones_that_the_model_sees() -> None:
    tools = [WEATHER, CUSTOM]
    named = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "patch"}]}
    made = request(tools=tools, tool_choice=named)
    assert ([tool.name for tool in made.tools], made.tool_choice) == (["patch"], "required")


async def test_a_search_in_the_web_is_refused_alone_and_left_out_among_other_tools() -> None:
    assert [tool.name for tool in request(tools=[WEATHER, {"type": "web_search"}]).tools] == ["get_weather"]
    body = {"model": "m", "input": "Hi", "tools": [WEATHER, {"type": "web_search"}]}
    reply = await ask(app(Text("Yes."), Finish("stop")), "POST", "/v1/responses", body)
    assert reply.headers["x-mainspring-ignored"] == ["tools.web_search"]


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
        *["created", "in_progress", "output_item.added", "content_part.added", "reasoning_text.delta"],
        *[
            "reasoning_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
        ],
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
    with pytest.raises(openai.BadRequestError) as lost:
        client.responses.create(**ASKED, previous_response_id=second.id)
    assert lost.value.code == "previous_response_not_found"


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
    with pytest.raises(openai.BadRequestError, match="not stored"):
        client.responses.create(**ASKED, previous_response_id=unstored.id)
    mine = client.responses.create(**ASKED)
    other = data(run(server, "keys", "create", "another", "--scope", "chat", "--json"))["secret"]
    with pytest.raises(openai.NotFoundError, match="no response"):
        client.with_options(api_key=other).responses.retrieve(mine.id)


def test_a_conversation_has_what_was_said_in_it(client: Any, server: Server) -> None:
    made = client.conversations.create(metadata={"topic": "pets"}, items=[{"role": "user", "content": "I am Ada."}])
    said = client.responses.create(**{**ASKED, "input": "My dog is called Rex."}, conversation=made.id)
    assert said.conversation.id == made.id
    alone = client.responses.create(**{**ASKED, "input": "And my cat Tom."})
    then = client.responses.create(**{**ASKED, "input": "And my cat Tom."}, conversation={"id": made.id}, stream=True)
    usage = list(then)[-1].response.usage
    assert usage.input_tokens > alone.usage.input_tokens + 10
    items = list(client.conversations.items.list(made.id, order="asc"))
    assert [(item.type, item.role) for item in items] == [
        *(("message", role) for role in ("user", "user", "assistant", "user", "assistant")),
    ]
    assert items[2].content[0].text == said.output_text
    one = client.conversations.items.retrieve(items[1].id, conversation_id=made.id)
    assert one.content[0].text == "My dog is called Rex."
    assert client.conversations.items.delete(items[0].id, conversation_id=made.id).id == made.id
    assert client.conversations.update(made.id, metadata={"topic": "none"}).metadata == {"topic": "none"}
    other = data(run(server, "keys", "create", "stranger", "--scope", "chat", "--json"))["secret"]
    with pytest.raises(openai.NotFoundError):
        client.with_options(api_key=other).responses.create(**ASKED, conversation=made.id)
    assert client.conversations.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.list(made.id)


def test_a_response_in_the_background_is_fetched_followed_and_cancelled(client: Any) -> None:
    begun = client.responses.create(**ASKED, background=True)
    assert (begun.status, begun.background, begun.output) == ("queued", True, [])
    events = list(client.responses.retrieve(begun.id, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events[:3]] == ["response.created", "response.queued", "response.in_progress"]
    done = client.responses.retrieve(begun.id)
    assert (done.status, done.background, done.id) == (events[-1].response.status, True, begun.id)
    assert done.output_text == events[-1].response.output_text
    later = list(client.responses.retrieve(begun.id, stream=True, starting_after=3))
    assert [event.sequence_number for event in later] == list(range(4, len(events)))
    then = client.responses.create(**{**ASKED, "input": "Again."}, previous_response_id=begun.id)
    assert then.previous_response_id == begun.id
    long = client.responses.create(**{**ASKED, "max_output_tokens": 400, "input": "Count to 500."}, background=True)
    # Also while it is in progress.
    (item,) = client.responses.input_items.list(long.id).data
    assert (item.role, item.content[0].text) == ("user", "Count to 500.")
    stopped = client.responses.cancel(long.id)
    assert stopped.status in ("cancelled", "completed", "incomplete")
    assert [each.id for each in client.responses.input_items.list(long.id).data] == [item.id]
    with pytest.raises(openai.BadRequestError, match="background"):
        client.responses.cancel(then.id)
    with pytest.raises(openai.BadRequestError, match="stored"):
        client.responses.create(**ASKED, background=True, store=False)


def test_a_stored_response_is_sent_again_as_events(client: Any) -> None:
    said = client.responses.create(**ASKED)
    events = list(client.responses.retrieve(said.id, stream=True, include=["message.output_text.logprobs"]))
    assert events[-1].response.output_text == said.output_text
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == said.output_text


def test_an_item_is_sent_by_its_id(client: Any) -> None:
    said = client.responses.create(**{**ASKED, "input": "My dog is called Rex."})
    named = [{"type": "item_reference", "id": said.output[0].id}, {"role": "user", "content": "Go on."}]
    then = client.responses.create(**{**ASKED, "input": named})
    alone = client.responses.create(**{**ASKED, "input": "Go on."})
    assert then.usage.input_tokens > alone.usage.input_tokens
    with pytest.raises(openai.NotFoundError, match="no item"):
        client.responses.create(**{**ASKED, "input": [{"type": "item_reference", "id": "msg_x"}]})


def test_a_long_input_is_truncated_where_the_client_says_so(client: Any) -> None:
    turns = [{"role": "user", "content": f"{number}: " + "word " * 400} for number in range(40)]
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**{**ASKED, "input": turns})
    assert refused.value.code == "context_length_exceeded"
    assert "context_length_exceeded" in str(refused.value), "LangChain looks for it in the words"
    said = client.responses.create(**{**ASKED, "input": turns}, truncation="auto")
    assert (said.truncation, said.status) == ("auto", said.status)
    assert 1000 < said.usage.input_tokens < 8192
    counted = client.responses.input_tokens.count(model=CHAT, input=turns, truncation="auto")
    assert counted.input_tokens > 1000


def test_a_conversation_is_compacted(client: Any) -> None:
    turns: Any = [{"role": "user", "content": "My dog is called Rex."}, {"role": "assistant", "content": "Noted."}]
    small = client.responses.compact(model=CHAT, input=turns)
    assert (small.object, [item.type for item in small.output]) == ("response.compaction", ["message", "compaction"])
    assert small.output[0].content[0].text == "My dog is called Rex."
    kept: Any = [item.model_dump(exclude_none=True) for item in small.output]
    assert client.responses.create(**{**ASKED, "input": [*kept, {"role": "user", "content": "Hi"}]}).status


def test_files_are_searched_for_a_chat_model(client: Any) -> None:
    text = b"# Turbines\n\nThe Petunia turbine spins at 52230 revolutions a minute.\n"
    file = client.files.create(file=("turbine.md", text), purpose="assistants")
    store = client.vector_stores.create(name="turbines-of-responses")
    client.vector_stores.files.create_and_poll(file_id=file.id, vector_store_id=store.id)
    tool: Any = {"type": "file_search", "vector_store_ids": [store.id]}
    asked: Any = {**ASKED, "input": "How fast does the Petunia turbine spin?", "tools": [tool, WEATHER]}
    said = client.responses.create(**asked, tool_choice="auto", include=["file_search_call.results"])
    assert said.output[0].type == "file_search_call"
    assert said.output[0].results[0].file_id == file.id
    assert client.files.content(said.output[0].results[0].file_id).content == text
    read = client.responses.retrieve(said.id)
    assert (read.output[0].queries, read.output[0].results) == ([asked["input"]], None)
    kinds = [event.type for event in client.responses.create(**asked, stream=True)]
    assert kinds[3:6] == [f"response.file_search_call.{state}" for state in ("in_progress", "searching", "completed")]
    assert client.responses.create(**asked, tool_choice="none").output[0].type != "file_search_call"
    with pytest.raises(openai.BadRequestError, match="is not a chat model"):
        client.responses.create(**{**asked, "model": "handbook"})
    with pytest.raises(openai.NotFoundError):
        client.responses.create(**{**asked, "tools": [{**tool, "vector_store_ids": ["vs_none"]}]})


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
