"""``mainspring rag graph``: what documents name and say of each other, and how one thing is joined to another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mainspring.core.settings import load
from mainspring.terminal import complete, show
from mainspring.terminal.pulling import pull_missing

if TYPE_CHECKING:
    from mainspring.rag.graph.results import CitedStep
    from mainspring.system import System

T = TypeVar("T")
app = typer.Typer(help="Entities and relations of a collection, paths between them, and themes.", no_args_is_help=True)

_Collection = Annotated[str, typer.Argument(help="Collection, by name or id", autocompletion=complete.collections)]
_AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
_Some = Annotated[int, typer.Option("-k", min=1, max=50, help="Maximum number of results")]


@app.command("build")
def build(
    context: typer.Context,
    collection: _Collection,
    again: Annotated[bool, typer.Option("--again", help="Read all documents, including those with a graph")] = False,
    as_json: _AsJson = False,
) -> None:
    """Build the graphs of documents that were ingested without one (`rag.graph` sets the method)."""

    async def work(system: System) -> Any:
        with show.progress() as progress:
            return await system.library.build_graphs(
                system.local, collection, again=again, progress=lambda done, total: progress("Reading", done, total)
            )

    built = _with(context.obj, work, chat=True)
    if as_json:
        show.as_json({"collection": collection, **asdict(built)})
        return
    spent = f", {built.tokens} tokens of the model" if built.tokens else ""
    typer.echo(f"{built.documents} documents, {built.entities} entities, {built.relations} relations{spent}")
    for problem in built.problems:
        typer.echo(problem, err=True)


@app.command("show")
def show_(
    context: typer.Context,
    collection: _Collection,
    name: Annotated[str, typer.Argument(help="An entity; without one, the collection's themes")] = "",
    k: _Some = 10,
    as_json: _AsJson = False,
) -> None:
    """Show the statements about an entity and its neighbours, or the collection's themes."""

    async def work(system: System) -> Any:
        graphs = system.library.search.graphs
        assert graphs is not None
        home = await system.library.get(system.local, collection)
        if name:
            return await graphs.around(home, name, k, groups=system.local.groups)
        return [theme for _, theme in (await graphs.themes(home, k, groups=system.local.groups))[1]]

    found = _with(context.obj, work)
    if name:
        called, steps = found
        if as_json:
            show.as_json({"entity": called, "said": [asdict(each) for each in steps]})
            return
        typer.echo(called)
        show.table(("SUBJECT", "SAYS", "OBJECT", "DOCUMENT"), [_row(each) for each in steps])
        return
    if as_json:
        show.as_json({"collection": collection, "themes": [asdict(theme) for theme in found]})
        return
    for theme in found:
        typer.echo(f"{theme.weight:.3f}  {', '.join(theme.entities)}  ({theme.size} entities)")
        for sentence in theme.sentences:
            typer.echo(f"       {' '.join(sentence.quote.split())[:200]}  [{sentence.source}]")


@app.command("search")
def search(
    context: typer.Context,
    collection: _Collection,
    query: Annotated[str, typer.Argument(help="The query")],
    mode: Annotated[str, typer.Option(help="local, global or off")] = "local",
    k: _Some = 5,
    as_json: _AsJson = False,
) -> None:
    """Search with the graph: also finds passages that are connected with the hits, and shows the path to them."""
    from mainspring.rag.search.selection import SearchOptions

    options = SearchOptions.parse({"graph": mode})

    async def work(system: System) -> Any:
        from mainspring.core.types import Context
        from mainspring.rag.search.search_service import SearchRequest

        return await system.library.search.search(
            Context(system.local), collection, SearchRequest((query,), k, options=options)
        )

    found = _with(context.obj, work)
    walked = found.walked
    if as_json:
        hits = [{"score": each.hit.score, "source": each.hit.source, "text": each.hit.text} for each in found.hits]
        graph = (
            None
            if walked is None
            else {
                "paths": [asdict(each) | {"text": each.text()} for each in walked.paths],
                "themes": [asdict(each) for each in walked.themes],
            }
        )
        show.as_json({"hits": hits, "graph": graph, "steps": [asdict(step) for step in found.steps]})
        return
    paths = {(each.document_id, each.chunk_id): each for each in walked.paths} if walked is not None else {}
    for shown in found.hits:
        hit = shown.hit
        typer.echo(f"{hit.score:.3f}  {hit.source}  {' '.join(hit.text.split())[:160]}")
        path = paths.get((hit.document_id, hit.chunk_id))
        if path is not None:
            typer.echo(f"       {path.text()}")
    for theme in walked.themes if walked is not None else ():
        typer.echo(f"theme  {', '.join(theme.entities)}")


@app.command("path")
def path(
    context: typer.Context,
    collection: _Collection,
    start: Annotated[str, typer.Argument(help="An entity")],
    end: Annotated[str, typer.Argument(help="Another entity")],
    most: Annotated[int, typer.Option("--steps", min=1, max=6, help="Maximum number of steps")] = 4,
    as_json: _AsJson = False,
) -> None:
    """Show the path between two entities, with the sentence behind each step."""

    async def work(system: System) -> Any:
        graphs = system.library.search.graphs
        assert graphs is not None
        home = await system.library.get(system.local, collection)
        return await graphs.path(home, start, end, groups=system.local.groups, most=most)

    found = _with(context.obj, work)
    if as_json:
        show.as_json({"path": found.text(), "steps": [asdict(each) for each in found.steps]})
        return
    typer.echo(found.text())
    for each in found.steps:
        typer.echo(f"  {' '.join(each.quote.split())[:200]}  [{each.source}]")


def _row(each: CitedStep) -> tuple[str, str, str, str]:
    return each.subject, each.predicate, each.object, each.source


def _with(config: Path | None, work: Callable[[System], Awaitable[T]], *, chat: bool = False) -> T:
    """The result of ``work`` with an opened system; loads local chat models if ``rag.graph`` needs one."""
    settings = load(config).settings
    if not (chat and settings.rag.graph == "model"):
        settings = settings.model_copy(update={"models": settings.models.model_copy(update={"chat": ()})})
    pull_missing(settings)

    async def opened() -> T:
        from mainspring.system import System

        async with System.open(settings) as system:
            return await work(system)

    return asyncio.run(opened())
