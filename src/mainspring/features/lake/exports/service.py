"""The service of exports: asks for them, makes them, hands them out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mainspring.core.errors import Conflict, Forbidden, MainspringError, NotFound, StorageFull, StoreError
from mainspring.core.types import Principal
from mainspring.features.lake.exports.asking import ExportRequest
from mainspring.features.lake.exports.cleaning import Cleaning
from mainspring.features.lake.exports.reading import MaterialReader, Progress
from mainspring.features.lake.exports.sets.making import made_apart
from mainspring.features.lake.exports.sets.writing import LINEAGE, MANIFEST, finished
from mainspring.features.lake.exports.settings import ExportBounds
from mainspring.features.lake.exports.store import KIND, Export, ExportStore
from mainspring.features.lake.exports.workplace import sweep_workplaces, workplace
from mainspring.features.lake.files import manifest as lake_manifest
from mainspring.stores import Stores
from mainspring.stores.sql.jobs import Job, Jobs
from mainspring.stores.sql.worker import Lease, Worker

_TRIES = 3


class Exports:
    """The exports of each tenant."""

    def __init__(
        self, stores: Stores, cleaning: Cleaning, bounds: ExportBounds, follow: Callable[[], Awaitable[None]]
    ) -> None:
        self.bounds = bounds
        self.store = ExportStore(stores.database, stores.blobs, stores.audit, bounds)
        self._database = stores.database
        self._manifest = cleaning.manifest
        self._home = cleaning.home
        self._blobs = stores.blobs
        self._reader = MaterialReader(cleaning, stores.events, bounds, stores.room)
        self.follow = follow
        """Brings the newest events into the lake."""
        self.wake: Callable[[], None] | None = None

    async def ask(
        self, principal: Principal, asked: ExportRequest, *, job: bool = True, trace_id: str = "", export_id: str = ""
    ) -> Export:
        """Queue an export, or begin one that ``make`` goes on with; ``export_id`` empty: a new one. Raises
        ``Forbidden`` for an override by others than administrators, ``QuotaExceeded``."""
        check_override(principal, asked)
        found = await self.store.create(principal, asked, job=job, trace_id=trace_id, export_id=export_id)
        if job and self.wake is not None:
            self.wake()
        return found

    async def make(self, found: Export, job: Job | None = None, *, progress: Progress | None = None) -> Export:
        """Make the files. An erasure that comes in between makes it begin again. Raises ``TooLarge``, ``Conflict``,
        ``StorageFull``, ``StoreError``."""
        await self.sweep()
        for _ in range(_TRIES):
            try:
                async with workplace(self._home) as folder:
                    done = await self._once(found, job, progress or _silent, folder)
            except OSError as error:
                remedy = f"Check the free space below {self._home}"
                raise StoreError(f"the export could not be written: {error.strerror}", remedy=remedy) from error
            if done is not False:
                return await self.store.find(found.tenant, found.id)
        raise Conflict("erasures came in between again and again", remedy="Ask for the export again later")

    async def _once(self, found: Export, job: Job | None, progress: Progress, folder: Path) -> bool | None:
        """See ``ExportStore.complete``. Raises ``OSError``."""
        tenant, asked = found.tenant, ExportRequest.of(found.asked)
        before = await self._database.read(lambda connection: lake_manifest.erasures(connection, tenant))
        material = await self._reader.read(tenant, found.groups, asked, progress, folder)
        progress("make", 0, 1)
        made = await made_apart(asked, material, tenant, found.created_at, folder)
        progress("make", 1, 1)

        def unchanged(connection: sa.Connection) -> bool:
            return lake_manifest.erasures(connection, tenant) == before

        return await self.store.complete(found, made.files, made.manifest, made.answers, unchanged, job)

    async def sweep(self) -> int:
        """Delete what exports of processes that died have left on the disk; returns their number."""
        return await asyncio.to_thread(sweep_workplaces, self._home)

    async def every_group(self, tenant: str) -> frozenset[str]:
        """All groups that any row of the tenant's lake, or any of its exports, needs."""
        files = await self._manifest.files(tenant, "clean")
        return frozenset(group for each in files for group in each.groups) | await self.store.groups(tenant)

    async def write(self, found: Export, folder: Path, key_id: str) -> list[str]:
        """Write the files into a folder: they are handed out. Each is whole or not there. The manifest comes last: with
        it, all are there. Returns their names."""
        names = [each.name for each in await self.store.files(found)]
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        for name in sorted(names, key=lambda each: each == MANIFEST):
            part = folder / f".{name}.part"
            await self.store.copy(found, name, key_id, part)
            await asyncio.to_thread(finished, part, folder / name)
        return sorted(names)

    async def lineage_files(self, found: Export) -> list[tuple[str, bytes]]:
        """The files that say what rows are made of, by name."""
        names = {each.name: each.sha256 for each in await self.store.files(found) if each.name.endswith(LINEAGE)}
        return [(name, await self._blobs.get(sha256)) for name, sha256 in sorted(names.items())]

    async def lineage(self, found: Export, answer_id: str | None, limit: int) -> list[dict[str, Any]]:
        """Rows with what they are made of, those of an answer if one is given."""
        names = {each.name: each.sha256 for each in await self.store.files(found)}
        told: list[dict[str, Any]] = []
        for name, sha256 in sorted(names.items()):
            if name.endswith(LINEAGE) and len(told) < limit:
                data = await self._blobs.get(sha256)
                side = name.removesuffix(LINEAGE)
                rest = limit - len(told)
                told += await asyncio.to_thread(lambda: _some(data, side, answer_id, rest))  # noqa: B023
        return told


