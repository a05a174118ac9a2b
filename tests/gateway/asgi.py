"""Drives an ASGI application in process, with full control over how its body arrives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Message, Scope

from mainspring.core.errors import Unauthenticated
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import ChatRequest, Context, Principal, Request, Responder, TraceParent
from mainspring.gateway.edge.app import create_app
from mainspring.gateway.responses.routes import ResponsesServices
from mainspring.gateway.routes import generate, raw_text
from mainspring.http.access import access_to
from mainspring.http.idempotency import Idempotency
from mainspring.http.loop_fairness import Pace


@dataclass
class Reply:
    """What came back; header names in lower case, every value of them."""

    status: int
    headers: dict[str, list[str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.json["error"]
        return error


def _scope(method: str, target: str, headers: list[tuple[bytes, bytes]], client: tuple[str, int]) -> Scope:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "scheme": "http",
        "headers": headers,
        "client": client,
        "server": ("127.0.0.1", 2),
    }


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    body: object = b"",
    *,
    headers: Mapping[str, str] | None = None,
    pieces: Sequence[bytes] | None = None,
    raises: type[Exception] | None = None,
    client: tuple[str, int] = ("127.0.0.1", 1),
) -> Reply:
    """One request. ``body`` that is not bytes is sent as JSON; ``pieces`` arrive one by one with no length.

    ``raises`` is what the application raises after it has answered, for the server's log.
    """
    whole = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"authorization": "Bearer ms-all", "content-type": "application/json"}
    if pieces is None:
        sent["content-length"] = str(len(whole))
        pieces = [whole]
    else:
        sent["transfer-encoding"] = "chunked"
    pairs = [(name.lower().encode(), value.encode()) for name, value in {**sent, **(headers or {})}.items()]
    waiting = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces) - 1}
        for number, piece in enumerate(pieces)
    ]
    started: list[Message] = []
    content: list[bytes] = []

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.append(message)
        else:
            content.append(message.get("body", b""))

    with pytest.raises(raises) if raises else nullcontext():
        await asyncio.wait_for(app(_scope(method, path, pairs, client), receive, send), 30)
    assert len(started) == 1
    found: dict[str, list[str]] = {}
    for name, value in started[0]["headers"]:
        found.setdefault(name.decode().lower(), []).append(value.decode())
    return Reply(started[0]["status"], found, b"".join(content))


class Keys:
    """Secrets are ``ms-`` and a scope: ``ms-chat`` may chat and nothing else; ``ms-all`` is an admin's."""

    async def authenticate(self, secret: str) -> Principal:
        if not secret.startswith("ms-"):
            raise Unauthenticated("the API key is unknown")
        scope = secret.removeprefix("ms-")
        return Principal("acme", "key_1", frozenset({"admin" if scope == "all" else scope}))


class NoModels:
    coming: ClassVar[dict[str, Any]] = {}

    async def models(self, principal: Principal) -> list[Any]:
        return []

    async def basis(self, request: Request, context: Context) -> str:
        return ""

    def fixed(self, name: str, principal: Principal) -> None:
        """None is served."""


class Kept:
    """An answer cache in memory."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def put(self, key: str, value: bytes, ttl_s: float, tags: frozenset[str]) -> None:
        assert ttl_s > 0
        assert tags
        self.values[key] = value


class NoFeature:
    """Of background work and of conversations: there is none."""

    def run(self, principal: Principal, answer_id: str) -> None:
        return None

    async def state(self, principal: Principal, answer_id: str) -> None:
        return None


def behind(basis: Any = None, count: Any = None) -> ResponsesServices:
    """What the routes of responses work with, without the features."""

    async def window(request: ChatRequest, context: Context) -> int:
        return 4096

    none: Any = NoFeature()

    async def search(tools: Any, request: ChatRequest, context: Context, most: int) -> Any:
        raise AssertionError("nothing is searched here")

    return ResponsesServices(none, none, basis or NoModels().basis, count, window, search)


def gateway(responder: Responder, *more: APIRouter, **settings: Any) -> FastAPI:
    """The application with the generating routes over ``responder``, and ``more`` routes."""
    chosen = GatewaySettings.model_validate(settings)
    pace = Pace(chosen.quiet_share)
    access = access_to(Keys(), chosen.request_timeout_s, pace=pace)
    shared = responder, NoModels(), chosen, access, Idempotency(Kept())
    routes = [generate.router(*shared), raw_text.router(*shared)]  # type: ignore[arg-type]
    return create_app([*routes, *more], chosen, lambda header: TraceParent.new(), pace=pace)


def events(stream: bytes) -> list[Any]:
    """The data frames of a stream of server-sent events; ``[DONE]`` as a string."""
    frames = stream.decode().split("\n\n")
    assert frames.pop() == "", "the stream ends within a frame"
    data = [frame.removeprefix("data: ") for frame in frames if not frame.startswith(":")]
    return [frame if frame == "[DONE]" else json.loads(frame) for frame in data]
