"""``mainspring lake``: the lake of this home, its files, and queries over them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.command import QUALITY, Command
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.features.lake.service import Lake

app = typer.Typer(help="Turn what happened into data: sync, build, query.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Tenant = Annotated[str, typer.Option(help="Whose data")]


@app.command("sync")
def sync(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring all new events into the lake."""
    asyncio.run(_sync(context, as_json))


@app.command("sql")
def query(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="One SELECT over interactions, or a kind of events such as answer")],
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Run a SELECT over one tenant's files."""
    asyncio.run(_query(context, query, tenant, as_json))


async def _sync(context: typer.Context, as_json: bool) -> None:
    async with lake_of(context) as lake:
        with show.progress() as progress:
            done = await lake.syncing.sync(lambda events, made: progress(f"{made} interactions", events, events))
        if done is None:
            show.done("Another process syncs already.", {"started": False}, as_json)
            return
        told = {"started": True, "events": done.events, "interactions": done.interactions, "files": done.files}
        show.done(f"{done.events} events, {done.interactions} interactions, {done.files} files.", told, as_json)


async def _query(context: typer.Context, query: str, tenant: str, as_json: bool) -> None:
    async with lake_of(context) as lake:
        found = await lake.sql.query(tenant, query)
    if as_json:
        show.as_json({"columns": found.columns, "rows": found.rows, "truncated": found.truncated})
        return
    show.table(
        [each["name"] for each in found.columns], [["" if cell is None else cell for cell in row] for row in found.rows]
    )
    if found.truncated:
        print(f"Only the first {len(found.rows)} rows are shown.")


@asynccontextmanager
async def lake_of(context: typer.Context) -> AsyncIterator[Lake]:
    """The lake over the stores of the home; no model is loaded."""
    from mainspring import stores
    from mainspring.core.settings import load
    from mainspring.features.lake.service import Lake

    settings = load(context.obj).settings
    async with stores.open(settings) as opened:
        yield Lake(settings, opened)


COMMANDS = (Command("lake", app, QUALITY),)
