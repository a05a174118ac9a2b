"""The HTTP server process: uvicorn, with a shutdown that lets running streams finish."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI

from mainspring.errors import MainspringError
from mainspring.settings import GatewaySettings


class AddressInUse(MainspringError):
    """The configured address cannot be bound."""

    code = "address_in_use"


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


@asynccontextmanager
async def serving(app: FastAPI, settings: GatewaySettings) -> AsyncIterator[tuple[uvicorn.Server, str]]:
    """Serve ``app`` while the block runs; gives the server and its base URL. Leaving the block drains it.

    Raises ``AddressInUse`` when host and port cannot be bound.
    """
    listener = _bind(settings)
    # Its start and stop lines say nothing that the command line does not say itself.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=int(settings.shutdown_grace_s),
        h11_max_incomplete_event_size=64 * 1024,
        timeout_keep_alive=75,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.wait((task, asyncio.create_task(server.up.wait())), return_when=asyncio.FIRST_COMPLETED)
        host, port = listener.getsockname()[:2]
        yield server, f"http://{host}:{port}"
        await asyncio.wait((task,))
    finally:
        server.should_exit = True
        await task
        listener.close()


def _bind(settings: GatewaySettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise AddressInUse(
            f"{settings.host}:{settings.port} cannot be bound: {error.strerror}",
            remedy="Stop what uses it, or choose another with MAINSPRING_GATEWAY__PORT",
        ) from None
    listener.listen(2048)
    return listener
