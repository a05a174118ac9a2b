"""The HTTP server process: uvicorn, with a shutdown that lets running streams finish."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import _TrustedHosts

from mainspring.gateway import tls
from mainspring.gateway.addresses import Connections
from mainspring.gateway.connection import bounded_protocol
from mainspring.gateway.listener import bind, listen
from mainspring.settings import GatewaySettings


class _Server(uvicorn.Server):
    """Says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Uvicorn raises a captured signal again when it stops, which would end the process before the stores close.
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


def _config(app: FastAPI, settings: GatewaySettings) -> uvicorn.Config:
    proxies = list(settings.trusted_proxies)
    trusted = _TrustedHosts(proxies)
    connections = Connections(settings.addresses.connections, lambda host: host in trusted)
    secured = tls.context(settings.tls)
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=int(settings.shutdown_grace_s),
        http=bounded_protocol(settings.read_timeout_s, connections),
        timeout_keep_alive=75,
        # Whoever is not named could give itself any address.
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
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
    listener = bound or bind(settings)
    listen(listener, settings)
    # Its start and stop lines say nothing that the command line does not say itself.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = _Server(config)
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
