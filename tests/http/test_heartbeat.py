"""Silent streams say that they live; requests that are sent again get the same answer on every generating route."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from mainspring.core.errors import EngineDied, MainspringError, NotFound
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Context, Event, Finish, Head, Principal, Request, Response, Text, Usage
from mainspring.gateway.responses import routes as responses
from mainspring.gateway.routes import anthropic
from mainspring.http.access import access_to
from mainspring.http.idempotency import REPLAYED, Idempotency
from mainspring.stores.events.audit_log import Actor
from tests.gateway.asgi import Kept, Keys, NoModels, ask, behind, events, gateway

ROUTES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "x"}]},
    "/v1/completions": {"prompt": "x"},
    "/v1/responses": {"input": "x"},
    "/v1/messages": {"messages": [{"role": "user", "content": "x"}], "max_tokens": 8},
}
SAID: tuple[Event, ...] = (Text("Hello"), Usage(1, 1), Finish("stop"))
WAITING = b": waiting\n\n"


class Slow:
    """Waits before its commit point and between its events, in seconds; an error is raised where it stands."""

    def __init__(self, before: float, *said: Event | MainspringError, between: float = 0.0) -> None:
        self.before, self.between, self.said = before, between, said
        self.calls = 0

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None

    async def respond(self, request: Request, context: Context) -> Response:
        self.calls += 1
        await asyncio.sleep(self.before)
        if self.said and isinstance(self.said[0], MainspringError):
            raise self.said[0]
        return Response(Head("slow", f"ans_{self.calls}"), self._say())

    async def _say(self) -> AsyncIterator[Event]:
        for event in self.said:
            await asyncio.sleep(self.between)
            assert not isinstance(event, MainspringError)
            yield event


class NoEvents:
    async def answer_for(self, principal: Principal, answer_id: str) -> Any:
        raise NotFound("no answers are recorded")

    async def erase(self, tenant: str, subject: str, *, by: Actor) -> Any:
        raise AssertionError("there is nothing to erase")


class Counter(anthropic.PromptCounter):
    def __init__(self) -> None:
        super().__init__(NoModels(), {})  # type: ignore[arg-type]

    async def basis(self, request: Request, context: Context) -> str:
        return ""


async def counted(request: Request, context: Context) -> int:
    return 0


async def unchanged(request: Request, context: Context) -> str:
    return ""


def app(responder: Slow, **settings: Any) -> FastAPI:
    chosen = GatewaySettings.model_validate(settings)
    access, idempotency = access_to(Keys(), 30.0), Idempotency(Kept())
    return gateway(
        responder,
        responses.router(responder, NoEvents(), chosen, access, idempotency, behind(unchanged, counted)),  # type: ignore[arg-type]
        anthropic.router(responder, Counter(), chosen, access, idempotency),
        **settings,
    )


async def post(app: FastAPI, path: str, **more: Any) -> Any:
    return await ask(app, "POST", path, {"model": "m", **ROUTES[path], **more})


@pytest.mark.parametrize("path", ROUTES)
async def test_a_long_wait_for_the_first_word_is_reported(path: str) -> None:
    reply = await post(app(Slow(0.6, *SAID), heartbeat_s=0.05), path, stream=True)
    assert reply.status == 200
    assert reply.headers["content-type"] == ["text/event-stream; charset=utf-8"]
    assert reply.body.startswith(WAITING)
    assert 1 < reply.body.count(WAITING) < 13
    assert b"Hello" in reply.body


@pytest.mark.parametrize("path", ROUTES)
async def test_a_failure_behind_a_heartbeat_is_a_frame(path: str) -> None:
    reply = await post(app(Slow(0.5, EngineDied("the engine died")), heartbeat_s=0.05), path, stream=True)
    assert reply.status == 200
    assert b"the engine died" in reply.body
    assert b"[DONE]" not in reply.body
    quick = await post(app(Slow(0.0, EngineDied("the engine died")), heartbeat_s=5), path, stream=True)
    assert quick.status == 503


async def test_silence_between_words_is_reported_and_frames_stay_whole() -> None:
    reply = await post(app(Slow(0.0, *SAID, between=0.5), heartbeat_s=0.05), "/v1/chat/completions", stream=True)
    assert WAITING in reply.body
    assert not reply.body.startswith(WAITING) or b"x-model" not in reply.headers
    assert events(reply.body)[-1] == "[DONE]"


async def test_quick_streams_and_switched_off_ones_have_none() -> None:
    for settings in ({"heartbeat_s": 5}, {"heartbeat_s": 0}):
        reply = await post(app(Slow(0.05, *SAID), **settings), "/v1/chat/completions", stream=True)
        assert WAITING not in reply.body
        assert reply.headers["x-model"] == ["slow"]
    # What was cancelled needs another turn of the loop to end.
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left or not (await asyncio.wait(left, timeout=5))[1]


@pytest.mark.parametrize("path", ROUTES)
async def test_the_same_key_gets_the_same_answer(path: str) -> None:
    responder = Slow(0.0, *SAID)
    application = app(responder)
    body, key = {"model": "m", **ROUTES[path]}, {"idempotency-key": "k1"}
    first, again = [await ask(application, "POST", path, body, headers=key) for _ in range(2)]
    assert first.status == again.status == 200
    assert first.body == again.body
    assert again.headers[REPLAYED] == ["true"]
    assert responder.calls == 1
    other = await ask(application, "POST", path, {**body, "temperature": 0.5}, headers=key)
    assert other.status == 409
    streamed = await ask(application, "POST", path, {**body, "stream": True}, headers={"idempotency-key": "k2"})
    assert streamed.status == 400


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_what_is_not_stored_is_not_kept_for_a_key(path: str) -> None:
    body = {"model": "m", **ROUTES[path], "store": False}
    reply = await ask(app(Slow(0.0, *SAID)), "POST", path, body, headers={"idempotency-key": "k"})
    assert (reply.status, reply.error["param"]) == (400, "store")
