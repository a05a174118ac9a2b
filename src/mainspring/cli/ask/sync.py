"""``mainspring sync``: syncs a collection with its sources again, once or continuously."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.core.errors import MainspringError, NotFound
from mainspring.core.settings import load
from mainspring.terminal import complete, show
from mainspring.terminal.ingest_report import report_facts, tell
from mainspring.terminal.pulling import pull_missing

if TYPE_CHECKING:
    from mainspring.core.types import Principal
    from mainspring.rag.connect.registry import Spec
    from mainspring.rag.ingest.publish import IngestReport
    from mainspring.system import System

AsJson = Annotated[bool, typer.Option("--json", help="What was done, as JSON on standard output")]
# How long a watcher takes to begin.
_STARTING_S = 0.5


def sync(
    context: typer.Context,
    collection: Annotated[
        str, typer.Argument(help="Collection that `mainspring ingest` has filled", autocompletion=complete.collections)
    ],
    watch: Annotated[bool, typer.Option("--watch", help="Keep running and follow changes until interrupted")] = False,
    every: Annotated[
        float, typer.Option(min=1, help="--watch: seconds between checks of sources other than folders")
    ] = 300.0,
    group: Annotated[list[str] | None, typer.Option(help="A group to act as a member of; can be repeated")] = None,
    as_json: AsJson = False,
) -> None:
    """Sync a collection with its sources: read new and changed documents, remove vanished ones."""
    asyncio.run(follow(context.obj, collection, (), watching=watch, every=every, groups=group or (), as_json=as_json))


async def follow(
    config: Path | None,
    collection: str,
    specs: Sequence[Spec],
    *,
    watching: bool,
    every: float,
    groups: Collection[str] = (),
    as_json: bool = False,
) -> None:
    """Add ``specs`` to the collection's sources, or follow all of its sources if none are given; then keep running if
    ``watching``. The groups on whose behalf it runs.

    Ends with exit code 3 if a file was not read. ``as_json`` prints the result at the end."""
    if watching and as_json:
        raise typer.BadParameter("--json tells what was done, and --watch is never done")
    settings = load(config).settings
    settings = settings.model_copy(update={"models": settings.models.model_copy(update={"chat": ()})})
    await asyncio.to_thread(pull_missing, settings)

    from mainspring.system import System

    async with System.open(settings) as system:
        who = dataclasses.replace(system.local, groups=frozenset(groups))
        reports: list[IngestReport] = []
        for spec in specs:
            with show.progress() as progress:
                report = await system.library.add_source(
                    who, collection, spec, lambda done, total, _: progress("Reading", done, total)
                )
            tell(collection, report)
            reports.append(report)
        if not specs:
            reports += await _again(system, who, collection, patient=watching)
        if watching:
            await _stay(system, who, collection, every)
    from mainspring.rag.ingest.publish import IngestReport

    report = IngestReport.of(reports)
    if as_json:
        unread = [show.problem("not_read", f"{each.name}: {each.error}") for each in report.failed]
        show.as_json({"collection": collection, **report_facts(report)}, ok=not unread, errors=unread)
    if report.failed:
        raise typer.Exit(show.PARTLY)


async def _again(system: System, who: Principal, collection: str, *, patient: bool) -> list[IngestReport]:
    """Follow all sources once.

    A source that fails does not keep the others; without ``patient`` its error is raised when all had their turn.
    """
    failed: MainspringError | None = None
    reports: list[IngestReport] = []
    found = await system.library.sources(who, collection)
    if not found:
        raise NotFound(f"{collection} has no sources", remedy=f"Give it some: mainspring ingest {collection} SOURCE...")
    for source in found:
        try:
            with show.progress() as progress:
                report = await system.library.sync(
                    who, collection, source, lambda done, total, _: progress("Reading", done, total)
                )
        except MainspringError as error:
            sys.stderr.write(f"{source.location}: {error}\n")
            failed = error
            continue
        tell(collection, report)
        reports.append(report)
    if failed is not None and not patient:
        raise failed
    return reports


async def _stay(system: System, who: Principal, collection: str, every: float) -> None:
    """Sync the sources again whenever a folder among them changes, and periodically for the others."""
    from mainspring.rag.connect.watch import watch

    found = await system.library.sources(who, collection)
    folders = [Path(source.location) for source in found if source.kind == "folder"]
    # If only folders are followed, nothing needs periodic checks.
    limit = None if len(folders) == len(found) else every
    changes = watch(folders).__aiter__() if folders else None
    waiting: asyncio.Future[None] | None = None
    try:
        if changes is not None:
            waiting = asyncio.ensure_future(changes.__anext__())
            await asyncio.sleep(_STARTING_S)
        sys.stderr.write(f"{collection}: watching {len(found)} sources\n")
        if changes is not None:
            # Look once more for changes that happened during the sync, before watching started.
            await _again(system, who, collection, patient=True)
        while True:
            if changes is not None and waiting is None:
                waiting = asyncio.ensure_future(changes.__anext__())
            if waiting is None:
                await asyncio.sleep(every)
            else:
                await asyncio.wait([waiting], timeout=limit)
                if waiting.done():
                    waiting.result()
                    waiting = None
            await _again(system, who, collection, patient=True)
    finally:
        if waiting is not None:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
