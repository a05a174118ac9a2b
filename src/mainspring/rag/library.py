"""The library: a tenant's collections, what is in them, and the background work that fills them.

Attaching a file is durable at once (an ``in_progress`` document row); the ingesting itself runs in one background
task and is taken up again after a restart.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mainspring.errors import MainspringError, NotFound
from mainspring.rag.answer import DocumentAnswerer
from mainspring.rag.ingest import Ingestor, IngestReport, Progress
from mainspring.rag.retrieve import Hit, Retriever
from mainspring.serving.select import Served
from mainspring.stores import Stores
from mainspring.stores.collections import Collection, Document
from mainspring.types import Context, Principal

log = logging.getLogger("mainspring.rag")


class Answering(Protocol):
    """Makes the answerer of a collection."""

    def __call__(self, *, collection: Collection) -> DocumentAnswerer: ...


class Library:
    """Collections as services: made, filled, searched, and served as models under their names."""

    def __init__(self, stores: Stores, ingestor: Ingestor, retriever: Retriever, answering: Answering) -> None:
        self._collections = stores.collections
        self._files = stores.files
        self._vectors = stores.vectors
        self._ingestor = ingestor
        self._retriever = retriever
        self._answering = answering
        self._embedder_name = retriever.embedder.name
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin the background work, with what an earlier process left undone."""
        self._worker = asyncio.create_task(self._work(), name="ingest")
        self._wake.set()

    async def close(self) -> None:
        """Stop the background work; what it was at stays ``in_progress`` and is taken up at the next start."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait((self._worker,))

    async def create(self, principal: Principal, name: str, groups: frozenset[str] = frozenset()) -> Collection:
        """Raises ``Conflict`` when the tenant has one of that name."""
        return await self._collections.create(principal.tenant, name, groups=groups, embedder=self._embedder_name)

    async def get(self, principal: Principal, id_or_name: str) -> Collection:
        """Raises ``NotFound`` for what the principal may not see, as for what does not exist."""
        return await self._collections.get(principal.tenant, id_or_name, groups=principal.groups)

    async def collections(self, principal: Principal) -> list[Collection]:
        return await self._collections.list(principal.tenant, groups=principal.groups)

    async def delete(self, principal: Principal, id_or_name: str) -> None:
        collection = await self.get(principal, id_or_name)
        await self._collections.delete(principal.tenant, collection.id)
        await self._vectors.drop(collection.id)

    async def of(self, collection: Collection) -> list[Document]:
        """The documents of a collection that ``get`` has let the caller see."""
        return await self._collections.documents(collection)

    async def documents(self, principal: Principal, id_or_name: str) -> list[Document]:
        return await self.of(await self.get(principal, id_or_name))

    async def document(self, principal: Principal, id_or_name: str, file_id: str) -> Document:
        """By file id or document id."""
        for document in await self.documents(principal, id_or_name):
            if file_id in (document.file_id, document.document_id):
                return document
        raise NotFound(f"{file_id} is not in {id_or_name}", param="file_id")

    async def attach(self, principal: Principal, id_or_name: str, file_id: str) -> Document:
        """Put an uploaded file into a collection; it is read in the background."""
        collection = await self.get(principal, id_or_name)
        info = await self._files.get(principal.tenant, file_id, groups=principal.groups)
        await self._collections.begin(collection, file_id, info.sha256, info.name, file_id=file_id)
        self._wake.set()
        return await self.document(principal, collection.id, file_id)

    async def detach(self, principal: Principal, id_or_name: str, file_id: str) -> None:
        collection = await self.get(principal, id_or_name)
        document = await self.document(principal, collection.id, file_id)
        await self._collections.remove(collection, document.document_id)
        await self._vectors.delete(collection.id, document.document_id)

    async def search(self, context: Context, id_or_name: str, query: str, k: int) -> list[Hit]:
        collection = await self.get(context.principal, id_or_name)
        return await self._retriever.search(collection, query, k)

    async def ingest(
        self, principal: Principal, name: str, paths: Sequence[Path], progress: Progress | None = None
    ) -> IngestReport:
        """Bring the collection ``name`` (made when absent) in step with files and folders."""
        try:
            collection = await self.get(principal, name)
        except NotFound:
            collection = await self.create(principal, name)
        return await self._ingestor.sync(collection, paths, progress)

    # --- collections as models (serving.select.TenantCollections) -------------------------------------------------

    async def find(self, name: str, principal: Principal) -> Served | None:
        try:
            collection = await self.get(principal, name)
        except NotFound:
            return None
        return self._served(collection)

    async def visible(self, principal: Principal) -> list[Served]:
        return [self._served(collection) for collection in await self.collections(principal)]

    def _served(self, collection: Collection) -> Served:
        answerer = self._answering(collection=collection)
        return Served(
            collection.name,
            "collection",
            answerer,
            created=int(collection.created_at),
            owner=collection.tenant,
            groups=collection.groups,
            sampled=answerer.sampled,
        )

    # --- background -----------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            for collection, document in await self._collections.unfinished():
                if document.file_id is None:
                    continue
                try:
                    data = await self._files.content(collection.tenant, document.file_id, groups=collection.groups)
                    await self._ingestor.ingest_file(collection, document.name, data, document.file_id)
                except MainspringError as error:
                    log.warning("%s was not ingested: %s", document.document_id, error.message)
                    await self._collections.fail(collection, document.document_id, str(error))
