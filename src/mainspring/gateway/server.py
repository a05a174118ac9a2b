"""The HTTP server process: uvicorn, with a shutdown that lets running streams finish."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from mainspring.errors import MainspringError
from mainspring.settings import GatewaySettings


class AddressInUse(MainspringError):
    """The configured address cannot be bound."""

    code = "address_in_use"


@asynccontextmanager
async def serving(app: FastAPI, settings: GatewaySettings) -> AsyncIterator[tuple[uvicorn.Server, str]]:
    """Serve ``app`` while the block runs; gives the server and its base URL. Leaving the block drains it.

    Raises ``AddressInUse`` when host and port cannot be bound.
    """
    listener = _bind(settings)
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
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
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
