"""Works on imports: reads a file in pieces, makes events of its records, and writes each piece in one commit.

A piece is repeated if the process dies before its commit, and its events are recognised if it dies after.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

from mainspring.core.errors import MainspringError, NotFound, StoreError
from mainspring.core.types import EventRecord
from mainspring.feature import Rooms
from mainspring.features.imports.drafts import BadRecord, Draft, Importing, LeftOut, event_id, trace_id
from mainspring.features.imports.records import Numbered, records
from mainspring.features.imports.settings import ImportsSettings
from mainspring.features.imports.sources import source
from mainspring.features.imports.store import KIND, OVER, Import, Imports, Piece
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.documents.files import Files
from mainspring.stores.sql.jobs import Job, Jobs
from mainspring.stores.sql.worker import Lease, Worker

_AT_ONCE = 200


class Importer:
    """Imports files, each into the tenant of its import."""

    def __init__(self, imports: Imports, settings: ImportsSettings) -> None:
        self._imports = imports
        self._settings = settings

    async def run(
        self,
        made: Import,
        path: Path,
        *,
        job: Job | None = None,
        stopped: Callable[[], bool] = lambda: False,
        most: int | None = None,
        progress: Callable[[Import], None] = lambda _: None,
    ) -> tuple[Import, bool]:
        """Go on with an import, for ``most`` records; the import, and whether its file is read to the end. Raises
        ``TooLarge``, ``InvalidRequest``."""
        found = records(path, self._settings, made.position)
        done = 0
        try:
            while not stopped():
                if most is not None and done >= most:
                    return made, False
                piece = await asyncio.to_thread(_piece, found, made)
                if piece is None:
                    return made, True
                after = await self._imports.add(made, piece, job)
                if after is None:
                    return await self._imports.find(made.tenant, made.id), False
                done += piece.position - made.position
                made = after
                progress(made)
            return made, False
        finally:
            await asyncio.to_thread(_close, found)


def _close(found: Iterator[Numbered]) -> None:
    close = getattr(found, "close", None)
    if close is not None:
        close()


def _piece(found: Iterator[Numbered], made: Import) -> Piece | None:
    """The events of the next records; None at the end of the file."""
    left_out: Counter[str] = Counter()
    events: list[EventRecord] = []
    errors = []
    position = made.position
    reads, importing = source(made.source), Importing(made.key_id, made.application, made.created_at)
    for number, record in islice(found, _AT_ONCE):
        position = number
        if isinstance(record, BadRecord):
            errors.append({"record": number, "message": str(record)})
            continue
        try:
            drafts = list(reads.drafts(record, importing))
        except LeftOut as reason:
            left_out[str(reason)] += 1
        except BadRecord as fault:
            errors.append({"record": number, "message": str(fault)})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as fault:
            # The record has some form that nobody has seen. Its words are not repeated.
            errors.append({"record": number, "message": f"it has another form ({type(fault).__name__})"})
        else:
            events += [_event(made, draft) for draft in drafts]
    if position == made.position:
        return None
    return Piece(events, position, left_out, errors)


def _event(made: Import, draft: Draft) -> EventRecord:
    name, about = event_id(made.source, draft.key), event_id(made.source, draft.answer)
    return EventRecord(
        id=name,
        at=draft.at,
        tenant=made.tenant,
        trace_id=trace_id(made.source, draft.trace),
        subject=about,
        facts=draft.facts,
        content=draft.content,
        parent_id=None if name == about else about,
        consent=made.consent,
        person=draft.person,
    )


class ImportWork:
    """Imports uploaded files. Given to a ``stores.sql.worker.Worker``."""

    def __init__(self, imports: Imports, jobs: Jobs, files: Files, blobs: Blobs, settings: ImportsSettings) -> None:
        self._imports, self._jobs, self._files, self._blobs = imports, jobs, files, blobs
        self._settings = settings
        self._importer = Importer(imports, settings)

    async def __call__(self, lease: Lease) -> None:
        job = lease.job
        try:
            made = await self._imports.find(job.tenant, str(job.payload["import"]))
        except NotFound:
            await self._jobs.finish(job, "failed", "its import is gone")
            return
        try:
            if made.status not in OVER:
                info = await self._files.get(made.tenant, made.file_id, groups=made.groups)
                path = self._blobs.path(info.sha256)
                stop: Callable[[], bool] = lambda: lease.stopped  # noqa: E731
                made, whole = await self._importer.run(made, path, job=job, stopped=stop, most=self._settings.slice)
                if not whole and made.status not in OVER:
                    if not lease.stopped:
                        await self._imports.pause(made, job)
                    return
                await self._imports.end(made, "completed")
        except StoreError:
            # It is tried again.
            raise
        except MainspringError as error:
            await self._imports.end(made, "failed", str(error))
        await self._jobs.finish(job)
        await self._forget_file(made)

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """End an import that broke off repeatedly."""
        job = lease.job
        try:
            made = await self._imports.find(job.tenant, str(job.payload["import"]))
            await self._imports.end(made, "failed", f"it failed: {type(error).__name__}")
        except NotFound:
            pass
        await self._jobs.finish(job, "failed", type(error).__name__)

    async def _forget_file(self, made: Import) -> None:
        ended = await self._imports.find(made.tenant, made.id)
        if ended.delete_file and ended.status == "completed":
            try:
                await self._files.delete(made.tenant, made.file_id, groups=made.groups)
            except MainspringError:
                # Somebody has put it to another use, or deleted it.
                return


@asynccontextmanager
async def importing(rooms: Rooms, imports: Imports, settings: ImportsSettings) -> AsyncIterator[Worker]:
    """Imports run while the block does; leaving it interrupts them."""
    stores = rooms.stores
    work = ImportWork(imports, stores.jobs, stores.files, stores.blobs, settings)
    worker = Worker(stores.jobs, KIND, work, lease_s=settings.lease_s, attempts=5, give_up=work.give_up)
    worker.start()
    try:
        yield worker
    finally:
        await worker.close()
