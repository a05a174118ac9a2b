"""The guarded HTTP of ``agents.tools.mcp.network`` for the SDK of A2A, which speaks through another library."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import httpx2

from mainspring.agents.tools.a2a.settings import RemoteAgentSettings
from mainspring.agents.tools.mcp import network


class _Stream(httpx.AsyncByteStream):
    """The bytes of an answer; what fails is told in the other library's errors."""

    def __init__(self, inner: httpx2.Response) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            assert isinstance(self._inner.stream, httpx2.AsyncByteStream)
            async for part in self._inner.stream:
                yield part
        except httpx2.HTTPError as error:
            raise httpx.ReadError(str(error)) from error

    async def aclose(self) -> None:
        await self._inner.aclose()


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends to public addresses, to those of ``private`` hosts, and secrets to ``origin`` alone."""

    def __init__(self, settings: RemoteAgentSettings, private: frozenset[str]) -> None:
        self._client = network.http_client(
            headers={},
            private_hosts=private,
            max_bytes=settings.max_bytes,
            connect_s=settings.connect_timeout_s,
            read_s=settings.timeout_s,
        )
        key = {"authorization": f"Bearer {settings.key}"} if settings.key else {}
        self._secret = {**settings.headers, **key}
        self._origin = origin(settings.url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        headers = list(request.headers.raw)
        if origin(str(request.url)) == self._origin:
            headers += [(name.encode(), value.encode()) for name, value in self._secret.items()]
        sent = httpx2.Request(
            request.method, str(request.url), headers=headers, content=await request.aread(), extensions=_times(request)
        )
        try:
            answer = await self._client.send(sent, stream=True)
        except httpx2.HTTPError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        return httpx.Response(answer.status_code, headers=answer.headers.raw, stream=_Stream(answer))

    async def aclose(self) -> None:
        await self._client.aclose()


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address."""
    parsed = httpx.URL(url)
    return parsed.scheme, parsed.host, parsed.port


def _times(request: httpx.Request) -> dict[str, Any]:
    return {name: value for name, value in request.extensions.items() if name == "timeout"}
