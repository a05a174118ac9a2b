"""``mainspring rag export`` and ``import``: write a collection to a file and read it back, without embedding it
again."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.cli.serve.up import existing
from mainspring.core.settings import Settings, load
from mainspring.terminal import complete, show
from mainspring.terminal.pulling import pull_missing

if TYPE_CHECKING:
    from mainspring.rag.ingest.transfer import ExportReport, ImportReport

_TENANT = Annotated[str, typer.Option(help="Tenant that owns the collection")]
_GROUPS = Annotated[
    list[str] | None, typer.Option("--group", help="A group that may see the collection; can be repeated")
]
_JSON = Annotated[bool, typer.Option("--json", help="Machine-readable output")]


def export(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(help="Collection, by name or id", autocompletion=complete.collections)],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, such as handbook.zip")],
    tenant: _TENANT = "default",
    groups: _GROUPS = None,
    as_json: _JSON = False,
) -> None:
    """Write a collection to a file: documents, texts, chunks and vectors.

    The file contains all documents, including those restricted to some groups: protect it like the store.
    """
    done = asyncio.run(_export(load(context.obj).settings, tenant, frozenset(groups or ()), collection, file))
    manifest = done.manifest
    if as_json:
        facts = {"collection": manifest.collection.name, "file": str(file), "bytes": done.bytes}
        counts = {"documents": manifest.documents, "chunks": manifest.chunks, "left_out": done.left_out}
        show.as_json({**facts, "embedder": manifest.embedder.model_dump(), **counts})
        return
    typer.echo(
        f"{manifest.collection.name}: {manifest.documents} documents, {manifest.chunks} chunks with vectors of "
        f"{manifest.embedder.name} in {file} ({done.bytes / 1e6:,.1f} MB)"
    )
    for name in done.left_out:
        sys.stderr.write(f"left out: {name}, whose latest ingest is not complete\n")


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file written by `mainspring rag export`")],
    name: Annotated[str | None, typer.Option(help="Name of the new collection", show_default="its own")] = None,
    reembed: Annotated[
        bool,
        typer.Option("--reembed", help="Embed it again with models.embedding, whatever model its vectors come from"),
    ] = False,
    tenant: Annotated[str, typer.Option(help="Tenant that will own the collection")] = "default",
    groups: Annotated[
        list[str] | None, typer.Option("--group", help="A group to act as a member of; can be repeated")
    ] = None,
    as_json: _JSON = False,
) -> None:
    """Create a collection from an exported file. An interrupted import can be repeated."""
    existing([file], "mainspring rag import FILE")
    settings = load(context.obj).settings
    settings = settings.model_copy(update={"models": settings.models.model_copy(update={"chat": ()})})
    done = asyncio.run(_import(settings, tenant, frozenset(groups or ()), file, name, reembed))
    if as_json:
        facts = {"collection": done.collection.name, "id": done.collection.id, "embedder": done.collection.embedder}
        counts = {each: value for each, value in dataclasses.asdict(done).items() if each != "collection"}
        show.as_json({**facts, **counts})
        return
    how = f"embedded anew with {done.collection.embedder}" if reembed else f"with vectors of {done.collection.embedder}"
    there = f"; {done.kept} of them were there from an earlier run" if done.kept else ""
    typer.echo(f"{done.collection.name}: {done.documents + done.kept} documents, {done.chunks} chunks {how}{there}")


async def _export(settings: Settings, tenant: str, groups: frozenset[str], name: str, file: Path) -> ExportReport:
    from mainspring import stores
    from mainspring.rag.ingest.transfer import export_collection

    async with stores.open(settings) as opened:
        collection = await opened.collections.get(tenant, name, groups=groups)
        fingerprint = await asyncio.to_thread(_fingerprint, settings, collection.embedder)
        with show.progress() as progress:
            return await export_collection(
                opened,
                collection,
                file,
                fingerprint=fingerprint,
                progress=lambda done, total: progress("Exporting", done, total),
            )


async def _import(
    settings: Settings, tenant: str, groups: frozenset[str], file: Path, name: str | None, reembed: bool
) -> ImportReport:
    from mainspring import stores
    from mainspring.core.errors import UnknownModel
    from mainspring.engines import builtin
    from mainspring.engines.catalogue.pull import Puller
    from mainspring.rag.ingest.archive import manifest_of
    from mainspring.rag.ingest.transfer import check_embedder, fingerprint_of, import_collection

    manifest = await asyncio.to_thread(manifest_of, file)
    model = settings.models.embedding if reembed else manifest.embedder.name
    if model == settings.models.embedding:
        await asyncio.to_thread(pull_missing, settings)
    try:
        pulled = Puller(settings).local(model)
    except UnknownModel:
        # A model outside of the catalogue cannot embed queries; this message says what to do.
        check_embedder(manifest, settings.models.embedding)
        raise
    embedder = builtin.embedders(settings)(model)
    try:
        async with stores.open(settings) as opened:
            with show.progress() as progress:
                return await import_collection(
                    opened,
                    file,
                    embedder,
                    tenant=tenant,
                    name=name,
                    groups=groups,
                    fingerprint=fingerprint_of(pulled),
                    reembed=reembed,
                    progress=lambda done, total: progress("Importing", done, total),
                )
    finally:
        await embedder.close()


def _fingerprint(settings: Settings, model: str) -> str:
    """The digest of an embedding model; empty if the model is not on this machine and the digest is unknown."""
    from mainspring.core.errors import ModelNotPulled, UnknownModel
    from mainspring.engines.catalogue.pull import Puller
    from mainspring.rag.ingest.transfer import fingerprint_of

    try:
        return fingerprint_of(Puller(settings).local(model))
    except (ModelNotPulled, UnknownModel):
        return ""
