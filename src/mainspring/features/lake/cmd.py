"""``mainspring lake``: the lake of this home, its files, and queries over them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.command import QUALITY, Command
from mainspring.features.lake.exports.cmd import export_set, list_exports
from mainspring.features.lake.features_table.cmd import show_features
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.features.lake.build.store import Build
    from mainspring.features.lake.service import Lake

app = typer.Typer(help="Turn recorded traffic into data: sync, build, query.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Tenant = Annotated[str, typer.Option(help="The tenant of the data")]


@app.command("sync")
def sync(
    context: typer.Context,
    sweep: Annotated[bool, typer.Option("--sweep", help="Also remove rows whose text has been deleted")] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Also retry all events that were set aside, due or not")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring all new events into the lake."""
    asyncio.run(_sync(context, sweep, retry, as_json))


@app.command("sql")
def query(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="One SELECT over interactions, or over a kind of events such as answer")],
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Run a SELECT over one tenant's files."""
    asyncio.run(_query(context, query, tenant, as_json))


@app.command("build")
def build(
    context: typer.Context,
    tenant: Tenant = "default",
    sync_first: Annotated[bool, typer.Option("--sync/--no-sync", help="Bring in new events first")] = True,
    without: Annotated[list[str] | None, typer.Option(help="Leave this step out; can be repeated")] = None,
    quality: Annotated[str, typer.Option(help="any, not_bad or good; default: lake.build.quality")] = "",
    as_json: AsJson = False,
) -> None:
    """Build the training-ready zone of a tenant again, and show what each step dropped."""
    changes: dict[str, Any] = {"without": without} if without else {}
    changes |= {"quality": quality} if quality else {}
    asyncio.run(_build(context, tenant, sync_first, changes, as_json))


@app.command("funnel")
def funnel(
    context: typer.Context,
    tenant: Tenant = "default",
    build_id: Annotated[str, typer.Option("--build", help="Its id; default: the newest finished build")] = "",
    step: Annotated[str, typer.Option(help="Show examples of what this step dropped; ready: of what is left")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what each step of a build dropped."""
    asyncio.run(_funnel(context, tenant, build_id, step, as_json))


async def _build(context: typer.Context, tenant: str, sync_first: bool, changes: dict[str, Any], as_json: bool) -> None:
    from mainspring.features.lake.build.building import changed

    async with lake_of(context) as lake:
        options = changed(lake.settings.build, changes)
        with show.progress() as progress:
            if sync_first:
                await lake.syncing.catch_up(partial(progress, "sync"))
            made = await lake.building.build(tenant, progress, options)
    _tell(made, as_json)


async def _funnel(context: typer.Context, tenant: str, build_id: str, step: str, as_json: bool) -> None:
    async with lake_of(context) as lake:
        found = await lake.building.builds.latest(tenant, build_id)
        samples = await lake.samples(tenant, found, step) if step else None
    if samples is None:
        _tell(found, as_json)
    elif as_json:
        show.as_json([each.plain() for each in samples])
    else:
        rows = [(each.answer_id, each.reason or each.verdict, each.question[:60], each.answer[:60]) for each in samples]
        show.table(("ANSWER", "WHY", "QUESTION", "ANSWER TEXT"), rows)


def _tell(build: Build, as_json: bool) -> None:
    if as_json:
        show.as_json({"id": build.id, "state": build.state, "created_at": build.created_at, **build.report})
        return
    rows = [
        (
            each["name"] if each["on"] else f"{each['name']} (off)",
            each["before"],
            each["dropped"] or "",
            ", ".join(f"{name} {count}" for name, count in list(each["reasons"].items())[:3])
            or (f"{each['changed']} changed" if each.get("changed") else ""),
        )
        for each in build.report["steps"]
    ]
    show.table(("STEP", "ROWS", "DROPPED", "WHY"), rows)
    print(f"{build.report['ready']} of {build.report['interactions']} interactions are ready ({build.id}).")


async def _sync(context: typer.Context, sweep: bool, retry: bool, as_json: bool) -> None:
    async with lake_of(context) as lake:
        with show.progress() as progress:
            done = await lake.syncing.sync(partial(progress, "sync"), retry=retry)
        swept = await lake.syncing.sweep() if sweep else 0
        if done is None:
            show.done("Another process syncs already.", {"started": False}, as_json)
            return
        told = {
            "started": True,
            "events": done.events,
            "interactions": done.interactions,
            "files": done.files,
            "set_aside": done.set_aside,
            "swept": swept,
        }
        aside = f" {done.set_aside} cannot be read and are set aside." if done.set_aside else ""
        show.done(f"{done.events} events, {done.interactions} interactions, {done.files} files.{aside}", told, as_json)


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


app.command("export")(export_set)
app.command("exports")(list_exports)
app.command("features")(show_features)


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
