"""Assembles the room: one instance of each part, and the served names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from mainspring.core import plugins
from mainspring.core.errors import SettingsError
from mainspring.core.settings import Settings
from mainspring.core.types import CompletionRequest, Context, Principal, Responder
from mainspring.engines import ChatModel, Engines, builtin
from mainspring.engines.base import ChatReranker
from mainspring.engines.encode.embedders import Embedders
from mainspring.engines.kinds import CHAT_RERANKER
from mainspring.rag.answer.evidence import calibration
from mainspring.rag.answer.evidence.confirm import Confirm
from mainspring.rag.answer.generate import AnswerWriter
from mainspring.rag.answer.responder import DocumentAnswerer
from mainspring.rag.answer.variation import SETTINGS, Variation
from mainspring.rag.answer.verbatim.choice_weights import SHIPPED
from mainspring.rag.answer.write.writer import NoteWriter
from mainspring.rag.chunk.base import CHUNKER
from mainspring.rag.connect.sync import Syncer
from mainspring.rag.graph.graphs import Graphs
from mainspring.rag.graph.read.model_written import ModelReader
from mainspring.rag.graph.read.reader import GraphBuilder, Reader
from mainspring.rag.ingest.forget import Forgetter
from mainspring.rag.ingest.pipeline import Ingestor
from mainspring.rag.ingest.screening import Screener
from mainspring.rag.ingest.vocabulary import Vocabularies
from mainspring.rag.library import Library
from mainspring.rag.originals import Originals
from mainspring.rag.parse.card_masking import CoveringParser
from mainspring.rag.parse.parser import Parser, layout_model
from mainspring.rag.query.model import ModelAsk
from mainspring.rag.query.understand import Understanding
from mainspring.rag.search.listwise import ChatRerankResponder
from mainspring.rag.search.recommend import Recommender
from mainspring.rag.search.retrieve import Retriever
from mainspring.rag.search.search_service import Search
from mainspring.rag.websearch.search import WebSearch
from mainspring.serving import Path
from mainspring.serving.ring.registry import Served
from mainspring.stores import Stores
from mainspring.stores.documents.collections import Collection
from mainspring.telemetry import Telemetry
from mainspring.telemetry.tracing import Tracing

log = logging.getLogger("mainspring.rag")


class Assembly:
    """The parts of the room, each made once. ``close`` its parts after the library."""

    def __init__(self, settings: Settings, stores: Stores, telemetry: Telemetry, engines: Engines, path: Path) -> None:
        self._settings, self._stores, self._telemetry = settings, stores, telemetry
        self._engines, self._path = engines, path
        # A wrong name is reported now, and not at the first document.
        engines.plugins.get(CHUNKER, settings.rag.chunker)
        parser = CoveringParser if settings.compliance.documents == "redact" else Parser
        self._parser = parser(settings.rag, layout_model(settings))
        self._embedders = Embedders(engines.embedder, engines.load_embedder, keep=settings.engines.embedders)
        self._kept = (stores.collections, stores.blobs, stores.vectors, self._embedders)
        self._chat_reranker = _chat_reranker(path, settings)
        self._reranker = self._chat_reranker or engines.reranker
        self._retriever = Retriever(*self._kept, settings.rag, self._reranker, telemetry.tracing)
        self._models = self._chosen()
        self._reader = graph_reader(self._models, path.shown, stores, settings)
        self._graphs = Graphs(stores.graphs, self._retriever)
        self._vocabularies = Vocabularies(self._retriever.scopes, self._retriever.text)
        self._understanding = Understanding(self._vocabularies, self._retriever.embedder)
        self._writer = self._written_by(self._models, path.chat)
        self._ask = _asking(self._models[0], path.chat) if self._models else None
        self._calibration = self._calibrated()

    def _chosen(self) -> list[ChatModel]:
        """The chat models, those first that may write over documents: grounded ones before those that may over notes
        alone."""
        return sorted(self._engines.chat.values(), key=lambda model: (not model.grounded, not model.notes))

    @property
    def _grounded(self) -> bool:
        return bool(self._models) and self._models[0].grounded

    def _rewire(self, library: Library) -> None:
        """Has answers written by the best chat model, including models loaded later. Graphs are read as before."""
        self._models = self._chosen()
        self._writer = self._written_by(self._models, self._path.chat)
        self._ask = _asking(self._models[0], self._path.chat) if self._models else None
        path = self._path
        library.search.written_by(
            _asking(self._models[0], path.shown, path.redact),
            self._written_by(self._models, path.shown),
            grounded=self._grounded,
        )
        path.registry.replace(self._everything())

    def _everything(self) -> Served:
        everything = self._answerer(None)
        # It answers since there is something to find documents with.
        since = getattr(self._engines.embedder, "pulled_at", 0)
        return Served("document-qa", "application", everything, created=since, sampled=everything.sampled)

    def library(self) -> Library:
        """The library, not yet started."""
        settings, stores = self._settings, self._stores
        screener = Screener(settings.guards.ingest, self._engines.embedder, stores.events, self._telemetry.metrics)
        ingestor = Ingestor(*self._kept, self._parser, settings.rag, self._reader, screener)
        syncer = Syncer(ingestor, stores.sources, settings.home / "sources")
        # Answers in progress have ended then; a stream may take a little longer than its request.
        forgetter = Forgetter(stores, again_s=2 * settings.gateway.request_timeout_s)
        web = WebSearch(settings.web_search, self._engines.plugins)
        library = Library(stores, ingestor, syncer, self._search(), self._answerer, forgetter, web)
        library.screener = screener
        # Parsers of its own: who opens a page does not wait for documents that are being read. If personal data is
        # masked in the text, pictures are not shown.
        covered = settings.compliance.documents == "redact"
        library.originals = Originals(stores.blobs, stores.sources, Parser(settings.rag), shown=not covered)
        library.rewire = lambda: self._rewire(library)
        library.graphs = GraphBuilder(stores.collections, stores.graphs, self._retriever, self._reader)
        return library

    def serve(self, library: Library) -> None:
        """Serve ``document-qa``, the chat model that reranks if there is one, and the library's collections."""
        registry = self._path.registry
        if (reranker := self._chat_reranker) is not None:
            registry.add(Served(reranker.name, "reranker", ChatRerankResponder(reranker), sampled=False))
        registry.add(self._everything())
        registry.attach(library)
        self._telemetry.metrics.serve("document-qa")

    async def close(self) -> None:
        """End the parser's child and the embedders that were loaded for collections."""
        await self._parser.close()
        await self._embedders.close()

    def _answerer(self, collection: Collection | None, variation: Variation = SETTINGS) -> DocumentAnswerer:
        writer, writes = self._writer, bool(self._models) and self._models[0].writes
        if variation.writer is not None:
            model, responder = variation.writer
            writer, writes = self._written_by([model], {model.name: responder}), model.writes
        elif variation.model:
            model = self._engines.chat[variation.model]
            writer, writes = self._written_by([model], self._path.chat), model.writes
        settings = self._settings.rag
        if variation.read_below is not None:
            settings = settings.model_copy(update={"read_below": variation.read_below})
        return DocumentAnswerer(
            self._retriever.with_reranker(variation.reranker) if variation.reranker else self._retriever,
            self._stores.collections,
            settings,
            collection=collection,
            writer=writer,
            grounded=writes,
            ask=self._ask,
            calibration=variation.calibration or self._calibration,
            choice=variation.choice or SHIPPED,
            graphs=self._graphs,
            charged=self._path.charged,
            understanding=self._understanding,
            sift=self._path.sift,
            reader=self._engines.reader,
            near_misses=variation.near_misses or self._engines.near_misses,
            confirmer=self._confirmed(),
            tracing=self._telemetry.tracing,
        )

    def _confirmed(self) -> Confirm | None:
        """What reads passages before they are shown: the best chat model, if it may write answers. With ``rag.confirm``
        auto, one elsewhere is not asked: it costs money for each passage."""
        settings = self._settings.rag
        if settings.confirm == "never" or self._ask is None or not self._models[0].writes:
            return None
        model = self._models[0]
        if settings.confirm == "auto" and not any(replica.local for replica in model.all_replicas()):
            return None
        nobody = Context(Principal("", "maintenance"))
        version = self._path.chat[model.name].fingerprint(CompletionRequest(model.name, "."), nobody)
        return Confirm(self._ask, settings.confirm_within_s, f"{model.name} {version or ''}")

    def _written_by(self, models: Sequence[ChatModel], responders: Mapping[str, Responder]) -> AnswerWriter | None:
        return _writer(models, responders, self._engines, self._settings, self._telemetry.tracing)

    def _search(self) -> Search:
        path, stores, models = self._path, self._stores, self._models
        return Search(
            stores.collections,
            self._retriever,
            Recommender(stores.events),
            stores.events,
            self._telemetry.tracing,
            ask=_asking(models[0], path.shown, path.redact) if models else None,
            writer=self._written_by(models, path.shown),
            grounded=self._grounded,
            charged=path.charged,
            inspect=path.inspect,
            redact=path.redact,
            hiding=path.hiding,
            graphs=self._graphs,
            vocabularies=self._vocabularies,
            sift=path.sift,
        )

    def _calibrated(self) -> calibration.Calibration | None:
        file = self._settings.rag.calibration
        if file is None:
            return None
        reranker = self._reranker.name if self._reranker is not None else ""
        return calibration.load(file, embedder=self._engines.embedder.name, reranker=reranker)


