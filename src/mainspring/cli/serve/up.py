"""``mainspring up``: everything from nothing to a serving gateway."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.serve import heap, welcome
from mainspring.cli.serve.home_lock import sole_server
from mainspring.cli.serve.larger_model import arriving
from mainspring.core.errors import NotFound
from mainspring.core.settings import Settings, load
from mainspring.gateway.edge import tls
from mainspring.gateway.edge.listener import bind
from mainspring.terminal import show
from mainspring.terminal.ingest_report import tell
from mainspring.terminal.pulling import pull_missing

if TYPE_CHECKING:
    import uvicorn

    from mainspring.engines import Prepared
    from mainspring.rag.ingest.pipeline import IngestReport
    from mainspring.system import System

_SWITCH_S = 0.0005
"""Seconds that one thread may compute while another waits. The event loop waits for each other thread that runs Python
whenever it wakes up, several times in each request: Python's own 5 ms would be most of what an answer takes."""


def up(
    context: typer.Context,
    ingest: Annotated[list[Path] | None, typer.Option(help="Folder or file to ingest; repeat for more")] = None,
    collection: Annotated[str, typer.Option(help="Collection that --ingest fills")] = "handbook",
    ask: Annotated[
        list[str] | None, typer.Option(help="A question to answer once everything runs; repeat for more")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to bind", show_default="gateway.host")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port", show_default="gateway.port")] = None,
    once: Annotated[bool, typer.Option("--once", help="Stop after the questions instead of serving on")] = False,
) -> None:
    """Pull the models that are missing, start the engines and serve the OpenAI-compatible gateway."""
    settings = _with_address(load(context.obj).settings, host, port)
    existing(ingest or [], "mainspring up --ingest PATH")
    tls.context(settings.gateway.tls)
    # This comes before models are pulled and loaded: an occupied address should be reported at once.
    with bind(settings.gateway) as bound, sole_server(settings), heap.collecting_later():
        from mainspring import engines
        from mainspring.engines.catalogue import larger_model

        choice = larger_model.choose(settings)
        if choice.reason:
            print(choice.reason)
        settings = choice.settings
        pull_missing(settings)
        # The engine's process loads its model while this one is still importing everything else.
        prepared = engines.prepare(asyncio.run(engines.filled(settings)))
        try:
            coming = "" if once else choice.coming
            asyncio.run(_serve(settings, prepared, bound, ingest or [], collection, ask or [], once, coming))
        finally:
            prepared.abandon()


def existing(paths: list[Path], usage: str) -> None:
    """Raises ``NotFound`` for the first path that is not there."""
    for path in paths:
        # Path.exists raises if a name is too long to be one.
        if not os.path.exists(path):
            raise NotFound(f"there is no {path}", remedy=f"Usage: {usage}")


def _with_address(settings: Settings, host: str | None, port: int | None) -> Settings:
    changes: dict[str, str | int] = {}
    if host is not None:
        changes["host"] = host
    if port is not None:
        changes["port"] = port
    return settings.model_copy(update={"gateway": settings.gateway.model_copy(update=changes)})


async def _serve(
    settings: Settings,
    prepared: Prepared,
    bound: socket.socket,
    ingest: list[Path],
    collection: str,
    ask: list[str],
    once: bool,
    coming: str = "",
) -> None:
    from mainspring.gateway.edge.server import serving
    from mainspring.gateway.mount import mount
    from mainspring.system import System
    from mainspring.telemetry import logs

    logs.configure(settings.telemetry, folder=settings.home / "logs")
    opening = System.open(settings, prepared)
    async with (
        opening as system,
        AsyncExitStack() as stack,
        system.working(),
        serving(mount(system), settings.gateway, bound) as (server, url),
    ):
        _stop_on_signals(server)
        heap.started()
        sys.setswitchinterval(_SWITCH_S)
        if ingest:
            await fill(system, collection, ingest)
        model = collection if ingest else "document-qa"
        for question in ask:
            await welcome.answered(system, model, question)
        # Created when nothing before its display can fail any more: it is shown only once.
        secret = await system.first_admin_key()
        print(f"\n{welcome.RULE}\nmainspring serves on {url}  (OpenAI base URL: {url}/v1, routes: {url}/docs)")
        if secret:
            print(f"Admin key, shown this once and stored hashed: {secret}")
        else:
            print("The admin key was shown at the first start; `mainspring keys create NAME` makes others.")
        print(f"Console: {url}/console  (sign in with the key)")
        if not once:
            print(welcome.onward(model))
        sys.stdout.flush()
        server.should_exit = server.should_exit or once
        # Nothing that is fetched for later slows the first answer.
        await stack.enter_async_context(arriving(system, coming))


async def fill(system: System, collection: str, paths: Sequence[Path]) -> IngestReport:
    """Ingest ``paths`` into ``collection`` of the local tenant and say what happened."""
    with show.progress() as progress:
        report = await system.library.ingest(
            system.local, collection, paths, lambda done, total, _: progress("Reading", done, total)
        )
    tell(collection, report)
    return report


def _stop_on_signals(server: uvicorn.Server) -> None:
    def stop() -> None:
        # The first signal lets streams finish, the second does not.
        server.force_exit = server.should_exit
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stop)
