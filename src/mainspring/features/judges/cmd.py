"""``mainspring judges``: judges as data, at a running server."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from mainspring.command import QUALITY, Command
from mainspring.core import yaml_files
from mainspring.core.errors import InvalidRequest
from mainspring.terminal import show
from mainspring.terminal.remote import Server

app = typer.Typer(help="Define judges, judge texts, measure judges on people's labels.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A judge, from `mainspring judges list`")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
_TOGETHER = 8
_LOOK_S = 1.0
_FIELDS = frozenset({"id", "question", "answer", "answers", "passages", "references", "model"})


@app.command("list")
def list_judges(context: typer.Context, as_json: AsJson = False) -> None:
    """List your judges and the built-in ones."""
    found = Server.of(context).call("GET", "/v1/judges")["data"]
    if as_json:
        show.as_json(found)
        return
    rows = [
        (
            each["name"],
            each["definition"]["kind"],
            each["definition"]["mode"],
            each["number"] or "package",
            each["definition"].get("description", "")[:70],
        )
        for each in found
    ]
    show.table(("JUDGE", "KIND", "MODE", "VERSION", "WHAT IT JUDGES"), rows)


@app.command("put")
def put_judge(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Its name")],
    file: Annotated[Path, typer.Argument(help="Its definition as YAML or JSON", exists=True, dir_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Define a judge, or its next version."""
    body = {"definition": yaml_files.load(file.read_text(encoding="utf-8"))}
    made = Server.of(context).call("PUT", f"/v1/judges/{quote(name, safe='')}", body)
    show.done(f"{name} is version {made['number']}.", made, as_json)


@app.command("delete")
def delete_judge(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Delete your judge; a built-in judge of this name is used again."""
    gone = Server.of(context).call("DELETE", f"/v1/judges/{quote(name, safe='')}")
    show.done(f"{name} is deleted.", gone, as_json)


@app.command("run")
def run_judge(
    context: typer.Context,
    name: Name,
    file: Annotated[
        Path, typer.Argument(help="Lines of JSON: question, answer (or answers), passages", exists=True, dir_okay=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Judge the items of a file; --json writes JSON Lines."""
    server, path = Server.of(context), f"/v1/judges/{quote(name, safe='')}/run"
    for items in _pieces(file):
        with server.opened("POST", path, {"items": items}) as answer:
            found = json.load(answer)["data"]
        for item, each in zip(items, found, strict=True):
            _tell(item, each, as_json)


@app.command("measure")
def measure_judge(
    context: typer.Context,
    name: Name,
    labels: Annotated[
        Path | None,
        typer.Option(help="Lines of JSON: question, answer (or answers), passages, label", exists=True, dir_okay=False),
    ] = None,
    dataset: Annotated[str, typer.Option(help='A data set with the extra fields "answer" and "label"')] = "",
    queue: Annotated[str | None, typer.Option(help='Labels of this review queue; "": of all queues')] = None,
    criterion: Annotated[str, typer.Option(help="Criterion of the labels; default: whether people approve")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Maximum number of labelled items")] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the figures")] = True,
    as_json: AsJson = False,
) -> None:
    """Measure a judge on people's labels, and publish its figures, which gates require."""
    body: dict[str, Any] = {"items": [_known(row) for row in rows_of(labels)] if labels else [], "criterion": criterion}
    body |= {
        key: value
        for key, value in (("dataset", dataset or None), ("queue", queue), ("limit", limit))
        if value is not None
    }
    server = Server.of(context)
    made = server.call("POST", f"/v1/judges/{quote(name, safe='')}/measure", body)
    _ended(server, made, wait, as_json)


@app.command("estimate")
def estimate_by_judge(
    context: typer.Context,
    name: Name,
    application: Annotated[str, typer.Argument(help="Whose answers: an agent, application, collection or model")],
    queue: Annotated[str | None, typer.Option(help="Labels of this review queue")] = None,
    criterion: Annotated[str, typer.Option(help="Criterion of the labels; default: whether people approve")] = "",
    days: Annotated[float, typer.Option(min=0.01, help="Only the last days")] = 30.0,
    limit: Annotated[int, typer.Option(min=0, help="Maximum number of unlabelled answers to judge")] = 500,
    wait: Annotated[bool, typer.Option(help="Wait for the estimate")] = True,
    as_json: AsJson = False,
) -> None:
    """Estimate how people would rate an application's answers, from their labels and a judge's scores."""
    body: dict[str, Any] = {"application": application, "queue": queue, "criterion": criterion}
    body |= {"days": days, "limit": limit}
    server = Server.of(context)
    made = server.call("POST", f"/v1/judges/{quote(name, safe='')}/estimate", body)
    _ended(server, made, wait, as_json)


