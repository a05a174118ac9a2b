"""``mainspring lake export``: make a set for training of this home's lake, and write it into a folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.features.lake.exports.asking import ExportRequest
    from mainspring.features.lake.service import Lake

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Tenant = Annotated[str, typer.Option(help="Whose data")]


def export_set(
    context: typer.Context,
    kind: Annotated[
        str,
        typer.Argument(
            help="sft, preference, thumbs, few-shot, raft, triplets, rerank, reader, nli or classification",
            metavar="KIND",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write into", file_okay=False)],
    format: Annotated[str, typer.Option(help="trl, axolotl, openai or anthropic")] = "trl",  # noqa: A002
    split: Annotated[str, typer.Option(help="Shares of train/validation/test")] = ".8/.1/.1",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split and of the samples")] = 0,
    name: Annotated[str, typer.Option(help="Title of the data card")] = "",
    licence: Annotated[str, typer.Option(help="An SPDX identifier, or a text")] = "proprietary",
    days: Annotated[float, typer.Option(min=0, help="Only answers of the last days; 0: all")] = 0,
    application: Annotated[list[str] | None, typer.Option(help="Only this one's; repeat for more")] = None,
    label: Annotated[str, typer.Option(help="classification: the field that is the class")] = "thumb",
    shots: Annotated[int, typer.Option(help="few-shot: examples before the question")] = 3,
    distractors: Annotated[int, typer.Option(help="raft, rerank: passages of other questions")] = 3,
    good: Annotated[bool, typer.Option("--good", help="sft, rerank, reader: only answers that people approve")] = False,
    override: Annotated[str, typer.Option(help="The reason to export without consent; it is audited")] = "",
    sync_first: Annotated[bool, typer.Option("--sync/--no-sync", help="Bring new events in before")] = True,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Make a set for training of consented, cleaned interactions."""
    import time

    from mainspring.features.lake.exports.asking import ExportRequest
    from mainspring.features.lake.exports.sets.formats import check_format
    from mainspring.features.lake.exports.sets.rows import Options, check_kind
    from mainspring.features.lake.exports.sets.splits import Shares

    chosen = check_kind(kind)
    asked = ExportRequest(
        chosen,
        check_format(chosen, format),
        name,
        Shares.parse(split),
        licence,
        time.time() - days * 86_400 if days else None,
        None,
        tuple(application or ()),
        override,
        Options(label=label, shots=shots, distractors=distractors, good=good, seed=seed),
    )
    made = asyncio.run(_export(context, asked, out, tenant, sync_first))
    rows = ", ".join(f"{count} {side}" for side, count in made["split"].items())
    show.done(f"{made['id']}: {made['rows']} rows ({rows}) in {out}. The card is {out / 'README.md'}.", made, as_json)


def list_exports(context: typer.Context, tenant: Tenant = "default", as_json: AsJson = False) -> None:
    """List the latest hundred exports."""
    found = asyncio.run(_list(context, tenant))
    if as_json:
        show.as_json(found)
    elif not found:
        print("No exports: `mainspring lake export sft --out DIR` makes one.")
    else:
        rows = [
            (each["id"], each["kind"], each["format"], each["status"], each["rows"], each["name"]) for each in found
        ]
        show.table(("EXPORT", "KIND", "FORMAT", "STATUS", "ROWS", "NAME"), rows)


async def _export(
    context: typer.Context, asked: ExportRequest, out: Path, tenant: str, sync_first: bool
) -> dict[str, Any]:
    from mainspring.core.errors import MainspringError
    from mainspring.core.types import Principal
    from mainspring.features.lake.exports.routes import export_body

    async with _lake_of(context) as lake:
        with show.progress() as progress:
            if sync_first:
                await lake.syncing.catch_up(partial(progress, "sync"))
            # A person who has the home's files sees all groups of a tenant.
            local = Principal(tenant, "local", frozenset({"admin"}), await lake.exports.every_group(tenant))
            found = await lake.exports.ask(local, asked, job=False)
            try:
                made = await lake.exports.make(found, progress=progress)
            except MainspringError as error:
                await lake.exports.store.failed(found, str(error))
                raise
        await lake.exports.write(made, out, local.key_id)
        return {**export_body(made), "manifest": dict(made.manifest)}


async def _list(context: typer.Context, tenant: str) -> list[dict[str, Any]]:
    from mainspring.core.types import Principal
    from mainspring.features.lake.exports.routes import export_body
    from mainspring.stores.sql.pages import Page

    async with _lake_of(context) as lake:
        groups = await lake.exports.every_group(tenant)
        found = await lake.exports.store.page(Principal(tenant, "local", groups=groups), Page(100))
        return [export_body(each) for each in found.rows]


@asynccontextmanager
async def _lake_of(context: typer.Context) -> AsyncIterator[Lake]:
    from mainspring import stores
    from mainspring.core.settings import load
    from mainspring.features.lake.service import Lake

    settings = load(context.obj).settings
    async with stores.open(settings) as opened:
        yield Lake(settings, opened)
