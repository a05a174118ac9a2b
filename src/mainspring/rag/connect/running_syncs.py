"""Syncs that were begun over HTTP and run in this server: how far each is, and how each source's last one ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal, Protocol

from mainspring.core.errors import MainspringError
from mainspring.rag.ingest.pipeline import IngestReport, Progress
from mainspring.stores.documents.records import Collection
from mainspring.stores.documents.sources import SourceRow

log = logging.getLogger("mainspring.rag")
_KEPT = 1000

State = Literal["waiting", "running", "done", "failed"]


class Follows(Protocol):
    """``rag.connect.sync.Syncer``."""

    async def sync(self, collection: Collection, row: SourceRow, progress: Progress | None = None) -> IngestReport: ...


@dataclass(slots=True)
class Sync:
    """One sync: ``done`` of ``total`` files, both 0 until they are known; ``report`` once it is done, ``error`` if it
    failed. Times are Unix seconds."""

    state: State
    began_at: float
    done: int = 0
    total: int = 0
    ended_at: float | None = None
    report: IngestReport | None = None
    error: str = ""

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed")


class Syncs:
    """One sync of a source at a time, and one of a tenant: others of it wait."""

    def __init__(self, syncer: Follows) -> None:
        self._syncer = syncer
        self._known: OrderedDict[tuple[str, str], Sync] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: dict[str, asyncio.Lock] = {}

    def of(self, tenant: str, source_id: str) -> Sync | None:
        """The sync that is under way, or the last one since the server started."""
        return self._known.get((tenant, source_id))

    def begin(self, collection: Collection, source: SourceRow) -> Sync:
        """Begin to follow a source; the sync that is under way where there is one."""
        key = (collection.tenant, source.id)
        if (found := self._known.get(key)) is not None and not found.over:
            return found
        sync = self._known[key] = Sync("waiting", time.time())
        self._known.move_to_end(key)
        self._drop()
        task = asyncio.create_task(self._run(collection, source, sync), name=f"sync {source.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return sync

    async def close(self) -> None:
        """End what runs. It continues from its last batch when the source is followed again."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, collection: Collection, source: SourceRow, sync: Sync) -> None:
        def progress(done: int, total: int, _: str) -> None:
            sync.done, sync.total = done, total

        try:
            async with self._turns.setdefault(collection.tenant, asyncio.Lock()):
                sync.state = "running"
                sync.report = await self._syncer.sync(collection, source, progress)
            sync.state = "done"
        except asyncio.CancelledError:
            sync.state, sync.error = "failed", "the server was stopped meanwhile"
            raise
        except MainspringError as error:
            sync.state, sync.error = "failed", str(error)
        except Exception:
            log.exception("the sync of %s failed", source.id)
            sync.state, sync.error = "failed", "the sync failed: see the server's log"
        finally:
            sync.ended_at = time.time()

    def _drop(self) -> None:
        for key in [key for key, each in self._known.items() if each.over][: max(0, len(self._known) - _KEPT)]:
            del self._known[key]
