"""``mainspring search`` and ``documents``: search and list collections, through the running server or directly."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.cli.ask.target import nothing_kept, place
from mainspring.core.errors import NotFound
from mainspring.core.settings import Settings, load
from mainspring.terminal import complete, show

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mainspring.cli.ask.target import Target

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Groups = Annotated[
    list[str] | None, typer.Option("--group", help="Without a server: a group to act as a member of; can be repeated")
]
_SHOWN = 300


def search(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(help="Collection", autocompletion=complete.collections)],
    query: Annotated[str, typer.Argument(help="The query")],
    k: Annotated[int, typer.Option("--limit", "-n", min=1, max=50, help="Maximum number of passages")] = 5,
    group: Groups = None,
    as_json: AsJson = False,
) -> None:
    """Find the best passages of a collection for a query, without writing an answer."""
    found = _asked(context, group, lambda asked: asked.search(collection, query, k))
    if as_json:
        show.as_json(found)
        return
    if not found:
        print("Nothing was found.")
    for number, hit in enumerate(found, 1):
        page = f", page {hit['page']}" if hit["page"] else ""
        heading = f" · {hit['heading']}" if hit["heading"] else ""
        print(show.printable(f"{number}. {hit['source']}{page}{heading}  ({hit['score']:.3f})"))
        print(show.printable(f"   {_short(hit['text'])}"))


def documents(
    context: typer.Context,
    collection: Annotated[
        str | None,
        typer.Argument(help="Collection; without one, all collections", autocompletion=complete.collections),
    ] = None,
    group: Groups = None,
    as_json: AsJson = False,
) -> None:
    """List the documents of a collection, or the collections."""
    if collection is None:
        found = _asked(context, group, lambda asked: asked.collections())
        columns: tuple[str, ...] = ("name", "documents", "failed", "chars")
    else:
        found = _asked(context, group, lambda asked: asked.documents(collection))
        columns = ("name", "status", "pages", "chunks", "chars", "error")
    if as_json:
        show.as_json(found)
    elif found:
        rows = [["-" if row[name] in (None, "") else row[name] for name in columns] for row in found]
        show.table([name.upper() for name in columns], rows)
    else:
        print("There are none yet: mainspring ingest COLLECTION SOURCE...")


def _asked(
    context: typer.Context, groups: list[str] | None, ask: Callable[[Target], Awaitable[list[dict[str, Any]]]]
) -> list[dict[str, Any]]:
    settings = _without_chat(load(context.obj).settings)
    if nothing_kept(context, settings):
        raise NotFound("there are no collections yet", remedy="Make one: mainspring ingest COLLECTION SOURCE...")

    async def work() -> list[dict[str, Any]]:
        async with place(context, settings, groups or ()) as asked:
            return await ask(asked)

    return asyncio.run(work())


def _without_chat(settings: Settings) -> Settings:
    kept = tuple(name for name in settings.models.chat if name == settings.models.listwise)
    return settings.model_copy(update={"models": settings.models.model_copy(update={"chat": kept})})


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else f"{flat[:_SHOWN]} ..."
