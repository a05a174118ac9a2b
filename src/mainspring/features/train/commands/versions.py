"""``mainspring train versions`` and what is done with one: its lineage, serving, withdrawing, deleting, adopting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mainspring.command import whole_opener
from mainspring.core.errors import InvalidRequest
from mainspring.features.train.commands import run_report
from mainspring.features.train.commands.step_line import StepLine
from mainspring.terminal import named_values, show
from mainspring.terminal.remote import Server

app = typer.Typer()


@app.command("versions")
def list_versions(context: typer.Context, as_json: run_report.AsJson = False) -> None:
    """List the latest hundred versions of a server."""
    found = Server.of(context).call("GET", "/v1/training/versions?limit=100")
    if as_json:
        show.as_json(found)
        return
    _list(found["data"])


@app.command("lineage")
def lineage(
    context: typer.Context,
    version: Annotated[str, typer.Argument(help="NAME@NUMBER, or NAME for the newest", show_default=False)] = "",
    made_of: Annotated[str, typer.Option(help="The versions made from this answer, trace, event or export")] = "",
    as_json: run_report.AsJson = False,
) -> None:
    """Show what a version was made from, or with --made-of which versions were made from an answer."""
    if bool(version) == bool(made_of):
        raise InvalidRequest("name either a version, or an answer with --made-of", param="version")
    server = Server.of(context)
    if made_of:
        found = server.call("GET", run_report.path("made-of", made_of))
    else:
        found = server.call("GET", f"{run_report.path('versions', version, '/lineage')}?limit=10000")
    if as_json:
        show.as_json(found)
    elif made_of:
        _list(found["data"], f"No version was made from {made_of}.")
    else:
        _sources(found)


@app.command("serve")
def serve(context: typer.Context, version: run_report.Label, as_json: run_report.AsJson = False) -> None:
    """Convert a version, compare it with the trained weights, and serve it."""
    with Server.of(context).opened("POST", run_report.path("versions", version, "/serve")) as answer:
        found = json.load(answer)
    show.done(f"{found['id']} answers as the model {found['served']}.", found, as_json)


@app.command("withdraw")
def withdraw(context: typer.Context, version: run_report.Label, as_json: run_report.AsJson = False) -> None:
    """Take a version out of service for good."""
    found = Server.of(context).call("POST", run_report.path("versions", version, "/withdraw"))
    show.done(f"{found['id']} answers no more.", found, as_json)


@app.command("delete")
def delete(
    context: typer.Context,
    which: Annotated[str, typer.Argument(help="A job's id that is over, or a version: NAME@NUMBER")],
    as_json: run_report.AsJson = False,
) -> None:
    """Delete a job that is over, or a version, of a server with its files."""
    of = "jobs" if which.startswith("ftjob-") else "versions"
    if of == "versions" and "@" not in which:
        raise InvalidRequest(f"{which} names no single version", remedy="Write NAME@NUMBER", param="which")
    found = Server.of(context).call("DELETE", run_report.path(of, which))
    show.done(f"{found['id']} is deleted.", found, as_json)


@app.command("adopt")
def adopt(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder of a run, or as save_pretrained writes it", metavar="FOLDER")],
    base: Annotated[str, typer.Option(help="The base that it was trained on; default: as its files say")] = "",
    name: Annotated[str, typer.Option(help="The name of the new version")] = "",
    data: Annotated[Path | None, typer.Option(help="Folder with its rows or their manifest.json")] = None,
    recipe: Annotated[str, typer.Option(help="How it was trained; default: as its files say")] = "",
    licence: Annotated[str, typer.Option(help="Its licence; default: that of its base")] = "",
    figure: Annotated[list[str] | None, typer.Option(help="NAME=NUMBER, measured elsewhere; repeat for more")] = None,
    tenant: Annotated[str, typer.Option(help="The tenant that it is for")] = "default",
    as_json: run_report.AsJson = False,
) -> None:
    """Take the result of a training elsewhere into the versions of this home, with a card."""
    import asyncio

    from mainspring.core.settings import load
    from mainspring.features.train import local_training
    from mainspring.features.train.adopting import Adoption

    figures = named_values.read(figure or (), "figure")
    if wrong := [
        each for each, value in figures.items() if isinstance(value, bool) or not isinstance(value, int | float)
    ]:
        raise InvalidRequest(f"the figure {wrong[0]} is no number", remedy="Write NAME=NUMBER", param="figure")
    progress = StepLine(quiet=as_json)
    given = Adoption(folder, base, name, data, recipe, licence, figures)
    settings = load(context.obj).settings
    made = asyncio.run(local_training.adopt(settings, given, tenant, progress, whole_opener(context)))
    progress.end()
    run_report.tell(made, as_json)


def _list(found: list[dict[str, Any]], none: str = "") -> None:
    """Versions as a table; ``none`` is said in its place if there is none."""
    if none and not found:
        print(show.printable(none))
        return
    cells = [(e["id"], e["makes"], e["recipe"], e["base"], e["served"], e["stale"]) for e in found]
    show.table(("VERSION", "MAKES", "RECIPE", "BASE", "SERVED", "STALE"), [[c or "" for c in row] for row in cells])


def _sources(found: dict[str, Any]) -> None:
    """What a version was made from: its run, then answers, traces and events."""
    origin = {"job": found["job"], "base": found["base"], "export": found["export"]}
    named = {f"option {name}": label for name, label in found["named"].items()}
    for name, value in {**origin, **named}.items():
        if value:
            print(show.printable(f"{name}: {value}"))
    print()
    if not found["data"]:
        print("No sources of its rows are known. Erasures find a version by these alone.")
        return
    show.table(("KIND", "SOURCE"), [(each["kind"], each["id"]) for each in found["data"]])
    if found["has_more"]:
        print("There are more.")
