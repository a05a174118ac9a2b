"""The client's side of a streamed OpenAI-compatible answer: one request, one event stream, one deadline."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import aiohttp

from mainspring.core.errors import DeadlineExceeded, EngineDied, MainspringError, UpstreamError
from mainspring.core.types import Event
from mainspring.engines.remote import openai_wire as wire
from mainspring.engines.remote.sse import EventParser

CONNECT_TIMEOUT_S = 10.0
SILENCE_TIMEOUT_S = 300.0
CUT_RETRY_S = 0.05
DRAIN_TIMEOUT_S = 0.5
MAX_ERROR_BYTES = 65_536

Refuse = Callable[[int, Mapping[str, str], bytes], MainspringError]
"""Makes an error of ours from a status, its headers and its body."""

Fail = Callable[[str], MainspringError]
"""Makes an error of ours from a sentence about a broken connection or an unreadable answer."""


class StreamClient:
    """One session and its pool of connections.

    ``refuse`` explains statuses other than 200, ``fail`` broken connections and unreadable answers, ``unreachable``
    connections that could not be made. A request that may have arrived is not sent again here; ``retry_after`` says
    that an answer was cut before its first token. An other side that says nothing for ``silence_s`` seconds is given
    up.
    """

    def __init__(
        self,
        name: str,
        connector: Callable[[], aiohttp.BaseConnector],
        *,
        refuse: Refuse,
        fail: Fail,
        unreachable: Fail,
        silence_s: float = SILENCE_TIMEOUT_S,
    ) -> None:
        self._name = name
        self._silence_s = silence_s
        self._connector = connector
        self._refuse = refuse
        self._fail = fail
        self._unreachable = unreachable
        self._session: aiohttp.ClientSession | None = None
        self._opening: set[asyncio.Future[aiohttp.ClientResponse]] = set()
        self._responses: set[aiohttp.ClientResponse] = set()

    @property
    def is_open(self) -> bool:
        return self._session is not None

    async def start(self) -> None:
        """Open the pool; no connection is made yet."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=self._silence_s)
            self._session = aiohttp.ClientSession(
                connector=self._connector(), timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
            )

    async def stream(
        self,
        url: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        deadline: float | None,
        *,
        pauses: tuple[Callable[[], Any], ...] = (),
        reader: wire.StreamReader | None = None,
    ) -> AsyncGenerator[Event, None]:
        """The events of the answer to ``body``; closing it cancels the request at the other side.

        ``deadline`` is of the loop's clock. Raises ``DeadlineExceeded``, ``EngineDied`` on ``close()``, and what
        the client's functions make of everything else. ``pauses`` are awaited before further attempts to connect.
        """
        response: aiohttp.ClientResponse | None = None
        begun = False
        try:
            response = await self._open(url, body, headers, deadline, pauses)
            async with contextlib.aclosing(self._events(response, reader, deadline)) as events:
                async for event in events:
                    begun = True
                    yield event
        except (aiohttp.ClientError, OSError) as error:
            failure = self._fail(f"the connection failed: {str(error) or type(error).__name__}")
            raise failure if begun else _passing(failure) from None
        finally:
            if response is not None:
                # Closing the connection shows the other side that the reader has left; a response that was read to
                # its end has already returned its connection to the pool.
                self._responses.discard(response)
                response.close()

    async def _open(
        self,
        url: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        deadline: float | None,
        pauses: tuple[Callable[[], Any], ...],
    ) -> aiohttp.ClientResponse:
        """The response whose stream may be read, or the error that it stands for."""
        # The separate task lets close() end a request that has no response yet.
        opening = asyncio.ensure_future(self._connect(url, body, headers, pauses))
        self._opening.add(opening)
        limit = asyncio.timeout_at(deadline)
        response: aiohttp.ClientResponse | None = None
        try:
            async with limit:
                response = await opening
                self._responses.add(response)
                if response.status != 200:
                    try:
                        raw = await response.content.read(MAX_ERROR_BYTES)
                        raise self._refuse(response.status, response.headers, raw)
                    finally:
                        self._responses.discard(response)
                        response.close()
                return response
        except TimeoutError:
            waited = "within the request's deadline" if limit.expired() else f"for {self._silence_s:g} s"
            raise DeadlineExceeded(f"{self._name} did not answer {waited}") from None
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if self._session is None and not (current and current.cancelling()):
                raise EngineDied(f"{self._name} was closed while it answered") from None
            raise
        finally:
            self._opening.discard(opening)
            if response is None and opening.done() and not opening.cancelled() and opening.exception() is None:
                # The connection was made after its requester gave up.
                opening.result().close()

    async def _events(
        self, response: aiohttp.ClientResponse, reader: wire.StreamReader | None, deadline: float | None
    ) -> AsyncGenerator[Event, None]:
        kind = response.content_type
        if kind != "text/event-stream":
            raise self._fail(f"it answered with {kind} instead of an event stream")
        parser, reader = EventParser(), reader or wire.StreamReader(self._name)
        late = DeadlineExceeded(f"{self._name} did not finish within the request's deadline")
        # One timer for the whole stream: a timeout around each read would cost more than the read.
        loop = asyncio.get_running_loop()
        timer = loop.call_at(deadline, response.content.set_exception, late) if deadline is not None else None
        try:
            begun = False
            while not reader.done and (chunk := await response.content.readany()):
                for event in parser.feed(chunk):
                    for parsed in reader.read(event):
                        begun = True
                        yield parsed
            try:
                last = list(reader.end())
            except UpstreamError as error:
                raise error if begun else _passing(error) from None
            for parsed in last:
                yield parsed
            # The end of the body follows [DONE] at once if the connection can be reused.
            if not response.content.at_eof():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(DRAIN_TIMEOUT_S):
                        while await response.content.readany():
                            pass
        except TimeoutError:
            raise DeadlineExceeded(f"{self._name} was silent for {self._silence_s:g} s") from None
        finally:
            if timer:
                timer.cancel()

    async def _connect(
        self,
        url: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        pauses: tuple[Callable[[], Any], ...],
    ) -> aiohttp.ClientResponse:
        sent = {"accept": "text/event-stream", "content-type": "application/json", **headers}
        data = json.dumps(body).encode()
        waits = iter(pauses)
        while True:
            if self._session is None:
                raise EngineDied(f"{self._name} is not started")
            try:
                return await self._session.post(url, data=data, headers=sent, allow_redirects=False)
            except aiohttp.ConnectionTimeoutError as error:
                # The connection was not refused: another attempt would wait as long again.
                raise self._unreachable(str(error)) from None
            except aiohttp.ClientConnectorError as error:
                pause = next(waits, None)
                if pause is None:
                    raise self._unreachable(str(error)) from None
                await pause()
            except aiohttp.InvalidURL as error:
                raise self._unreachable(f"{error} is not a URL") from None

    async def call(
        self, url: str, body: Mapping[str, Any], *, timeout: float, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The JSON answer to a short request. Raises the errors of ``stream``."""
        if self._session is None:
            raise EngineDied(f"{self._name} is not started")
        try:
            async with asyncio.timeout(timeout), self._session.post(url, json=body, headers=headers) as response:
                raw = await response.read()
                if response.status != 200:
                    raise self._refuse(response.status, response.headers, raw)
                return json.loads(raw)
        except TimeoutError:
            raise DeadlineExceeded(f"{self._name} did not answer within {timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
            raise self._fail(f"the connection failed: {str(error) or type(error).__name__}") from None

    async def close(self) -> None:
        """End everything that runs with ``EngineDied``."""
        session, self._session = self._session, None
        for opening in self._opening:
            opening.cancel()
        for response in self._responses:
            response.content.set_exception(EngineDied(f"{self._name} was closed while it answered"))
        if session is not None:
            await session.close()


def _passing(error: MainspringError) -> MainspringError:
    """``error``, which another attempt may not meet."""
    if error.retry_after is None:
        error.retry_after = CUT_RETRY_S
    return error
