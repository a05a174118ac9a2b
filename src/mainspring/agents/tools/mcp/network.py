"""HTTP to servers that nobody vouches for: only to addresses that may be reached, and no more than is wanted.

Names are resolved where the connection is made, so that a name cannot mean one address when it is checked and another
when it is used. What a server sends is bounded before anything parses it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import Any

import httpcore2
import httpx2

from mainspring.rag.connect.fetch import public

_CODED = "identity"
STREAMED = 64
"""A stream may be that many times as long as one message."""


class Unreachable(httpx2.ConnectError):
    """An address that must not be reached."""


class TooMuch(httpx2.ReadError):
    """An answer that is longer than it may be."""


class _Guarded(httpcore2.AsyncNetworkBackend):
    """Connects to public addresses, and to those of ``private_hosts`` whatever they are."""

    def __init__(self, private_hosts: Collection[str]) -> None:
        self._inner = httpcore2.AnyIOBackend()
        self._private = frozenset(host.lower().strip("[]") for host in private_hosts)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        address = await self._address(host, port)
        return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)

    async def _address(self, host: str, port: int) -> str:
        try:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore2.ConnectError(f"{host} is not known: {error}") from error
        addresses = [str(each[4][0]) for each in found]
        if host.lower().strip("[]") not in self._private:
            private = [each for each in addresses if not public(each)]
            if private:
                raise httpcore2.ConnectError(f"{host} is {private[0]}, which is no public address")
        return addresses[0]

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        raise httpcore2.ConnectError(f"{path} is no address of the internet")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Bounded(httpx2.AsyncByteStream):
    """The bytes of an answer, up to ``most`` of them."""

    def __init__(self, inner: httpx2.AsyncByteStream, most: int) -> None:
        self._inner = inner
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._inner:
            size += len(part)
            if size > self._most:
                raise TooMuch(f"the server sent more than {self._most} bytes")
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Transport(httpx2.AsyncBaseTransport):
    def __init__(self, private_hosts: Collection[str], max_bytes: int) -> None:
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)
        self._inner._pool._network_backend = _Guarded(private_hosts)
        self._max_bytes = max_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        # A packed answer could unfold to any size.
        request.headers["accept-encoding"] = _CODED
        response = await self._inner.handle_async_request(request)
        coded = response.headers.get("content-encoding", _CODED).strip().lower()
        if coded != _CODED:
            await response.aclose()
            raise TooMuch(f"the server packed its answer ({coded[:20]}), which was not asked for")
        streamed = response.headers.get("content-type", "").lower().startswith("text/event-stream")
        most = self._max_bytes * (STREAMED if streamed else 1)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Bounded(response.stream, most)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def http_client(
    *,
    headers: Mapping[str, str],
    private_hosts: Collection[str],
    max_bytes: int,
    connect_s: float,
    read_s: float,
    auth: httpx2.Auth | None = None,
) -> httpx2.AsyncClient:
    """A client for one server. It keeps no cookies and follows no redirect by itself; the protocol's library follows
    those within the server's origin."""
    return httpx2.AsyncClient(
        transport=_Transport(private_hosts, max_bytes),
        headers=dict(headers),
        auth=auth,
        timeout=httpx2.Timeout(connect_s, read=read_s),
        follow_redirects=False,
        trust_env=False,
    )
