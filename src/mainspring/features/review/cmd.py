"""``mainspring review``: queues of answers at a running server, the work in them, and what labels say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer
import yaml

from mainspring.command import WATCH, Command
from mainspring.features.review import interchange_cmd
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Let people label answers, and evaluate the labels.", no_args_is_help=True)
QueueName = Annotated[str, typer.Argument(help="Its name or id", metavar="QUEUE")]
Item = Annotated[str, typer.Argument(help="The item's id, from `mainspring review next`")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Definition = Annotated[Path | None, typer.Option(help="Its rule, criteria and errors: YAML or JSON", exists=True)]
Guideline = Annotated[Path | None, typer.Option(help="How to label: Markdown", exists=True)]


@app.command("queues")
def list_queues(context: typer.Context, as_json: AsJson = False) -> None:
    """List queues with their items."""
    found = Server.of(context).call("GET", "/v1/review/queues")["data"]
    if as_json:
        show.as_json(found)
    elif not found:
        print("No queues: `mainspring review create` makes one.")
    else:
        rows = [(each["name"], each["version"], *each["items"].values(), _strata(each)) for each in found]
        show.table(("QUEUE", "VERSION", "OPEN", "DISPUTED", "DONE", "SEEN"), rows)


@app.command("create")
def create_queue(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the new queue")],
    definition: Definition = None,
    guideline: Guideline = None,
    as_json: AsJson = False,
) -> None:
    """Create a queue, which fills from now on."""
    body = {"name": name, **_asked(definition, guideline)}
    found = Server.of(context).call("POST", "/v1/review/queues", body)
    show.done(f"{found['name']} fills from now on.", found, as_json)


@app.command("change")
def change_queue(
    context: typer.Context,
    queue: QueueName,
    definition: Definition = None,
    guideline: Guideline = None,
    as_json: AsJson = False,
) -> None:
    """Change the questions of a queue: makes its next version."""
    found = Server.of(context).call("POST", _at(queue), _asked(definition, guideline))
    show.done(f"{found['name']} is at version {found['version']}.", found, as_json)


@app.command("delete")
def delete_queue(context: typer.Context, queue: QueueName, as_json: AsJson = False) -> None:
    """Delete a queue with its items; the events of its labels stay."""
    found = Server.of(context).call("DELETE", _at(queue))
    show.done(f"{queue} is deleted.", found, as_json)


@app.command("run")
def run_now(context: typer.Context, as_json: AsJson = False) -> None:
    """Add new answers to their queues, and labelled answers to their data sets."""
    found = Server.of(context).call("POST", "/v1/review/run")
    said = f"{found['items']} new items." if found["started"] else "Another process does it already."
    show.done(said, found, as_json)


@app.command("put")
def put_answers(
    context: typer.Context,
    queue: QueueName,
    answers: Annotated[list[str], typer.Argument(help="Ids of answers", metavar="ANSWER...")],
    as_json: AsJson = False,
) -> None:
    """Add answers to a queue, regardless of its rule."""
    found = Server.of(context).call("POST", f"{_at(queue)}/items", {"answer_ids": answers})
    show.done(f"{len(found['data'])} items.", found, as_json)


@app.command("next")
def take_next(context: typer.Context, queue: QueueName, as_json: AsJson = False) -> None:
    """Take the next item: it is yours until its lease ends."""
    task = Server.of(context).call("POST", f"{_at(queue)}/next")["task"]
    if as_json:
        show.as_json(task)
    elif task is None:
        print("Nothing waits for you.")
    else:
        print(f"{task['item_id']}\n\nQuestion: {task['question']}\n\nAnswer: {task['answer']}")
        for place, passage in enumerate(task["passages"], 1):
            print(f"\n[{place}] {passage}")


@app.command("label")
def label_item(
    context: typer.Context,
    queue: QueueName,
    item: Item,
    approve: Annotated[bool, typer.Option("--approve/--reject", help="Is the answer good enough?")],
    labels: Annotated[
        list[str], typer.Option("--label", help="A criterion and its position on the scale, from 0: correct=2")
    ] = [],  # noqa: B006
    errors: Annotated[list[str], typer.Option("--error", help="An error of the taxonomy")] = [],  # noqa: B006
    comment: Annotated[str, typer.Option(help="A comment")] = "",
    edit: Annotated[str, typer.Option(help="The corrected answer")] = "",
    as_json: AsJson = False,
) -> None:
    """Label an item that you hold."""
    body: dict[str, Any] = {"approved": approve, "labels": dict(_place(each) for each in labels), "errors": errors}
    body |= {"comment": comment} | ({"edit": edit} if edit else {})
    found = Server.of(context).call("POST", f"{_at(queue)}/items/{quote(item, safe='')}/label", body)
    show.done(f"{found['id']} is {found['state']}.", found, as_json)


@app.command("skip")
def skip_item(context: typer.Context, queue: QueueName, item: Item, as_json: AsJson = False) -> None:
    """Skip an item: others will label it."""
    found = Server.of(context).call("POST", f"{_at(queue)}/items/{quote(item, safe='')}/skip")
    show.done(f"{item} is for others.", found, as_json)


@app.command("return")
def return_item(context: typer.Context, queue: QueueName, item: Item, as_json: AsJson = False) -> None:
    """Return an item; you may take it again."""
    found = Server.of(context).call("POST", f"{_at(queue)}/items/{quote(item, safe='')}/return")
    show.done(f"{item} waits again.", found, as_json)


@app.command("items")
def list_items(
    context: typer.Context,
    queue: QueueName,
    state: Annotated[str, typer.Option(help="open, adjudicate or done")] = "",
    as_json: AsJson = False,
) -> None:
    """List the latest hundred items."""
    query = urlencode({"limit": 100} | ({"state": state} if state else {}))
    found = Server.of(context).call("GET", f"{_at(queue)}/items?{query}")["data"]
    if as_json:
        show.as_json(found)
        return
    rows = [
        (each["id"], each["state"], f"{each['given']}/{each['needs']}", each["stratum"], _verdict(each["result"]))
        for each in found
    ]
    show.table(("ITEM", "STATE", "LABELS", "STRATUM", "VERDICT"), rows)


@app.command("assign")
def assign_item(
    context: typer.Context,
    queue: QueueName,
    item: Item,
    to: Annotated[str, typer.Option(help="The reviewer, by the id of their key")],
    hours: Annotated[float, typer.Option(min=0.01, help="Hours after which the item is for others")] = 24.0,
    as_json: AsJson = False,
) -> None:
    """Keep an item for a reviewer, who gets it next."""
    body = {"to": to, "hours": hours}
    found = Server.of(context).call("POST", f"{_at(queue)}/items/{quote(item, safe='')}/assign", body)
    show.done(f"{item} waits for {to} for {hours:g} hours.", found, as_json)


@app.command("unassign")
def unassign_item(
    context: typer.Context,
    queue: QueueName,
    item: Item,
    to: Annotated[str, typer.Option(help="The reviewer, by the id of their key")],
    as_json: AsJson = False,
) -> None:
    """Take an item from a reviewer: it is for others."""
    found = Server.of(context).call("POST", f"{_at(queue)}/items/{quote(item, safe='')}/unassign", {"to": to})
    show.done(f"{item} is for others.", found, as_json)


@app.command("workload")
def show_workload(context: typer.Context, queue: QueueName, as_json: AsJson = False) -> None:
    """Show how many items each reviewer has to label."""
    found = Server.of(context).call("GET", f"{_at(queue)}/workload")["data"]
    if as_json:
        show.as_json(found)
        return
    names = ("reviewer", "assigned", "leased", "overdue", "given", "skipped")
    rows = [tuple(each[name] for name in names) for each in found]
    show.table(("REVIEWER", "ASSIGNED", "HOLDS", "OVERDUE", "LABELLED", "SKIPPED"), rows)


@app.command("agreement")
def show_agreement(context: typer.Context, queue: QueueName, as_json: AsJson = False) -> None:
    """Show the agreement of reviewers."""
    found = Server.of(context).call("GET", f"{_at(queue)}/agreement")
    if as_json:
        show.as_json(found)
        return
    print(f"{found['double_items']} items with several blind labels")
    rows = [(each["name"], each["level"], _interval(each["alpha"])) for each in found["criteria"]]
    show.table(("CRITERION", "LEVEL", "ALPHA"), rows)


@app.command("reviewers")
def list_reviewers(context: typer.Context, queue: QueueName, as_json: AsJson = False) -> None:
    """Show the work of each reviewer."""
    found = Server.of(context).call("GET", f"{_at(queue)}/reviewers")["data"]
    if as_json:
        show.as_json(found)
        return
    rows = [
        (
            each["by"],
            each["labels"],
            _interval(each["approved"]),
            "" if each["median_seconds"] is None else each["median_seconds"],
            f"{each['agreed']}/{each['compared']}",
            f"{each['overruled']}/{each['decided']}",
        )
        for each in found
    ]
    show.table(("REVIEWER", "LABELS", "APPROVED", "SECONDS", "AGREED", "OVERRULED"), rows)


@app.command("threshold")
def show_threshold(
    context: typer.Context,
    queue: QueueName,
    score: Annotated[str, typer.Option(help="A measure of the live judge; empty: the most frequent one")] = "",
    approval: Annotated[float, typer.Option(min=0.01, max=1.0, help="The desired share of approved answers")] = 0.9,
    as_json: AsJson = False,
) -> None:
    """Show the score above which people approve."""
    query = urlencode({"score": score, "approval": approval})
    found = Server.of(context).call("GET", f"{_at(queue)}/threshold?{query}")
    if as_json:
        show.as_json(found)
        return
    if found["value"] is None:
        print(f"{found['labels']} labels show no {found['score']} from which on {approval:.0%} are approved.")
    else:
        high = "none" if found["high"] is None else f"{found['high']:.3f}"
        print(
            f"From {found['score']} {found['value']:.3f} [{found['low']:.3f}, {high}] on, {found['approval']:.1%} are "
            f"approved: {found['coverage']:.1%} of the answers ({found['labels']} labels)."
        )
    rows = [
        (f"{each['low']:.3f} to {each['high']:.3f}", each["approval"]["n"], _interval(each["approval"]))
        for each in found["curve"]
    ]
    show.table((found["score"].upper(), "LABELS", "APPROVED"), rows)


@app.command("estimate")
def show_estimate(
    context: typer.Context,
    queue: QueueName,
    score: Annotated[str, typer.Option(help="A measure of the live judge; empty: the most frequent one")] = "",
    as_json: AsJson = False,
) -> None:
    """Estimate the share of all answers that people would approve."""
    found = Server.of(context).call("GET", f"{_at(queue)}/estimate?{urlencode({'score': score})}")
    if as_json:
        show.as_json(found)
        return
    rows = [
        ("labels alone", _interval(found["labels_alone"])),
        (f"calibrated with {found['score'] or 'no score'}", _interval(found["calibrated"])),
    ]
    show.table((f"APPROVED OF {found['answers']} ANSWERS", "95 %"), rows)
    if found["covered"] < 1 or found["dropped"]:
        print(f"This is about {found['covered']:.0%} of them; {found['dropped']} found no room in the queue.")


interchange_cmd.add(app)


def _at(queue: str) -> str:
    return f"/v1/review/queues/{quote(queue, safe='')}"


def _asked(definition: Path | None, guideline: Path | None) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if definition is not None:
        text = definition.read_text("utf-8")
        body["definition"] = json.loads(text) if definition.suffix == ".json" else yaml.safe_load(text)
    if guideline is not None:
        body["guideline"] = guideline.read_text("utf-8")
    return body


def _place(text: str) -> tuple[str, int]:
    name, _, place = text.partition("=")
    if not place.strip().isdigit():
        raise typer.BadParameter(f"{text} is not a criterion with a place: correct=2", param_hint="--label")
    return name.strip(), int(place)


def _interval(found: dict[str, Any] | None) -> str:
    return "" if found is None else f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"


def _verdict(result: dict[str, Any] | None) -> str:
    return "" if result is None else "approved" if result["approved"] else "rejected"


def _strata(queue: dict[str, Any]) -> str:
    return ", ".join(f"{name} {counts['seen']}" for name, counts in queue["strata"].items())


COMMANDS = (Command("review", app, WATCH),)
