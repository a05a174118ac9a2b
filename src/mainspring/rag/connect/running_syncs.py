"""Syncs that were started over HTTP: the progress of each, and the result of each source's last sync.

Each is a job of its source. If a server is killed or stopped during a sync, the next sync, or another server on the
same database, continues from the source's cursor, so that published documents are not read again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from mainspring.core.errors import MainspringError, NotFound
from mainspring.rag.ingest.pipeline import IngestReport, Progress
from mainspring.stores.documents.records import Collection
from mainspring.stores.documents.sources import SourceRow
from mainspring.stores.sql.jobs import FAILED, Job, Jobs
from mainspring.stores.sql.worker import Lease, Worker

log = logging.getLogger("mainspring.rag")
KIND = "sync"
LEASE_S = 30.0
# Syncs of one tenant wait for each other, so that many may be leased while few run.
_AT_ONCE = 64
# Files that could not be read which a report names.
_FAILURES = 20

State = Literal["waiting", "running", "done", "failed"]


class Follows(Protocol):
    """``rag.connect.sync.Syncer``."""

    async def sources(self, collection: Collection) -> list[SourceRow]: ...

    async def sync(self, collection: Collection, row: SourceRow, progress: Progress | None = None) -> IngestReport: ...


class FindsCollections(Protocol):
    """``stores.documents.collections.Collections``."""

    async def known(self, tenant: str, collection_id: str) -> Collection: ...


@dataclass(frozen=True, slots=True)
class Sync:
    """One sync. ``done`` of ``total`` files are done; both are 0 until they are known, and if another process runs the
    sync. ``report`` is set once it is done (see ``report_body``), ``error`` if it failed. Times are Unix seconds."""

    state: State
    began_at: float
    done: int = 0
    total: int = 0
    ended_at: float | None = None
    report: Mapping[str, Any] | None = None
    error: str = ""

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed")


class Syncs:
    """One sync of a source at a time, and one of a tenant: others of it wait."""

    def __init__(
        self,
        syncer: Follows,
        jobs: Jobs,
        collections: FindsCollections,
        *,
        lease_s: float = LEASE_S,
        poll_s: float = 1.0,
    ) -> None:
        self._syncer = syncer
        self._jobs = jobs
        self._collections = collections
        self._worker = Worker(jobs, KIND, self._run, parallel=_AT_ONCE, lease_s=lease_s, poll_s=poll_s)
        self._turns: dict[str, asyncio.Lock] = {}
        # (files done, all files) of the syncs that run here, by job.
        self._progress: dict[tuple[str, str], tuple[int, int]] = {}

    def start(self) -> None:
        """Begin, with what earlier processes left."""
        self._worker.start()

    async def close(self) -> None:
        """Stop: running syncs continue at the next start, from their last batch."""
        await self._worker.close()

    async def of(self, tenant: str, source_id: str) -> Sync | None:
        """The running sync, or the last one; None if there was none, or it is too long ago."""
        try:
            return self._told(await self._jobs.get(tenant, _name(source_id)))
        except NotFound:
            return None

    async def begin(self, collection: Collection, source: SourceRow) -> Sync:
        """Start to sync a source; returns the running sync if there is one."""
        wanted = {"collection": collection.id, "source": source.id}
        job = await self._jobs.again(collection.tenant, _name(source.id), KIND, wanted)
        self._worker.soon()
        return self._told(job)

    def _told(self, job: Job) -> Sync:
        over = job.state not in ("waiting", "running")
        state: State = "failed" if over and job.state != "done" else job.state  # type: ignore[assignment]
        done, total = self._progress.get((job.tenant, job.id), (0, 0))
        if state == "running" and not job.payload.get("running"):
            state = "waiting"
        report = job.payload.get("report")
        return Sync(state, job.created_at, done, total, job.updated_at if over else None, report, job.error)

    async def _run(self, lease: Lease) -> None:
        job = lease.job
        following = asyncio.create_task(self._follow(job), name=f"follow {job.id}")
        watched = [asyncio.create_task(each.wait()) for each in (lease.lost, lease.cancelled)]
        try:
            await asyncio.wait({following, *watched}, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
            elif lease.cancelled.is_set():
                await self._jobs.finish(job, FAILED, "it was cancelled")
        finally:
            for task in (following, *watched):
                task.cancel()
            await asyncio.gather(following, *watched, return_exceptions=True)
            self._progress.pop((job.tenant, job.id), None)

    async def _follow(self, job: Job) -> None:
        def progress(done: int, total: int, _: str) -> None:
            self._progress[job.tenant, job.id] = done, total

        wanted = {name: job.payload[name] for name in ("collection", "source")}
        try:
            async with self._turns.setdefault(job.tenant, asyncio.Lock()):
                await self._jobs.note(job, {**wanted, "running": True})
                collection = await self._collections.known(job.tenant, wanted["collection"])
                source = await self._source(collection, wanted["source"])
                report = await self._syncer.sync(collection, source, progress)
        except MainspringError as error:
            await self._jobs.finish(job, FAILED, str(error))
        except Exception:
            log.exception("the sync of %s failed", wanted["source"])
            await self._jobs.finish(job, FAILED, "the sync failed: see the server's log")
        else:
            if await self._jobs.note(job, {**wanted, "report": report_body(report)}):
                await self._jobs.finish(job)

    async def _source(self, collection: Collection, source_id: str) -> SourceRow:
        for each in await self._syncer.sources(collection):
            if each.id == source_id:
                return each
        raise NotFound(f"{collection.name} has no source {source_id} any more")


def report_body(report: IngestReport) -> dict[str, Any]:
    """The result of a sync as JSON: numbers of documents, and some unread ones with their reasons."""
    names = ("added", "updated", "unchanged", "moved", "removed", "failed")
    failures = [{"name": each.name, "error": each.error} for each in report.failed[:_FAILURES]]
    return {**{name: len(getattr(report, name)) for name in names}, "failures": failures}


def _name(source_id: str) -> str:
    return f"sync_{source_id}"
