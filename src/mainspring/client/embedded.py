"""The system opened in this process, as a client sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

from mainspring.client.backend import Pieces
from mainspring.client.results import Ingested, Passage, Reply, Source, Turn
from mainspring.core.errors import ModelError
from mainspring.core.path import Answer, collect
from mainspring.core.settings import Settings, load
from mainspring.core.types import ChatRequest, Context, EmbedRequest, Message, Sampling, Text
from mainspring.rag.search.search_service import SearchRequest
from mainspring.system import System
from mainspring.terminal.pulling import pull_missing


@asynccontextmanager
async def opened(home: str | Path | None, settings: Settings | None) -> AsyncIterator[Embedded]:
    """The system of ``settings`` (default: the current configuration), with another ``home`` if given."""
    chosen = settings or load().settings
    if home is not None:
        chosen = chosen.model_copy(update={"home": await asyncio.to_thread(Path(home).expanduser)})
    await asyncio.to_thread(pull_missing, chosen)
    async with System.open(chosen) as system:
        yield Embedded(system)


class Embedded:
    """Asks as the local principal, who sees everything of the local tenant."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._who = system.local
        self.chat_model = next(iter(system.settings.models.chatting), "")
        self.embedding_model = system.settings.models.embedding

    async def answer(
        self, model: str, turns: Sequence[Turn], sampling: Sampling, options: Mapping[str, str] = MappingProxyType({})
    ) -> Pieces:
        messages = tuple(Message(turn["role"], turn["content"]) for turn in turns)
        context = Context(self._who)
        response = await self._system.respond(ChatRequest(model, messages, sampling, options=options), context)
        found = Answer(response.head)
        async with response:
            async for event in response:
                found.add(event)
                if isinstance(event, Text) and event.choice == 0:
                    yield event.text
        yield _reply(found, context)

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        found = await collect(await self._system.respond(EmbedRequest(model, tuple(texts)), Context(self._who)))
        if found.vectors is None:
            raise ModelError(f"{model} gave no vectors", remedy="Name an embedding model")
        return [[float(value) for value in row] for row in found.vectors.rows]

    async def search(self, collection: str, query: str, k: int) -> list[Passage]:
        found = await self._system.library.search.search(Context(self._who), collection, SearchRequest((query,), k))
        hits = (shown.hit for shown in found.hits)
        return [Passage(hit.source, hit.text, hit.score, hit.page, hit.heading) for hit in hits]

    async def ingest(self, collection: str, paths: Sequence[Path]) -> Ingested:
        report = await self._system.library.ingest(self._who, collection, paths)
        failed = {each.name: each.error for each in report.failed}
        return Ingested(len(report.added) + len(report.updated), len(report.unchanged), failed)

    async def collections(self) -> list[str]:
        return [each.name for each in await self._system.library.collections(self._who)]

    async def documents(self, collection: str) -> list[str]:
        return [each.name for each in await self._system.library.documents(self._who, collection)]


def _reply(found: Answer, context: Context) -> Reply:
    sources = tuple(Source(each.source, each.quote, each.page, each.heading) for each in found.citations)
    notices = tuple(each.text for each in found.notices)
    return Reply(found.text, sources, found.answered, notices, found.head.answer_id, context.trace.trace_id)
