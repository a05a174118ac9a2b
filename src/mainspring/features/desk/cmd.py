"""``mainspring desk``: the cases of customers at a running server; take, answer and close them."""

from __future__ import annotations

import datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from mainspring.command import ACCESS, Command
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Work on the cases of customers at a running server.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Case = Annotated[str, typer.Argument(help="Its number or id, from `mainspring desk list`")]


@app.command("list")
def list_cases(
    context: typer.Context,
    queue: Annotated[str, typer.Option(help="Only this queue")] = "",
    every: Annotated[bool, typer.Option("--all", help="Include closed cases")] = False,
    mine: Annotated[bool, typer.Option("--mine", help="Only cases that you have taken")] = False,
    late: Annotated[bool, typer.Option("--late", help="Only cases whose customers have waited too long")] = False,
    as_json: AsJson = False,
) -> None:
    """List the latest hundred cases."""
    wanted: list[tuple[str, str]] = [("limit", "100")]
    wanted += [] if every else [("status", each) for each in ("open", "taken", "waiting")]
    wanted += [(name, "true") for name, on in (("mine", mine), ("late", late)) if on]
    wanted += [("queue", queue)] if queue else []
    found = Server.of(context).call("GET", f"/v1/desk/cases?{urlencode(wanted)}")["data"]
    if as_json:
        show.as_json(found)
        return
    if not found:
        print("There are no such cases.")
        return
    show.table(("NUMBER", "STATUS", "PRIORITY", "QUEUE", "SUBJECT", "WITH", "DUE"), [_row(each) for each in found])


@app.command("show")
def show_case(context: typer.Context, case: Case, as_json: AsJson = False) -> None:
    """Show a case with its conversation."""
    found = Server.of(context).call("GET", _path(case))
    if as_json:
        show.as_json(found)
        return
    print(show.printable(f"{found['number']}  {found['subject']}"))
    names = ("status", "queue", "priority", "topic", "customer", "channel", "reason")
    print(show.printable("  ".join(f"{name}: {found[name]}" for name in names if found[name])))
    for each in found["messages"]:
        who = f"{each['author']} {each['name'] or ''}".strip()
        print(show.printable(f"\n{_moment(each['created_at'])}  {who}\n{each['text']}"))


@app.command()
def take(
    context: typer.Context,
    case: Annotated[str, typer.Argument(help="Its number or id; default: the next one")] = "",
    queue: Annotated[str, typer.Option(help="Without a case: take one from this queue only")] = "",
    as_json: AsJson = False,
) -> None:
    """Take a case; without a number, the one with the highest priority that has waited longest."""
    server = Server.of(context)
    if case:
        found = server.call("POST", f"{_path(case)}/take", {})
    else:
        found = server.call("POST", "/v1/desk/next", {"queues": [queue] if queue else []})["case"]
        if found is None:
            show.done("No case waits.", {"case": None}, as_json)
            return
    show.done(f"{found['number']} is yours: {found['subject']}", found, as_json)


@app.command()
def reply(
    context: typer.Context,
    case: Case,
    text: Annotated[str, typer.Argument(help="The text for the customer")],
    note: Annotated[bool, typer.Option("--note", help="A note that only colleagues see")] = False,
    as_json: AsJson = False,
) -> None:
    """Answer the customer of a case, or leave a note."""
    found = Server.of(context).call("POST", f"{_path(case)}/messages", {"text": text, "note": note})
    said = "has a note" if note else "is answered"
    show.done(f"{found['case']['number']} {said}.", found, as_json)


@app.command()
def close(
    context: typer.Context,
    case: Case,
    resolution: Annotated[str, typer.Option(help="A word or two, such as solved or refused")] = "",
    as_json: AsJson = False,
) -> None:
    """Close a case: the agent answers in its session again."""
    found = Server.of(context).call("POST", f"{_path(case)}/close", {"resolution": resolution})
    show.done(f"{found['number']} is closed.", found, as_json)


def _path(case: str) -> str:
    return f"/v1/desk/cases/{quote(case, safe='')}"


def _row(case: dict[str, Any]) -> tuple[str, ...]:
    who = (case["assignee"] or {}).get("name") or (case["assignee"] or {}).get("id") or ""
    due = "" if case["due_at"] is None else _moment(case["due_at"]) + (" late" if case["late"] else "")
    names = ("number", "status", "priority", "queue")
    return (*(case[name] for name in names), case["subject"][:60], who, due)


def _moment(at: float) -> str:
    return datetime.datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


COMMANDS = (Command("desk", app, ACCESS),)
