"""Cuts documents: long ones in a child process, short ones in a thread.

Cutting and reading a graph by rules run in pure Python: 12 MB take some ten seconds, in which every other thread of the
process would wait repeatedly for the interpreter.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, runtime_checkable

from mainspring.core.settings import RagSettings
from mainspring.rag.chunk.base import Chunker
from mainspring.rag.chunk.chunking import PlainChunker
from mainspring.rag.cutting import messages
from mainspring.rag.cutting.messages import Cut, CutRequest
from mainspring.rag.ingest.digests import digest
from mainspring.rag.parse.frames import LENGTH, most
from mainspring.rag.parse.parsed import Parsed
from mainspring.rag.workers import Workers

SHORT = 16_384
"""Characters of a text that is cut in a thread: it takes as long as asking a child."""
_MAX_NAME = 1024


@runtime_checkable
class Tokenised(Protocol):
    """An embedder whose tokens another process can count, too."""

    @property
    def tokenizer_file(self) -> str:
        """The path of its ``tokenizer.json``."""
        ...


class Cutter(Workers):
    """Belongs to one event loop."""

    def __init__(self, settings: RagSettings) -> None:
        super().__init__("mainspring.rag.cutting.child", settings.parse_memory_mb)
        self._timeout_s = settings.parse_timeout_s

    async def cut(
        self, chunker: Chunker, embedder: str, parsed: Parsed, *, name: str = "", title: str = "", graph: str = ""
    ) -> Cut:
        """The chunks of a document as ``chunker`` cuts it, with digests for ``embedder``. With ``graph`` its graph as
        well, where it was cut elsewhere: the chunks' names in it begin with that and a point.

        Raises what ``Chunker.chunk`` raises, and ``UnreadableDocument`` if it takes too much time or memory.
        """
        if len(parsed.text) > SHORT and isinstance(chunker, PlainChunker) and isinstance(chunker.embedder, Tokenised):
            return await self._elsewhere(chunker, chunker.embedder.tokenizer_file, embedder, parsed, name, title, graph)
        chunks = await chunker.chunk(parsed, name=name, title=title)
        return Cut(chunks, await asyncio.to_thread(lambda: [digest(embedder, one.embedded) for one in chunks]))

    async def _elsewhere(
        self,
        chunker: PlainChunker,
        tokenizer: str,
        embedder: str,
        parsed: Parsed,
        name: str,
        title: str,
        graph: str,
    ) -> Cut:
        text = parsed.text
        data = await asyncio.to_thread(text.encode, "utf-8", "replace")
        name = name.encode("utf-8", "replace").decode()[:_MAX_NAME]
        asked = CutRequest(
            name,
            title,
            parsed.kind,
            len(data),
            parsed.pages,
            parsed.headings,
            chunker.recipe,
            tokenizer,
            embedder,
            graph,
            self._timeout_s,
        )
        request = await asyncio.to_thread(messages.cut_request, asked)

        async def hear(answers: asyncio.StreamReader) -> Cut:
            (length,) = LENGTH.unpack(await answers.readexactly(LENGTH.size))
            if length > most(len(data)):
                raise ConnectionError("the answer says more than a document")
            head = await asyncio.to_thread(messages.cut_head, await answers.readexactly(length), text)
            if head.behind > most(len(data)):
                raise ConnectionError("the answer says more than a document")
            return await asyncio.to_thread(messages.cut_of, head, await answers.readexactly(head.behind), text)

        return await self.ask(name, self._timeout_s, (request, data), hear)
