"""Any OpenAI-compatible endpoint as an engine: streamed over one aiohttp session.

Messages go to ``/chat/completions``, where the endpoint applies its own chat template; raw prompts go to
``/completions``. Only a connection that could not be made is tried again: a request that may have arrived may
have been paid for. Redirects are refused, since they would carry the key to another host.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp

from mainspring.engines import openai_wire as wire
from mainspring.engines.base import Capabilities, EngineStream, Generation
from mainspring.engines.commit import commit
from mainspring.engines.sse import EventParser
from mainspring.errors import (
    DeadlineExceeded,
    EngineDied,
    InvalidRequest,
    MainspringError,
    PromptTooLong,
    RateLimited,
    UnknownModel,
    UpstreamError,
)
from mainspring.settings import RemoteModel
from mainspring.types import Event

CONNECT_TIMEOUT_S = 10.0
SILENCE_TIMEOUT_S = 300.0
DRAIN_TIMEOUT_S = 0.5
MAX_CONNECTIONS = 256
MAX_ERROR_BYTES = 65_536
PARAMETERS = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty", "stop"})


class RemoteEngine:
    """A model of an OpenAI-compatible endpoint. Implements ``Engine``.

    ``name`` is its key in ``models.remote``, whose ``parameters`` name what the endpoint takes beyond OpenAI's
    sampling fields. ``retries`` bounds further attempts at connecting. A seed is passed on and kept at best when
    nothing else runs over there.
    """

    def __init__(
        self,
        name: str,
        settings: RemoteModel,
        *,
        retries: int = 2,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._name = name
        self._settings = settings
        self._url = settings.url.rstrip("/")
        self._retries = retries
        self._max_connections = max_connections
        self._session: aiohttp.ClientSession | None = None
        self._opening: set[asyncio.Future[aiohttp.ClientResponse]] = set()
        self._responses: set[aiohttp.ClientResponse] = set()
        self._live = 0
        self._failures = 0
        self._closed = False
        self._capabilities = Capabilities(
            context_window=settings.context_window,
            parameters=PARAMETERS | frozenset(settings.parameters),
            grammars=frozenset({"json_schema"}),
            logprobs=20,
            max_choices=16,
            templates=True,
            seed="solo",
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def start(self) -> None:
        """Open the connection pool; the endpoint is asked nothing yet."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._max_connections, keepalive_timeout=30)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_TIMEOUT_S)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        self._closed = False

    async def generate(self, generation: Generation) -> EngineStream:
        """Return at the first token.

        Raises ``UpstreamError`` (refused key, no such path, 5xx, unreadable, unreachable), ``RateLimited`` with
        ``retry_after``, ``InvalidRequest`` where the endpoint blames the request, ``UnknownModel``,
        ``DeadlineExceeded``.
        """
        return await commit(self._run(generation))

    async def _run(self, generation: Generation) -> AsyncGenerator[Event, None]:
        loop = asyncio.get_running_loop()
        deadline = None if generation.timeout is None else loop.time() + generation.timeout
        path, body = wire.request(generation, self._settings.model)
        response: aiohttp.ClientResponse | None = None
        self._live += 1
        try:
            response = await self._open(path, body, generation.headers, deadline)
            async with contextlib.aclosing(self._events(response, deadline)) as events:
                async for event in events:
                    yield event
        except (aiohttp.ClientError, OSError) as error:
            raise self._failure(f"the connection failed: {str(error) or type(error).__name__}") from None
        finally:
            self._live -= 1
            if response is not None:
                # Closing the connection is how the endpoint learns that nobody listens; a response that was
                # read to its end has given its connection back to the pool already.
                self._responses.discard(response)
                response.close()

    async def _open(
        self, path: str, body: dict[str, Any], headers: dict[str, str], deadline: float | None
    ) -> aiohttp.ClientResponse:
        """The response whose stream may be read, or the error that it stands for."""
        # A task of its own, so that close() can end a request whose response has not begun.
        opening = asyncio.ensure_future(self._connect(path, body, headers))
        self._opening.add(opening)
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                response = await opening
                self._responses.add(response)
                if response.status != 200:
                    try:
                        raise await self._refusal(response)
                    finally:
                        self._responses.discard(response)
                        response.close()
                return response
        except TimeoutError:
            waited = "within the request's deadline" if limit.expired() else f"for {SILENCE_TIMEOUT_S:.0f} s"
            raise DeadlineExceeded(f"{self._name} did not answer {waited}") from None
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if self._closed and not (current and current.cancelling()):
                raise EngineDied(f"{self._name} was closed while it answered") from None
            raise
        finally:
            self._opening.discard(opening)

    async def _events(
        self, response: aiohttp.ClientResponse, deadline: float | None
    ) -> AsyncGenerator[Event, None]:
        kind = response.content_type
        if kind != "text/event-stream":
            raise self._failure(f"it answered with {kind} instead of an event stream")
        parser, reader = EventParser(), wire.StreamReader(self._name)
        late = DeadlineExceeded(f"{self._name} did not finish within the request's deadline")
        # One timer for the whole stream: a timeout around each read would cost more than the read.
        loop = asyncio.get_running_loop()
        timer = loop.call_at(deadline, response.content.set_exception, late) if deadline is not None else None
        try:
            while not reader.done and (chunk := await response.content.readany()):
                for event in parser.feed(chunk):
                    for parsed in reader.read(event):
                        yield parsed
            for parsed in reader.end():
                yield parsed
            # The end of the body follows [DONE] at once where the connection can be used again.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_TIMEOUT_S):
                    while await response.content.readany():
                        pass
        except TimeoutError:
            raise DeadlineExceeded(f"{self._name} was silent for {SILENCE_TIMEOUT_S:.0f} s") from None
        finally:
            if timer:
                timer.cancel()

    async def _connect(self, path: str, body: dict[str, Any], extra: dict[str, str]) -> aiohttp.ClientResponse:
        if self._session is None or self._closed:
            raise EngineDied(f"{self._name} is not started")
        headers = {"accept": "text/event-stream", "content-type": "application/json", **extra}
        if self._settings.api_key:
            headers["authorization"] = f"Bearer {self._settings.api_key}"
        data = json.dumps(body).encode()
        for attempt in range(self._retries + 1):
            try:
                response = await self._session.post(
                    f"{self._url}{path}", data=data, headers=headers, allow_redirects=False
                )
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                self._failures += 1
                if attempt == self._retries:
                    raise UpstreamError(
                        f"{self._name} at {self._url} cannot be reached: {error}",
                        remedy=f"Check models.remote.{self._name}.url and that its server runs",
                    ) from None
                await _pause(random.uniform(0.7, 1.0) * 0.2 * 2**attempt)
            except aiohttp.InvalidURL as error:
                raise self._failure(f"models.remote.{self._name}.url is not a URL: {error}") from None
            else:
                self._failures = 0
                return response
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _refusal(self, response: aiohttp.ClientResponse) -> MainspringError:
        raw = await response.content.read(MAX_ERROR_BYTES)
        message, code = wire.error_of(raw)
        retry_after = wire.retry_after(response.headers.get("retry-after"))
        shown = f"{self._name} answered {response.status}" + (f": {message}" if message else "")
        setting = f"models.remote.{self._name}"
        match response.status:
            case 401 | 403:
                return UpstreamError(f"{self._name} refused the key", remedy=f"Set {setting}.api_key")
            case 404 if code == "model_not_found" or "model" in message.lower():
                return UnknownModel(shown, remedy=f"Check {setting}.model")
            case 404:
                return UpstreamError(shown, remedy=f"Check {setting}.url (it usually ends in /v1)")
            case 429:
                return RateLimited(shown, retry_after=retry_after)
            case 400 | 422 if code == "context_length_exceeded" or "context length" in message.lower():
                return PromptTooLong(shown, param="messages")
            case 400 | 413 | 422:
                return InvalidRequest(shown)
            case 408 | 504:
                return DeadlineExceeded(shown)
            case status if 300 <= status < 400:
                return UpstreamError(f"{shown} (a redirect)", remedy=f"Set {setting}.url to where it leads")
            case _:
                self._failures += 1
                return UpstreamError(shown, retry_after=retry_after)

    def _failure(self, problem: str) -> UpstreamError:
        self._failures += 1
        return UpstreamError(f"{self._name}: {problem}")

    async def count_tokens(self, text: str) -> int:
        """An estimate: a token per four bytes."""
        return -(-len(text.encode()) // 4)

    def healthy(self) -> bool:
        return self._session is not None and not self._closed and self._failures < 3

    def statistics(self) -> dict[str, float]:
        return {"running": self._live, "waiting": 0.0, "kv_used_fraction": 0.0, "restarts": 0.0}

    async def close(self) -> None:
        self._closed = True
        for opening in self._opening:
            opening.cancel()
        for response in self._responses:
            response.content.set_exception(EngineDied(f"{self._name} was closed while it answered"))
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)
