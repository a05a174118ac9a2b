"""A library to measure: the rag room over stores of its own, with every token that a model reads or writes counted.

It is opened through the rooms' own ``open``, so that measurements use the serving code.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mainspring import rag, serving, stores, telemetry
from mainspring.core.errors import InvalidRequest
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.path import Layer, collect
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, Event, Message, Principal, Request, Response, Usage
from mainspring.engines import ChatModel, Engines
from mainspring.engines.base import Embedded, Embedder, Reranked, Reranker
from mainspring.features.evaluate.ablate.arms import Arm
from mainspring.features.evaluate.sets.collections import Document
from mainspring.rag.answer.generate import REFUSAL
from mainspring.rag.library import Library
from mainspring.rag.search.search_service import SearchRequest
from mainspring.rag.search.selection import SearchOptions

COLLECTION = "evaluated"
EVALUATOR = Principal("default", "evaluation", frozenset({"admin"}))


@dataclass(slots=True)
class Tokens:
    """Tokens that were embedded, that a reranker read, and that chat models read and wrote."""

    embedded: int = 0
    reranked: int = 0
    read: int = 0
    written: int = 0

    def since(self, earlier: Tokens) -> Tokens:
        return Tokens(
            self.embedded - earlier.embedded,
            self.reranked - earlier.reranked,
            self.read - earlier.read,
            self.written - earlier.written,
        )


@dataclass(frozen=True, slots=True)
class Index:
    """The cost of ingesting: chunks, tokens embedded, seconds, bytes on disk (vectors and texts), unread files."""

    chunks: int
    tokens: int
    seconds: float
    bytes: int
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkbenchAnswer:
    """An answer: its text, the quotes that it cites, the answerer's evidence in [0, 1], and whether it refused."""

    text: str
    quotes: tuple[str, ...]
    evidence: float
    refused: bool
    features: Mapping[str, float] = field(default_factory=dict)


class CountingEmbedder:
    """An embedder that counts. Everything else is delegated to the inner one."""

    def __init__(self, inner: Embedder, tokens: Tokens) -> None:
        self._inner = inner
        self._tokens = tokens

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def dimensions(self) -> int:
        return self._inner.dimensions

    @property
    def max_tokens(self) -> int:
        return self._inner.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._inner.count_tokens(texts)

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        embedded = await self._inner.embed(texts, kind)
        self._tokens.embedded += embedded.tokens
        return embedded

    async def close(self) -> None:
        await self._inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class CountingReranker:
    """A reranker that counts."""

    def __init__(self, inner: Reranker, tokens: Tokens) -> None:
        self._inner = inner
        self._tokens = tokens

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def fingerprint(self) -> str:
        return self._inner.fingerprint

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        found = await self._inner.rerank(query, passages)
        self._tokens.reranked += found.tokens
        return found

    async def close(self) -> None:
        await self._inner.close()


class _Counting(Layer):
    """Counts what a chat model reads and writes."""

    def __init__(self, inner: Any, tokens: Tokens) -> None:
        super().__init__(inner)
        self._tokens = tokens

    async def respond(self, request: Request, context: Context) -> Response:
        response = await self.inner.respond(request, context)

        async def counted(inner: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
            async for event in inner:
                if isinstance(event, Usage):
                    self._tokens.read += event.prompt_tokens
                    self._tokens.written += event.completion_tokens
                yield event

        return response.through(counted)


class Workbench:
    """A library with one collection, ``COLLECTION``."""

    def __init__(self, library: Library, home: Path, tokens: Tokens) -> None:
        self._library = library
        self._home = home
        self.tokens = tokens

    async def fill(self, documents: Sequence[Document]) -> Index:
        """Ingest ``documents`` through the real path. Raises ``InvalidRequest`` if none could be read."""
        folder = self._home / "documents"
        before = replace(self.tokens)
        await asyncio.to_thread(_write, folder, documents)
        began = time.perf_counter()
        report = await self._library.ingest(EVALUATOR, COLLECTION, [folder])
        seconds = time.perf_counter() - began
        failed = tuple(f"{failure.name}: {failure.error}" for failure in report.failed)
        if not report.chunks:
            raise InvalidRequest("no document could be read", remedy="; ".join(failed[:3]), param="documents")
        size = await asyncio.to_thread(_size, (self._home / "vectors", self._home / "blobs"))
        return Index(report.chunks, self.tokens.since(before).embedded, seconds, size, failed)

    async def search(self, query: str, arm: Arm, depth: int) -> list[str]:
        """The file names of the documents found for ``query``, best first, each once, from ``depth`` chunks."""
        techniques: Any = arm.techniques
        wanted = SearchRequest(
            (query,), depth, options=SearchOptions.parse(_options(arm)), techniques=techniques, highlights=False
        )
        found = await self._library.search.search(Context(EVALUATOR), COLLECTION, wanted)
        return list(dict.fromkeys(shown.hit.source for shown in found.hits))

    async def answer(self, question: str, options: Mapping[str, Any] | None = None) -> WorkbenchAnswer:
        """The collection's answer when asked as a model. ``options`` are the request's."""
        served = await self._library.find(COLLECTION, EVALUATOR)
        assert served is not None
        context = Context(EVALUATOR)
        request = ChatRequest(COLLECTION, (Message("user", question),), options=dict(options or {}), store=False)
        answer = await collect(await served.responder.respond(request, context))
        looked = [each.facts for each in context.settlement.records if isinstance(each.facts, RetrievalFacts)]
        return WorkbenchAnswer(
            answer.text,
            tuple(citation.quote for citation in answer.citations),
            looked[-1].evidence or 0.0,
            answer.text.startswith(REFUSAL),
            looked[-1].features or {},
        )


@asynccontextmanager
async def open(settings: Settings, engines: Engines) -> AsyncIterator[Workbench]:  # noqa: A001
    """A workbench with its stores under ``settings.home``; a reopened one has the earlier documents."""
    tokens = Tokens()
    chat = {name: _counted(model, tokens) for name, model in engines.chat.items()}
    reranker = CountingReranker(engines.reranker, tokens) if engines.reranker is not None else None
    reader = CountingReranker(engines.reader, tokens) if engines.reader is not None else None
    told = CountingReranker(engines.near_misses, tokens) if engines.near_misses is not None else None
    embedder = CountingEmbedder(engines.embedder, tokens)
    counted = replace(engines, chat=chat, embedder=embedder, reranker=reranker, reader=reader, near_misses=told)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        opened = await enter(stores.open(settings))
        observed = await enter(telemetry.open(settings, opened.spans))
        path = await enter(serving.open(settings, opened, observed, counted))
        library = await enter(rag.open(settings, opened, observed, counted, path))
        yield Workbench(library, settings.home, tokens)


def _counted(model: ChatModel, tokens: Tokens) -> ChatModel:
    replicas = tuple(replace(each, responder=_Counting(each.responder, tokens)) for each in model.replicas)
    return replace(model, responder=_Counting(model.responder, tokens), replicas=replicas)


def _write(folder: Path, documents: Sequence[Document]) -> None:
    for document in documents:
        path = folder / document.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(document.read())


def _size(folders: Sequence[Path]) -> int:
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


def _options(arm: Arm) -> Mapping[str, Any]:
    """The arm's search options: one that names a reranker has it read."""
    return {"rerank": True, **arm.options} if arm.reranker else arm.options
