"""Responses over one WebSocket: each message ``response.create`` is a request, answered by the events of a stream.

A message is sent through the application as ``POST /v1/responses`` with the headers of the handshake, so every check
and limit of a request holds for it. The latest response of a connection can be continued even if it was not stored: it
is remembered here, and nowhere else.
"""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import APIRouter, WebSocket
from starlette.responses import Response as HttpResponse
from starlette.types import Message as AsgiMessage
from starlette.websockets import WebSocketDisconnect

from mainspring.core import structure
from mainspring.core.errors import InvalidRequest, MainspringError
from mainspring.http.openai import encode

PREFIX = "/v1/responses"
IDLE_S = 600.0
"""Seconds after which a socket without messages is closed."""
LONGEST_S = 3600.0
"""Seconds that a socket lasts at most, as OpenAI's do."""
_HEADERS = (b"content-type", b"content-length", b"transfer-encoding", b"upgrade", b"connection", b"idempotency-key")
_ENDS = ("response.completed", "response.failed", "response.incomplete", "error")
_HTTP_ONLY = ("stream", "stream_options", "background")
Told = Callable[[Mapping[str, Any]], Awaitable[None]]


def router() -> APIRouter:
    """The route; it needs only the application that it belongs to."""
    routes = APIRouter()

    @routes.websocket(PREFIX)
    async def respond_over_a_socket(socket: WebSocket) -> None:
        inner = _Inner(socket)
        refusal = await inner.refusal()
        if refusal is not None:
            await socket.send_denial_response(refusal)
            return
        await socket.accept()
        await _Session(socket, inner).run()

    return routes


class _Inner:
    """Requests to the application in the name of the socket's client."""

    def __init__(self, socket: WebSocket) -> None:
        self._scope = socket.scope
        self._app = socket.scope["app"]
        self.gone = asyncio.Event()

    async def refusal(self) -> HttpResponse | None:
        """The refusal of a client that may not use the socket; None: it may."""
        status, body, _ = await self._whole("GET", "/v1/models", b"")
        return None if status == 200 else HttpResponse(body, status, media_type="application/json")

    async def respond(self, body: Mapping[str, Any], told: Told) -> None:
        """Have ``told`` called with each event of the response."""
        frames = _Frames(told)
        await self._app(*self._call("POST", PREFIX, orjson.dumps(body), frames.take))
        await frames.end()

    async def _whole(self, method: str, path: str, body: bytes) -> tuple[int, bytes, None]:
        status, parts = 500, []

        async def take(message: AsgiMessage) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            parts.append(message.get("body", b""))

        await self._app(*self._call(method, path, body, take))
        return status, b"".join(parts), None

    def _call(self, method: str, path: str, body: bytes, send: Any) -> tuple[Any, Any, Any]:
        sent = [(name, value) for name, value in self._scope["headers"] if name not in _HEADERS]
        kept = [each for each in sent if not each[0].startswith(b"sec-websocket-")]
        if body:
            kept += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        names = ("asgi", "http_version", "server", "client", "root_path")
        scope = {name: self._scope[name] for name in names if name in self._scope}
        scope |= {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b""}
        scope |= {"scheme": "https" if self._scope.get("scheme") == "wss" else "http", "headers": kept, "state": {}}
        waiting: list[AsgiMessage] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> AsgiMessage:
            if waiting:
                return waiting.pop()
            await self.gone.wait()
            return {"type": "http.disconnect"}

        return scope, receive, send


