"""``mainspring rag recall`` and ``reindex``: how well the index of a collection finds, and another embedder for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli import show
from mainspring.cli.up import pull_missing
from mainspring.settings import Settings, load

if TYPE_CHECKING:
    from mainspring.stores.collections import Collection
    from mainspring.stores.recall import Recall

_TENANT = Annotated[str, typer.Option(help="Whose collection it is")]
_GROUPS = Annotated[list[str] | None, typer.Option("--group", help="A group that may see it; can be repeated")]


def recall(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(help="Collection, by name or id")],
    k: Annotated[int, typer.Option(min=1, help="How many nearest chunks count")] = 20,
    queries: Annotated[int, typer.Option(min=1, help="How many stored vectors are searched for")] = 50,
    tenant: _TENANT = "default",
    groups: _GROUPS = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Compare the index of a collection with exact search, for each effort."""
    found = asyncio.run(_recall(load(context.obj).settings, tenant, frozenset(groups or ()), collection, k, queries))
    if as_json:
        show.as_json({"collection": collection, "k": k, "efforts": [_row(each) for each in found]})
        return
    if not found:
        typer.echo(f"{collection} has no chunks yet")
        return
    typer.echo(f"effort  recall@{k}  p50 ms  p95 ms")
    for each in found:
        typer.echo(f"{each.effort:6.2f}  {each.recall:9.4f}  {each.p50_ms:6.1f}  {each.p95_ms:6.1f}")


def reindex(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(help="Collection, by name or id")],
    embedder: Annotated[str, typer.Option(help="Embedding model to move to")],
    tenant: _TENANT = "default",
    groups: _GROUPS = None,
) -> None:
    """Embed a collection anew with another model; it is searched with the old one until all is there.

    Searches of the moved collection need `models.embedding` to be that model.
    """
    settings = load(context.obj).settings
    models = settings.models.model_copy(update={"chat": (), "embedding": embedder})
    settings = settings.model_copy(update={"models": models})
    pull_missing(settings)
    moved = asyncio.run(_reindex(settings, tenant, frozenset(groups or ()), collection))
    typer.echo(f"{moved.name} is now embedded with {moved.embedder}")


async def _recall(
    settings: Settings, tenant: str, groups: frozenset[str], name: str, k: int, queries: int
) -> list[Recall]:
    from mainspring import stores
    from mainspring.stores.recall import measure

    async with stores.open(settings) as opened:
        collection = await opened.collections.get(tenant, name, groups=groups)
        current = await opened.collections.current(collection, groups)
        return await measure(opened.vectors, collection.table, current, k=k, queries=queries)


async def _reindex(settings: Settings, tenant: str, groups: frozenset[str], name: str) -> Collection:
    from mainspring import stores
    from mainspring.engines import builtin
    from mainspring.rag.reindex import reindex as move

    embedder = await builtin.embedder(settings)
    try:
        async with stores.open(settings) as opened:
            collection = await opened.collections.get(tenant, name, groups=groups)
            return await move(opened, collection, embedder)
    finally:
        await embedder.close()


def _row(each: Recall) -> dict[str, float]:
    return {"effort": each.effort, "recall": each.recall, "p50_ms": each.p50_ms, "p95_ms": each.p95_ms}
