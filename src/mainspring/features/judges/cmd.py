"""``mainspring judges``: judges as data, at a running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

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


@app.command("list")
def list_judges(context: typer.Context, as_json: AsJson = False) -> None:
    """List your judges, and those of the package."""
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
    """Delete your judge; one of the package of that name counts again."""
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
    """Judge the items of a file, and write lines of JSON with --json."""
    server, path = Server.of(context), f"/v1/judges/{quote(name, safe='')}/run"
    for items in _pieces(file):
        with server.opened("POST", path, {"items": items}) as answer:
            found = json.load(answer)["data"]
        for item, each in zip(items, found, strict=True):
            _tell(item, each, as_json)


def _tell(item: dict[str, Any], each: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(each, ensure_ascii=False), flush=True)
        return
    said = "-" if not each["scores"] else " ".join(f"{value:.3f}" for value in each["scores"])
    told = item.get("answer") or " | ".join(item.get("answers", ()))
    print(f"{said:>6}  {' '.join(told.split())[:100]}", flush=True)


def _pieces(file: Path) -> Iterator[list[dict[str, Any]]]:
    """The items of a file, a few at a time; fields that judges do not read are left out."""
    known = {"id", "question", "answer", "answers", "passages", "references", "model"}
    piece: list[dict[str, Any]] = []
    for row in rows_of(file):
        piece.append({key: value for key, value in row.items() if key in known})
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
                raise InvalidRequest(f"{file}:{number} is no JSON object", param="file")
            yield row


COMMANDS = (Command("judges", app, QUALITY),)
