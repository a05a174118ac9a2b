"""Answers and streams in OpenAI's shapes."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.core.errors import EngineDied, RateLimited, StoreError
from mainspring.core.path import Answer
from mainspring.core.types import (
    Citation,
    Event,
    Finish,
    Head,
    Progress,
    Reasoning,
    Response,
    Text,
    TokenLogprob,
    ToolCallDelta,
    Usage,
    Vectors,
)
from mainspring.http.openai import encode
from tests.gateway.asgi import ask, events, gateway
from tests.serving.house import Recited

HEAD = Head("m", "ans_1")
CITATION = Citation(0, "doc_1", "a.pdf", "Ada wrote it.", 5, 18, page=2, choice=1)
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}

texts = st.text(min_size=1, max_size=8)
choices = st.integers(0, 3)
event = st.one_of(
    st.builds(Text, texts, choices),
    st.builds(Reasoning, texts, choices),
    st.builds(ToolCallDelta, choices, st.integers(0, 2), st.none(), st.none(), texts),
    st.builds(Usage, st.integers(0, 99), st.integers(0, 99)),
    st.builds(Progress, st.text(max_size=5)),
    st.builds(Finish, st.sampled_from(["stop", "length"]), choices),
)


async def written(*said: Event | Exception, kind: encode.Kind = "chat", usage: bool = False) -> list[Any]:
    """The frames of a stream that says these events; an exception among them is raised."""
    return events(await raw(*said, kind=kind, usage=usage))


async def raw(*said: Event | Exception, kind: encode.Kind = "chat", usage: bool = False) -> bytes:
    async def say() -> AsyncGenerator[Event, None]:
        for each in said:
            if isinstance(each, Exception):
                raise each
            yield each

    return b"".join([frame async for frame in encode.stream(Response(HEAD, say()), kind, usage)])


def deltas(frames: list[Any], choice: int = 0) -> list[dict[str, Any]]:
    found = [each for frame in frames if frame != "[DONE]" for each in frame["choices"]]
    return [each["delta"] for each in found if each["index"] == choice]


async def test_a_stream_says_its_role_once_and_ends_with_done() -> None:
    frames = await written(Text("Hel"), Text("lo"), Finish("stop"))
    assert frames[-1] == "[DONE]"
    assert deltas(frames) == [{"role": "assistant", "content": "Hel"}, {"content": "lo"}, {}]
    assert [frame["choices"][0]["finish_reason"] for frame in frames[:-1]] == [None, None, "stop"]
    assert {(frame["id"], frame["model"], frame["object"]) for frame in frames[:-1]} == {
        ("ans_1", "m", "chat.completion.chunk")
    }


async def test_each_choice_has_its_own_role_text_and_end() -> None:
    frames = await written(Text("a", 1), Text("b", 0), Text("c", 1), Finish("length", 1), Finish("stop", 0), usage=True)
    assert deltas(frames, 0) == [{"role": "assistant", "content": "b"}, {}]
    assert deltas(frames, 1) == [{"role": "assistant", "content": "a"}, {"content": "c"}, {}]


async def test_a_choice_that_says_nothing_still_has_a_role_and_an_end() -> None:
    frames = await written(Finish("stop"))
    assert deltas(frames) == [{"role": "assistant"}]


@given(said=st.lists(event, max_size=20))
@settings(max_examples=100, deadline=None)
async def test_any_stream_can_be_put_together_again(said: list[Event]) -> None:
    frames = await written(*said, usage=True)
    assert frames[-1] == "[DONE]"
    assert frames[-2]["choices"] == []
    answer = Answer(HEAD)
    for each in said:
        answer.add(each)
    assert frames[-2]["usage"]["total_tokens"] == answer.usage.total_tokens
    for index, choice in enumerate(answer.choices):
        parts = deltas(frames, index)
        assert "".join(part.get("content") or "" for part in parts) == choice.text
        assert "".join(part.get("reasoning_content", "") for part in parts) == choice.reasoning
        assert sum("role" in part for part in parts) == (1 if parts else 0)
        assert not parts or parts[0]["role"] == "assistant"
        arguments: dict[int, str] = {}
        for part in parts:
            for call in part.get("tool_calls", ()):
                arguments[call["index"]] = arguments.get(call["index"], "") + call["function"]["arguments"]
        assert [arguments.get(number, "") for number in range(len(choice.tool_calls))] == [
            call.arguments for call in choice.tool_calls
        ]


@pytest.mark.parametrize("kind", ["chat", "text"])
async def test_every_frame_of_a_text_has_the_shape_of_the_first(kind: encode.Kind) -> None:
    said = ["a", 'the "text"', "\u2028\n", '}],"text"', "😀"]
    frames = await written(*[Text(text, choice) for text in said for choice in (0, 1)], kind=kind)
    assert frames.pop() == "[DONE]"
    assert len(frames) == 2 * len(said)
    first = frames[:2]
    for number, frame in enumerate(frames[2:], 2):
        (choice,), (like,) = frame.pop("choices"), first[number % 2]["choices"]
        assert choice.pop("index") == number % 2
        shown = choice.pop("delta")["content"] if kind == "chat" else choice.pop("text")
        assert shown == said[number // 2]
        assert choice == {"logprobs": like["logprobs"], "finish_reason": like["finish_reason"]}
        assert frame == {name: value for name, value in first[0].items() if name != "choices"}


async def test_usage_is_summed_and_sent_only_when_asked_for() -> None:
    said = (Usage(3, 1, cached_tokens=2), Text("a"), Usage(0, 4, cost_nanousd=1500), Finish("stop"))
    assert all("usage" not in frame for frame in (await written(*said))[:-1])
    frame = (await written(*said, usage=True))[-2]
    assert frame["choices"] == []
    assert frame["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 5,
        "total_tokens": 8,
        "prompt_tokens_details": {"cached_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 0},
        "cost_usd": 1.5e-6,
    }


async def test_tool_calls_are_streamed_in_pieces() -> None:
    frames = await written(
        ToolCallDelta(0, 0, "call_1", "weather", ""),
        ToolCallDelta(0, 0, None, None, '{"city":'),
        ToolCallDelta(0, 0, None, None, '"Oslo"}'),
        ToolCallDelta(0, 1, "call_2", "time", "{}"),
        Finish("tool_calls"),
    )
    calls = [part["tool_calls"][0] for part in deltas(frames) if "tool_calls" in part]
    assert calls == [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"city":'}},
        {"index": 0, "function": {"arguments": '"Oslo"}'}},
        {"index": 1, "id": "call_2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
    ]


async def test_citations_go_to_their_choice_without_repeating_its_number() -> None:
    frames = await written(Text("x", 1), CITATION, Finish("stop", 1))
    (found,) = [part["citations"] for part in deltas(frames, 1) if "citations" in part]
    assert found[0]["quote"] == "Ada wrote it."
    assert found[0]["page"] == 2
    assert "choice" not in found[0]


@pytest.mark.parametrize("error", [EngineDied("the engine ended"), StoreError("the disk is full")])
async def test_a_late_failure_is_a_frame_and_no_done(error: Exception) -> None:
    frames = await written(Text("Hel"), error, usage=True)
    assert "[DONE]" not in frames
    assert not any("usage" in frame for frame in frames)
    assert frames[-1]["error"]["code"] == error.code  # type: ignore[attr-defined]
    assert frames[-1]["error"]["type"] == "server_error"


async def test_a_bug_in_the_middle_of_a_stream_is_a_frame_too_and_tells_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    frames = await written(Text("Hel"), ZeroDivisionError("of the secret"))
    assert "[DONE]" not in frames
    assert frames[-1]["error"]["code"] == "internal_error"
    assert "secret" not in json.dumps(frames)
    assert "of the secret" in caplog.text


async def test_progress_is_a_comment_that_cannot_become_a_frame() -> None:
    stream = await raw(Progress("reading\n\ndata: {}"), Text("a"), Finish("stop"))
    assert stream.startswith(b": reading data: {}\n\n")
    assert len(events(stream)) == 3


async def test_text_completions_have_their_own_shape() -> None:
    logprob = TokenLogprob("a", -0.5, (("a", -0.5), ("b", -1.0)))
    frames = await written(Text("a", logprobs=(logprob,)), Finish("length"), kind="text")
    first = frames[0]["choices"][0]
    assert frames[0]["object"] == "text_completion"
    assert first["text"] == "a"
    assert "delta" not in first
    assert first["logprobs"]["tokens"] == ["a"]
    assert first["logprobs"]["top_logprobs"] == [{"a": -0.5, "b": -1.0}]
    assert frames[1]["choices"][0]["finish_reason"] == "length"


async def test_logprobs_are_numbers_even_of_the_impossible() -> None:
    impossible = TokenLogprob("a", -math.inf, (("b", -math.inf), ("c", math.nan)))
    frames = await written(Text("", logprobs=(impossible,)))
    content = frames[0]["choices"][0]["logprobs"]["content"][0]
    assert content["logprob"] == content["top_logprobs"][0]["logprob"] == -9999.0
    assert all(isinstance(top["logprob"], float) for top in content["top_logprobs"])
    assert content["bytes"] == [97]


async def test_a_stream_that_is_left_closes_what_runs_beneath() -> None:
    closed = []

    async def say() -> AsyncGenerator[Event, None]:
        while True:
            yield Text("on and on")

    async def close() -> None:
        closed.append(True)

    stream = encode.stream(Response(HEAD, say(), on_close=close), "chat", False)
    async for _ in stream:
        break
    await stream.aclose()
    assert closed == [True]


async def test_a_client_that_leaves_while_it_is_written_to_closes_what_runs_beneath() -> None:
    responder = Recited(*[Text("on and on")] * 5, asyncio.Event())
    app = gateway(responder)
    body = json.dumps({**CHAT, "stream": True}).encode()
    received = [{"type": "http.request", "body": body, "more_body": False}]
    written_to = asyncio.Event()

    async def receive() -> Any:
        if received:
            return received.pop()
        await written_to.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            # A client that does not read: the write waits.
            written_to.set()
            await asyncio.Event().wait()

    headers = [(b"authorization", b"Bearer ms-chat"), (b"content-type", b"application/json")]
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
    }
    scope |= {"path": "/v1/chat/completions", "query_string": b"", "headers": headers, "root_path": ""}
    await asyncio.wait_for(app(scope, receive, send), 30)
    assert responder.closed == ["responder"]


async def test_whole_answers() -> None:
    logprob = TokenLogprob("Hi", -0.25)
    said: list[Event] = [
        Text("Hi", logprobs=(logprob,)),
        ToolCallDelta(1, 0, "call_1", "f", "{}"),
        Reasoning("hm", 1),
        CITATION,
        Usage(3, 2),
        Finish("stop"),
        Finish("tool_calls", 1),
    ]
    body = (await ask(gateway(Recited(*said)), "POST", "/v1/chat/completions", CHAT)).json
    first, second = body["choices"]
    assert first["message"] == {"role": "assistant", "content": "Hi", "refusal": None, "annotations": []}
    assert first["logprobs"]["content"][0]["token"] == "Hi"
    assert second["message"]["content"] is None
    assert second["message"]["reasoning_content"] == "hm"
    assert second["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    assert second["message"]["citations"][0]["source"] == "a.pdf"
    assert second["finish_reason"] == "tool_calls"
    assert body["usage"]["total_tokens"] == 5


@pytest.mark.parametrize("order", ["C", "F"])
def test_embeddings_in_both_encodings_are_the_same_numbers(order: Any) -> None:
    rows = np.asarray([[0.5, -1.25, 3.0], [1e-8, 2.0, -0.0]], dtype=np.float32, order=order)
    answer = Answer(HEAD, usage=Usage(7), vectors=Vectors(rows))
    plain = json.loads(encode.dumps(encode.embeddings_body(answer, "float")))
    packed = json.loads(encode.dumps(encode.embeddings_body(answer, "base64")))
    np.testing.assert_array_equal(np.array([item["embedding"] for item in plain["data"]], np.float32), rows)
    decoded = [np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in packed["data"]]
    np.testing.assert_array_equal(np.array(decoded), rows)
    assert [item["index"] for item in plain["data"]] == [0, 1]
    assert plain["usage"] == {"prompt_tokens": 7, "total_tokens": 7}


@pytest.mark.parametrize(
    ("error", "kind"),
    [(RateLimited("slow down"), "rate_limit_error"), (StoreError("broken"), "server_error")],
)
def test_errors_have_the_types_of_openai(error: Any, kind: str) -> None:
    assert encode.error_body(error)["error"]["type"] == kind
    assert encode.ErrorBody.model_validate(encode.error_body(error)).error.code == error.code


async def test_a_failure_before_the_first_event_is_still_a_status() -> None:
    class Refusing(Recited):
        async def respond(self, request: Any, context: Any) -> Response:
            error = RateLimited("slow down", retry_after=0.2)
            error.headers = {"x-ratelimit-limit-requests": "5"}
            raise error

    reply = await ask(gateway(Refusing()), "POST", "/v1/chat/completions", {**CHAT, "stream": True})
    assert (reply.status, reply.error["code"]) == (429, "rate_limit_exceeded")
    assert reply.headers["retry-after"] == ["1"]
    assert reply.headers["x-ratelimit-limit-requests"] == ["5"]


async def test_a_bug_is_a_500_under_its_trace_id() -> None:
    class Broken(Recited):
        async def respond(self, request: Any, context: Any) -> Response:
            raise ZeroDivisionError("of the secret")

    reply = await ask(gateway(Broken()), "POST", "/v1/chat/completions", CHAT, raises=ZeroDivisionError)
    assert (reply.status, reply.error["code"]) == (500, "internal_error")
    assert b"secret" not in reply.body
    assert len(reply.headers["x-trace-id"]) == 1
    # The connection ends behind it; a client that does not know sends its next request into the void.
    assert reply.headers["connection"] == ["close"]
