"""Attached files on their way into their collections: read in the background, tenants in turn.

Each tenant has one file read at a time, several tenants are served at once, and the one served longest ago is next.
Small files have places of their own, so that a sentence of one tenant does not wait for the books of others. Files
deleted in the meantime, here or by another process, are not read further.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from mainspring.core.errors import MainspringError, NotFound
from mainspring.rag.ingest.pipeline import Ingestor
from mainspring.rag.ingest.publish import Stage, code_of
from mainspring.stores import Stores
from mainspring.stores.documents.collections import Collection, Document

log = logging.getLogger("mainspring.rag")
# The wait for a failed database, and the interval between checks for deletions by other processes.
RETRY_S = 5.0
LOOK_S = 5.0
AT_ONCE = 4
"""The number of large files read at once, and of small ones; one per tenant."""
SMALL = 262_144
"""Bytes of a small file."""
TENANTS = 4096
"""The number of remembered turns."""


@dataclass(slots=True)
class FileReading:
    """A file that is read now. ``stage`` has ``done`` of ``total`` chunks behind it; ``total`` is 0 until they are
    known."""

    collection: Collection
    document: Document
    small: bool
    stage: Stage = "parsing"
    done: int = 0
    total: int = 0
    task: asyncio.Task[None] = field(init=False)

    def advance(self, stage: Stage, done: int, total: int) -> None:
        self.stage, self.done, self.total = stage, done, total


class Intake:
    """Reads attached files. Belongs to one event loop."""

    def __init__(self, stores: Stores, ingestor: Ingestor) -> None:
        self._collections = stores.collections
        self._files = stores.files
        self._ingestor = ingestor
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._reading: dict[str, FileReading] = {}
        self._waiting: list[str] = []
        self._turns: dict[str, int] = {}
        self._turn = 0

    def start(self) -> None:
        """Begin, with what an earlier process left undone."""
        self._worker = asyncio.create_task(self._work(), name="ingest")
        self._wake.set()

    def soon(self) -> None:
        """Something was attached."""
        self._wake.set()

    def reading(self, document_id: str) -> FileReading | None:
        """How far a document is that is read now."""
        return self._reading.get(document_id)

    def ahead(self, document_id: str) -> int | None:
        """How many files of all tenants may be read before a document that waits; None if it does not."""
        with contextlib.suppress(ValueError):
            return self._waiting.index(document_id)
        return None

    def cancel(self, collection_id: str, document_id: str | None = None) -> None:
        """Read a document, or all of a collection, no further: it was deleted."""
        for each in list(self._reading.values()):
            if each.collection.id == collection_id and document_id in (None, each.document.document_id):
                each.task.cancel()

    async def close(self) -> None:
        """Stop; a file being read stays ``in_progress`` and is resumed at the next start."""
        tasks = [each.task for each in self._reading.values()] + ([self._worker] if self._worker else [])
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _work(self) -> None:
        while True:
            # Without work, there is nothing to delete.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S if self._reading else None):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._look(await self._collections.unfinished())
            except MainspringError as error:
                log.warning("attached files wait %g s to be read: %s", RETRY_S, error.message)
                await asyncio.sleep(RETRY_S)
                self._wake.set()

    async def _look(self, unfinished: Sequence[tuple[Collection, Document]]) -> None:
        there = {document.document_id: document.begun for _, document in unfinished}
        for document_id, each in self._reading.items():
            if document_id not in there:
                each.task.cancel()
        waits = [
            (collection, document)
            for collection, document in unfinished
            if document.file_id is not None and document.document_id not in self._reading
        ]
        # The sort is stable: of one tenant the oldest is first.
        waits.sort(key=lambda each: self._turns.get(each[0].tenant, 0))
        self._waiting = []
        for collection, document in waits:
            if not await self._begin(collection, document):
                self._waiting.append(document.document_id)
        self._turns = {name: turn for name, turn in self._turns.items() if turn > self._turn - TENANTS}

    async def _begin(self, collection: Collection, document: Document) -> bool:
        if any(each.collection.tenant == collection.tenant for each in self._reading.values()):
            return False
        small = await self._small(collection, document)
        if sum(each.small == small for each in self._reading.values()) >= AT_ONCE:
            return False
        self._turn += 1
        self._turns[collection.tenant] = self._turn
        reading = self._reading[document.document_id] = FileReading(collection, document, small)
        reading.task = asyncio.create_task(self._read(reading), name=f"read {document.document_id}")
        reading.task.add_done_callback(lambda _: self._over(document.document_id))
        return True

    async def _small(self, collection: Collection, document: Document) -> bool:
        groups = collection.groups | document.groups
        try:
            return (await self._files.get(collection.tenant, document.file_id or "", groups=groups)).bytes <= SMALL
        except NotFound:
            # It fails at once.
            return True

    async def _read(self, reading: FileReading) -> None:
        collection, document = reading.collection, reading.document
        file_id = document.file_id or ""
        try:
            groups = collection.groups | document.groups
            data = await self._files.content(collection.tenant, file_id, groups=groups)
            read = await self._ingestor.ingest_file(collection, document.name, data, file_id, advance=reading.advance)
            if read.status == "failed" and await self._collections.moved(collection):
                # It was read for vectors of another model than the collection has now.
                await self._collections.begin(
                    collection, file_id, read.sha256, read.name, file_id=file_id, about=read.about
                )
        except Exception as error:  # A failure of one file does not stop the others
            unexpected = not isinstance(error, MainspringError)
            log.warning("%s was not ingested: %s", document.document_id, error, exc_info=unexpected)
            reason = str(error) or type(error).__name__
            with contextlib.suppress(MainspringError):
                await self._collections.fail(
                    collection,
                    document.document_id,
                    reason,
                    generation=document.begun,
                    code=code_of(error),
                )

    def _over(self, document_id: str) -> None:
        del self._reading[document_id]
        self._wake.set()
