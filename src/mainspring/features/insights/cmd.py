"""``mainspring insights``: what conversations at a running server are about, and how they end."""

from __future__ import annotations

import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from mainspring.command import WATCH, Command
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Show topics, sentiment, resolution and gaps of conversations.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Days = Annotated[float, typer.Option(min=0.01, help="Of the last days")]
Application = Annotated[str, typer.Option(help="Only this agent's, application's or model's")]


@app.command("run")
def run_now(context: typer.Context, as_json: AsJson = False) -> None:
    """Look at new conversations now."""
    found = Server.of(context).call("POST", "/v1/insights/run")
    said = "Another process looks at them already."
    if found["started"]:
        said = f"{found['turns']} new turns, {found['topics']} new topics."
    show.done(said, found, as_json)


@app.command("topics")
def list_topics(
    context: typer.Context, days: Days = 30.0, application: Application = "", as_json: AsJson = False
) -> None:
    """List what conversations are about, with how they end."""
    found = Server.of(context).call("GET", f"/v1/insights/topics?{_asked(days, application)}")
    if as_json:
        show.as_json(found)
        return
    rows = [(each["id"], each["name"], *_counts(each)) for each in found["data"]]
    rows.append(("", "other", *_counts(found["other"])))
    show.table(("TOPIC", "NAME", "CONVERSATIONS", "SHARE", "RESOLVED", "SENTIMENT"), rows)


@app.command("conversations")
def list_conversations(
    context: typer.Context,
    topic: Annotated[str, typer.Option(help="A topic's id, or `other`")] = "",
    outcome: Annotated[str, typer.Option(help="open, resolved, escalated, abandoned or refused")] = "",
    days: Days = 30.0,
    application: Application = "",
    as_json: AsJson = False,
) -> None:
    """List the latest hundred conversations."""
    more = {name: value for name, value in (("topic", topic), ("outcome", outcome)) if value}
    asked = f"{_asked(days, application)}&{urlencode({'limit': 100, **more})}"
    found = Server.of(context).call("GET", f"/v1/insights/conversations?{asked}")["data"]
    if as_json:
        show.as_json(found)
    elif not found:
        print("No conversations.")
    else:
        rows = [
            (_time(each["started_at"]), each["outcome"], each["mood"], each["turns"], (each["opening"] or "")[:80])
            for each in found
        ]
        show.table(("BEGAN", "OUTCOME", "MOOD", "TURNS", "ASKED FIRST"), rows)


def _asked(days: float, application: str) -> str:
    return urlencode({"days": days} | ({"application": application} if application else {}))


def _counts(found: dict[str, Any]) -> tuple[Any, ...]:
    resolved = "" if found["resolved"] is None else f"{100 * found['resolved']:.0f} %"
    mood = "" if found["sentiment"] is None else f"{found['sentiment']:+.2f}"
    return found["conversations"], f"{100 * found['share']:.0f} %", resolved, mood


def _time(at: float) -> str:
    return datetime.datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


COMMANDS = (Command("insights", app, WATCH),)