def graph_reader(
    models: Sequence[ChatModel], responders: Mapping[str, Responder], stores: Stores, settings: Settings
) -> Reader:
    """The reader of graphs at ingestion: rules, with a grounded model if the settings ask for one."""
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
    return lambda context: ModelAsk(responders[model.name], model.name, context, capable=model.grounded, redact=redact)


def _chat_reranker(path: Path, settings: Settings) -> ChatReranker | None:
    """The chat model that reranks. Raises ``SettingsError`` if it is not loaded."""
    name, model = builtin.chat_reranker(settings)
    if not name:
        return None
    if model not in path.chat:
        raise SettingsError(f"models.reranker: {model} is not loaded", remedy="Name it in models.chat or models.remote")
    return plugins.registry().make(CHAT_RERANKER, name, model, path.chat[model], settings)


def _writer(
    models: Sequence[ChatModel],
    responders: Mapping[str, Responder],
    engines: Engines,
    settings: Settings,
    tracing: Tracing | None,
) -> AnswerWriter | None:
    """A writer with the first of ``models``, which ``responders`` serve."""
    if not models:
        return None
    model = models[0]
    window, spotlight = model.engine.capabilities.context_window, settings.guards.spotlight
    # A remote model applies its own chat template, and its tokens are only estimated.
    elsewhere = model.engine.capabilities.templates
    count = None if elsewhere else model.engine.count_tokens
    responder = responders[model.name]
    if model.writes:
        return NoteWriter(
            responder,
            engines.embedder,
            model=model.name,
            context_window=window,
            # It is large, and reads fast.
            wide=elsewhere,
            stated_below=settings.rag.stated_below,
            spotlight=spotlight,
            count=count,
            tracing=tracing,
        )
    return AnswerWriter(
        responder,
        engines.embedder,
        model=model.name,
        context_window=window,
        default_tokens=settings.serving.unbounded_output,
        spotlight=spotlight,
        count=count,
    )
