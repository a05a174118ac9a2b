"""The connection to one server: made when it is needed, held in a task of its own, made again after it was lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
import mcp.types as types
from mcp import Client, MCPError
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.message import SessionMessage
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mainspring.agents.tools.mcp.child import child
from mainspring.agents.tools.mcp.network import http_client
from mainspring.agents.tools.mcp.oauth import login_wanted
from mainspring.agents.tools.mcp.settings import McpServerSettings
from mainspring.agents.tools.mcp.texts import clean
from mainspring.core.errors import MainspringError, UpstreamError
from mainspring.core.version import __version__

T = TypeVar("T")
_log = logging.getLogger("mainspring.mcp")
_LONGEST_PAUSE_S = 60.0
# Messages that a server may send: that many at once, and that many a second in the long run.
_BURST, _RATE = 2_000, 200
_TERMINATED = "session terminated"
_LISTS = (
    types.ToolListChangedNotification,
    types.ResourceListChangedNotification,
    types.PromptListChangedNotification,
)


class Connection:
    """``auth`` puts a token on its requests. ``own_host_private``: its own host may have a private address. ``elicit``
    answers what the server asks of people (None: it is refused)."""

    def __init__(
        self,
        name: str,
        settings: McpServerSettings,
        *,
        auth: httpx2.Auth | None = None,
        own_host_private: bool = True,
        elicit: ElicitationFnT | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._auth = auth
        self._elicit = elicit
        own = {urlsplit(settings.url).hostname or ""} if settings.url and own_host_private else set()
        self._private = frozenset((own | set(settings.private_hosts)) - {""})
        self._task: asyncio.Task[None] | None = None
        self._client: asyncio.Future[Client] | None = None
        self._lost = asyncio.Event()
        self._failures = 0
        self._again_at = 0.0
        self.changes = 0
        """How often the server said that its lists changed, or the connection was made anew."""

    async def run(self, what: str, work: Callable[[Client], Awaitable[T]], timeout_s: float | None = None) -> T:
        """``work`` with the client, within the time. Raises ``UpstreamError`` that names the server."""
        seconds = self._settings.timeout_s if timeout_s is None else timeout_s
        for attempt in (1, 2):
            client = await self._connected()
            try:
                async with asyncio.timeout(seconds):
                    return await work(client)
            except TimeoutError:
                problem = f"the MCP server {self.name} did not {what} within {seconds:g} s, and may still do it"
                raise UpstreamError(problem, remedy=f"See mcp.servers.{self.name}.timeout_s") from None
            except MCPError as error:
                if getattr(self._auth, "wants_login", False):
                    raise login_wanted(self.name) from None
                ended = _TERMINATED in error.error.message.lower()
                if ended or error.error.code == types.CONNECTION_CLOSED:
                    self._drop()
                if ended and attempt == 1:
                    # The server knew nothing of the session, so that nothing was done.
                    continue
                if error.error.code == types.CONNECTION_CLOSED:
                    problem = f"the MCP server {self.name} was lost while it should {what}, and may have done it"
                    raise UpstreamError(problem, remedy=_remedy(self.name)) from None
                raise
            except MainspringError:
                raise
            except Exception as error:
                if getattr(self._auth, "wants_login", False):
                    raise login_wanted(self.name) from None
                if not isinstance(error, ValueError | RuntimeError):
                    self._drop()
                problem = f"the MCP server {self.name} failed to {what}: {_said(error)}"
                raise UpstreamError(problem, remedy=_remedy(self.name)) from error
        raise AssertionError

    async def _connected(self) -> Client:
        if self._client is None or (self._client.done() and not self._alive()):
            if (pause := self._again_at - time.monotonic()) > 0:
                raise UpstreamError(
                    f"the MCP server {self.name} cannot be reached", remedy=_remedy(self.name), retry_after=pause
                )
            await self._end()
            self._lost = asyncio.Event()
            self._client = asyncio.get_running_loop().create_future()
            # An exception that nobody waits for any more is no fault.
            self._client.add_done_callback(lambda made: made.cancelled() or made.exception())
            self._task = asyncio.create_task(self._own(self._client), name=f"mcp {self.name}")
        return await asyncio.shield(self._client)

    def _alive(self) -> bool:
        return self._task is not None and not self._task.done() and not self._lost.is_set()

    def _drop(self) -> None:
        self._lost.set()

    async def _own(self, made: asyncio.Future[Client]) -> None:
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(self._settings.connect_timeout_s):
                    client = await stack.enter_async_context(self._opened())
                self._failures, self._again_at = 0, 0.0
                self.changes += 1
                made.set_result(client)
                listening = asyncio.create_task(self._listen(client))
                try:
                    await self._lost.wait()
                finally:
                    listening.cancel()
                    await asyncio.wait([listening])
        except asyncio.CancelledError:
            made.cancel()
            raise
        except BaseException as raised:
            error = login_wanted(self.name) if getattr(self._auth, "wants_login", False) else raised
            if made.done():
                _log.warning("the MCP server %s was lost: %s", self.name, _said(error))
                return
            self._failures += 1
            self._again_at = time.monotonic() + min(_LONGEST_PAUSE_S, 0.5 * 2**self._failures)
            problem = f"the MCP server {self.name} cannot be reached: {_said(error)}"
            made.set_exception(
                found if (found := _ours(error)) is not None else UpstreamError(problem, remedy=_remedy(self.name))
            )

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Client]:
        settings = self._settings
        async with AsyncExitStack() as stack:
            inner: Any
            if settings.url:
                http = http_client(
                    headers=settings.headers,
                    private_hosts=self._private,
                    max_bytes=settings.max_bytes,
                    connect_s=settings.connect_timeout_s,
                    read_s=max(settings.timeout_s, settings.connect_timeout_s) + 60,
                    auth=self._auth,
                )
                await stack.enter_async_context(http)
                inner = streamable_http_client(settings.url, http_client=http, max_sse_event_size=settings.max_bytes)
            else:
                inner = child(self.name, settings.command, settings.env, settings.cwd, settings.max_bytes)
            yield await stack.enter_async_context(
                Client(
                    _watched(inner, self._drop),
                    read_timeout_seconds=max(settings.timeout_s, settings.connect_timeout_s),
                    message_handler=self._heard,
                    elicitation_callback=self._elicit,
                    client_info=types.Implementation(name="mainspring", version=__version__),
                    cache=None,
                )
            )

    async def _heard(self, message: Any) -> None:
        if isinstance(message, _LISTS):
            self.changes += 1

    async def _listen(self, client: Client) -> None:
        """Hear of changes where the version of the protocol wants one to ask for that."""
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return
        tools = client.server_capabilities.tools
        if tools is None or not tools.list_changed:
            return
        pause = 1.0
        while True:
            with contextlib.suppress(MCPError, SubscriptionLost, TimeoutError, httpx2.HTTPError):
                try:
                    async with client.listen(tools_list_changed=True) as changes:
                        pause = 1.0
                        async for _ in changes:
                            self.changes += 1
                except ListenNotSupportedError:
                    return
            # Whatever changed in between was not heard.
            self.changes += 1
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE_S, pause * 2)

    async def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def aclose(self) -> None:
        """End the connection, and the child process if there is one."""
        await self._end()
        self._client = None


@asynccontextmanager
async def _watched(inner: Any, lost: Callable[[], None]) -> AsyncIterator[Any]:
    async with inner as (read, write):
        yield _Watched(read, lost), write


class _Watched:
    """What a server sends, without what would be dangerous to act upon: a flood of messages ends the connection, and
    schemas of results are taken away, whose patterns could keep a validator busy for ever."""

    def __init__(self, inner: Any, lost: Callable[[], None]) -> None:
        self._inner = inner
        self._lost = lost
        self._room = float(_BURST)
        self._then = time.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def __aenter__(self) -> _Watched:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._inner.__aexit__(*error)

    def __aiter__(self) -> _Watched:
        return self

    async def __anext__(self) -> Any:
        try:
            item = await self._inner.__anext__()
        except StopAsyncIteration:
            self._lost()
            raise
        now = time.monotonic()
        self._room = min(_BURST, self._room + (now - self._then) * _RATE) - 1
        self._then = now
        if self._room < 0:
            self._lost()
            raise StopAsyncIteration
        if isinstance(item, SessionMessage) and isinstance(item.message, types.JSONRPCResponse):
            tools = item.message.result.get("tools")
            if isinstance(tools, list):
                for tool in tools:
                    if isinstance(tool, dict):
                        tool.pop("outputSchema", None)
        return item

    async def receive(self) -> Any:
        return await self.__anext__()


def _flat(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [each for inner in error.exceptions for each in _flat(inner)]
    return [error]


def _ours(error: BaseException) -> MainspringError | None:
    return next((each for each in _flat(error) if isinstance(each, MainspringError)), None)


def _said(error: BaseException) -> str:
    found = _flat(error)[0]
    if isinstance(found, TimeoutError):
        return "it did not answer in time"
    return clean(str(found), 300) or type(found).__name__


def _remedy(name: str) -> str:
    return f"See that it runs, and mcp.servers.{name}; `mainspring mcp tools {name}` tries it"
