"""``mainspring datasets``: versions of examples at a running server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from mainspring.command import QUALITY, Command
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Make and read data sets: versions of examples.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Its name")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Note = Annotated[str, typer.Option(help="What the version is for")]


@app.command("list")
def list_sets(context: typer.Context, as_json: AsJson = False) -> None:
    """List data sets."""
    found = Server.of(context).call("GET", "/v1/datasets?limit=100")
    if as_json:
        show.as_json(found)
        return
    show.table(("NAME", "VERSION", "EXAMPLES"), [(e["name"], e["version"], e["examples"]) for e in found["data"]])


@app.command("add")
def add_file(
    context: typer.Context,
    name: Name,
    file: Annotated[Path, typer.Argument(help="JSON lines or CSV", exists=True, dir_okay=False)],
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Make the next version with the examples of a file."""
    server = Server.of(context)
    file_id = server.upload(file, "evals")["id"]
    made = server.call("POST", f"/v1/datasets/{quote(name, '')}/versions", {"file_id": file_id, "note": note})
    _made(made, as_json)


@app.command("from-traces")
def from_traces(
    context: typer.Context,
    name: Name,
    application: Annotated[str, typer.Option(help="Only this agent's, application's or collection's")] = "",
    model: Annotated[str, typer.Option(help="Only this model's")] = "",
    thumb: Annotated[str, typer.Option(help="up or down")] = "",
    edited: Annotated[bool, typer.Option("--edited", help="Only answers that a person has edited")] = False,
    refused: Annotated[bool, typer.Option("--refused", help="Only answers that say that the documents do not")] = False,
    below: Annotated[list[str] | None, typer.Option(help="Only with a score below: faithfulness=0.5")] = None,
    session: Annotated[str, typer.Option(help="Only of this session")] = "",
    search: Annotated[str, typer.Option(help="Only questions with these words")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The latest so many")] = 1_000,
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Make the next version with recorded answers. A person's edit is the right answer."""
    body: dict[str, Any] = {"application": application, "model": model, "session": session, "search": search}
    body |= {"limit": limit}
    if thumb:
        body["thumb"] = thumb
    if edited:
        body["edited"] = True
    if refused:
        body["refused"] = True
    if below:
        body["below"] = {each.partition("=")[0]: float(each.partition("=")[2] or "nan") for each in below}
    path = f"/v1/datasets/{quote(name, '')}/versions"
    _made(Server.of(context).call("POST", path, {"traces": body, "note": note}), as_json)


@app.command("show")
def show_set(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="NAME, NAME@VERSION or NAME@TAG")],
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    search: Annotated[str, typer.Option(help="Only examples with these words")] = "",
    as_json: AsJson = False,
) -> None:
    """Show examples of a version."""
    base, _, version = name.partition("@")
    asked = {"limit": limit, **({"version": version} if version else {}), **({"search": search} if search else {})}
    found = Server.of(context).call("GET", f"/v1/datasets/{quote(base, '')}/examples?{urlencode(asked)}")
    if as_json:
        show.as_json(found)
        return
    rows = [
        (each["id"], each["split"], each["messages"][-1]["content"][:60], "; ".join(each["references"])[:60])
        for each in found["data"]
    ]
    show.table(("ID", "SPLIT", "QUESTION", "REFERENCE"), rows)


def _made(made: dict[str, Any], as_json: bool) -> None:
    changes = f"{made['added']} added, {made['changed']} changed, {made['removed']} removed"
    show.done(f"{made['name']}@{made['version']} has {made['examples']} examples ({changes}).", made, as_json)


COMMANDS = (Command("datasets", app, QUALITY),)
