"""The ``mainspring`` command: its groups, its options and how it fails."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from mainspring.cli.ask import ask, chat, ingest, look, sync
from mainspring.cli.evaluate import measure as evaluate
from mainspring.cli.evaluate import redteam
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
    routes,
    telemetry,
    traces,
)
from mainspring.cli.rag import documents
from mainspring.cli.serve import backup, doctor, replicas, up
from mainspring.core.errors import InvalidRequest, MainspringError, SettingsError
from mainspring.core.version import __version__
from mainspring.features.approvals import cmd as approvals
from mainspring.features.batches import cmd as batches
from mainspring.features.compliance import audit_cmd, retention_cmd, subject_cmd
from mainspring.features.litellm import cmd as imports
from mainspring.features.monitor import cmd as monitor
from mainspring.features.prompts import cmd as prompts
from mainspring.features.replays import cmd as replay
from mainspring.features.sessions import cmd as sessions
from mainspring.terminal import naming, show

app = typer.Typer(
    name="mainspring",
    cls=naming.Root,
    help="A production GenAI platform in one install: ask documents, serve models, keep one trace through it all.",
    epilog="Start with `mainspring up`, or `mainspring ask PATH 'question'` for an answer without a server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    # A callback of its own: the command's runs only where a command is named.
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


START, DOCUMENTS, MODELS, ACCESS = "Start and ask", "Documents", "Models and routing", "Keys, money and limits"
QUALITY, WATCH, KEEP = "Quality and safety", "Watch what happens", "Keep and comply"

COMMANDS: tuple[tuple[str, Callable[..., None], str], ...] = (
    ("up", up.up, START),
    ("ask", ask.ask, START),
    ("chat", chat.chat, START),
    ("doctor", doctor.doctor, START),
    ("ingest", ingest.ingest, DOCUMENTS),
    ("sync", sync.sync, DOCUMENTS),
    ("search", look.search, DOCUMENTS),
    ("documents", look.documents, DOCUMENTS),
    ("redteam", redteam.redteam, QUALITY),
    ("replay", replay.replay, QUALITY),
    ("traces", traces.traces, WATCH),
    ("logs", logs.logs, WATCH),
    ("slos", monitor.slos, WATCH),
    ("retention", retention_cmd.retention, KEEP),
    ("backup", backup.backup, KEEP),
    ("restore", backup.restore, KEEP),
)
GROUPS: tuple[tuple[str, typer.Typer, str], ...] = (
    ("rag", documents.app, DOCUMENTS),
    ("models", models.app, MODELS),
    ("routes", routes.app, MODELS),
    ("replicas", replicas.app, MODELS),
    ("cache", cache.app, MODELS),
    ("prompts", prompts.app, MODELS),
    ("batches", batches.app, MODELS),
    ("import", imports.app, MODELS),
    ("keys", keys.app, ACCESS),
    ("credentials", credentials.app, ACCESS),
    ("budgets", budgets.app, ACCESS),
    ("limits", limits.app, ACCESS),
    ("costs", costs.app, ACCESS),
    ("approvals", approvals.app, ACCESS),
    ("eval", evaluate.app, QUALITY),
    ("guards", guards.app, QUALITY),
    ("alerts", monitor.app, WATCH),
    ("telemetry", telemetry.app, WATCH),
    ("sessions", sessions.app, KEEP),
    ("audit", audit_cmd.app, KEEP),
    ("subjects", subject_cmd.app, KEEP),
)
for called, command, panel in COMMANDS:
    app.command(called, rich_help_panel=panel)(command)
for called, group, panel in GROUPS:
    app.add_typer(group, name=called, rich_help_panel=panel)
naming.name(app)


def run() -> None:
    """The console script. A deliberate failure is one line on stderr and exit status 1 (2: configuration); with
    ``--json`` it is told on stdout too."""
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
