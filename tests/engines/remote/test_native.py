"""Gemini, Cohere and Azure through any-llm, against servers that speak their protocols."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from mainspring.core import plugins
from mainspring.core.errors import (
    InvalidRequest,
    MainspringError,
    MissingExtra,
    RateLimited,
    SettingsError,
    Unsupported,
    UpstreamError,
)
from mainspring.core.settings.endpoints import RemoteModel
from mainspring.core.types import Finish, Grammar, Message, Reasoning, Sampling, Text, Tool, ToolCallDelta, Usage
from mainspring.engines.base import Engine, Generation
from mainspring.engines.kinds import PROVIDER
from mainspring.engines.remote import native
from mainspring.engines.remote.openai_wire import StreamReader
from tests.engines.remote.native_servers import ARGUMENTS, PIECES, ROUTES, Upstream, serve

needs_any_llm = pytest.mark.skipif(
    importlib.util.find_spec("any_llm") is None, reason="any-llm is not installed: run `make test-providers`"
)
TOOL = Tool("open_gate", "Opens a gate.", {"type": "object", "properties": {"gate": {"type": "string"}}})


@pytest.fixture(params=ROUTES)
def provider(request: pytest.FixtureRequest) -> str:
    return cast(str, request.param)


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
async def asked(provider: str, upstream: Upstream) -> AsyncIterator[Engine]:
    async with serve(provider, upstream) as url:
        remote = RemoteModel(provider=provider, url=url, model=ROUTES[provider][2], api_key="secret-key")
        engine = plugins.registry().make(PROVIDER, provider, "far", remote, 0)
        await engine.start()
        yield engine
        await engine.close()


def job(*messages: Message, **sampling: Any) -> Generation:
    said = messages or (Message("system", "Be brief."), Message("user", "When does the harbour open?"))
    return Generation("", Sampling(**sampling), messages=said)


async def read(engine: Engine, generation: Generation) -> list[Any]:
    return [event async for event in await engine.generate(generation)]


@needs_any_llm
async def test_an_answer_streams_with_its_usage(asked: Engine, upstream: Upstream) -> None:
    events = await read(asked, job(max_tokens=32, temperature=0.5, top_p=0.9, seed=7, stop=("END",)))
    assert [event.text for event in events if isinstance(event, Text)] == list(PIECES)
    assert events[-2:] == [Usage(11, 6), Finish("stop")]
    body = json.dumps(upstream.asked)
    assert all(word in body for word in ("Be brief.", "When does the harbour open?", "0.5", "0.9", "32", "7", "END"))
    assert any("secret-key" in value for value in upstream.headers[0].values())


@needs_any_llm
async def test_a_tool_is_called(asked: Engine, upstream: Upstream) -> None:
    upstream.call = True
    events = await read(asked, dataclasses.replace(job(max_tokens=32), tools=(TOOL,)))
    deltas = [event for event in events if isinstance(event, ToolCallDelta)]
    assert next(event.name for event in deltas if event.name) == "open_gate"
    assert next(event.id for event in deltas if event.id)
    assert json.loads("".join(event.arguments for event in deltas)) == ARGUMENTS
    assert events[-1] == Finish("tool_calls")
    assert "Opens a gate." in json.dumps(upstream.asked)


@needs_any_llm
async def test_a_tools_result_goes_back(asked: Engine, upstream: Upstream) -> None:
    from mainspring.core.types import ToolCall

    called = Message("assistant", "", tool_calls=(ToolCall("call_1", "open_gate", json.dumps(ARGUMENTS)),))
    returned = Message("tool", '{"opened": true}', tool_call_id="call_1", name="open_gate")
    generation = dataclasses.replace(job(Message("user", "Open it."), called, returned), tools=(TOOL,))
    assert (await read(asked, generation))[-1] == Finish("stop")
    body = json.dumps(upstream.asked)
    assert "north" in body
    assert "opened" in body


@needs_any_llm
async def test_a_limit_of_tokens_is_reported(asked: Engine, upstream: Upstream, provider: str) -> None:
    upstream.ended = {"gemini": "MAX_TOKENS", "cohere": "MAX_TOKENS", "azure": "length"}[provider]
    assert (await read(asked, job(max_tokens=3)))[-1] == Finish("length")


@needs_any_llm
async def test_a_schema_is_passed_on(asked: Engine, upstream: Upstream) -> None:
    schema = {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]}
    await read(asked, job(grammar=Grammar("json_schema", json.dumps(schema))))
    assert '"hour"' in json.dumps(upstream.asked)


@needs_any_llm
@pytest.mark.parametrize(
    ("status", "kind"), [(401, UpstreamError), (429, RateLimited), (400, InvalidRequest), (500, UpstreamError)]
)
async def test_a_refusal_is_an_error_of_ours(
    asked: Engine, upstream: Upstream, status: int, kind: type[MainspringError]
) -> None:
    upstream.refuse = status
    with pytest.raises(kind, match="far") as caught:
        await asked.generate(job())
    assert "secret-key" not in str(caught.value)
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after in (7.0, None)
    if status == 401:
        assert "models.remote.far.api_key" in str(caught.value)


@needs_any_llm
async def test_who_leaves_ends_it_over_there(asked: Engine, upstream: Upstream, provider: str) -> None:
    if provider == "gemini":
        pytest.skip("Google's client reads an answer to its end though its stream was closed")
    upstream.slow = True
    stream = await asked.generate(job())
    await stream.aclose()
    await asyncio.wait_for(upstream.left.wait(), 60)
    assert asked.statistics()["running"] == 0


@needs_any_llm
async def test_what_a_provider_lacks_is_refused_by_name(asked: Engine) -> None:
    with pytest.raises(Unsupported) as caught:
        await asked.generate(job(top_k=5))
    assert caught.value.param == "top_k"
    with pytest.raises(Unsupported, match="messages"):
        await asked.generate(Generation("a prompt", Sampling()))


@needs_any_llm
async def test_nobody_there_is_said(provider: str) -> None:
    remote = RemoteModel(provider=provider, url="http://127.0.0.1:9", model="m", api_key="secret-key")
    engine = plugins.registry().make(PROVIDER, provider, "far", remote, 0)
    await engine.start()
    with pytest.raises(UpstreamError, match=r"cannot be reached.*models\.remote\.far\.url"):
        await engine.generate(job())
    assert engine.healthy()


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    remote = RemoteModel(provider="gemini", model="gemini-x", api_key="k")
    with pytest.raises(MissingExtra, match=r"models\.remote\.far: gemini needs.*mainspring\[providers\]"):
        plugins.registry().make(PROVIDER, "gemini", "far", remote, 0)


def test_an_unknown_provider_suggests_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"no provider named 'gemnii'.*Did you mean gemini"):
        plugins.registry().get(PROVIDER, "gemnii")


def test_an_openai_endpoint_has_an_address_and_others_need_none() -> None:
    with pytest.raises(ValueError, match="url is missing"):
        RemoteModel(model="m")
    assert RemoteModel(provider="gemini", model="m").url == ""


def test_reasoning_of_any_llm_is_read() -> None:
    class Chunk:
        def model_dump(self, exclude_none: bool) -> dict[str, Any]:
            return {"choices": [{"index": 0, "delta": {"reasoning": {"content": "Hm."}}}]}

    reader = StreamReader("far")
    assert list(reader.take(native._plain(Chunk()))) == [Reasoning("Hm.", 0, 1)]
