"""The ``mainspring`` command: its groups, its options and how it fails."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from mainspring import __version__
from mainspring.cli import (
    approvals,
    ask,
    audit,
    backup,
    batches,
    budgets,
    cache,
    costs,
    credentials,
    doctor,
    guards,
    imports,
    ingest,
    keys,
    limits,
    logs,
    models,
    monitor,
    prompts,
    rag,
    redteam,
    replay,
    replicas,
    retention,
    routes,
    sessions,
    show,
    subjects,
    sync,
    telemetry,
    traces,
    up,
)
from mainspring.cli import eval as evaluate
from mainspring.errors import InvalidRequest, MainspringError, SettingsError

app = typer.Typer(
    name="mainspring",
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


app.command("up")(up.up)
app.command("ask")(ask.ask)
app.command("ingest")(ingest.ingest)
app.command("sync")(sync.sync)
app.command("redteam")(redteam.redteam)
app.command("doctor")(doctor.doctor)
app.command("traces")(traces.traces)
app.command("logs")(logs.logs)
app.command("retention")(retention.retention)
app.command("slos")(monitor.slos)
app.add_typer(guards.app, name="guards")
app.command("replay")(replay.replay)
app.add_typer(telemetry.app, name="telemetry")
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(credentials.app, name="credentials")
app.add_typer(costs.app, name="costs")
app.add_typer(monitor.app, name="alerts")
app.add_typer(budgets.app, name="budgets")
app.add_typer(limits.app, name="limits")
app.add_typer(approvals.app, name="approvals")
app.add_typer(replicas.app, name="replicas")
app.add_typer(sessions.app, name="sessions")
app.add_typer(imports.app, name="import")
app.add_typer(batches.app, name="batches")
app.add_typer(rag.app, name="rag")
app.add_typer(evaluate.app, name="eval")
app.add_typer(cache.app, name="cache")
app.add_typer(routes.app, name="routes")
app.add_typer(audit.app, name="audit")
app.add_typer(subjects.app, name="subjects")
app.add_typer(prompts.app, name="prompts")


def run() -> None:
    """The console script. A deliberate failure is one line on stderr and exit status 1 (2: configuration)."""
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
