"""``mainspring advise``: prompt, examples, documents or weights, at a running server."""

from __future__ import annotations

import hashlib
import math
import re
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from mainspring.command import QUALITY, Command
from mainspring.core.errors import NotFound
from mainspring.terminal import named_values, show
from mainspring.terminal.named_commands import Group
from mainspring.terminal.remote import Server, ServerLacks

_EVERY_S, _GONE_S = 1.0, 300.0
_COMMANDS = ("run", "list", "show", "cancel", "delete")
_OTHER = re.compile(r"[^a-z0-9._-]+")


class AdviseGroup(Group):
    """What is no command of the group is a data set, or a file: ``run`` takes it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=AdviseGroup,
    help="Advise between prompt, examples, documents and weights: `mainspring advise DATASET|FILE --model NAME`.",
    no_args_is_help=True,
)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Identifier = Annotated[str, typer.Argument(help="Its id, from `mainspring advise list`")]
Report = Annotated[Path | None, typer.Option(help="Also write the report, as Markdown")]


@app.command("run")
def run(
    context: typer.Context,
    data: Annotated[str, typer.Argument(help="NAME, NAME@VERSION or NAME@TAG of a data set; JSON lines or CSV")],
    model: Annotated[str, typer.Option(help="The chat model to ask, to train and to show examples")],
    collection: Annotated[str, typer.Option(help="The collection with the facts")] = "",
    prompt: Annotated[str, typer.Option(help="A prompt of the registry: NAME or NAME@VERSION")] = "",
    way: Annotated[list[str] | None, typer.Option(help="Only these ways (default: all)")] = None,
    scorer: Annotated[str, typer.Option(help="NAME, or NAME:OPTION=VALUE,...")] = "f1",
    questions: Annotated[int, typer.Option(min=1, help="Maximum number of questions to measure")] = 100,
    shots: Annotated[int, typer.Option(min=1, max=32, help="Examples in a prompt")] = 4,
    max_tokens: Annotated[int, typer.Option(min=1, help="Maximum tokens of an answer")] = 256,
    queries: Annotated[float, typer.Option(min=0, help="Queries a month")] = 1_000,
    changes: Annotated[float | None, typer.Option(min=0, help="Changes of facts a month")] = None,
    months: Annotated[float, typer.Option(min=0, help="Months over which the upfront cost is spread")] = 12,
    margin: Annotated[float, typer.Option(help="A difference in quality that does not matter")] = 0.02,
    usd_per_hour: Annotated[float | None, typer.Option(min=0, help="Price of the machine")] = None,
    train_seconds: Annotated[float | None, typer.Option(help="Train weights, for at most this long")] = None,
    train_usd: Annotated[float | None, typer.Option(help="Train weights, for at most this cost")] = None,
    recipe: Annotated[str, typer.Option(help="The recipe that trains the weights")] = "sft",
    base: Annotated[str, typer.Option(help="The model to train (default: --model)")] = "",
    option: Annotated[list[str] | None, typer.Option(help="An option of the recipe: NAME=VALUE")] = None,
    name: Annotated[str, typer.Option(help="Its name in reports")] = "",
    report: Report = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the report")] = True,
    as_json: AsJson = False,
) -> None:
    """Try each way on a sample of the questions, and recommend one.

    Weights are tried only with --train-seconds or --train-usd.
    """
    server = Server.of(context)
    body: dict[str, Any] = {"model": model, "collection": collection, "questions": questions, "shots": shots}
    body |= {"max_tokens": max_tokens, "queries_per_month": queries, "months": months, "margin": margin, "name": name}
    body |= {"scorer": _named(scorer)} | _data(server, data)
    told = {"changes_per_month": changes, "usd_per_hour": usd_per_hour, "ways": way or None}
    body |= {key: value for key, value in told.items() if value is not None}
    if prompt:
        used, _, version = prompt.partition("@")
        body["prompt"] = {"id": used, "version": version}
    budget = {"seconds": train_seconds, "usd": train_usd}
    if given := {key: value for key, value in budget.items() if value is not None}:
        options = named_values.read(option or (), "option")
        body["fine_tune"] = {"recipe": recipe, "base": base, "options": options, **given}
    made = server.call("POST", "/v1/advice", body)
    if not wait:
        show.done(f"{made['id']} is queued.", made, as_json)
        return
    with show.progress() as progress:
        while made["status"] in ("queued", "running"):
            progress(made["stage"], len(made["steps"]), 0)
            time.sleep(_EVERY_S)
            made = _again(server, made)
    _shown(server, made, report, as_json)


@app.command("list")
def list_advice(context: typer.Context, as_json: AsJson = False) -> None:
    """List the latest advice."""
    found = Server.of(context).call("GET", "/v1/advice?limit=100")
    if as_json:
        show.as_json(found)
        return
    cells = [(e["id"], e["name"], e["model"], e["status"], e["verdict"] or "", e["way"] or "") for e in found["data"]]
    show.table(("ADVICE", "NAME", "MODEL", "STATUS", "VERDICT", "WAY"), cells)


@app.command("show")
def show_advice(context: typer.Context, advice: Identifier, report: Report = None, as_json: AsJson = False) -> None:
    """Show an advice with its rows, and why."""
    server = Server.of(context)
    _shown(server, server.call("GET", f"/v1/advice/{quote(advice, '')}"), report, as_json)


@app.command("cancel")
def cancel(context: typer.Context, advice: Identifier, as_json: AsJson = False) -> None:
    """Stop an advice, and the jobs that it started."""
    found = Server.of(context).call("POST", f"/v1/advice/{quote(advice, '')}/cancel")
    show.done(f"{advice} stops.", found, as_json)


@app.command("delete")
def delete(context: typer.Context, advice: Identifier, as_json: AsJson = False) -> None:
    """Delete a finished advice, with its sample."""
    found = Server.of(context).call("DELETE", f"/v1/advice/{quote(advice, '')}")
    show.done(f"{advice} is deleted.", found, as_json)


def _again(server: Server, made: dict[str, Any]) -> dict[str, Any]:
    """How far it is. The server may be gone for a while: the advice goes on when it is back."""
    end = time.monotonic() + _GONE_S
    while True:
        try:
            found: dict[str, Any] = server.call("GET", f"/v1/advice/{made['id']}")
            return found
        except NotFound:
            if time.monotonic() > end:
                raise
            time.sleep(_EVERY_S)


def _data(server: Server, data: str) -> dict[str, Any]:
    """The fields that name a data set. One is made of a file, named by its content."""
    file = Path(data)
    if not file.is_file():
        base, _, version = data.partition("@")
        return {"dataset": base, **({"version": version} if version else {})}
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    stem = _OTHER.sub("-", file.stem.lower()).strip("-")[:64] or "questions"
    made = f"{stem}-{digest}"
    try:
        server.call("GET", f"/v1/datasets/{quote(made, '')}/versions?limit=1")
    except ServerLacks:
        uploaded = server.upload(file, "evals")["id"]
        note = {"file_id": uploaded, "note": f"advise {file.name}"[:512]}
        server.call("POST", f"/v1/datasets/{quote(made, '')}/versions", note)
    return {"dataset": made}


def _named(text: str) -> dict[str, Any]:
    name, _, options = text.partition(":")
    return {"name": name, "options": dict(each.partition("=")[::2] for each in options.split(",") if each)}


def _shown(server: Server, made: dict[str, Any], report: Path | None, as_json: bool) -> None:
    from mainspring.features.advise.shapes import cells, headline

    if report is not None:
        with server.opened("GET", f"/v1/advice/{made['id']}/report") as answer:
            report.write_bytes(answer.read())
    if as_json:
        show.as_json(made)
    elif made["report"] is None:
        print(headline(made))
    else:
        head = ("WAY", "QUALITY", "PER QUERY", "SECONDS", "UPFRONT", "A MONTH", "")
        show.table(head, [tuple(show.printable(each) for each in row) for row in cells(made["report"])])
        print(f"\n{headline(made)}")
        for reason in made["report"]["reasons"]:
            print(f"- {show.printable(reason)}")
        for each in made["report"]["break_even"]:
            if not {each["way"], each["against"]}.isdisjoint(made["report"]["out"]):
                continue
            print(f"- {each['way']} has cost less than {each['against']} after {math.ceil(each['queries']):,} queries.")
        for row in made["report"]["rows"]:
            if not row["tried"] and row["command"].startswith("mainspring "):
                print(f"- To try {row['way']}: {show.printable(row['command'])}")
        print(f"\n{made['id']}, experiment {made['report']['experiment'] or '-'}")
    if made["status"] == "failed":
        raise typer.Exit(show.FAILED)


COMMANDS = (Command("advise", app, QUALITY),)