class _Frames:
    """Reads the events out of an answer's body."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._status = 200
        self._streams = False
        self._rest = b""

    async def take(self, message: AsgiMessage) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            kinds = dict(message.get("headers", ()))
            self._streams = kinds.get(b"content-type", b"").startswith(b"text/event-stream")
            return
        self._rest += message.get("body", b"")
        while self._streams and b"\n\n" in self._rest:
            frame, self._rest = self._rest.split(b"\n\n", 1)
            for line in frame.split(b"\n"):
                if line.startswith(b"data: ") and line != b"data: [DONE]":
                    await self._told(_event(orjson.loads(line[6:])))

    async def end(self) -> None:
        if not self._streams:
            found = orjson.loads(self._rest)
            await self._told({"type": "error", "status": self._status, "error": found["error"]})


def _event(event: dict[str, Any]) -> dict[str, Any]:
    """An event as it is over a socket, where an error has a status."""
    return {"status": 500, **event} if event.get("type") == "error" else event


@dataclass(frozen=True, slots=True)
class _Turn:
    """The latest response of a socket: the last stored one before it or itself (None: there is none), and all items
    since then, which are known nowhere else. Each request sends them again, so its bounds are theirs."""

    id: str
    stored: str | None
    items: tuple[Any, ...]


class _Session:
    """One socket: messages are answered one after the other."""

    def __init__(self, socket: WebSocket, inner: _Inner) -> None:
        self._socket = socket
        self._inner = inner
        self._latest: _Turn | None = None
        self._until = time.monotonic() + LONGEST_S

    async def run(self) -> None:
        waiting: asyncio.Queue[str | bytes] = asyncio.Queue(1)
        reading = asyncio.create_task(self._read(waiting), name="socket: read")
        try:
            while not self._inner.gone.is_set():
                try:
                    async with asyncio.timeout(min(IDLE_S, max(0.0, self._until - time.monotonic()))):
                        text = await _either(waiting, self._inner.gone)
                except TimeoutError:
                    await self._close()
                    return
                if text is not None:
                    await self._answer(text)
        except WebSocketDisconnect:
            return
        finally:
            self._inner.gone.set()
            reading.cancel()

    async def _read(self, waiting: asyncio.Queue[str | bytes]) -> None:
        """Messages, and the client's leaving, are seen while an answer is on its way."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                self._inner.gone.set()
                return
            await waiting.put(message.get("text") or message.get("bytes") or "")

    async def _close(self) -> None:
        if time.monotonic() >= self._until:
            error = InvalidRequest("this connection has lasted for an hour", remedy="Open another one")
            told = encode.error_body(error)
            told["error"]["code"] = "websocket_connection_limit_reached"
            await self._send({"type": "error", "status": error.status, **told})
        await self._socket.close(1000)

    async def _send(self, event: Mapping[str, Any]) -> None:
        await self._socket.send_text(orjson.dumps(event).decode())

    async def _answer(self, text: str | bytes) -> None:
        previous = None
        try:
            body = _body(text)
            previous = body.get("previous_response_id")
            stored, items = self._since(body, previous)
        except MainspringError as error:
            await self._send(_refusal(error))
            return
        continued = isinstance(previous, str) and body.get("previous_response_id") != previous
        last: Mapping[str, Any] = {}

        async def told(event: Mapping[str, Any]) -> None:
            nonlocal last
            if continued and isinstance(event.get("response"), dict):
                event = {**event, "response": {**event["response"], "previous_response_id": previous}}
            if event["type"] in _ENDS:
                last = event
            await self._send(event)

        await self._inner.respond({**body, "stream": True}, told)
        response = last.get("response") or {}
        if last.get("type") in ("response.completed", "response.incomplete"):
            name = response["id"]
            kept = body.get("store") is not False
            self._latest = _Turn(name, name, ()) if kept else _Turn(name, stored, (*items, *response["output"]))
        elif self._latest is not None and self._latest.id == previous:
            # A failure may leave the chain in an unknown state.
            self._latest = None

    def _since(self, body: dict[str, Any], previous: Any) -> tuple[str | None, tuple[Any, ...]]:
        """The stored response that this message continues, and the items since then; both are put into ``body``."""
        asked = body.get("input")
        new = ({"type": "message", "role": "user", "content": asked},) if isinstance(asked, str) else tuple(asked or ())
        if previous is None or self._latest is None or self._latest.id != previous:
            return previous, new
        stored, items = self._latest.stored, (*self._latest.items, *new)
        if self._latest.items:
            body["input"] = list(items)
            del body["previous_response_id"]
            if stored is not None:
                body["previous_response_id"] = stored
        return stored, items


def _body(text: str | bytes) -> dict[str, Any]:
    """The body of a request in a message. Raises ``InvalidRequest``, and ``TooLarge`` for one with too much
    structure."""
    try:
        found = structure.loads(text.encode() if isinstance(text, str) else text, "the message")
    except orjson.JSONDecodeError:
        raise InvalidRequest("the message is not valid JSON in UTF-8") from None
    if not isinstance(found, dict) or found.get("type") != "response.create":
        raise InvalidRequest("a message must have the type response.create", param="type")
    for name in _HTTP_ONLY:
        if found.get(name) is not None:
            raise InvalidRequest(f"{name} cannot be sent over a socket", remedy="Leave it out", param=name)
    asked = found.get("input")
    if asked is not None and not isinstance(asked, str | list):
        raise InvalidRequest("input must be a text or a list of items", param="input")
    return {name: value for name, value in found.items() if name != "type"}


def _refusal(error: MainspringError) -> Mapping[str, Any]:
    return {"type": "error", "status": error.status, **encode.error_body(error)}


async def _either(waiting: asyncio.Queue[Any], gone: asyncio.Event) -> Any:
    """The next message; None if the client has left."""
    message, leaving = asyncio.create_task(waiting.get()), asyncio.create_task(gone.wait())
    try:
        await asyncio.wait((message, leaving), return_when=asyncio.FIRST_COMPLETED)
        return message.result() if message.done() else None
    finally:
        message.cancel()
        leaving.cancel()
