"""``mainspring experiments``: responders compared over a data set, at a running server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from mainspring.command import QUALITY, Command
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Compare models, collections and agents over a data set.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Identifier = Annotated[str, typer.Argument(help="Its id, from `mainspring experiments list`")]
_EVERY_S = 1.0


@app.command("run")
def run(
    context: typer.Context,
    dataset: Annotated[str, typer.Option(help="NAME, NAME@VERSION or NAME@TAG")],
    responder: Annotated[
        list[str] | None, typer.Option(help="A model, collection or agent; the first is the baseline")
    ] = None,
    scorer: Annotated[
        list[str] | None, typer.Option(help="NAME, NAME:OPTION=VALUE,... or NAME:JSON (default: f1)")
    ] = None,
    name: Annotated[str, typer.Option(help="Its name in reports")] = "",
    max_tokens: Annotated[int, typer.Option(min=1, help="Maximum tokens of an answer")] = 256,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Number of concurrent questions")] = 2,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the report")] = True,
    as_json: AsJson = False,
) -> None:
    """Ask every responder every question of a data set and score the answers.

    Without a responder, score the recorded answers of the examples. Answers that a responder gave before, in the same
    state, are reused.
    """
    server = Server.of(context)
    base, _, version = dataset.partition("@")
    body: dict[str, Any] = {"dataset": base, "name": name, "concurrency": concurrency}
    body["responders"] = [{"model": each, "parameters": {"max_tokens": max_tokens}} for each in responder or ()]
    body["scorers"] = [_scorer(each) for each in scorer or ["f1"]]
    if version:
        body["version"] = version
    made = server.call("POST", "/v1/experiments", body)
    if not wait:
        show.done(f"{made['id']} is queued.", made, as_json)
        return
    with show.progress() as progress:
        while made["status"] in ("queued", "running"):
            progress("Asking", made["counts"]["done"], made["counts"]["total"])
            time.sleep(_EVERY_S)
            made = server.call("GET", f"/v1/experiments/{made['id']}")
    _report(server, made, as_json)


@app.command("list")
def list_experiments(context: typer.Context, as_json: AsJson = False) -> None:
    """List the latest experiments."""
    found = Server.of(context).call("GET", "/v1/experiments?limit=100")
    if as_json:
        show.as_json(found)
        return
    cells = [(e["id"], e["name"], e["status"], f"{e['counts']['done']}/{e['counts']['total']}") for e in found["data"]]
    show.table(("EXPERIMENT", "NAME", "STATUS", "ANSWERS"), cells)


@app.command("show")
def show_experiment(
    context: typer.Context,
    experiment: Identifier,
    report: Annotated[Path | None, typer.Option(help="Also write the report, as Markdown")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the report of an experiment."""
    server = Server.of(context)
    found = server.call("GET", f"/v1/experiments/{experiment}")
    if report is not None:
        with server.opened("GET", f"/v1/experiments/{experiment}/report?format=markdown") as answer:
            report.write_bytes(answer.read())
    _report(server, found, as_json)


@app.command("drift")
def drift(
    context: typer.Context,
    before: Annotated[str, typer.Argument(help="The earlier experiment's id")],
    after: Annotated[str, typer.Argument(help="The later experiment's id")],
    responder: Annotated[str, typer.Option(help="The responder's name in both (default: the first)")] = "",
    as_json: AsJson = False,
) -> None:
    """Show how scores differ between two experiments on one data set, overall and by slice."""
    asked = urlencode({"before": before, **({"responder": responder} if responder else {})})
    found = Server.of(context).call("GET", f"/v1/experiments/{after}/drift?{asked}")
    if as_json:
        show.as_json(found)
        return
    parts = [("all", "", found["comparisons"]), *((e["tag"], e["value"], e["comparisons"]) for e in found["slices"])]
    cells = []
    for tag, value, comparisons in parts:
        for each in comparisons:
            made, p = each["difference"], each.get("p_corrected")
            interval = "" if made["low"] is None else f"[{made['low']:+.3f}, {made['high']:+.3f}]"
            mean = "" if made["mean"] is None else f"{made['mean']:+.3f}"
            cells.append((tag, value, each["scorer"], made["n"], mean, interval, "" if p is None else f"{p:.4f}"))
    show.table(("TAG", "VALUE", "SCORER", "EXAMPLES", "CHANGE", "INTERVAL", "P"), cells)


@app.command("cancel")
def cancel(context: typer.Context, experiment: Identifier, as_json: AsJson = False) -> None:
    """Stop an experiment after the answers that are in progress."""
    found = Server.of(context).call("POST", f"/v1/experiments/{experiment}/cancel")
    show.done(f"{experiment} stops.", found, as_json)


@app.command("delete")
def delete(context: typer.Context, experiment: Identifier, as_json: AsJson = False) -> None:
    """Delete an experiment with its results."""
    found = Server.of(context).call("DELETE", f"/v1/experiments/{experiment}")
    show.done(f"{experiment} is deleted.", found, as_json)


@app.command("scorers")
def scorers(context: typer.Context, as_json: AsJson = False) -> None:
    """List the scorers of the server."""
    found = Server.of(context).call("GET", "/v1/scorers")
    if as_json:
        show.as_json(found)
        return
    show.table(("SCORER",), [(each["id"],) for each in found["data"]])


def _report(server: Server, experiment: dict[str, Any], as_json: bool) -> None:
    path = f"/v1/experiments/{experiment['id']}/report"
    if as_json:
        show.as_json({**experiment, "report": server.call("GET", path)})
    else:
        with server.opened("GET", f"{path}?format=markdown") as answer:
            print(show.printable(answer.read().decode()), end="")
        print(f"\n{experiment['id']} is {experiment['status']}.", experiment["error"] or "")
    if experiment["status"] == "failed":
        raise typer.Exit(show.FAILED)


def _scorer(text: str) -> dict[str, Any]:
    from mainspring.evaluation.scorers import wanted

    name, options = wanted(text)
    return {"name": name, "options": options}


COMMANDS = (Command("experiments", app, QUALITY),)
