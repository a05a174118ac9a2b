"""Request bodies: how they are parsed, and how they are refused."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mainspring.core.errors import InvalidRequest, InvalidSchema, MainspringError, TooLarge
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    EmbedRequest,
    Finish,
    Grammar,
    Message,
    Request,
    Response,
    Text,
    ToolCall,
)
from mainspring.http.openai.requests import ChatBody
from mainspring.http.openai.text_requests import CompletionBody, EmbeddingBody, undecoded
from tests.gateway.asgi import ask, gateway
from tests.serving.house import Recited

USER = {"role": "user", "content": "Hi"}
CHAT = {"model": "m", "messages": [USER]}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
field_names = st.sampled_from([*ChatBody.model_fields, "schema", "surprise"])


class Remembering(Recited):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(Text("Hello"), Finish("stop"))
        self.asked: list[tuple[Request, Context]] = []

    async def respond(self, request: Request, context: Context) -> Response:
        self.asked.append((request, context))
        return await super().respond(request, context)


def chat(**fields: Any) -> ChatRequest:
    return ChatBody.model_validate({**CHAT, **fields}).request(max_messages=4)


def completions(**fields: Any) -> list[CompletionRequest]:
    body = CompletionBody.model_validate({"model": "m", "prompt": "a", **fields})
    return asyncio.run(body.requests(undecoded))


async def post(body: object, path: str = "/v1/chat/completions", **more: Any) -> Any:
    return await ask(gateway(Recited(Text("Hello"), Finish("stop"))), "POST", path, body, **more)


def test_a_whole_conversation_becomes_messages() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    request = chat(
        messages=[
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "What "}, {"type": "input_text", "text": "now?"}],
            },
            {"role": "assistant", "content": None, "tool_calls": [call], "citations": [], "refusal": None},
            {"role": "tool", "content": "2", "tool_call_id": "call_1"},
        ]
    )
    assert request.messages == (
        Message("developer", "Be brief."),
        Message("user", "What now?"),
        Message("assistant", "", tool_calls=(ToolCall("call_1", "f", '{"a": 1}'),)),
        Message("tool", "2", tool_call_id="call_1"),
    )


def test_what_is_not_given_is_left_to_the_engine() -> None:
    request = chat()
    assert request.sampling.temperature is None
    assert request.sampling.max_tokens is None
    assert request.sampling.logprobs is None
    assert (request.sampling.n, request.sampling.beams, request.sampling.stop) == (1, 1, ())
    assert request.store is True
    assert chat(temperature=None, n=None, stop=None, stream=None).sampling == request.sampling


def test_sampling_fields_arrive() -> None:
    sampling = chat(
        temperature=0,
        top_p=0.5,
        top_k=7,
        min_p=0.1,
        repetition_penalty=1.1,
        presence_penalty=-1,
        seed=3,
        n=2,
        stop="END",
        num_beams=4,
        ignore_eos=True,
        max_completion_tokens=9,
        logprobs=True,
        top_logprobs=2,
    ).sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p) == (0, 0.5, 7, 0.1)
    assert (sampling.repetition_penalty, sampling.presence_penalty, sampling.seed) == (1.1, -1, 3)
    assert (sampling.n, sampling.beams, sampling.ignore_eos, sampling.stop) == (2, 4, True, ("END",))
    assert sampling.max_tokens == 9 == chat(max_tokens=9).sampling.max_tokens
    assert sampling.logprobs == 2
    assert chat(logprobs=True).sampling.logprobs == 0
    assert chat(logprobs=False).sampling.logprobs is None


def test_store_is_on_unless_refused() -> None:
    assert chat(store=None).store is True
    assert chat(store=False).store is False


def test_response_formats_become_grammars() -> None:
    schema = {"type": "object", "properties": {"ä": {"const": 2**80}}}
    named = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}, "strict": True}}
    assert chat(response_format={"type": "text"}).sampling.grammar is None
    assert chat(response_format={"type": "json_object"}).sampling.grammar == Grammar("json_schema", '{"type":"object"}')
    assert chat(response_format=named).sampling.grammar == Grammar("json_schema", '{"type":"object"}')
    assert chat(response_format={"type": "regex", "pattern": "a+"}).sampling.grammar == Grammar("regex", "a+")
    with pytest.raises(InvalidSchema):
        chat(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})


@pytest.mark.parametrize(
    ("fields", "error", "param"),
    [
        ({"top_logprobs": 2}, InvalidRequest, "top_logprobs"),
        ({"stop": ["a"] * 17}, InvalidRequest, "stop"),
        ({"stop": ""}, InvalidRequest, "stop"),
        ({"tool_choice": "required"}, InvalidRequest, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, InvalidRequest, "tool_choice"),
        ({"response_format": {"type": "json_schema"}}, InvalidRequest, "response_format"),
        ({"response_format": {"type": "regex"}}, InvalidRequest, "response_format"),
        ({"messages": [USER] * 5}, TooLarge, "messages"),
        ({"messages": [{"role": "user"}]}, InvalidRequest, "messages[0].content"),
        ({"messages": [USER, {"role": "tool", "content": "x"}]}, InvalidRequest, "messages[1]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            InvalidRequest,
            "messages[0].content[0].image_url",
        ),
    ],
)
def test_what_makes_no_sense_names_its_field(fields: Any, error: type[MainspringError], param: str) -> None:
    with pytest.raises(error) as caught:
        chat(**fields)
    assert type(caught.value) is error
    assert caught.value.param == param


def test_nesting_is_bounded_wherever_json_is_free() -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": deep}
    tool = {"type": "function", "function": {"name": "f", "parameters": deep}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": deep}}
    cases: dict[str, Any] = {"options": deep, "tools": [tool], "response_format": wanted}
    for param, value in cases.items():
        with pytest.raises(InvalidRequest) as caught:
            chat(**{param: value})
        assert caught.value.param == param


def test_tools_and_their_choice() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    assert chat(tools=tools).tool_choice == "auto"
    assert chat(tools=tools, tool_choice="none").tool_choice == "none"
    named = {"type": "function", "function": {"name": "f"}}
    assert chat(tools=tools, tool_choice=named).tool_choice == "f"
    bare = chat(tools=[{"type": "function", "function": {"name": "g"}}]).tools[0]
    assert bare.parameters == {"type": "object", "properties": {}}


def test_completions_are_one_request_a_prompt() -> None:
    found = completions(prompt=["a", "b"], max_tokens=3, logprobs=1, stop=["x"])
    assert [request.prompt for request in found] == ["a", "b"]
    assert {(request.sampling.max_tokens, request.sampling.logprobs) for request in found} == {(3, 1)}
    assert [request.suffix for request in completions(suffix="end")] == ["end"]
    assert [request.suffix for request in completions(suffix=None)] == [""]
    (told,) = completions(echo=True, logprobs=1)
    assert told.sampling.prompt_logprobs
    assert not found[0].sampling.prompt_logprobs
    for fields, param in (
        ({"echo": True, "logprobs": 1, "stream": True}, "echo"),
        ({"echo": True, "logprobs": 1, "best_of": 2}, "echo"),
        ({"best_of": 3, "stream": True}, "best_of"),
        ({"best_of": 2, "n": 3}, "best_of"),
        ({"prompt": [1, 2]}, "prompt"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            completions(**fields)
        assert caught.value.param == param
    for prompt in ([], ["a"] * 33):
        with pytest.raises(InvalidRequest):
            completions(prompt=prompt)


def embedding(most: int, **fields: Any) -> EmbedRequest:
    return asyncio.run(EmbeddingBody.model_validate({"model": "m", **fields}).request(most, undecoded))


def test_embedding_inputs() -> None:
    request = embedding(2, input=["a", "b"], input_type="query")
    assert (request.inputs, request.kind) == (("a", "b"), "query")
    with pytest.raises(TooLarge):
        embedding(1, input=["a", "b"])
    for empty in ("", [], ["a", ""]):
        with pytest.raises(InvalidRequest):
            embedding(9, input=empty)


@given(fields=st.dictionaries(field_names, json_values, max_size=4))
@settings(max_examples=300, deadline=None)
def test_whatever_the_fields_a_body_is_read_or_refused(fields: dict[str, Any]) -> None:
    try:
        request = ChatBody.model_validate({**CHAT, **fields}).request(max_messages=4)
    except (ValidationError, MainspringError):
        return
    assert request.messages
    assert all(isinstance(message.content, str) for message in request.messages)


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        ({**CHAT, "temprature": 1}, "temprature", "Did you mean temperature?"),
        ({**CHAT, "zzzz": 1}, "zzzz", "See /docs"),
        (
            {**CHAT, "tools": [{"type": "function", "function": {"name": "f", "paramters": {}}}]},
            "tools.0.function.paramters",
            "Did you mean parameters?",
        ),
        (
            {**CHAT, "response_format": {"type": "json_schema", "json_schema": {"name": "x", "shema": {}}}},
            "response_format.json_schema.shema",
            "Did you mean schema?",
        ),
        ({**CHAT, "temperature": 9}, "temperature", "temperature:"),
        ({**CHAT, "stop": [1]}, "stop", "stop:"),
        ({**CHAT, "tool_choice": {"type": "function"}}, "tool_choice", "tool_choice:"),
        ({**CHAT, "messages": [{"role": "user", "content": 5}]}, "messages.0.content", "messages.0.content:"),
        ({**CHAT, "logit_bias": {"Ada": "x"}}, "logit_bias", "logit_bias"),
        ([1, 2], None, "must be a JSON object"),
        (b"hello", None, "not valid JSON"),
        (b'{"model": NaN}', None, "not valid JSON"),
        (b'{"model": "\\ud800"}', None, "not valid JSON"),
        (b'{"model": "\xff"}', None, "not valid JSON"),
        (b"[" * 5000 + b"]" * 5000, None, "nested deeper"),
    ],
)
async def test_a_refusal_names_the_field_and_what_to_do(body: object, param: str | None, said: str) -> None:
    reply = await post(body)
    assert (reply.status, reply.error["code"], reply.error["param"]) == (400, "invalid_request", param)
    assert said in reply.error["message"]


async def test_a_field_named_like_a_part_of_the_request_is_still_named() -> None:
    """Search has a field ``query``; errors in query strings have their place under that word too."""
    from mainspring.gateway.routes import search
    from mainspring.http.access import access_to
    from tests.gateway.asgi import Keys

    stores = search.router(None, access_to(Keys(), 9), None)  # type: ignore[arg-type]
    reply = await ask(gateway(Recited(), stores), "POST", "/v1/vector_stores/x/search", {"query": ""})
    assert (reply.status, reply.error["param"]) == (400, "query")


async def test_a_body_of_another_kind_is_told_how_to_send_it() -> None:
    reply = await post(CHAT, headers={"content-type": "text/plain"})
    assert reply.status == 400
    assert "Content-Type: application/json" in reply.error["message"]


async def test_routes_and_methods_that_are_not_there() -> None:
    app = gateway(Recited())
    missing = await ask(app, "GET", "/v1/nothing")
    assert (missing.status, missing.error["code"]) == (404, "not_found")
    wrong = await ask(app, "PUT", "/v1/chat/completions", {})
    assert (wrong.status, wrong.error["code"]) == (405, "method_not_allowed")
    for reply in (missing, wrong):
        assert len(reply.headers["x-trace-id"]) == 1


async def test_headers_become_the_context() -> None:
    responder = Remembering()
    app = gateway(responder, request_timeout_s=50)
    headers = {"authorization": "", "x-api-key": "ms-chat", "idempotency-key": "once", "x-request-timeout": "7"}
    assert (await ask(app, "POST", "/v1/chat/completions", CHAT, headers=headers)).status == 200
    assert (await ask(app, "POST", "/v1/chat/completions", CHAT)).status == 200
    (_, hurried), (_, plain) = responder.asked
    assert hurried.principal.scopes == {"chat"}
    assert hurried.idempotency_key == "once"
    assert hurried.deadline is not None
    assert plain.deadline is not None
    assert plain.deadline - hurried.deadline > 20
    assert plain.idempotency_key is None


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon", ""])
async def test_an_invalid_timeout_is_refused(seconds: str) -> None:
    reply = await post(CHAT, headers={"x-request-timeout": seconds})
    assert (reply.status, reply.error["param"]) == (400, "x-request-timeout")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic ms-chat", "ms-chat", "Bearer sk-other"])
async def test_what_is_no_key_is_401(header: str) -> None:
    reply = await post(CHAT, headers={"authorization": header})
    assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")
    (challenge,) = reply.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="invalid_token"')


async def test_the_first_failed_prompt_ends_the_others() -> None:
    started = asyncio.Event()

    class Uneven(Recited):
        async def respond(self, request: Request, context: Context) -> Response:
            assert isinstance(request, CompletionRequest)
            if request.prompt == "bad":
                await started.wait()
                raise InvalidRequest("no", param="prompt")
            started.set()
            return await super().respond(request, context)

    responder = Uneven(Text("on and on"), asyncio.Event())
    reply = await ask(gateway(responder), "POST", "/v1/completions", {"model": "m", "prompt": ["good", "bad"]})
    assert reply.status == 400
    assert responder.closed == ["responder"]


async def test_prompts_that_fail_together_leave_no_complaint_behind() -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    class Refusing(Recited):
        async def respond(self, request: Request, context: Context) -> Response:
            raise InvalidRequest("no", param="model")

    reply = await ask(gateway(Refusing()), "POST", "/v1/completions", {"model": "m", "prompt": ["a", "b", "c"]})
    assert reply.status == 400
    gc.collect()
    await asyncio.sleep(0)
    assert not complaints


@given(body=st.dictionaries(field_names, json_values, max_size=3))
@settings(max_examples=60, deadline=None)
async def test_whatever_is_sent_the_reply_is_an_envelope_or_an_answer(body: dict[str, Any]) -> None:
    text = json.dumps({**CHAT, **body}).encode()
    reply = await post(text)
    assert reply.status in (200, 400)
    if reply.status == 400:
        assert set(reply.error) == {"message", "type", "param", "code"}
