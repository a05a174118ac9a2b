import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from mainspring.core.errors import (
    DeadlineExceeded,
    EngineDied,
    EngineError,
    InvalidRequest,
    MainspringError,
    PromptTooLong,
    RateLimited,
    UnknownModel,
    UpstreamError,
)
from mainspring.core.settings.endpoints import RemoteModel
from mainspring.core.types import (
    Event,
    Finish,
    Grammar,
    Message,
    Reasoning,
    Sampling,
    Text,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from mainspring.engines.base import Engine, EngineStream, Generation
from mainspring.engines.remote import engine as remote
from mainspring.engines.remote.engine import RemoteEngine
from mainspring.engines.remote.openai_http import StreamClient

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Upstream:
    """A server whose one handler misbehaves as the test tells it to; ``seen`` are the bodies it got."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.headers: list[Any] = []
        self.paths: list[str] = []
        self.left = asyncio.Event()
        self.peers: set[Any] = set()


@asynccontextmanager
async def upstream(handler: Handler, **settings: Any) -> AsyncIterator[tuple[RemoteEngine, Upstream]]:
    state = Upstream()

    async def handle(request: web.Request) -> web.StreamResponse:
        state.paths.append(request.path)
        state.headers.append(request.headers)
        state.peers.add(request.transport.get_extra_info("peername") if request.transport else None)
        state.seen.append(await request.json())
        try:
            return await handler(request)
        except (asyncio.CancelledError, ConnectionError):
            state.left.set()
            raise

    application = web.Application()
    application.router.add_post("/{path:.*}", handle)
    async with TestServer(application) as server:
        # The test server stops handlers whose client has left, as production servers do.
        url = str(server.make_url("/v1"))
        engine = RemoteEngine("far", RemoteModel(url=url, model="big", api_key="sk-1", **settings))
        await engine.start()
        try:
            yield engine, state
        finally:
            await engine.close()


def chunk(**choice: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0} | choice]}).encode() + b"\n\n"


HELLO = chunk(delta={"role": "assistant"}) + chunk(delta={"content": "Hél"}) + chunk(delta={"content": "lo"})
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}\n\n'
END = chunk(delta={}, finish_reason="stop") + USAGE + b"data: [DONE]\n\n"


def streams(*pieces: bytes, kind: str = "text/event-stream") -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": kind})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0)
        return response

    return handler


def answers(status: int, body: Any, headers: dict[str, str] | None = None) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, headers=headers)

    return handler


def ask(timeout: float | None = None, **sampling: Any) -> Generation:
    messages = (Message("user", "Hi"),)
    return Generation("", Sampling(**sampling), messages, timeout=timeout, headers={"traceparent": "00-a-b-01"})


async def read(stream: EngineStream) -> list[Event]:
    return [event async for event in stream]


async def all_of(engine: Engine, generation: Generation) -> list[Event]:
    return await read(await engine.generate(generation))


async def test_an_answer_streams_with_usage_before_the_finish() -> None:
    async with upstream(streams(HELLO, END)) as (engine, state):
        events = await all_of(engine, ask(max_tokens=5, temperature=0.5, stop=("x",), seed=3))
        assert events == [Text("Hél", tokens=1), Text("lo", tokens=1), Usage(7, 2), Finish("stop")]
        assert state.seen == [
            {
                "model": "big",
                "stream": True,
                "stream_options": {"include_usage": True},
                "messages": [{"role": "user", "content": "Hi"}],
                "max_tokens": 5,
                "temperature": 0.5,
                "stop": ["x"],
                "seed": 3,
            }
        ]
        assert state.headers[0]["authorization"] == "Bearer sk-1"
        assert state.headers[0]["traceparent"] == "00-a-b-01"
        assert state.paths == ["/v1/chat/completions"]


@pytest.mark.parametrize("size", [1, 3, 7])
async def test_chunks_may_be_cut_anywhere(size: int) -> None:
    whole = (b": hello\n\n" + HELLO + END).replace(b"\n", b"\r\n")
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    async with upstream(streams(*pieces)) as (engine, _):
        assert (await all_of(engine, ask()))[:2] == [Text("Hél", tokens=1), Text("lo", tokens=1)]


async def test_connections_are_used_again() -> None:
    async with upstream(streams(HELLO, END)) as (engine, state):
        for _ in range(3):
            await all_of(engine, ask())
        assert len(state.peers) == 1


async def test_raw_prompts_go_to_completions() -> None:
    body = chunk(text="a", logprobs={"tokens": ["a"], "token_logprobs": [-1.5], "top_logprobs": [{"b": -2.0}]})
    async with upstream(streams(body, END)) as (engine, state):
        events = await all_of(engine, Generation("once", Sampling(logprobs=1, n=2, grammar=None)))
        assert events[0] == Text("a", 0, 1, (TokenLogprob("a", -1.5, (("b", -2.0),)),))
        assert state.paths == ["/v1/completions"]
        assert (state.seen[0]["prompt"], state.seen[0]["logprobs"], state.seen[0]["n"]) == ("once", 1, 2)


async def test_more_output_than_the_window_is_not_left_to_be_shortened() -> None:
    async with upstream(streams(END), context_window=64) as (engine, state):
        with pytest.raises(PromptTooLong) as caught:
            await engine.generate(ask(max_tokens=65))
        assert (caught.value.param, state.seen) == ("max_tokens", [])
        await all_of(engine, ask(max_tokens=64))


async def test_logprobs_reasoning_and_tool_calls_of_chats() -> None:
    token = {"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -3.0}]}
    call = {"index": 0, "id": "call_9", "function": {"name": "weather", "arguments": ""}}
    rest = {"index": 0, "function": {"arguments": '{"city": 1}'}}
    pieces = [
        chunk(delta={"reasoning_content": "hm"}),
        chunk(delta={"content": "a"}, logprobs={"content": [token]}),
        chunk(delta={"tool_calls": [call]}),
        chunk(delta={"tool_calls": [rest]}, finish_reason="tool_calls"),
        b"data: [DONE]\n\n",
    ]
    async with upstream(streams(*pieces)) as (engine, state):
        schema = Grammar("json_schema", '{"type": "object"}')
        tools = (Tool("weather", "w", {"type": "object"}, strict=True), Tool("time", "t"))
        past = Message("assistant", "", tool_calls=(ToolCall("call_1", "weather", "{}"),))
        messages = (past, Message("tool", "sun", tool_call_id="call_1"))
        generation = Generation("", Sampling(logprobs=1, grammar=schema), messages, tools, "weather")
        assert await all_of(engine, generation) == [
            Reasoning("hm", tokens=1),
            Text("a", 0, 1, (TokenLogprob("a", -0.5, (("b", -3.0),)),)),
            ToolCallDelta(0, 0, "call_9", "weather", ""),
            ToolCallDelta(0, 0, None, None, '{"city": 1}'),
            # It counts nothing: four bytes of the messages and of the tools' declarations are a token.
            Usage(59, 1),
            Finish("tool_calls"),
        ]
        [body] = state.seen
        assert body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
        assert body["tools"][0]["function"]["name"] == "weather"
        assert [tool["function"].get("strict") for tool in body["tools"]] == [True, None]
        assert body["messages"][0]["tool_calls"][0]["function"] == {"name": "weather", "arguments": "{}"}
        assert body["messages"][1]["tool_call_id"] == "call_1"
        assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
        assert (body["logprobs"], body["top_logprobs"]) == (True, 1)


@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (401, {"error": {"message": "bad key sk-1"}}, UpstreamError, "models.remote.far.api_key"),
        (403, "no", UpstreamError, "models.remote.far.api_key"),
        (404, "not here", UpstreamError, "models.remote.far.url"),
        (404, {"error": {"message": "x", "code": "model_not_found"}}, UnknownModel, "models.remote.far.model"),
        (400, {"error": {"message": "temperature?"}}, InvalidRequest, "temperature?"),
        (400, {"error": {"message": "x", "code": "context_length_exceeded"}}, PromptTooLong, "x"),
        (422, {"detail": [{"loc": 1}]}, InvalidRequest, "422"),
        (429, {"error": {"message": "slow"}}, RateLimited, "slow"),
        (500, "<html>oops", UpstreamError, "oops"),
        (503, "", UpstreamError, "503"),
        (504, "", DeadlineExceeded, "504"),
        (307, "", UpstreamError, "redirect"),
        (200, {"choices": []}, UpstreamError, "instead of an event stream"),
    ],
)
async def test_refusals_before_the_first_token(status: int, body: Any, error: type[MainspringError], says: str) -> None:
    headers = {"retry-after": "7", "location": "http://127.0.0.1:1/elsewhere", "content-type": "application/json"}
    async with upstream(answers(status, body, headers)) as (engine, state):
        with pytest.raises(error, match=says) as caught:
            await engine.generate(ask())
        assert type(caught.value) is error
        assert "sk-1" not in str(caught.value)
        assert len(state.seen) == 1
        if status == 429:
            assert caught.value.retry_after == 7.0
        assert engine.statistics()["running"] == 0


@pytest.mark.parametrize(
    ("pieces", "says"),
    [
        ((HELLO,), "cut its answer"),
        ((HELLO, b'data: {"choi'), "cut its answer"),
        ((HELLO, b'data: {"error": {"message": "out of memory"}}\n\n'), "out of memory"),
        ((HELLO, b'event: error\ndata: {"message": "bad luck"}\n\n'), "bad luck"),
        ((HELLO, b"data: not json\n\n"), "cannot be read"),
        ((HELLO, b'data: {"choices": [3]}\n\n'), "cannot be read"),
        ((HELLO, b"data: [1]\n\n"), "cannot be read"),
        (
            (HELLO, chunk(delta={}, finish_reason="stop"), b'data: {"choices": [{"index": 1, "text": "x"}]}\n\n'),
            "cut",
        ),
    ],
)
async def test_late_failures_are_raised_late(pieces: tuple[bytes, ...], says: str) -> None:
    async with upstream(streams(*pieces)) as (engine, _):
        stream = await engine.generate(ask())
        with pytest.raises(EngineError, match=says):
            await read(stream)


async def test_an_empty_stream_is_an_error_and_a_finish_without_done_is_not() -> None:
    async with upstream(streams(b"")) as (engine, _):
        with pytest.raises(UpstreamError, match="cut"):
            await engine.generate(ask())
    async with upstream(streams(HELLO, chunk(delta={}, finish_reason="length"))) as (engine, _):
        assert (await all_of(engine, ask()))[-2:] == [Usage(1, 2), Finish("length")]


async def raw_server(answer: bytes) -> tuple[asyncio.Server, int]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-str",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\ndata:\r\n",
    ],
)
async def test_broken_connections(answer: bytes) -> None:
    server, port = await raw_server(answer)
    engine = RemoteEngine("far", RemoteModel(url=f"http://127.0.0.1:{port}", model="m"))
    await engine.start()
    async with server:
        with pytest.raises(UpstreamError):
            await engine.generate(ask())
    await engine.close()


async def test_only_connecting_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(remote, "_pause", note)
    port = unused_port()
    engine = RemoteEngine("far", RemoteModel(url=f"http://me:hunter2@127.0.0.1:{port}", model="m"), retries=2)
    await engine.start()
    with pytest.raises(UpstreamError, match=r"cannot be reached.*models\.remote\.far\.url") as raised:
        await engine.generate(ask())
    # Where it is stands in the log, and is not told to whoever asks; its password stands nowhere.
    assert str(port) not in str(raised.value)
    assert f"far at http://127.0.0.1:{port} cannot be reached" in caplog.text
    assert "hunter2" not in caplog.text + str(raised.value)
    assert len(pauses) == 2
    assert pauses[0] < pauses[1]
    await engine.close()


async def test_a_connection_is_tried_once_where_another_answers_or_nobody_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(remote, "_pause", note)
    engine = RemoteEngine("far", RemoteModel(url=f"http://127.0.0.1:{unused_port()}", model="m"), retries=2)
    await engine.start()
    with pytest.raises(UpstreamError, match="cannot be reached"):
        await engine.generate(dataclasses.replace(ask(), patient=False))
    assert pauses == []

    async def silent(*_: object, **__: object) -> object:
        raise aiohttp.ConnectionTimeoutError("nobody answers")

    monkeypatch.setattr(aiohttp.ClientSession, "post", silent)
    with pytest.raises(UpstreamError, match="cannot be reached"):
        await engine.generate(ask())
    assert "nobody answers" in caplog.text
    assert pauses == []
    await engine.close()


async def test_a_second_attempt_reaches_a_server_that_came_up(monkeypatch: pytest.MonkeyPatch) -> None:
    server = TestServer(web.Application(), port=unused_port())
    server.app.router.add_post("/v1/chat/completions", streams(HELLO, END))

    async def come_up(_: float) -> None:
        await server.start_server()

    url = f"http://127.0.0.1:{server.port}/v1"
    engine = RemoteEngine("far", RemoteModel(url=url, model="m"), retries=1)
    await engine.start()
    with monkeypatch.context() as patch:
        patch.setattr(remote, "_pause", come_up)
        events = await all_of(engine, ask())
    assert events[-1] == Finish("stop")
    await engine.close()
    await server.close()


def waits(*pieces: bytes) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        if pieces:
            await response.prepare(request)
            for piece in pieces:
                await response.write(piece)
        while True:
            await asyncio.sleep(0.01)
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError

    return handler


async def test_deadlines_hold_before_and_after_the_first_token() -> None:
    async with upstream(waits()) as (engine, state):
        with pytest.raises(DeadlineExceeded):
            await engine.generate(ask(timeout=0.5))
        await asyncio.wait_for(state.left.wait(), 30)
    async with upstream(waits(HELLO)) as (engine, state):
        stream = await engine.generate(ask(timeout=1.5))
        with pytest.raises(DeadlineExceeded):
            await read(stream)
        await asyncio.wait_for(state.left.wait(), 30)


@pytest.mark.parametrize("tokens_read", [0, 1])
async def test_closing_a_stream_cancels_the_request_upstream(tokens_read: int) -> None:
    async with upstream(waits(HELLO)) as (engine, state):
        stream = await engine.generate(ask())
        for _ in range(tokens_read):
            await anext(stream)
        await stream.aclose()
        await asyncio.wait_for(state.left.wait(), 30)
        assert engine.statistics()["running"] == 0


async def test_cancelling_before_the_first_token_cancels_upstream() -> None:
    async with upstream(waits()) as (engine, state):
        task = asyncio.create_task(engine.generate(ask()))
        while not state.seen:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(state.left.wait(), 30)


async def test_closing_the_engine_ends_what_runs() -> None:
    async with upstream(waits(HELLO)) as (engine, _):
        stream = await engine.generate(ask())
        task = asyncio.create_task(read(stream))
        await asyncio.sleep(0.01)
        await engine.close()
        with pytest.raises(EngineDied):
            await task
        with pytest.raises(EngineDied):
            await engine.generate(ask())
    async with upstream(waits()) as (engine, state):
        opening = asyncio.create_task(engine.generate(ask()))
        while not state.seen:
            await asyncio.sleep(0.01)
        await engine.close()
        with pytest.raises(EngineDied):
            await opening


async def test_many_streams_share_one_engine() -> None:
    async with upstream(streams(HELLO, END)) as (engine, _):
        answers = await asyncio.gather(*(all_of(engine, ask()) for _ in range(20)))
        assert all(events[-1] == Finish("stop") for events in answers)


async def test_estimates_and_extensions() -> None:
    engine = RemoteEngine("far", RemoteModel(url="http://x", model="m", parameters=("top_k",)))
    assert await engine.count_tokens("twelve bytes") == 3
    assert "top_k" in engine.capabilities.parameters
    assert "min_p" not in engine.capabilities.parameters
    assert not engine.healthy()


async def test_what_an_endpoint_does_not_count_is_estimated() -> None:
    finish = chunk(delta={}, finish_reason="stop")
    async with upstream(streams(HELLO, finish)) as (engine, _):
        tool = Tool("look", "Looks", {"type": "object"})
        asked = Generation("", Sampling(), (Message("user", "x" * 400),), tools=(tool,))
        usage = next(each for each in await all_of(engine, asked) if isinstance(each, Usage))
        assert usage.prompt_tokens > 100
        assert usage.completion_tokens == 2


@pytest.mark.parametrize(
    "told",
    [
        '{"prompt_tokens": -7, "completion_tokens": -2}',
        '{"prompt_tokens": 1e30, "completion_tokens": 99999999999999999999}',
        '{"prompt_tokens": 1e999, "completion_tokens": NaN}',
        '{"prompt_tokens": [], "completion_tokens": "many"}',
        '{"total_tokens": 9}',
    ],
)
async def test_counts_of_tokens_that_cannot_be_are_estimated(told: str) -> None:
    """One believed count of 1e30 would take the limits of its key for years, a negative one would give money back."""
    usage = b'data: {"choices": [], "usage": ' + told.encode() + b"}\n\n"
    async with upstream(streams(HELLO, chunk(delta={}, finish_reason="stop") + usage)) as (engine, _):
        found = next(each for each in await all_of(engine, ask()) if isinstance(each, Usage))
    assert 0 < found.prompt_tokens < 100
    assert found.completion_tokens == 2


async def test_no_more_of_a_prompt_is_cached_than_it_has() -> None:
    told = b'{"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5000}}'
    usage = b'data: {"choices": [], "usage": ' + told + b"}\n\n"
    async with upstream(streams(HELLO, chunk(delta={}, finish_reason="stop") + usage)) as (engine, _):
        assert Usage(7, 2, 7) in await all_of(engine, ask())


async def test_an_answer_that_comes_as_its_caller_leaves_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    client = StreamClient("far", aiohttp.TCPConnector, refuse=_never, fail=_never, unreachable=_never)
    closed = asyncio.Event()

    class Late:
        status = 200

        def close(self) -> None:
            closed.set()

    async def connect(*_: object) -> Any:
        # The caller is told to leave in the turn in which this is there.
        asyncio.get_running_loop().call_soon(asking.cancel)
        return Late()

    monkeypatch.setattr(client, "_connect", connect)

    async def first() -> Event:
        return await anext(client.stream("http://x", {}, {}, None))

    asking = asyncio.create_task(first())
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert closed.is_set()


def _never(*_: object) -> Any:
    raise AssertionError("nothing is refused and nothing fails here")
