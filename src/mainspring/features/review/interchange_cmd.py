"""``mainspring review export`` and ``import``: Label Studio's tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from mainspring.core.errors import InvalidRequest
from mainspring.terminal import show
from mainspring.terminal.remote import Server

QueueName = Annotated[str, typer.Argument(help="Its name or id", metavar="QUEUE")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
_AT_ONCE = 50


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("export")(export_tasks)
    app.command("import")(import_tasks)


def export_tasks(
    context: typer.Context,
    queue: QueueName,
    file: Annotated[
        Path, typer.Argument(help="A new file for the tasks; FILE.xml for the interface is written beside it")
    ],
    as_json: AsJson = False,
) -> None:
    """Write a queue as Label Studio's tasks, with its labelling interface beside."""
    server, at = Server.of(context), f"/v1/review/queues/{quote(queue, safe='')}/label_studio"
    tasks: list[Any] = []
    after = ""
    while True:
        page = server.call("GET", f"{at}?limit={_AT_ONCE}{after}")
        tasks += page["data"]
        if not page["has_more"]:
            break
        after = f"&after={quote(page['last_id'], safe='')}"
    file.write_text(json.dumps(tasks, ensure_ascii=False, indent=1) + "\n", "utf-8")
    interface = file.with_suffix(".xml")
    interface.write_text(server.call("GET", f"{at}/interface")["interface"], "utf-8")
    told = {"tasks": len(tasks), "file": str(file), "interface": str(interface)}
    show.done(f"{len(tasks)} tasks are in {file}, their interface in {interface}.", told, as_json)


def import_tasks(
    context: typer.Context,
    queue: QueueName,
    file: Annotated[Path, typer.Argument(help="Label Studio's export in JSON", exists=True)],
    as_json: AsJson = False,
) -> None:
    """Read the labels of Label Studio's export; those that are known are left as they are."""
    tasks = json.loads(file.read_text("utf-8"))
    if not isinstance(tasks, list):
        raise InvalidRequest(f"{file} is not a list of tasks", remedy="Export it as JSON")
    server, at = Server.of(context), f"/v1/review/queues/{quote(queue, safe='')}/label_studio"
    told = {"items": 0, "labels": 0}
    for start in range(0, len(tasks), _AT_ONCE):
        found = server.call("POST", at, {"tasks": tasks[start : start + _AT_ONCE]})
        told = {name: told[name] + found[name] for name in told}
    show.done(f"{told['labels']} new labels on {told['items']} items.", told, as_json)
