"""Our server with what the suite asks for, on a port: ``python -m tests.mcp_conformance.server``.

The suite sends no keys, so that a wrapper adds one to its requests; everything behind it is as it is served.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from mainspring import engines
from mainspring.core.settings import ServingSettings, Settings
from mainspring.engines import Engines
from mainspring.features.mcp.service import Mcp
from mainspring.gateway.mount import mount
from mainspring.system import System
from tests.mcp_conformance.offer import SuiteOffer
from tests.world import Pieces, echoing


class WithKey:
    """The application, for clients that have no key."""

    def __init__(self, inner: Any, key: str) -> None:
        self._inner = inner
        self._header = (b"authorization", f"Bearer {key}".encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], self._header]}
        await self._inner(scope, receive, send)


async def main(home: Path) -> None:
    @asynccontextmanager
    async def given(settings: Settings, prepared: object = None) -> Any:
        yield Engines(echoing("parrot"), Pieces(), None)

    engines.open = given
    free = ServingSettings(requests_per_minute=10**6)
    settings = Settings(home=home, serving=free, mcp={"watch_s": 0.05})  # type: ignore[call-arg]
    async with System.open(settings) as system:
        _, key = await system.stores.keys.create("suite", tenant="default", scopes=frozenset({"chat"}))
        system.services[Mcp].more.append(SuiteOffer())
        server = uvicorn.Server(
            uvicorn.Config(WithKey(mount(system), key), host="127.0.0.1", port=0, log_level="warning", lifespan="off")
        )
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        print(f"http://127.0.0.1:{port}/mcp", flush=True)
        await serving


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))
