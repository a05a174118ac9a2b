"""``mainspring ask``: an answer from files or a collection, without a server or by one."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.cli.ask.target import AskedMode, LocalHome, Mode, nothing_kept, place
from mainspring.cli.serve.up import fill
from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.settings import Settings, load
from mainspring.terminal import complete, show
from mainspring.terminal.pulling import pull_missing, without_chat

if TYPE_CHECKING:
    from mainspring.rag.ingest.pipeline import IngestReport
    from mainspring.system import System

_USAGE = 'Usage: mainspring ask PATH... "question", or mainspring ask COLLECTION "question"'


def ask(
    context: typer.Context,
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="WHAT...",
            help="Files or folders to answer from, or one collection",
            autocompletion=complete.collections,
        ),
    ],
    question: Annotated[str, typer.Argument(help="The question")],
    collection: Annotated[
        bool, typer.Option("--collection", help="WHAT is a collection, even if a file or folder has the same name")
    ] = False,
    group: Annotated[
        list[str] | None, typer.Option(help="For a collection: a group to act as a member of; can be repeated")
    ] = None,
    mode: AskedMode = Mode.AUTO,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Answer a question from PDF, Office, HTML, Markdown, text or code files, or from a collection, with citations.

    Parsed files are cached, so that the next question about the same paths is answered at once. With
    MAINSPRING_API_KEY set, the running server answers for a collection; otherwise this machine's data directory is
    opened. The exit status is 3 if some files could not be read.
    """
    settings = without_chat(with_larger(mode.settings(load(context.obj).settings)))
    # A string that cannot be a name is no collection.
    if collection or not any(map(os.path.exists, what)):
        if len(what) > 1 or os.sep in what[0] or nothing_kept(context, settings):
            raise _nothing(what[0])
        asyncio.run(_of_collection(context, settings, what[0], question, mode, group or (), as_json))
        return
    for path in what:
        if not os.path.exists(path):
            raise _nothing(path)
    pull_missing(settings)
    unread = asyncio.run(_of_paths(settings, [Path(path) for path in what], question, mode, as_json))
    if unread:
        raise typer.Exit(show.PARTLY)


def _nothing(name: str) -> NotFound:
    return NotFound(f"there is no {name:.200}: no such file, folder or collection", remedy=_USAGE)


async def _of_paths(settings: Settings, paths: Sequence[Path], question: str, mode: Mode, as_json: bool) -> int:
    """Answer, and how many files were not read. Raises ``InvalidRequest`` if there is nothing to answer from."""
    from mainspring.system import System

    resolved = sorted(str(path.resolve()) for path in paths)
    name = "ask-" + hashlib.sha256("\0".join(resolved).encode()).hexdigest()[:16]
    async with System.open(settings) as system:
        report = await fill(system, name, paths)
        await _something(system, name, paths, report)
        turns = [{"role": "user", "content": question}]
        found = await LocalHome(system, system.local).answer(name, turns, mode=mode)
    _tell(found, as_json, [f"not read: {each.name}: {each.error}" for each in report.failed])
    return len(report.failed)


async def _something(system: System, name: str, paths: Sequence[Path], report: IngestReport) -> None:
    if any(each.generation for each in await system.library.documents(system.local, name)):
        return
    if report.failed:
        what = "; ".join(f"{each.name} could not be read: {each.error}" for each in report.failed[:5])
        raise InvalidRequest(what, remedy="`mainspring rag parse FILE` shows the parsed text of a file")
    raise InvalidRequest(f"there is nothing to read in {', '.join(map(str, paths))}", remedy=_USAGE)


async def _of_collection(
    context: typer.Context,
    settings: Settings,
    name: str,
    question: str,
    mode: Mode,
    groups: Sequence[str],
    as_json: bool,
) -> None:
    async with place(context, settings, groups) as asked:
        try:
            found = await asked.answer(name, [{"role": "user", "content": question}], mode=mode)
        except NotFound:
            raise _nothing(name) from None
    _tell(found, as_json)


def _tell(found: dict[str, Any], as_json: bool, warnings: Sequence[str] = ()) -> None:
    if as_json:
        show.as_json(found, warnings=warnings)
    else:
        show.answer(found)


def with_larger(settings: Settings) -> Settings:
    """The same settings with the larger chat model if it is on this machine and may write over documents."""
    from mainspring.engines.catalogue import larger_model

    choice = larger_model.choose(settings)
    return settings if choice.coming or choice.reason else choice.settings
