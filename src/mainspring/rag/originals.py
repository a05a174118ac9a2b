"""The stored originals of documents: uploads, and unchanged files of folders; and pages of their PDFs as pictures."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from cachetools import LRUCache

from mainspring.core.errors import Conflict, MainspringError, Overloaded
from mainspring.rag.parse.parsed import PagePicture
from mainspring.rag.parse.parser import Parser, load
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.documents.records import Collection, Document
from mainspring.stores.documents.sources import Sources

_CACHED_BYTES = 32 * 2**20
# Pictures of one tenant that are waited for: they are drawn one after the other.
_WAITING = 8
_RETRY_S = 2.0
_Key = tuple[str, str, int, str]


class Originals:
    """Finds the originals of documents. Callers check the access to the document first; unless ``shown``, no original
    is shown."""

    def __init__(self, blobs: Blobs, sources: Sources, parser: Parser, *, shown: bool = True) -> None:
        self._shown = shown
        self._blobs = blobs
        self._sources = sources
        self._parser = parser
        self._cached: LRUCache[_Key, PagePicture] = LRUCache(_CACHED_BYTES, getsizeof=lambda each: len(each.png))
        self._lines: dict[str, tuple[asyncio.Lock, int]] = {}

    async def page(self, collection: Collection, document: Document, number: int, quote: str = "") -> PagePicture:
        """Page ``number`` (from 1) of a PDF as a picture with ``quote`` marked.

        Raises ``Conflict`` if the original is not stored, ``UnreadableDocument`` if it is no PDF or has no such page,
        and ``Overloaded`` if too many pictures for the tenant are pending.
        """
        if not self._shown:
            raise Conflict(
                f"the original of {document.name} is not shown, because personal data in documents is masked here",
                remedy="Open its text",
            )
        digest = hashlib.sha256(quote.encode("utf-8", "replace")).hexdigest()
        key = (collection.tenant, document.sha256, number, digest)
        if (found := self._cached.get(key)) is not None:
            return found
        async with self._turn(collection.tenant):
            if (found := self._cached.get(key)) is not None:
                return found
            data = await self.data(collection, document)
            drawn = await self._parser.draw(data, document.name, number, quote)
            if len(drawn.png) <= _CACHED_BYTES:
                self._cached[key] = drawn
            return drawn

    async def data(self, collection: Collection, document: Document) -> bytes:
        """The bytes that the document was read from. Raises ``Conflict`` if they are not kept."""
        if document.file_id is not None:
            with contextlib.suppress(MainspringError):
                return await self._blobs.get(document.sha256)
        elif (path := await self._path(collection, document)) is not None:
            with contextlib.suppress(MainspringError):
                data = await asyncio.to_thread(_unchanged, path, document.sha256)
                if data is not None:
                    return data
        raise Conflict(
            f"the original of {document.name} is not kept, only its parsed text",
            remedy="Upload the file, or read its source again",
        )

    async def close(self) -> None:
        """Pictures that are being drawn fail."""
        await self._parser.close()

    async def _path(self, collection: Collection, document: Document) -> Path | None:
        """The document's place in a folder that the collection follows."""
        for source in await self._sources.list(collection):
            path = Path(document.source_key)
            if source.kind == "folder" and path.is_absolute() and path.is_relative_to(source.location):
                return path
        return None

    @contextlib.asynccontextmanager
    async def _turn(self, tenant: str) -> AsyncIterator[None]:
        """The tenant's turn: its requests delay no other tenant."""
        lock, waiting = self._lines.get(tenant, (asyncio.Lock(), 0))
        if waiting >= _WAITING:
            problem = f"{waiting} pictures of pages are already being rendered"
            raise Overloaded(problem, remedy="Ask again in a moment", retry_after=_RETRY_S)
        self._lines[tenant] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            left = self._lines[tenant][1] - 1
            if left:
                self._lines[tenant] = lock, left
            else:
                del self._lines[tenant]


def _unchanged(path: Path, sha256: str) -> bytes | None:
    """The bytes of a file if they still match ``sha256``. Links are not followed: they may lead elsewhere."""
    if path.is_symlink() or not path.is_file() or path.resolve() != path:
        return None
    data = load(path)
    return data if hashlib.sha256(data).hexdigest() == sha256 else None
