"""The client for code that awaits nothing: the asynchronous one, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mainspring.client.asynchronous import AsyncMainspring, Stream, connect_async, open_async
from mainspring.client.results import Ingested, Mode, Passage, Reply, Said, Turn

if TYPE_CHECKING:
    from mainspring.core.settings import Settings

T = TypeVar("T")


class Loop:
    """An event loop in a thread, which runs what other threads wait for."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mainspring", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``. Interrupting the wait cancels ``work``."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Stop; afterwards nothing runs."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class TextStream:
    """The text of an answer in pieces, as in ``for piece in stream``; ``reply`` is the whole answer then."""

    def __init__(self, loop: Loop, stream: Stream) -> None:
        self._loop = loop
        self._stream = stream

    @property
    def reply(self) -> Reply | None:
        """The whole answer, once it has been read to its end."""
        return self._stream.reply

    def __iter__(self) -> Iterator[str]:
        pieces = aiter(self._stream)

        async def following() -> str | None:
            return await anext(pieces, None)

        try:
            while (piece := self._loop.run(following())) is not None:
                yield piece
        finally:
            self._loop.run(self._stream.aclose())


class Mainspring:
    """Ask documents and models. ``mainspring.open()`` and ``mainspring.connect()`` make one.

    Methods are those of ``AsyncMainspring``; several threads may use one client.
    """

    def __init__(self, loop: Loop, client: AsyncMainspring) -> None:
        self._loop = loop
        self._client = client

    def ingest(self, collection: str, *paths: str | Path) -> Ingested:
        """Read files and folders into ``collection``, creating it if needed. Unchanged files are skipped. Raises
        ``NotFound`` for a path that is not there."""
        return self._loop.run(self._client.ingest(collection, *paths))

    def ask(self, collection: str, question: str, *, history: Sequence[Turn] = (), mode: Mode = "auto") -> Reply:
        """The answer of the documents of ``collection``, with its sources, or that they do not say. ``verbatim``: in
        their own sentences; ``written``: a chat model writes it."""
        return self._loop.run(self._client.ask(collection, question, history=history, mode=mode))

    def chat(
        self, said: Said, *, model: str = "", max_tokens: int | None = None, temperature: float | None = None
    ) -> Reply:
        """The answer of a model, an application or a collection; of the first chat model where none is named."""
        return self._loop.run(self._client.chat(said, model=model, max_tokens=max_tokens, temperature=temperature))

    def stream(
        self, said: Said, *, model: str = "", max_tokens: int | None = None, temperature: float | None = None
    ) -> TextStream:
        """As ``chat``, piece by piece."""
        stream = self._client.stream(said, model=model, max_tokens=max_tokens, temperature=temperature)
        return TextStream(self._loop, stream)

    def embed(self, texts: str | Sequence[str], *, model: str = "") -> list[list[float]]:
        """A unit vector for each text."""
        return self._loop.run(self._client.embed(texts, model=model))

    def search(self, collection: str, query: str, *, k: int = 5) -> list[Passage]:
        """The ``k`` best passages, best first."""
        return self._loop.run(self._client.search(collection, query, k=k))

    def collections(self) -> list[str]:
        """The names of the collections."""
        return self._loop.run(self._client.collections())

    def documents(self, collection: str) -> list[str]:
        """The names of the documents of ``collection``."""
        return self._loop.run(self._client.documents(collection))


@contextmanager
def open(home: str | Path | None = None, *, settings: Settings | None = None) -> Iterator[Mainspring]:  # noqa: A001
    """The system opened in this process: ``open_async``, for code that awaits nothing."""
    with _in_a_thread(open_async(home, settings=settings)) as client:
        yield client


@contextmanager
def connect(url: str = "", api_key: str = "") -> Iterator[Mainspring]:
    """A running server: ``connect_async``, for code that awaits nothing."""
    with _in_a_thread(connect_async(url, api_key)) as client:
        yield client


@contextmanager
def _in_a_thread(opening: AbstractAsyncContextManager[AsyncMainspring]) -> Iterator[Mainspring]:
    loop = Loop()
    try:
        client = loop.run(opening.__aenter__())
        try:
            yield Mainspring(loop, client)
        finally:
            loop.run(opening.__aexit__(None, None, None))
    finally:
        loop.close()
