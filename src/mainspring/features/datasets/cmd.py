"""``mainspring datasets``: versions of examples at a running server."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from mainspring.command import QUALITY, Command
from mainspring.core.errors import NotFound
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Create and read data sets: versions of examples.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Its name")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Note = Annotated[str, typer.Option(help="A note on the purpose of the version")]


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
    file: Annotated[Path, typer.Argument(help="JSON lines or CSV")],
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Make the next version with the examples of a file."""
    server = Server.of(context)
    if not file.is_file():
        raise NotFound(f"there is no file {file}", remedy="Name a file of JSON Lines or CSV", param="file")
    file_id = server.upload(file, "evals")["id"]
    _made(_posted(server, name, "versions", {"file_id": file_id, "note": note}), as_json)


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
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum number, the latest")] = 1_000,
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Make the next version from recorded answers. A person's edit is the right answer."""
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
    _made(_posted(Server.of(context), name, "versions", {"traces": body, "note": note}), as_json)


@app.command("suite")
def suite(
    context: typer.Context,
    name: Name,
    collection: Annotated[str, typer.Option(help="The questions are about its documents")] = "",
    model: Annotated[str, typer.Option(help="The model that writes the questions about a collection")] = "",
    traces: Annotated[bool, typer.Option("--traces", help="Recorded questions whose right answer is known")] = False,
    application: Annotated[str, typer.Option(help="traces: only this agent's, application's or collection's")] = "",
    days: Annotated[float, typer.Option(min=0, help="traces: only the last days; 0: all")] = 0,
    count: Annotated[int, typer.Option(min=1, max=100, help="Passages, or recorded questions")] = 20,
    attacks: Annotated[int, typer.Option(min=0, max=100, help="Attacks on the questions")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the draw")] = 1,
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Make the next version with a test suite: questions of a collection or of traces, near misses, and attacks."""
    wanted: dict[str, Any] = {"count": count, "seed": seed, "attacks": attacks}
    if traces:
        since = {"since": time.time() - days * 86_400} if days else {}
        wanted["traces"] = {"application": application, "limit": 10_000, **since}
    if collection:
        wanted["collection"] = collection
    if model:
        wanted["model"] = model
    _made(_posted(Server.of(context), name, "versions", {"suite": wanted, "note": note}), as_json)


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


@app.command("versions")
def versions(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """List the latest hundred versions."""
    found = Server.of(context).call("GET", f"/v1/datasets/{quote(name, '')}/versions?limit=100")
    if as_json:
        show.as_json(found)
        return
    names = ("version", "examples", "added", "changed", "removed", "erased", "note")
    show.table([each.upper() for each in names], [[row[each] or "" for each in names] for row in found["data"]])


@app.command("split")
def split(
    context: typer.Context,
    name: Name,
    train: Annotated[float, typer.Option(help="Share of this split")] = 0.8,
    validation: Annotated[float, typer.Option(help="Share of this split")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of this split")] = 0.1,
    seed: Annotated[int, typer.Option(help="Seed of the draw")] = 1,
    as_json: AsJson = False,
) -> None:
    """Split into train, validation and test; near-duplicates stay in one split."""
    body = {"train": train, "validation": validation, "test": test, "seed": seed}
    _made(_posted(Server.of(context), name, "split", body), as_json)


@app.command("diff")
def diff(
    context: typer.Context,
    name: Name,
    old: Annotated[str, typer.Argument(help="A number or a tag")],
    new: Annotated[str, typer.Argument(help="A number or a tag (default: the newest)")] = "",
    as_json: AsJson = False,
) -> None:
    """Show up to 500 examples that differ between two versions."""
    asked = {"old": old, "limit": 500, **({"new": new} if new else {})}
    found = Server.of(context).call("GET", f"/v1/datasets/{quote(name, '')}/diff?{urlencode(asked)}")
    if as_json:
        show.as_json(found)
        return
    for each in found["data"]:
        kind = "+" if each["before"] is None else "-" if each["after"] is None else "~"
        example = each["after"] or each["before"]
        print(show.printable(f"{kind} {each['id']}  {example['messages'][-1]['content'][:100]}"))


@app.command("tag")
def tag(
    context: typer.Context,
    name: Name,
    tag: Annotated[str, typer.Argument(help="Such as `release`")],
    version: Annotated[int, typer.Argument(help="A number; 0: remove the tag")] = 0,
    as_json: AsJson = False,
) -> None:
    """Tag a version: then it is also NAME@TAG."""
    body = {"tag": tag, **({"version": version} if version else {})}
    found = Server.of(context).call("POST", f"/v1/datasets/{quote(name, '')}/tags", body)
    show.done(f"{name}: {found['tags']}", found, as_json)


@app.command("remove")
def remove(
    context: typer.Context,
    name: Name,
    ids: Annotated[list[str], typer.Argument(help="Ids of examples")],
    as_json: AsJson = False,
) -> None:
    """Make the next version without these examples."""
    path = f"/v1/datasets/{quote(name, '')}/versions"
    _made(Server.of(context).call("POST", path, {"remove": ids}), as_json)


@app.command("delete")
def delete(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Delete a data set with all versions."""
    found = Server.of(context).call("DELETE", f"/v1/datasets/{quote(name, '')}")
    show.done(f"{name} is deleted.", found, as_json)


@app.command("export")
def export(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="NAME, NAME@VERSION or NAME@TAG")],
    file: Annotated[Path, typer.Argument(help="The file to write, as JSON Lines")],
    shape: Annotated[str, typer.Option(help="examples, chat (for fine-tuning) or evals")] = "examples",
) -> None:
    """Write a version to a file."""
    base, _, version = name.partition("@")
    asked = {"shape": shape, **({"version": version} if version else {})}
    path = f"/v1/datasets/{quote(base, '')}/export?{urlencode(asked)}"
    with Server.of(context).opened("GET", path) as answer, file.open("wb") as out:
        shutil.copyfileobj(answer, out)


def _posted(server: Server, name: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to what may take minutes."""
    with server.opened("POST", f"/v1/datasets/{quote(name, '')}/{what}", body) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def _made(made: dict[str, Any], as_json: bool) -> None:
    changes = f"{made['added']} added, {made['changed']} changed, {made['removed']} removed"
    show.done(f"{made['name']}@{made['version']} has {made['examples']} examples ({changes}).", made, as_json)


COMMANDS = (Command("datasets", app, QUALITY),)
