"""``mainspring approvals``: the calls of tools that wait at a running server; approve and deny them."""

from __future__ import annotations

import datetime
from typing import Annotated
from urllib.parse import quote

import typer

from mainspring.command import ACCESS, Command
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="List, approve and deny tool calls that wait at a running server.", no_args_is_help=True)
Approval = Annotated[str, typer.Argument(help="Its id, from `mainspring approvals list`")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Note = Annotated[str, typer.Option(help="A note for the caller who asks for the outcome")]


@app.command("list")
def list_approvals(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Include decided and expired calls")] = False,
    as_json: AsJson = False,
) -> None:
    """List the latest hundred waiting calls."""
    found = Server.of(context).call("GET", f"/v1/approvals?limit=100{'' if every else '&status=pending'}")["data"]
    if as_json:
        show.as_json(found)
        return
    if not found:
        print("No call waits for approval.")
        return
    rows = []
    for each in found:
        function = each["tool_call"]["function"]
        until = datetime.datetime.fromtimestamp(each["expires_at"]).astimezone().strftime("%Y-%m-%d %H:%M")
        rows.append((each["id"], each["status"], each["model"], function["name"], function["arguments"][:80], until))
    show.table(("ID", "STATUS", "APPLICATION", "TOOL", "ARGUMENTS", "UNTIL"), rows)


@app.command()
def approve(context: typer.Context, approval: Approval, note: Note = "", as_json: AsJson = False) -> None:
    """Approve a call, so that it is handed out once."""
    _decide(context, approval, "approve", note, as_json)


@app.command()
def deny(context: typer.Context, approval: Approval, note: Note = "", as_json: AsJson = False) -> None:
    """Deny a call."""
    _decide(context, approval, "deny", note, as_json)


def _decide(context: typer.Context, approval: str, how: str, note: str, as_json: bool) -> None:
    found = Server.of(context).call("POST", f"/v1/approvals/{quote(approval, safe='')}/{how}", {"note": note})
    show.done(f"The call of {found['tool_call']['function']['name']} is {found['status']}.", found, as_json)


COMMANDS = (Command("approvals", app, ACCESS),)