def check_override(principal: Principal, asked: ExportRequest) -> None:
    """Raises ``Forbidden``."""
    if asked.override and "admin" not in principal.scopes:
        raise Forbidden(
            "only administrators may export data without consent",
            remedy="Leave override out, or use a key with the scope 'admin'",
        )


def _silent(_: str, __: int, ___: int) -> None:
    """Nobody looks."""


def _some(data: bytes, side: str, answer_id: str | None, limit: int) -> list[dict[str, Any]]:
    return [
        {"split": side, "line": number, **row}
        for _, (number, row) in zip(range(limit), _matching(data, answer_id), strict=False)
    ]


def _matching(data: bytes, answer_id: str | None) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(data.splitlines(), 1):
        if answer_id is None or answer_id.encode() in line:
            row = json.loads(line)
            if answer_id is None or answer_id in row["answers"]:
                yield number, row


class ExportWork:
    """Makes queued exports. Given to a ``stores.sql.worker.Worker``."""

    def __init__(self, exports: Exports, jobs: Jobs) -> None:
        self._exports = exports
        self._jobs = jobs

    async def __call__(self, lease: Lease) -> None:
        job = lease.job
        try:
            found = await self._exports.store.find(job.tenant, job.id)
        except NotFound:
            await self._jobs.finish(job, "failed", "its export is gone")
            return
        try:
            if found.status in ("queued", "running"):
                # Without this an export has what the lake happened to know.
                await self._exports.follow()
                await self._exports.make(found, job)
        except StorageFull as error:
            await self._exports.store.failed(found, str(error))
        except StoreError:
            # It is tried again.
            raise
        except MainspringError as error:
            await self._exports.store.failed(found, str(error))
        await self._jobs.finish(job)

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """End an export that broke off repeatedly."""
        job = lease.job
        try:
            found = await self._exports.store.find(job.tenant, job.id)
            await self._exports.store.failed(found, f"it broke off: {type(error).__name__}")
        except NotFound:
            pass
        await self._jobs.finish(job, "failed", type(error).__name__)


@asynccontextmanager
async def making(exports: Exports, jobs: Jobs) -> AsyncIterator[Worker]:
    """Exports are made while the block lasts; leaving it interrupts them."""
    work = ExportWork(exports, jobs)
    worker = Worker(jobs, KIND, work, lease_s=exports.bounds.lease_s, attempts=5, give_up=work.give_up)
    exports.wake = worker.soon
    await exports.sweep()
    worker.start()
    try:
        yield worker
    finally:
        await worker.close()
