"""The HTTP server process: uvicorn, with a shutdown that lets running streams finish."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware, _TrustedHosts

from mainspring.core.fair.threads import FairThreads
from mainspring.core.settings import GatewaySettings
from mainspring.gateway.edge import tls
from mainspring.gateway.edge.addresses import Connections, Forwarded
from mainspring.gateway.edge.connection import bounded_protocol
from mainspring.gateway.edge.listener import bind, listen
from mainspring.gateway.edge.sockets import SocketProtocol

if sys.platform != "win32":
    import resource

MOST_FILES = 65_536


class _Server(uvicorn.Server):
    """Reports when it is up."""

    def __init__(self, config: uvicorn.Config, handshake_s: float, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._handshake_s = handshake_s
        self._stopping = stopping
        self.up = asyncio.Event()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Streams that wait for what may never come would use up the time in which others finish.
        self._stopping.set()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Uvicorn raises a captured signal again when it stops, which would end the process before the stores close.
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn's behaviour, with a bound on the time until a client starts TLS: until then nothing else watches the
        # connection.
        config, loop = self.config, asyncio.get_running_loop()

        def connection() -> asyncio.Protocol:
            kind: Any = config.http_protocol_class
            made: asyncio.Protocol = kind(config=config, server_state=self.server_state, app_state=self.lifespan.state)
            return made

        self.servers = [
            await loop.create_server(
                connection,
                sock=each,
                ssl=config.ssl,
                backlog=config.backlog,
                ssl_handshake_timeout=self._handshake_s if config.ssl else None,
            )
            for each in sockets or ()
        ]
        self.started = True
        self.up.set()


def _more_files() -> None:
    """Let the process have as many connections open as it may: with the usual 1,024 one client could take them all."""
    if sys.platform == "win32":
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _config(app: FastAPI, settings: GatewaySettings) -> uvicorn.Config:
    proxies = list(settings.trusted_proxies)
    trusted = _TrustedHosts(proxies)
    connections = Connections(settings.addresses.connections, lambda host: host in trusted)
    secured = tls.context(settings.tls)
    # Any unlisted peer could otherwise claim any address.
    behind: Any = ProxyHeadersMiddleware(app, trusted_hosts=proxies) if proxies else app  # type: ignore[arg-type]
    return uvicorn.Config(
        Forwarded(behind, lambda host: host in trusted),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=int(settings.shutdown_grace_s),
        http=bounded_protocol(settings.read_timeout_s, connections),
        ws=SocketProtocol,
        ws_max_size=settings.max_body_bytes,
        timeout_keep_alive=75,
        proxy_headers=False,
        ssl_context_factory=None if secured is None else lambda *_: secured,
    )


@asynccontextmanager
async def serving(
    app: FastAPI, settings: GatewaySettings, bound: socket.socket | None = None
) -> AsyncIterator[tuple[uvicorn.Server, str]]:
    """Serve ``app`` while the block runs; gives the server and its base URL. Leaving the block drains it.

    ``bound`` is what ``listener.bind`` gave beforehand (None: it is bound here); leaving closes it. Raises
    ``AddressInUse`` when the address cannot be had.
    """
    config = _config(app, settings)
    _more_files()
    # The loop's own pool knows no tenants.
    asyncio.get_running_loop().set_default_executor(FairThreads())
    listener = bound or bind(settings)
    listen(listener, settings)
    # The command line already says what its start and stop lines say.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    app.state.stopping = asyncio.Event()
    server = _Server(config, settings.read_timeout_s, app.state.stopping)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.wait((task, asyncio.create_task(server.up.wait())), return_when=asyncio.FIRST_COMPLETED)
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        yield server, f"{'https' if settings.secure else 'http'}://{shown}:{port}"
        await asyncio.wait((task,))
    finally:
        server.should_exit = True
        await task
        listener.close()
