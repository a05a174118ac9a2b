"""``mainspring rag recall`` and ``reindex``: how well the index of a collection finds, and another embedder for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.core.settings import Settings, load
from mainspring.terminal import complete, show
from mainspring.terminal.pulling import pull_missing

if TYPE_CHECKING:
    from mainspring.stores.documents.collections import Collection
    from mainspring.stores.vectors.index_recall import Recall

_TENANT = Annotated[str, typer.Option(help="Tenant that owns the collection")]
_GROUPS = Annotated[
    list[str] | None, typer.Option("--group", help="A group that may see the collection; can be repeated")
]


def recall(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(help="Collection, by name or id", autocompletion=complete.collections)],
    k: Annotated[int, typer.Option(min=1, help="Number of nearest chunks to compare")] = 20,
    queries: Annotated[int, typer.Option(min=1, help="Number of stored vectors used as queries")] = 50,
    tenant: _TENANT = "default",
    groups: _GROUPS = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Compare the index of a collection with exact search, for each effort."""
    settings = load(context.obj).settings
    searched, found = asyncio.run(_recall(settings, tenant, frozenset(groups or ()), collection, k, queries))
    if as_json:
        efforts = [_row(each) for each in found]
        show.as_json({"collection": collection, "k": k, "searches": searched, "efforts": efforts})
        return
    if not found:
        typer.echo(f"{collection} has no chunks yet")
        return
    typer.echo(f"{collection}: {searched} searches for stored vectors, one of a document, at each effort")
    rows = [(f"{e.effort:.2f}", f"{e.recall:.4f}", f"{e.p50_ms:.1f}", f"{e.p95_ms:.1f}") for e in found]
    show.table(("EFFORT", f"RECALL@{k}", "P50 MS", "P95 MS"), rows)


def reindex(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(help="Collection, by name or id", autocompletion=complete.collections)],
    embedder: Annotated[str, typer.Option(help="Embedding model to move to")],
    tenant: _TENANT = "default",
    groups: _GROUPS = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Embed a collection again with another model. Searches use the old vectors until all new ones exist, and the new
    ones from then on, also in a running server."""
    settings = load(context.obj).settings
    models = settings.models.model_copy(update={"chat": (), "embedding": embedder})
    settings = settings.model_copy(update={"models": models})
    pull_missing(settings)
    moved = asyncio.run(_reindex(settings, tenant, frozenset(groups or ()), collection))
    facts = {"name": moved.name, "id": moved.id, "embedder": moved.embedder}
    show.done(f"{moved.name} is now embedded with {moved.embedder}", facts, as_json)


async def _recall(
    settings: Settings, tenant: str, groups: frozenset[str], name: str, k: int, queries: int
) -> tuple[int, list[Recall]]:
    from mainspring import stores
    from mainspring.stores.vectors.index_recall import measure

    async with stores.open(settings) as opened:
        collection = await opened.collections.get(tenant, name, groups=groups)
        current = await opened.collections.current(collection, groups)
        found = await measure(opened.vectors, collection.table, current, k=k, queries=queries)
        return min(queries, len(current)), found


async def _reindex(settings: Settings, tenant: str, groups: frozenset[str], name: str) -> Collection:
    from mainspring import stores
    from mainspring.engines import builtin
    from mainspring.rag.ingest.reindex import reindex as move

    embedder = await builtin.embedder(settings)
    try:
        async with stores.open(settings) as opened:
            collection = await opened.collections.get(tenant, name, groups=groups)
            with show.progress() as progress:
                return await move(opened, collection, embedder, lambda done, total: progress("Embedding", done, total))
    finally:
        await embedder.close()


def _row(each: Recall) -> dict[str, float]:
    return {
        "effort": each.effort,
        "recall": round(each.recall, 4),
        "p50_ms": round(each.p50_ms, 2),
        "p95_ms": round(each.p95_ms, 2),
    }
