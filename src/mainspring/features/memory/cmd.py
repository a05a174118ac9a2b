"""``mainspring memory``: what a running server remembers of a person; add, correct and forget it."""

from __future__ import annotations

import datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from mainspring.command import KEEP, Command
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Show, add, correct and forget facts about a person.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
User = Annotated[str, typer.Option("--user", help="User of the application; default: the key's owner")]
Memory = Annotated[str, typer.Argument(help="Its id, from `mainspring memory list`")]
Text = Annotated[str, typer.Argument(help="The fact, in a sentence")]


@app.command()
def consent(
    context: typer.Context,
    agree: Annotated[
        bool | None, typer.Option("--agree/--refuse", help="Without the option: show the decision")
    ] = None,
    user: User = "",
    as_json: AsJson = False,
) -> None:
    """Consent to remembering facts, or refuse: then all are deleted."""
    server = Server.of(context)
    if agree is None:
        found = server.call("GET", f"/v1/memories/consent?user={quote(user, safe='')}")
    else:
        found = server.call("PUT", "/v1/memories/consent", {"consent": agree, "user": user})
    said = {True: "Facts are remembered.", False: "Nothing is remembered.", None: "Nothing was decided yet."}
    show.done(said[found["consent"]], found, as_json)


@app.command("list")
def list_memories(context: typer.Context, user: User = "", as_json: AsJson = False) -> None:
    """List the latest hundred facts."""
    found = Server.of(context).call("GET", f"/v1/memories?limit=100&user={quote(user, safe='')}")["data"]
    _table(found, as_json)


@app.command()
def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="The topic of the facts")],
    user: User = "",
    as_json: AsJson = False,
) -> None:
    """Search the facts."""
    found = Server.of(context).call("POST", "/v1/memories/search", {"query": query, "user": user})["data"]
    _table(found, as_json)


@app.command()
def add(context: typer.Context, text: Text, user: User = "", as_json: AsJson = False) -> None:
    """Remember a fact. It supersedes facts that it contradicts."""
    found = Server.of(context).call("POST", "/v1/memories", {"text": text, "user": user})
    said = f"{found['id']} is remembered" if found["new"] else f"{found['id']} says the same already"
    took = f", in the place of {', '.join(found['superseded'])}" if found["superseded"] else ""
    show.done(f"{said}{took}.", found, as_json)


@app.command()
def edit(context: typer.Context, memory: Memory, text: Text, user: User = "", as_json: AsJson = False) -> None:
    """Replace the text of a fact."""
    found = Server.of(context).call("POST", f"/v1/memories/{quote(memory, safe='')}", {"text": text, "user": user})
    show.done(f"{found['id']} took the place of {memory}.", found, as_json)


@app.command()
def history(context: typer.Context, memory: Memory, user: User = "", as_json: AsJson = False) -> None:
    """Show what a fact superseded."""
    path = f"/v1/memories/{quote(memory, safe='')}/history?user={quote(user, safe='')}"
    _table(Server.of(context).call("GET", path)["data"], as_json)


@app.command()
def forget(
    context: typer.Context,
    memory: Annotated[str, typer.Argument(help="Its id; leave it out with --all")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Forget everything about the person")] = False,
    user: User = "",
    as_json: AsJson = False,
) -> None:
    """Forget a fact with its history, or all of them."""
    if everything == bool(memory):
        raise typer.BadParameter("name a fact, or say --all")
    whose = f"user={quote(user, safe='')}"
    if everything:
        found = Server.of(context).call("DELETE", f"/v1/memories?{whose}")
        show.done(f"{found['deleted']} facts are forgotten.", found, as_json)
        return
    found = Server.of(context).call("DELETE", f"/v1/memories/{quote(memory, safe='')}?{whose}")
    show.done(f"{memory} is forgotten.", found, as_json)


def _table(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        show.as_json(found)
    elif not found:
        print("Nothing is remembered.")
    else:
        days = [datetime.datetime.fromtimestamp(each["at"]).astimezone().strftime("%Y-%m-%d") for each in found]
        cells = [(each["id"], day, each["text"][:100]) for each, day in zip(found, days, strict=True)]
        show.table(("ID", "TOLD", "FACT"), cells)


COMMANDS = (Command("memory", app, KEEP),)
