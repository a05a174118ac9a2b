"""The stream: new events become files of the raw zone, and the interactions that they change files of the clean zone.

Files are written first. Their rows in the manifest and the position of the stream are one commit: whatever dies, each
event is in the lake once. One process does it at a time, under a lease.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import sqlalchemy as sa

import mainspring.stores.sql.jobs as jobs
from mainspring.core.errors import StoreError
from mainspring.features.lake.files import manifest
from mainspring.features.lake.files.manifest import LakeFile, Manifest
from mainspring.features.lake.files.rewriting import Rewriting
from mainspring.features.lake.files.storage import Storage, left_over
from mainspring.features.lake.stream import events, preparing, set_aside_events
from mainspring.features.lake.stream.compacting import Compacting
from mainspring.features.lake.stream.preparing import Prepared
from mainspring.features.lake.stream.sweeping import Sweeping
from mainspring.stores.events import feed
from mainspring.stores.events.feed import Feed
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Jobs
from mainspring.stores.sql.recurring import LEASE_S, recurring
from mainspring.stores.sql.worker import Lease

ZONES = ("raw", "clean")
_LOOK_S, _LEASES = 0.1, 3
_log = logging.getLogger(__name__)
NAME = "lake"
"""The reader of the log, and the lease of the one process that writes the raw and the clean zone."""
Progress = Callable[[int, int], None]
"""Told how many events were read so far, and how many there were to read in all when the sync began."""


@dataclass(slots=True)
class Synced:
    """What a sync did."""

    events: int = 0
    interactions: int = 0
    files: int = 0
    set_aside: int = 0
    """What could not become a row, for now."""
    position: int = 0


class Syncing:
    """Writes the raw and the clean zone."""

    def __init__(self, database: Database, storage: Storage, home: Path, batch: int, lease_s: float = LEASE_S) -> None:
        self._database = database
        self._storage = storage
        self._batch = batch
        self._lease_s = lease_s
        self._jobs = Jobs(database)
        self._manifest = Manifest(database)
        self._rewriting = Rewriting(database, home)
        self._sweeping = Sweeping(database, home)
        self._compacting = Compacting(database, storage)

    async def sync(self, progress: Progress | None = None, *, retry: bool = False) -> Synced | None:
        """All events that are settled now, and those that were set aside and are due: with ``retry`` all of them. None
        if another process does it. Raises ``StoreError``."""
        async with recurring(self._jobs, NAME, lease_s=self._lease_s) as lease:
            if lease is None:
                return None
            if retry:
                await self._database.write(set_aside_events.soon)
            return await self._sync(lease, progress)

    async def catch_up(self, progress: Progress | None = None) -> None:
        """All events that are settled now are in the lake afterwards: another process that reads them is waited for,
        and what a process that died has left is taken over. Raises ``StoreError`` if it gets no further."""
        wanted = await self._database.read(events.newest)
        before, until = -1, 0.0
        while True:
            await self.sync(progress)
            position = await Feed(self._database).begin(NAME)
            if position >= wanted:
                return
            now = time.monotonic()
            if position != before:
                before, until = position, now + _LEASES * self._lease_s
            elif now > until:
                raise StoreError(
                    "another process reads the events into the lake, and gets no further",
                    remedy="Try again later; if it lasts, see the log of the server that follows the events",
                )
            await asyncio.sleep(_LOOK_S)

    async def _sync(self, lease: Lease, progress: Progress | None) -> Synced:
        await self._clean_up()
        position = await Feed(self._database).begin(NAME)
        done = Synced(position=position)
        total = 0 if progress is None else await self._database.read(partial(events.waiting, position=position))
        touched: set[str] = set()
        erased: set[str] = set()
        while True:
            prepared = await self._database.read(
                partial(preparing.following, position=done.position, limit=self._batch)
            )
            if prepared is None:
                await self._again(lease, done, touched)
                await self._after(lease, touched, erased)
                return done
            erased |= prepared.erased
            touched |= set(prepared.erasures)
            files = await asyncio.to_thread(preparing.write, self._storage, prepared)
            written = await self._commit(lease, prepared, files)
            if written is None:
                return done
            if written:
                done.position, done.files = prepared.position, done.files + len(files)
                done.events += prepared.events
                done.interactions += sum(map(len, prepared.clean.values()))
                done.set_aside += len(prepared.aside)
                if progress is not None:
                    progress(done.events, max(total, done.events))
            if lease.lost.is_set():
                return done

    async def _again(self, lease: Lease, done: Synced, touched: set[str]) -> None:
        """Try what was set aside again, as far as it is due."""
        due = await self._database.read(partial(set_aside_events.due, now=time.time()))
        if not due:
            return
        prepared = await self._database.read(partial(preparing.again, position=done.position, due=due))
        touched |= set(prepared.erasures)
        files = await asyncio.to_thread(preparing.write, self._storage, prepared)
        if await self._commit(lease, prepared, files):
            done.files += len(files)
            done.events += prepared.events
            done.interactions += sum(map(len, prepared.clean.values()))

    async def _after(self, lease: Lease, touched: set[str], erased: set[str]) -> None:
        """What an answer's deletion has left, and the merging of small files."""
        for tenant in sorted(erased):
            await self._sweeping.sweep(tenant)
        for tenant in sorted(touched):
            await self._compacting.compact(tenant)
            if lease.lost.is_set():
                return

    async def sweep(self) -> int:
        """Remove rows whose text is no longer kept, of all tenants; returns their number."""
        return await self._sweeping.sweep()

    async def _lost(self, paths: set[str]) -> bool:
        """Whether files are gone that should be there, as after a restore, whose backup has no lake. Then the stream
        begins anew: all of it is made of the event log."""
        gone = [path for path in sorted(paths) if not await asyncio.to_thread(self._storage.exists, path)]
        still = await self._manifest.paths(ZONES) if gone else set()
        if not any(path in still for path in gone):
            return False
        _log.warning("%d files of the lake are gone: it is rebuilt from the events", len(gone))

        def work(connection: sa.Connection) -> None:
            manifest.forget(connection, ZONES)
            set_aside_events.forget_all(connection)
            feed.move(connection, NAME, 0)

        await self._database.write(work)
        return True

    async def _commit(self, lease: Lease, prepared: Prepared, files: Sequence[LakeFile]) -> bool | None:
        """Whether it was written; not if an erasure came in between. None: the lease is lost."""

        def work(connection: sa.Connection) -> bool | None:
            if not jobs.lease_holds(connection, lease.job):
                return None
            if any(manifest.erasures(connection, tenant) != seen for tenant, seen in prepared.erasures.items()):
                return False
            manifest.add(connection, files)
            for (tenant, what), ids_done in prepared.done().items():
                set_aside_events.done(connection, tenant, what, ids_done)
            set_aside_events.put(connection, prepared.aside.values(), time.time())
            feed.move(connection, NAME, prepared.position)
            return True

        written = await self._database.write(work)
        if not written:
            for each in files:
                await asyncio.to_thread(self._storage.remove, each.path)
        return written

    async def _clean_up(self) -> None:
        """Remove what processes that died have left: they have written files that never counted, or have not removed
        files that count no more."""
        await asyncio.to_thread(self._storage.clear_unfinished)
        await self._rewriting.finish_removals()
        there = [path for zone in ZONES for path in await asyncio.to_thread(self._storage.paths, zone)]
        known = await self._manifest.paths(ZONES)
        if await self._lost(known - set(there)):
            known = set()
        for path in there:
            if path not in known and left_over(path):
                await asyncio.to_thread(self._storage.remove, path)
