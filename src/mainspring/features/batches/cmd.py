"""``mainspring batches``: submit a file of requests, list, show and cancel batches, download their answers.

A running server answers them; without one they wait for the next.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mainspring.command import MODELS, Command
from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.core.settings import Settings
    from mainspring.stores import Stores

T = TypeVar("T")
app = typer.Typer(help="Submit, list, show, cancel and download batches.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Tenant = Annotated[str, typer.Option(help="Tenant that owns the batches")]
Groups = Annotated[
    list[str] | None, typer.Option("--group", help="Group of the key that created them; repeat for more")
]
Id = Annotated[str, typer.Argument(help="The batch's id")]


@app.command()
def submit(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON Lines, one request per line")],
    key: Annotated[str, typer.Option(help="Id of the API key to charge, from `mainspring keys list`")],
    endpoint: Annotated[str, typer.Option(help="The route of all its lines")] = "/v1/chat/completions",
    window: Annotated[str, typer.Option(help="Time limit in hours")] = "24h",
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Check a file and queue it."""

    async def work(opened: Stores, settings: Settings) -> dict[str, Any]:
        from mainspring.features.batches.lines import read
        from mainspring.features.batches.routes import batch_body, create, window_s
        from mainspring.features.batches.settings import BatchesSettings
        from mainspring.stores.documents.files import REQUESTS

        window_s(endpoint, window)
        data = file.read_bytes()
        if errors := read(data, endpoint, settings.section(BatchesSettings).max_lines).errors:
            first = errors[0]
            place = f"line {first['line']}: " if first["line"] else ""
            raise InvalidRequest(f"{file.name}: {place}{first['message']}", param=first["param"])
        info = await opened.keys.get(tenant, key)
        if not info.usable(time.time()):
            raise InvalidRequest(f"the key {key} was revoked or has expired", remedy="Name another", param="key")
        principal = info.principal()
        kept = await opened.files.add(tenant, file.name, data, REQUESTS, principal.groups)
        made = await create(
            opened.batches,
            opened.files,
            settings.section(BatchesSettings),
            principal,
            input_file_id=kept.id,
            endpoint=endpoint,
            window=window,
            metadata={},
        )
        return batch_body(made)

    made = _run(context, work)
    if as_json:
        show.as_json(made)
    else:
        print(f"{made['id']}\nA running server answers it; `mainspring batches show {made['id']}` says how far it is.")


@app.command("list")
def list_batches(
    context: typer.Context,
    tenant: Tenant = "default",
    group: Groups = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number, newest first")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the batches of a set of groups."""

    async def work(opened: Stores, _: Settings) -> list[dict[str, Any]]:
        from mainspring.features.batches.routes import batch_body
        from mainspring.stores.sql.pages import Page

        found = await opened.batches.page(tenant, Page(limit), groups=frozenset(group or ()))
        return [batch_body(each) for each in found.rows]

    found = _run(context, work)
    if as_json:
        show.as_json(found)
    elif found:
        rows = [
            (each["id"], each["status"], _counts(each), each["endpoint"], _time(each["created_at"])) for each in found
        ]
        show.table(["batch", "status", "answered", "endpoint", "created"], rows)
    else:
        print("No batches: `mainspring batches submit FILE --key KEY` queues one.")


@app.command("show")
def show_batch(
    context: typer.Context, batch_id: Id, tenant: Tenant = "default", group: Groups = None, as_json: AsJson = False
) -> None:
    """Show the progress of a batch, and the errors of its file."""

    async def work(opened: Stores, _: Settings) -> dict[str, Any]:
        from mainspring.features.batches.routes import batch_body

        return batch_body(await opened.batches.get(tenant, batch_id, groups=frozenset(group or ())))

    found = _run(context, work)
    if as_json:
        show.as_json(found)
        return
    print(f"{found['id']}: {found['status']}, {_counts(found)} answered, until {_time(found['expires_at'])}")
    for error in (found["errors"] or {}).get("data", ()):
        place = f"line {error['line']}: " if error["line"] else ""
        print(f"  {place}{error['message']}")
    for name in ("output_file_id", "error_file_id"):
        if found[name]:
            print(f"  {name}: {found[name]}")


@app.command()
def cancel(
    context: typer.Context,
    batch_id: Id,
    tenant: Tenant = "default",
    group: Groups = None,
    as_json: AsJson = False,
) -> None:
    """Stop a batch; finished answers are kept."""

    async def work(opened: Stores, _: Settings) -> dict[str, Any]:
        from mainspring.features.batches.routes import batch_body

        return batch_body(await opened.batches.cancel(tenant, batch_id, groups=frozenset(group or ())))

    show.done(f"{batch_id} is being cancelled.", _run(context, work), as_json)


@app.command()
def download(
    context: typer.Context,
    batch_id: Id,
    out: Annotated[Path | None, typer.Option(help="File to write", show_default="the terminal")] = None,
    errors: Annotated[bool, typer.Option("--errors", help="Write the failed lines instead")] = False,
    tenant: Tenant = "default",
    group: Groups = None,
) -> None:
    """Write the answers of a batch, or its errors, to a file."""

    async def work(opened: Stores, _: Settings) -> bytes:
        groups = frozenset(group or ())
        batch = await opened.batches.get(tenant, batch_id, groups=groups)
        file_id = batch.error_file_id if errors else batch.output_file_id
        if file_id is None:
            what = "errors" if errors else "answers"
            raise NotFound(f"{batch_id} is {batch.status} and has no {what}", remedy="Wait until it is completed")
        return await opened.files.content(tenant, file_id, groups=groups)

    data = _run(context, work)
    if out is None:
        sys.stdout.write(data.decode("utf-8", "replace"))
    else:
        out.write_bytes(data)


def _run(context: typer.Context, work: Callable[[Stores, Settings], Awaitable[T]]) -> T:
    async def opened() -> T:
        from mainspring import stores
        from mainspring.core.settings import load

        settings = load(context.obj).settings
        async with stores.open(settings) as all_stores:
            return await work(all_stores, settings)

    return asyncio.run(opened())


def _counts(body: dict[str, Any]) -> str:
    counts = body["request_counts"]
    failed = f" ({counts['failed']} failed)" if counts["failed"] else ""
    return f"{counts['completed'] + counts['failed']} of {counts['total']}{failed}"


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


COMMANDS = (Command("batches", app, MODELS),)
