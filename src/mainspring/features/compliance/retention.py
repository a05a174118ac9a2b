"""Retention: deletes expired data of each class, in the background, in one process at a time.

The data itself shows what is due, so a process that dies midway loses nothing: the next one continues. Each round is in
the audit log of the tenants that lost something, by class and number.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa

from mainspring.core.errors import Conflict, MainspringError, NotFound
from mainspring.core.settings.audit import RetentionSettings
from mainspring.features.compliance.metrics import ComplianceMetrics
from mainspring.stores import Stores
from mainspring.stores.erase import retention
from mainspring.stores.erase.retention import Data
from mainspring.stores.events.audit_log import ITSELF, Actor
from mainspring.stores.sql.recurring import recurring

log = logging.getLogger("mainspring.compliance")
KIND = "retention"
_DAY_S = 86_400.0
# How often it is looked whether it is time; others may wait for the database between two pieces.
_LOOK_S, _REST_S = 30.0, 0.01
_TABLES: tuple[tuple[Data, str], ...] = (
    ("contents", "contents_days"),
    ("feedback", "contents_days"),
    ("sessions", "sessions_days"),
    ("events", "events_days"),
    ("jobs", "jobs_days"),
    ("erasures", "audit_days"),
)


@dataclass(frozen=True, slots=True)
class Due:
    """How long a class is kept (0: for ever) and how much of it is due now."""

    data: str
    days: float
    count: int


class Retention:
    """Deletes expired data; ``start`` makes it do so periodically."""

    def __init__(self, stores: Stores, settings: RetentionSettings, metrics: ComplianceMetrics) -> None:
        self._stores = stores
        self._settings = settings
        self._metrics = metrics
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._worker = asyncio.create_task(self._work(), name="retention")

    async def close(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    async def due(self, now: float | None = None) -> list[Due]:
        """The data that would be deleted now (Unix seconds), class by class."""
        now = time.time() if now is None else now
        found = []
        for data, name in _TABLES:
            days = self._days(name)
            counts: Mapping[str, int] = {}
            if days:
                counts = await self._stores.database.read(partial(_due, data, now - days * _DAY_S))
            found.append(Due(data, days, sum(counts.values())))
        days = self._days("batch_files_days")
        found.append(Due("batch_files", days, len(await self._batch_files(now)) if days else 0))
        days = self._days("audit_days")
        found.append(Due("audit", days, sum([await self._old(tenant, now) for tenant in await self._logs()])))
        return found

    async def apply(self, by: Actor = ITSELF, now: float | None = None) -> Counter[str]:
        """Delete expired data now; returns the amount of each class. Raises the errors of the stores."""
        now = time.time() if now is None else now
        gone: dict[str, Counter[str]] = {}
        for data, setting in _TABLES:
            if days := self._days(setting):
                await self._tables(data, now - days * _DAY_S, gone)
        if self._days("batch_files_days"):
            await self._files(now, gone)
        total: Counter[str] = Counter()
        await self._cached(total)
        for tenant, counts in sorted(gone.items()):
            await self._stores.audit.record(tenant, "retention.applied", by, details={"deleted": dict(counts)})
            total.update(counts)
        for tenant in await self._logs() if self._days("audit_days") else ():
            before = now - self._days("audit_days") * _DAY_S
            total["audit"] += await self._stores.database.write(partial(_trim, self._stores, tenant, before))
        total = +total
        if total:
            await self._stores.database.compact()
        for name, count in total.items():
            self._metrics.deleted(name, count)
        return total

    def _days(self, name: str) -> float:
        return float(getattr(self._settings, name))

    async def _tables(self, data: Data, before: float, gone: dict[str, Counter[str]]) -> None:
        while counts := await self._stores.database.write(partial(_delete, data, before)):
            for tenant, count in counts.items():
                gone.setdefault(tenant, Counter())[data] += count
            await asyncio.sleep(_REST_S)

    async def _batch_files(self, now: float) -> list[tuple[str, str]]:
        before = now - self._days("batch_files_days") * _DAY_S
        ended = await self._stores.database.read(lambda connection: retention.ended_batches(connection, before))
        loose = await self._stores.database.read(lambda connection: retention.unused_files(connection, before))
        named = [(tenant, file_id) for tenant, _, files in ended for file_id in files]
        return list(dict.fromkeys([*named, *loose]))

    async def _files(self, now: float, gone: dict[str, Counter[str]]) -> None:
        before = now - self._days("batch_files_days") * _DAY_S
        wanted = await self._batch_files(now)
        # First the batches: a file that another one needs stays, and goes with that. Files left here by a crash
        # belong to no batch and are deleted the next time.
        for tenant, batch_id, _ in await self._stores.database.read(lambda it: retention.ended_batches(it, before)):
            await self._stores.database.write(partial(_drop_batch, tenant, batch_id), durable=True)
        for tenant, file_id in wanted:
            if await self._stores.database.read(partial(_is_named, tenant, file_id)):
                continue
            with contextlib.suppress(NotFound, Conflict):
                await self._stores.files.delete(tenant, file_id, groups=None)
                gone.setdefault(tenant, Counter())["batch_files"] += 1

    async def _cached(self, total: Counter[str]) -> None:
        for name, expire in (("cached", self._stores.cache.expire), ("questions", self._stores.similar.expire)):
            if count := await expire():
                total[name] += count
                await (self._stores.cache if name == "cached" else self._stores.similar).compact()

    async def _logs(self) -> list[str]:
        return await self._stores.audit.tenants()

    async def _old(self, tenant: str, now: float) -> int:
        days = self._days("audit_days")
        return await self._stores.audit.older(tenant, now - days * _DAY_S) if days else 0

    async def _work(self) -> None:
        while True:
            try:
                async with recurring(self._stores.jobs, KIND, every_s=self._settings.every_s) as lease:
                    if lease is not None and (gone := await self.apply()):
                        log.info("expired data was deleted: %s", dict(gone))
            except MainspringError as error:
                log.warning("expired data was not deleted; the next round repeats it: %s", error)
            await asyncio.sleep(min(_LOOK_S, self._settings.every_s))


# The database is given its connection last.


def _due(data: Data, before: float, connection: sa.Connection) -> dict[str, int]:
    return retention.due(connection, data, before)


def _delete(data: Data, before: float, connection: sa.Connection) -> dict[str, int]:
    return retention.delete(connection, data, before)


def _drop_batch(tenant: str, batch_id: str, connection: sa.Connection) -> None:
    retention.drop_batch(connection, tenant, batch_id)


def _is_named(tenant: str, file_id: str, connection: sa.Connection) -> bool:
    return retention.is_named(connection, tenant, file_id)


def _trim(stores: Stores, tenant: str, before: float, connection: sa.Connection) -> int:
    return stores.audit.trim(connection, tenant, before)
