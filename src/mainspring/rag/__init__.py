"""Retrieval over documents: parse, chunk, ingest, retrieve, answer, cite.

The parser's child process imports this package, so it imports nothing heavy: ``open`` brings in the rest.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainspring.engines import ChatModel, Engines
    from mainspring.rag.generate import Writer
    from mainspring.rag.graph.read import Reader
    from mainspring.rag.library import Library
    from mainspring.rag.listwise import Listwise
    from mainspring.rag.query.model import ModelAsk
    from mainspring.serving import Path
    from mainspring.settings import Settings
    from mainspring.stores import Stores
    from mainspring.telemetry import Telemetry
    from mainspring.types import Context, Responder

log = logging.getLogger("mainspring.rag")


@asynccontextmanager
async def open(  # noqa: A001
    settings: Settings, stores: Stores, telemetry: Telemetry, engines: Engines, path: Path
) -> AsyncIterator[Library]:
    """The library over the stores, with ``document-qa`` and the tenants' collections served as models.

    Answers are written by the first configured chat model that is grounded, or else by the first one, and only
    where the settings ask for written answers.
    """
    from mainspring.engines.embedders import Embedders
    from mainspring.rag import calibration
    from mainspring.rag.answer import DocumentAnswerer
    from mainspring.rag.connect.sync import Syncer
    from mainspring.rag.forget import Forgetter
    from mainspring.rag.graph.graphs import Graphs
    from mainspring.rag.graph.read import Builder
    from mainspring.rag.ingest import Ingestor
    from mainspring.rag.library import Library
    from mainspring.rag.listwise import ListwiseResponder
    from mainspring.rag.parse import Parser, layout_model
    from mainspring.rag.recommend import Recommender
    from mainspring.rag.retrieve import Retriever
    from mainspring.rag.search import Search
    from mainspring.serving.select import Served
    from mainspring.stores.collections import Collection

    parser = Parser(settings.rag, layout_model(settings))
    embedder = engines.embedder
    embedders = Embedders(embedder, engines.load_embedder, keep=settings.engines.embedders)
    kept = (stores.collections, stores.blobs, stores.vectors, embedders)
    listwise = _listwise(path, settings)
    reranker = listwise or engines.reranker
    retriever = Retriever(*kept, settings.rag, reranker)
    models = sorted(engines.chat.values(), key=lambda model: not model.grounded)
    writer = _writer(models, path.chat, engines, settings)
    reader = _reader(models, path.shown, stores, settings)
    ingestor = Ingestor(*kept, parser, settings.rag, reader)
    graphs = Graphs(stores.graphs, retriever)
    grounded = bool(models) and models[0].grounded

    calibrated = None
    if settings.rag.calibration is not None:
        name = reranker.name if reranker is not None else ""
        calibrated = calibration.load(settings.rag.calibration, embedder=embedder.name, reranker=name)

    def answerer(collection: Collection | None) -> DocumentAnswerer:
        return DocumentAnswerer(
            retriever,
            stores.collections,
            settings.rag,
            collection=collection,
            writer=writer,
            grounded=grounded,
            ask=_asking(models[0], path.chat) if models else None,
            calibration=calibrated,
            graphs=graphs,
        )

    if listwise is not None:
        path.registry.add(Served(listwise.name, "reranker", ListwiseResponder(listwise), sampled=False))
    everything = answerer(None)
    # It answers since there is something to find documents with.
    since = getattr(embedder, "pulled_at", 0)
    path.registry.add(Served("document-qa", "application", everything, created=since, sampled=everything.sampled))
    search = Search(
        stores.collections,
        retriever,
        Recommender(stores.events),
        stores.events,
        telemetry.tracing,
        ask=_asking(models[0], path.shown, path.redact) if models else None,
        writer=_writer(models, path.shown, engines, settings),
        grounded=grounded,
        charged=path.charged,
        inspect=path.inspect,
        redact=path.redact,
        graphs=graphs,
    )
    syncer = Syncer(ingestor, stores.sources, settings.home / "sources")
    # What answers under way is over by then; a stream may take a little longer than its request.
    forgetter = Forgetter(stores, again_s=2 * settings.gateway.request_timeout_s)
    library = Library(stores, ingestor, syncer, search, answerer, forgetter)
    library.graphs = Builder(stores.collections, stores.graphs, retriever, reader)
    path.registry.attach(library)
    telemetry.metrics.serve("document-qa")
    await library.start()
    try:
        yield library
    finally:
        await library.close()
        await parser.close()
        await embedders.close()


def _reader(
    models: Sequence[ChatModel], responders: Mapping[str, Responder], stores: Stores, settings: Settings
) -> Reader:
    """What reads graphs at ingest: rules, and a grounded model beside them where the settings ask for one."""
    from mainspring.rag.graph.read import Reader
    from mainspring.rag.graph.written import ModelReader

    if settings.rag.graph != "model":
        return Reader()
    if not models or not models[0].grounded:
        log.warning("rag.graph is model, and no grounded chat model is loaded: graphs are read by rules alone")
        return Reader()
    return Reader(ModelReader(responders[models[0].name], models[0].name), stores.events)


def _asking(
    model: ChatModel, responders: Mapping[str, Responder], redact: Callable[[str], str] = str
) -> Callable[[Context], ModelAsk]:
    """Asks ``model``, which ``responders`` serve, about queries."""
    from mainspring.rag.query.model import ModelAsk

    return lambda context: ModelAsk(responders[model.name], model.name, context, capable=model.grounded, redact=redact)


def _listwise(path: Path, settings: Settings) -> Listwise | None:
    """The chat model that reranks. Raises ``SettingsError`` where it is not loaded."""
    from mainspring.errors import SettingsError
    from mainspring.rag.listwise import Listwise
    from mainspring.types import CompletionRequest, Context, Principal

    name = settings.models.listwise
    if not name:
        return None
    if name not in path.chat:
        raise SettingsError(f"models.reranker: {name} is not loaded", remedy="Name it in models.chat or models.remote")
    responder = path.chat[name]
    fingerprint = responder.fingerprint(CompletionRequest(name, "."), Context(Principal("", "maintenance")))
    return Listwise(responder, name, fingerprint=fingerprint or "", spotlight=settings.guards.spotlight)


def _writer(
    models: Sequence[ChatModel], responders: Mapping[str, Responder], engines: Engines, settings: Settings
) -> Writer | None:
    """A writer with the first of ``models``, which ``responders`` serve."""
    from mainspring.rag.generate import Writer

    if not models:
        return None
    model = models[0]
    return Writer(
        responders[model.name],
        engines.embedder,
        model=model.name,
        context_window=model.engine.capabilities.context_window,
        default_tokens=settings.serving.default_output_tokens,
        grounded=model.grounded,
        spotlight=settings.guards.spotlight,
        # What applies its own chat template is elsewhere, and only estimates tokens.
        count=None if model.engine.capabilities.templates else model.engine.count_tokens,
    )
