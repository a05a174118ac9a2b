"""The ``mainspring`` command: its groups, its options and how it fails."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.ask import ask, chat, ingest, search, sync
from mainspring.cli.models import models
from mainspring.cli.operate import (
    budgets,
    cache,
    costs,
    credentials,
    guards,
    keys,
    limits,
    logs,
    traces,
)
from mainspring.cli.rag import documents
from mainspring.cli.serve import backup, doctor, replicas, up
from mainspring.command import ACCESS, DOCUMENTS, KEEP, MODELS, QUALITY, START, WATCH, Command, commands, lend
from mainspring.core.errors import InvalidRequest, MainspringError, SettingsError
from mainspring.core.version import __version__
from mainspring.terminal import named_commands, show

if TYPE_CHECKING:
    from mainspring.core.settings import Settings
    from mainspring.feature import Rooms, Services

app = typer.Typer(
    name="mainspring",
    cls=named_commands.Root,
    help="A production GenAI platform in one install: ask documents, serve models, keep one trace through it all.",
    epilog="Start with `mainspring up`, or `mainspring ask PATH 'question'` for an answer without a server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    # This is a separate callback, because the command's callback runs only if a command is named.
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Configuration file", show_default="./mainspring.yaml if there"),
    ] = None,
    _: Annotated[
        bool, typer.Option("--version", help="Print the version and stop", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Options of every command."""
    context.obj = config
    lend(context, _open_rooms, _open_whole)


@asynccontextmanager
async def _open_rooms(settings: Settings) -> AsyncIterator[Rooms]:
    # Importing the system takes most of the time.
    from mainspring.system import open_rooms

    async with open_rooms(settings) as rooms:
        yield rooms


@asynccontextmanager
async def _open_whole(settings: Settings) -> AsyncIterator[tuple[Rooms, Services]]:
    from mainspring.system import System

    async with System.open(settings) as system:
        yield system.rooms, system.services


COMMANDS = (
    Command("up", up.up, START),
    Command("ask", ask.ask, START),
    Command("chat", chat.chat, START),
    Command("doctor", doctor.doctor, START),
    Command("ingest", ingest.ingest, DOCUMENTS),
    Command("sync", sync.sync, DOCUMENTS),
    Command("search", search.search, DOCUMENTS),
    Command("documents", search.documents, DOCUMENTS),
    Command("traces", traces.traces, WATCH),
    Command("logs", logs.logs, WATCH),
    Command("backup", backup.backup, KEEP),
    Command("restore", backup.restore, KEEP),
    Command("rag", documents.app, DOCUMENTS),
    Command("models", models.app, MODELS),
    Command("replicas", replicas.app, MODELS),
    Command("cache", cache.app, MODELS),
    Command("keys", keys.app, ACCESS),
    Command("credentials", credentials.app, ACCESS),
    Command("budgets", budgets.app, ACCESS),
    Command("limits", limits.app, ACCESS),
    Command("costs", costs.app, ACCESS),
    Command("guards", guards.app, QUALITY),
)
for each in (*COMMANDS, *commands()):
    if isinstance(each.run, typer.Typer):
        app.add_typer(each.run, name=each.name, rich_help_panel=each.panel)
    else:
        app.command(each.name, rich_help_panel=each.panel)(each.run)
named_commands.name(app)


def run() -> None:
    """The console script. A deliberate failure is one line on stderr and exit status 1 (2: configuration); with
    ``--json`` it is also printed on stdout."""
    # The threads of NumPy's products wait for more by spinning, for some 25 ms of CPU, and most products take less than
    # one. Processes that are started from here get it, too.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A name that the terminal's encoding lacks is shown as its escape; a stream that is closed is None.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except MainspringError as error:
        show.failure(error)
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    except OSError as error:
        if error.filename is None:
            raise
        # A file or folder that was named: too long, a folder, not ours to write.
        show.failure(InvalidRequest(f"{error.filename!s:.200}: {error.strerror}"))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
