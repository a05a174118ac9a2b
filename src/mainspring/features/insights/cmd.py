"""``mainspring insights``: what conversations at a running server are about, and how they end."""

from __future__ import annotations

import datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from mainspring.command import WATCH, Command
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Show topics, sentiment, resolution and gaps of conversations.", no_args_is_help=True)
faq = typer.Typer(help="Draft, approve and publish a FAQ.", no_args_is_help=True)
app.add_typer(faq, name="faq")
Entry = Annotated[str, typer.Argument(help="Its id, from `mainspring insights faq list`")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Days = Annotated[float, typer.Option(min=0.01, help="Only the last days")]
Application = Annotated[str, typer.Option(help="Only this agent's, application's or model's")]


@app.command("run")
def run_now(context: typer.Context, as_json: AsJson = False) -> None:
    """Analyse new conversations now."""
    found = Server.of(context).call("POST", "/v1/insights/run")
    said = "Another process looks at them already."
    if found["started"]:
        said = f"{found['turns']} new turns, {found['topics']} new topics."
    show.done(said, found, as_json)


@app.command("topics")
def list_topics(
    context: typer.Context, days: Days = 30.0, application: Application = "", as_json: AsJson = False
) -> None:
    """List the topics of conversations, and how these end."""
    found = Server.of(context).call("GET", f"/v1/insights/topics?{_asked(days, application)}")
    if as_json:
        show.as_json(found)
        return
    rows = topic_rows(found)
    if not rows:
        print("No topics yet: `mainspring insights run` looks at new conversations.")
        return
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


@app.command("gaps")
def list_gaps(
    context: typer.Context,
    days: Days = 30.0,
    application: Application = "",
    nearest: Annotated[bool, typer.Option(help="With the nearest passage of your collections")] = False,
    as_json: AsJson = False,
) -> None:
    """List questions that were answered badly or not at all."""
    asked = f"{_asked(days, application)}&limit=100&nearest={str(nearest).lower()}"
    found = Server.of(context).call("GET", f"/v1/insights/gaps?{asked}")["data"]
    if as_json:
        show.as_json(found)
    elif not found:
        print("No gaps.")
    else:
        rows = [
            (
                each["conversations"],
                ", ".join(f"{name} {count}" for name, count in each["reasons"].items()),
                each["question"][:80],
                "" if each["nearest"] is None else f"{each['nearest']['source']} ({each['nearest']['score']})",
            )
            for each in found
        ]
        show.table(("CONVERSATIONS", "WHY", "QUESTION", "NEAREST"), rows)


@faq.command("list")
def list_faq(
    context: typer.Context,
    status: Annotated[str, typer.Option(help="draft, approved or rejected")] = "",
    as_json: AsJson = False,
) -> None:
    """List drafts and entries."""
    query = f"?{urlencode({'status': status})}" if status else ""
    found = Server.of(context).call("GET", f"/v1/insights/faq{query}")["data"]
    if as_json:
        show.as_json(found)
    elif not found:
        print("No entries: `mainspring insights faq draft` makes some.")
    else:
        rows = [(each["id"], each["status"], each["conversations"], each["question"][:80]) for each in found]
        show.table(("ENTRY", "STATUS", "CONVERSATIONS", "QUESTION"), rows)


@faq.command("draft")
def draft_faq(context: typer.Context, days: Days = 30.0, as_json: AsJson = False) -> None:
    """Make drafts of frequent questions that have good answers."""
    found = Server.of(context).call("POST", "/v1/insights/faq", {"days": days})
    show.done(f"{found['drafts']} new drafts.", found, as_json)


@faq.command("change")
def change_faq(
    context: typer.Context,
    entry: Entry,
    approve: Annotated[bool | None, typer.Option("--approve/--reject", help="Default: the status stays")] = None,
    question: Annotated[str, typer.Option(help="A new question")] = "",
    answer: Annotated[str, typer.Option(help="A new answer")] = "",
    as_json: AsJson = False,
) -> None:
    """Edit, approve or reject an entry."""
    body: dict[str, Any] = {name: text for name, text in (("question", question), ("answer", answer)) if text}
    if approve is not None:
        body["status"] = "approved" if approve else "rejected"
    found = Server.of(context).call("POST", f"/v1/insights/faq/{quote(entry, safe='')}", body)
    show.done(f"{found['id']} is {found['status']}.", found, as_json)


@faq.command("delete")
def delete_faq(context: typer.Context, entry: Entry, as_json: AsJson = False) -> None:
    """Delete an entry; its question may be drafted again."""
    found = Server.of(context).call("DELETE", f"/v1/insights/faq/{quote(entry, safe='')}")
    show.done(f"{entry} is deleted.", found, as_json)


@faq.command("publish")
def publish_faq(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(help="Its name or id")],
    as_json: AsJson = False,
) -> None:
    """Publish the approved entries to a collection; they replace the former ones."""
    found = Server.of(context).call("POST", "/v1/insights/faq/publish", {"collection": collection})
    show.done(f"{found['entries']} entries are in {collection}.", found, as_json)


def _asked(days: float, application: str) -> str:
    return urlencode({"days": days} | ({"application": application} if application else {}))


def topic_rows(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The topics, and the conversations without one where there are any."""
    rows = [(each["id"], each["name"], *_counts(each)) for each in found["data"]]
    if found["other"]["conversations"]:
        rows.append(("other", "(no topic yet)", *_counts(found["other"])))
    return rows


def _counts(found: dict[str, Any]) -> tuple[Any, ...]:
    resolved = "" if found["resolved"] is None else f"{100 * found['resolved']:.0f} %"
    mood = "" if found["sentiment"] is None else f"{found['sentiment']:+.2f}"
    return found["conversations"], f"{100 * found['share']:.0f} %", resolved, mood


def _time(at: float) -> str:
    return datetime.datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


COMMANDS = (Command("insights", app, WATCH),)