@app.command("fit")
def fit_judge(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A jury that was measured")],
    into: Annotated[str, typer.Argument(help="The name of the combined judge")],
    as_json: AsJson = False,
) -> None:
    """Fit weights for the members of a measured jury, as a new judge."""
    made = Server.of(context).call("POST", f"/v1/judges/{quote(name, safe='')}/fit", {"into": into})
    left, plain = (made["fit"][each] for each in ("left_out", "mean_of_members"))
    said = f"{into} is fitted to {made['fit']['n']} labels."
    if left is not None and plain is not None:
        said += f" Correlation with labels left out {left['value']:.2f}; of the members' mean {plain['value']:.2f}."
    show.done(said, made, as_json)


@app.command("measurements")
def list_measurements(
    context: typer.Context,
    judge: Annotated[str, typer.Option(help="Only this judge's")] = "",
    as_json: AsJson = False,
) -> None:
    """List measurements and estimates, newest first."""
    query = f"?{urlencode({'judge': judge})}" if judge else ""
    found = Server.of(context).call("GET", f"/v1/judges/measurements{query}")["data"]
    if as_json:
        show.as_json(found)
        return
    rows = [
        (each["id"], each["kind"], each["judge"], each["status"], f"{each['judged']}/{each['items']}") for each in found
    ]
    show.table(("MEASUREMENT", "KIND", "JUDGE", "STATUS", "JUDGED"), rows)


@app.command("figures")
def show_figures(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show the figures of a judge, and whether they are still valid."""
    found = Server.of(context).call("GET", f"/v1/judges/{quote(name, safe='')}")["published"]
    if as_json:
        show.as_json(found)
    elif found is None:
        print(f"{name} has published no figures: `mainspring judges measure {name} --labels FILE`")
    else:
        print("" if found["current"] else "The judge has changed since: these figures are out of date.\n", end="")
        _tell_figures(found["figures"])


def _ended(server: Server, made: dict[str, Any], wait: bool, as_json: bool) -> None:
    """Show a measurement, once it has ended if ``wait``. Raises ``InvalidRequest`` if it failed."""
    while wait and made["status"] in ("queued", "running"):
        time.sleep(_LOOK_S)
        made = server.call("GET", f"/v1/judges/measurements/{made['id']}")
        if not as_json and sys.stderr.isatty():
            print(f"\r{made['judged']} of {made['items']} judged", end="", file=sys.stderr, flush=True)
    if made["error"]:
        raise InvalidRequest(f"{made['id']} failed: {made['error']}")
    if as_json:
        show.as_json(made)
    elif made["figures"] is None:
        print(f"{made['id']} is {made['status']}: {made['judged']} of {made['items']} judged.")
    else:
        _tell_figures(made["figures"])


def _tell_figures(figures: dict[str, Any], before: str = "") -> None:
    """The figures, a line each; lists and points are for --json."""
    for name, value in figures.items():
        label = f"{before}{name}"
        if isinstance(value, dict) and "low" in value:
            shown = f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
            if "times" in value:
                shown += f", {value['times']} of {value['n']}"
            print(f"{label:28} {shown}")
        elif isinstance(value, dict):
            _tell_figures(value, f"{label}.")
        elif isinstance(value, float):
            print(f"{label:28} {value:.4g}")
        elif value is not None and not isinstance(value, list):
            print(f"{label:28} {value}")


def _known(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key in _FIELDS | {"label"}}


def _tell(item: dict[str, Any], each: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(each, ensure_ascii=False), flush=True)
        return
    said = "-" if not each["scores"] else " ".join(f"{value:.3f}" for value in each["scores"])
    if each.get("error"):
        said = f"failed ({each['error']['code']})"
    told = item.get("answer") or " | ".join(item.get("answers", ()))
    print(f"{said:>6}  {' '.join(told.split())[:100]}", flush=True)


def _pieces(file: Path) -> Iterator[list[dict[str, Any]]]:
    """The items of a file, a few at a time; fields that judges do not read are left out."""
    piece: list[dict[str, Any]] = []
    for row in rows_of(file):
        piece.append({key: value for key, value in row.items() if key in _FIELDS})
        if len(piece) == _TOGETHER:
            yield piece
            piece = []
    if piece:
        yield piece


def rows_of(file: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file of JSON objects. Raises ``InvalidRequest`` naming the line that is none."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise InvalidRequest(f"{file}:{number} is not a JSON object", param="file")
            yield row


COMMANDS = (Command("judges", app, QUALITY),)
