"""``mainspring rag quarantine``, ``release`` and ``scan``: what documents of a running server were found to hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

import typer

from mainspring.terminal import complete, show
from mainspring.terminal.remote import Server

Collection = Annotated[str, typer.Argument(help="Collection, by name or id", autocompletion=complete.collections)]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
File = Annotated[str, typer.Argument(help="File or document, by its id")]


def quarantine(context: typer.Context, collection: Collection, as_json: AsJson = False) -> None:
    """List the documents of a collection that contain instructions to their reader, and how each was handled."""
    _listed([each for each in _files(Server.of(context), collection) if each["findings"]], as_json)


def release(
    context: typer.Context,
    collection: Collection,
    file: File,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Release a quarantined document, so that searches find it."""
    found = Server.of(context).call("POST", f"{_path(collection)}/{quote(file, safe='')}/release")
    show.done(f"{found['filename']} is {found['screening']}: searches find it from now on.", found, as_json)


def scan(
    context: typer.Context,
    collection: Collection,
    file: Annotated[str | None, typer.Argument(help="File or document, by its id", show_default="all")] = None,
    as_json: AsJson = False,
) -> None:
    """Screen documents for instructions again, with the current `guards.ingest`; released documents stay released."""
    server = Server.of(context)
    names = [file] if file else [each["id"] for each in _files(server, collection) if each["status"] == "completed"]
    found = [server.call("POST", f"{_path(collection)}/{quote(name, safe='')}/scan") for name in names]
    _listed([each for each in found if each["findings"] or file], as_json)


def _path(collection: str) -> str:
    return f"/v1/vector_stores/{quote(collection, safe='')}/files"


def _files(server: Server, collection: str) -> Iterator[dict[str, Any]]:
    after = ""
    while True:
        page = server.call("GET", f"{_path(collection)}?limit=100&order=asc{after}")
        yield from page["data"]
        if not page["has_more"]:
            return
        after = f"&after={page['last_id']}"


def _listed(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        show.as_json(found)
        return
    if not found:
        print("Nothing was found.")
        return
    rows = []
    for each in found:
        held = ", ".join(f"{kind} ({count})" for kind, count in each["findings"].items())
        rows.append((each["id"], each["filename"], each["screening"] or "not looked at", held))
    show.table(("ID", "NAME", "SCREENING", "FOUND"), rows)
