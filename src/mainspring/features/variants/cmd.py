"""``mainspring variants``: what applications use in place of what the settings say, at a running server."""

from __future__ import annotations

import time
from typing import Annotated, Any
from urllib.parse import quote

import typer

from mainspring.command import QUALITY, Command
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(
    help="Show and undo the variants that applications use instead of their settings.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="The application, such as document-qa or a collection")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]


@app.command("list")
def list_variants(context: typer.Context, as_json: AsJson = False) -> None:
    """List the applications that use variants."""
    found = Server.of(context).call("GET", "/v1/variants")["data"]
    if as_json:
        show.as_json(found)
    elif not found:
        print("Every application uses its settings.")
    else:
        show.table(("APPLICATION", "CURRENT", "CANDIDATE", "STAGE"), [_row(each) for each in found])


@app.command("show")
def show_variant(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show the variants of an application, and their history."""
    server, path = Server.of(context), f"/v1/variants/{quote(name, safe='')}"
    found = server.call("GET", path)
    history = server.call("GET", f"{path}/history")["data"]
    if as_json:
        show.as_json({**found, "history": history})
        return
    show.table(("APPLICATION", "CURRENT", "CANDIDATE", "STAGE"), [_row(found)])
    print()
    rows = [
        (_time(each["at"]), each["action"], each["kind"] or "-", each["candidate"] or "-", each["reason"] or "-")
        for each in history
    ]
    show.table(("AT", "CHANGE", "KIND", "CANDIDATE", "REASON"), rows)


@app.command("undo")
def undo_variant(
    context: typer.Context,
    name: Name,
    reason: Annotated[str, typer.Option(help="The reason, which is kept")] = "",
    as_json: AsJson = False,
) -> None:
    """Undo the latest promotion: the former variant becomes current again."""
    made = Server.of(context).call("POST", f"/v1/variants/{quote(name, safe='')}/undo", {"reason": reason})
    show.done(f"{name} uses {_current(made)} again.", made, as_json)


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _row(place: dict[str, Any]) -> tuple[str, str, str, str]:
    candidate = place["candidate"]
    stage = f"{place['stage']} {place['share']:.0%}" if place["stage"] else "-"
    return place["id"], _current(place), "-" if candidate is None else f"{candidate['kind']} {candidate['id']}", stage


def _current(place: dict[str, Any]) -> str:
    return ", ".join(f"{each['kind']} {each['id']}" for each in place["current"]) or "what the settings say"


COMMANDS = (Command("variants", app, QUALITY),)
