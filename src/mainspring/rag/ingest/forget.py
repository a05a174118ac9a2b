"""Erases deleted data from every file, in the background, after the commit that deleted it.

After that commit no query finds the data. The following are then removed, in this order: what features repeat of the
documents, the answers that repeat the data (with their session turns and lines of batch files) and the tenant's cached
answers, the chunks, the table versions that still contain them, and the databases' logs. Requests in progress during
the deletion may still write some of the data, so everything is checked a second time once they must have ended; then
the note is deleted. The notes survive a process that dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from mainspring.core.errors import MainspringError, NotFound
from mainspring.rag.ingest.publish import forget
from mainspring.stores import Stores
from mainspring.stores.documents.forgetting import Forgetting
from mainspring.stores.erase.holdings import RepeatsAnswers, RepeatsDocuments

log = logging.getLogger("mainspring.rag")

# The interval between checks for notes of other processes, and the minimum pause as a multiple of the last round: a
# large table takes long to rewrite and must not be rewritten constantly.
_LOOK_S = 5.0
_REST, _LONGEST_REST_S = 10, 60.0
# Seconds that a stopping process waits for its deletions.
_CLOSING_S = 60.0

Also = Callable[[Sequence[Forgetting]], Awaitable[None]]
"""Forgets what another room derived from the documents of these notes. It may be called repeatedly."""


def cached_of(tenant: str) -> str:
    """The tag of cached answers that were made of the tenant's documents."""
    return f"documents:{tenant}"


class Forgetter:
    """Acts on notes of deletion. ``again_s`` is the longest duration of a request; ``also`` makes other rooms forget
    their data."""

    def __init__(self, stores: Stores, *, again_s: float, also: Sequence[Also] = ()) -> None:
        self._stores = stores
        self._again_s = again_s
        self._also = also
        self._seen: set[Forgetting] = set()
        self._wake = asyncio.Event()
        self._one = asyncio.Lock()
        self._worker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start, and continue with the notes of earlier processes."""
        self._worker = asyncio.create_task(self._work(), name="forget")

    def soon(self) -> None:
        """Report a deletion, so that its note is acted on soon."""
        self._wake.set()

    async def close(self) -> None:
        """Finish the first check within a minute; the rest stays noted."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait((self._worker,))
        try:
            async with asyncio.timeout(_CLOSING_S):
                await self.round()
        except (MainspringError, TimeoutError) as error:
            log.warning("deleted data could not be removed from the files; the next start repeats it: %s", error)

    async def round(self) -> None:
        """Act on all notes that are new, or old enough for the second look. Raises the errors of the stores."""
        async with self._one:
            now = time.time()
            notes = await self._stores.forgetting.list_all()
            due = [each for each in notes if each not in self._seen or now - each.at >= self._again_s]
            if not due:
                return
            await self._answers(due)
            for also in self._also:
                await also(due)
            await self._chunks(due)
            await self._stores.database.compact()
            await self._stores.cache.compact()
            await self._stores.similar.compact()
            self._seen |= set(due)
            old = [each for each in due if now - each.at >= self._again_s]
            await self._stores.forgetting.done(old)
            self._seen -= set(old)

    async def _answers(self, notes: Sequence[Forgetting]) -> None:
        for tenant in sorted({each.tenant for each in notes}):
            mine = [each for each in notes if each.tenant == tenant]
            await self._stores.cache.invalidate(cached_of(tenant))
            await self._stores.similar.invalidate(cached_of(tenant))
            documents = sorted({each.document_id or each.collection_id for each in mine})
            for holding in self._stores.holdings:
                if isinstance(holding, RepeatsDocuments):
                    await holding.forget_documents(tenant, documents)
            answers = await self._stores.forgetting.answers(tenant, mine)
            for holding in self._stores.holdings if answers else ():
                if isinstance(holding, RepeatsAnswers):
                    await holding.forget(tenant, answers)
            for answer in answers:
                await self._stores.events.erase(tenant, answer, compact=False)
            await self._stores.batches.forget(tenant, answers)

    async def _chunks(self, notes: Sequence[Forgetting]) -> None:
        homes = {(each.tenant, each.collection_id) for each in notes if each.document_id}
        for note in notes:
            if not note.document_id:
                homes.discard((note.tenant, note.collection_id))
                for table in note.tables:
                    await self._stores.vectors.drop(table)
        for tenant, collection_id in sorted(homes):
            try:
                collection = await self._stores.collections.known(tenant, collection_id)
            except NotFound:
                continue
            await forget(self._stores.collections, self._stores.vectors, collection)
            for table in filter(None, (collection.table, collection.building)):
                await self._stores.vectors.purge(table)

    async def _work(self) -> None:
        while True:
            began = time.monotonic()
            try:
                self._wake.clear()
                await self.round()
            except MainspringError as error:
                log.warning("deleted data could not be removed from the files yet: %s", error)
            took = time.monotonic() - began
            await asyncio.sleep(min(_LONGEST_REST_S, _REST * took))
            # Before Python 3.12, ``wait_for`` loses a cancellation that arrives while it ends, and this would then
            # never end.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()
