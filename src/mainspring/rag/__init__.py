"""Retrieval over documents: parse, chunk, ingest, retrieve, answer, cite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mainspring.settings import Settings
from mainspring.types import ChatRequest, Context

if TYPE_CHECKING:
    from mainspring.engines import Engines
    from mainspring.rag.generate import Writer
    from mainspring.rag.library import Library
    from mainspring.serving import Path
    from mainspring.stores import Stores
    from mainspring.stores.collections import Collection
    from mainspring.telemetry import Telemetry

DOCUMENT_QA = "document-qa"


@asynccontextmanager
async def open(  # noqa: A001
    settings: Settings, stores: Stores, telemetry: Telemetry, engines: Engines, path: Path
) -> AsyncIterator[Library]:
    """The library, with ``document-qa`` and every collection served as models."""
    # Here, because the parser's child imports this package and must start fast.
    from mainspring.rag.answer import DocumentAnswerer, Services
    from mainspring.rag.ingest import Ingestor
    from mainspring.rag.library import Library
    from mainspring.rag.parse import Parser
    from mainspring.rag.retrieve import Retriever
    from mainspring.serving.select import Served

    parser = Parser(settings.rag)
    retriever = Retriever(stores.collections, stores.vectors, engines.embedder, settings.rag)
    ingestor = Ingestor(stores.collections, stores.blobs, stores.vectors, engines.embedder, parser, settings.rag)
    services = Services(
        retriever,
        stores.blobs,
        settings.rag,
        telemetry.tracing,
        telemetry.metrics,
        _writer(settings, engines, path),
    )
    library = Library(stores, ingestor, retriever, services)

    async def chosen(request: ChatRequest, context: Context) -> Sequence[Collection]:
        return await library.chosen(context.principal, request.options.get("collections"))

    answerer = DocumentAnswerer(DOCUMENT_QA, chosen, services)
    path.registry.add(Served(DOCUMENT_QA, "application", answerer, sampled=answerer.sampled))
    path.registry.attach(library)
    telemetry.metrics.serve(DOCUMENT_QA)
    await library.start()
    try:
        yield library
    finally:
        await library.close()
        await parser.close()


def _writer(settings: Settings, engines: Engines, path: Path) -> Writer | None:
    """The first grounded chat model writes; without one the first writes when it is asked to."""
    from mainspring.rag.generate import Writer

    models = sorted(engines.chat.values(), key=lambda model: not model.grounded)
    if not models:
        return None
    model = models[0]
    return Writer(
        model.name,
        path.chat[model.name],
        engines.embedder,
        grounded=model.grounded,
        spotlight=settings.guards.spotlight,
    )
