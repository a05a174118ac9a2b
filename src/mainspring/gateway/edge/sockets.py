"""WebSockets: uvicorn's, in the bounds of the connections from which they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

PATHS = (b"/v1/responses",)
"""The paths with sockets; a request for a socket elsewhere is ignored, as HTTP permits."""


class SocketProtocol(WSProtocol):
    """A connection that has become a socket. ``freed`` is called when it is lost: it counted as its address's."""

    freed: Callable[[], None] = staticmethod(lambda: None)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.freed()


def wanted(method: bytes, url: bytes, headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a request that wants another protocol wants a socket, and may have one."""
    path = url.partition(b"?")[0]
    wishes = [value.strip().lower() for name, value in headers if name == b"upgrade"]
    return method == b"GET" and path in PATHS and wishes == [b"websocket"]


def opened(head: bytes, kind: Any, transport: Any, freed: Callable[[], None]) -> SocketProtocol:
    """The socket that a connection becomes; ``head`` is its request again, ``kind`` makes the protocol."""
    protocol: SocketProtocol = kind
    protocol.freed = freed
    protocol.connection_made(transport)
    protocol.data_received(head)
    return protocol
