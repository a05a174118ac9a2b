"""``mainspring ingest``: bring a collection in step with sources; a running server answers from it at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.cli.ask import sync
from mainspring.cli.serve.up import existing
from mainspring.core.settings import load
from mainspring.terminal import complete

if TYPE_CHECKING:
    from mainspring.rag.connect.registry import Spec


def ingest(
    context: typer.Context,
    collection: Annotated[
        str, typer.Argument(help="Collection to fill; created if missing", autocompletion=complete.collections)
    ],
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Files or folders, https://... (a page or a sitemap), git+https://...@ref, sql+postgresql://..., "
            "mbox:PATH, maildir:PATH, eml:PATH, s3://bucket/prefix"
        ),
    ],
    depth: Annotated[int | None, typer.Option(min=0, help="Web: maximum distance from the start page in links")] = None,
    max_pages: Annotated[int | None, typer.Option(min=1, help="Web: maximum number of pages")] = None,
    delay: Annotated[float | None, typer.Option(min=0, help="Web: seconds between requests")] = None,
    allow_private: Annotated[
        list[str] | None, typer.Option(help="Web: host that may be read although its address is private")
    ] = None,
    include: Annotated[list[str] | None, typer.Option(help="Git: pattern of paths to read (*.md)")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Git: pattern of paths to leave out")] = None,
    query: Annotated[str | None, typer.Option(help="SQL: the SELECT to read")] = None,
    id_column: Annotated[str | None, typer.Option("--id", help="SQL: column that identifies a row")] = None,
    text: Annotated[list[str] | None, typer.Option(help="SQL: column with text; repeat for more")] = None,
    changed: Annotated[str | None, typer.Option(help="SQL: column whose value grows with every change")] = None,
    groups_column: Annotated[str | None, typer.Option(help="SQL: column with each row's groups")] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(help="Only keys of this group, as whose member you act, may find the documents"),
    ] = None,
    everyone: Annotated[
        bool,
        typer.Option("--everyone", help="All who see the collection may find the documents; undoes --group"),
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Keep running and follow changes until interrupted")] = False,
    every: Annotated[float, typer.Option(min=1, help="--watch: seconds between checks")] = 300.0,
    as_json: sync.AsJson = False,
) -> None:
    """Ingest sources: read new and changed documents, remove vanished ones. `mainspring sync` repeats it."""
    from mainspring.rag.connect.registry import GROUPS

    given = {
        "depth": depth,
        "max_pages": max_pages,
        "delay_s": delay,
        "private_hosts": allow_private,
        "include": include,
        "exclude": exclude,
        "query": query,
        "id": id_column,
        "text": text,
        "changed": changed,
        "groups_column": groups_column,
    }
    if group and everyone:
        raise typer.BadParameter("give --group or --everyone")
    access: dict[str, Any] = {GROUPS: sorted(set(group or ()))} if group or everyone else {}
    chosen = _specs(sources, given, access, load(context.obj).settings.home)
    asyncio.run(
        sync.follow(context.obj, collection, chosen, watching=watch, every=every, groups=group or (), as_json=as_json)
    )


def _specs(sources: list[str], given: dict[str, Any], access: dict[str, Any], home: Path) -> list[Spec]:
    """Each source with the given options that apply to its kind. Raises ``BadParameter`` for an option that applies to
    none, and, before any source is read, ``MissingExtra`` and ``InvalidRequest`` for one that cannot be."""
    from mainspring.rag.connect.registry import Spec, require

    options = {name: value for name, value in given.items() if value not in (None, [])}
    specs = [Spec(source) for source in sources]
    for name in options:
        if not any(name in spec.known for spec in specs):
            raise typer.BadParameter(f"none of the sources has the option {name}")
    existing([Path(spec.text) for spec in specs if spec.kind == "folder"], "mainspring ingest COLLECTION SOURCE...")
    chosen = [
        Spec(spec.text, {name: value for name, value in options.items() if name in spec.known} | access)
        for spec in specs
    ]
    require(chosen, home)
    return chosen
