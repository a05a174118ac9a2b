"""The asynchronous client, over the system opened in this process or over a running server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.client.backend import Backend, Pieces
from mainspring.client.results import Ingested, Mode, Passage, Reply, Said, Turn, turns_of
from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.types import Sampling

if TYPE_CHECKING:
    from mainspring.core.settings import Settings


class Stream:
    """The text of an answer in pieces, as in ``async for piece in stream``; ``reply`` is the whole answer then."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self.reply: Reply | None = None

    def __aiter__(self) -> AsyncIterator[str]:
        return self._texts()

    async def _texts(self) -> AsyncGenerator[str, None]:
        try:
            async for piece in self._pieces:
                if isinstance(piece, Reply):
                    self.reply = piece
                else:
                    yield piece
        finally:
            await self._pieces.aclose()

    async def aclose(self) -> None:
        """Stop the stream: text that has not been generated yet is never generated."""
        await self._pieces.aclose()


class AsyncMainspring:
    """Ask documents and models. ``mainspring.open_async()`` and ``mainspring.connect_async()`` make one.

    Every method raises the errors of ``mainspring.core.errors``, which say what to do next.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def ingest(self, collection: str, *paths: str | Path) -> Ingested:
        """Read files and folders into ``collection``, creating it if needed. Unchanged files are skipped. Raises
        ``NotFound`` for a path that is not there."""
        return await self._backend.ingest(collection, await asyncio.to_thread(_there, paths))

    async def ask(self, collection: str, question: str, *, history: Sequence[Turn] = (), mode: Mode = "auto") -> Reply:
        """The answer of the documents of ``collection``, with its sources, or that they do not say. ``verbatim``: in
        their own sentences; ``written``: a chat model writes it."""
        turns: list[Turn] = [*history, {"role": "user", "content": question}]
        options = {} if mode == "auto" else {"mode": mode}
        return await _whole(Stream(self._backend.answer(collection, turns_of(turns), Sampling(), options)))

    async def chat(
        self,
        said: Said,
        *,
        model: str = "",
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> Reply:
        """The answer of a model, an application or a collection; of the first chat model where none is named."""
        return await _whole(self.stream(said, model=model, max_tokens=max_tokens, temperature=temperature))

    def stream(
        self,
        said: Said,
        *,
        model: str = "",
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> Stream:
        """As ``chat``, piece by piece."""
        chosen = model or self._backend.chat_model
        if not chosen:
            raise InvalidRequest("no chat model is served", param="model", remedy="Name one, or set models.chat")
        return Stream(
            self._backend.answer(chosen, turns_of(said), Sampling(max_tokens=max_tokens, temperature=temperature))
        )

    async def embed(self, texts: str | Sequence[str], *, model: str = "") -> list[list[float]]:
        """A unit vector for each text."""
        wanted = [texts] if isinstance(texts, str) else list(texts)
        return await self._backend.embed(model or self._backend.embedding_model, wanted)

    async def search(self, collection: str, query: str, *, k: int = 5) -> list[Passage]:
        """The ``k`` best passages, best first."""
        return await self._backend.search(collection, query, k)

    async def collections(self) -> list[str]:
        """The names of the collections."""
        return await self._backend.collections()

    async def documents(self, collection: str) -> list[str]:
        """The names of the documents of ``collection``."""
        return await self._backend.documents(collection)


def _there(paths: Sequence[str | Path]) -> list[Path]:
    """The paths, which exist. Raises ``NotFound``."""
    found = [Path(path).expanduser() for path in paths]
    for path in found:
        if not path.exists():
            raise NotFound(f"there is no {path}")
    return found


async def _whole(stream: Stream) -> Reply:
    async for _ in stream:
        pass
    if stream.reply is None:
        raise NotFound("the answer broke off")
    return stream.reply


@asynccontextmanager
async def open_async(
    home: str | Path | None = None, *, settings: Settings | None = None
) -> AsyncIterator[AsyncMainspring]:
    """The system opened in this process, with the home ``home`` (default: the configured one). Models that are
    missing are pulled first.

    Raises ``SettingsError``, ``StoreError`` and what pulling raises.
    """
    from mainspring.client.embedded import opened

    async with opened(home, settings) as backend:
        yield AsyncMainspring(backend)


@asynccontextmanager
async def connect_async(url: str = "", api_key: str = "") -> AsyncIterator[AsyncMainspring]:
    """A client of a running server. ``MAINSPRING_URL`` and ``MAINSPRING_API_KEY`` are the defaults.

    Raises ``Unauthenticated`` without a key and ``NotFound`` when no server listens.
    """
    from mainspring.client.server import connected

    async with connected(url, api_key) as backend:
        yield AsyncMainspring(backend)
