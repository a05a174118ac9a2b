"""What a tenant's jobs and versions take of the disk, and when the rows of jobs that are over go."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from mainspring.core.errors import QuotaExceeded
from mainspring.features.train.jobs.store import FORGOTTEN, GONE, OVER, SHEDDING, end
from mainspring.features.train.settings import TrainSettings
from mainspring.features.train.tables import training_jobs
from mainspring.features.train.versions import keeping
from mainspring.features.train.versions.keeping import Places
from mainspring.stores.sql.database import Database
from mainspring.training.folder import Folder

_DAY_S = 86_400.0
_AT_ONCE = 500
_EXPIRED = {"code": "data_expired", "message": "it was paused for longer than texts are kept", "param": None}
_of = training_jobs.c


class Disk:
    """What tenants take of it, within ``train.tenant_bytes``."""

    def __init__(self, database: Database, places: Places, settings: TrainSettings) -> None:
        self._database = database
        self._places = places
        self._most = settings.tenant_bytes

    async def used(self, tenant: str) -> int:
        """Bytes of the folders of its jobs and versions."""
        query = sa.select(_of.id).where(_of.tenant == tenant, _of.wish.not_in((GONE, FORGOTTEN)))
        jobs = await self._database.read(lambda connection: list(connection.execute(query).scalars()))
        folders = [*(self._places.job(each) for each in jobs), self._places.tenant(tenant)]
        return await asyncio.to_thread(lambda: sum(map(size, folders)))

    async def check(self, tenant: str, adding: Path | None = None) -> None:
        """Raises ``QuotaExceeded`` if there is no room, or none for the folder ``adding``."""
        more = 0 if adding is None else await asyncio.to_thread(size, adding)
        used = await self.used(tenant)
        if used + more > self._most or used == self._most:
            raise QuotaExceeded(
                f"training takes {(used + more) / 1e9:.1f} GB of the disk, but may take at most {self._most / 1e9:.1f}"
                " (train.tenant_bytes)",
                remedy="Delete jobs or versions",
            )

    async def full(self, tenant: str) -> bool:
        return await self.used(tenant) > self._most


class Shedding:
    """Deletes the rows and checkpoints of jobs that are over: of cancelled ones at once, of failed ones, which could be
    resumed, after ``train.failed_days``, and of all after ``contents_days``, for which texts are kept (0: for ever)."""

    def __init__(
        self,
        database: Database,
        folder_of: Callable[[str], Path],
        settings: TrainSettings,
        contents_days: float,
    ) -> None:
        self._database = database
        self._folder_of = folder_of
        self._failed_s = settings.failed_days * _DAY_S
        self._kept_s = contents_days * _DAY_S

    async def round(self, now: float | None = None) -> int:
        """How many jobs were shed. What was killed in between is done again."""
        now = time.time() if now is None else now
        if self._kept_s:
            await self._database.write(lambda connection: _expire(connection, now - self._kept_s), durable=True)
        shed = 0
        while found := await self._database.write(lambda it: self._begin(it, now), durable=True):
            for job_id, expired in found:
                folder = Folder(self._folder_of(job_id))
                await asyncio.to_thread(_delete, folder, expired)
            await self._database.write(partial(_done, found=found), durable=True)
            shed += len(found)
        return shed

    def _begin(self, connection: sa.Connection, now: float) -> list[tuple[str, bool]]:
        """Jobs that nobody resumes from now on, and whether nothing of people's texts is kept of each."""
        expired = _of.ended_at < now - self._kept_s if self._kept_s else sa.false()
        failed = sa.and_(_of.state == "failed", _of.ended_at < now - self._failed_s)
        due = sa.or_(_of.wish == SHEDDING, _of.state == "cancelled", failed, expired)
        # What was shed before its texts were too old is taken once more when they are.
        left = sa.or_(sa.and_(due, _of.wish != GONE), sa.and_(expired, _of.wish == GONE))
        query = sa.select(_of.id, expired.label("expired")).where(_of.state.in_(OVER), _of.wish != FORGOTTEN, left)
        # One that is being resumed is locked: it is not due any more, or it is so in the next round.
        locked = query.limit(_AT_ONCE).with_for_update(skip_locked=True)
        found = [(row.id, bool(row.expired)) for row in connection.execute(locked)]
        if found:
            mine = _of.id.in_([each[0] for each in found])
            connection.execute(sa.update(training_jobs).where(mine).values(wish=SHEDDING))
        return found


def size(folder: Path) -> int:
    """Bytes of all files in a folder; 0: there is none."""
    total, left = 0, [folder]
    while left:
        try:
            with os.scandir(left.pop()) as found:
                for each in found:
                    if each.is_dir(follow_symlinks=False):
                        left.append(Path(each.path))
                    else:
                        total += each.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            # A run deletes old checkpoints meanwhile.
            continue
    return total


def _done(connection: sa.Connection, found: Sequence[tuple[str, bool]]) -> None:
    for wish, expired in ((GONE, False), (FORGOTTEN, True)):
        mine = sa.and_(_of.id.in_([job_id for job_id, each in found if each == expired]), _of.wish == SHEDDING)
        connection.execute(sa.update(training_jobs).where(mine).values(wish=wish))


def _expire(connection: sa.Connection, before: float) -> None:
    query = sa.select(_of.tenant, _of.id).where(_of.state == "paused", _of.updated_at < before)
    # One that is being resumed is locked, and goes on.
    for row in connection.execute(query.with_for_update(skip_locked=True)).all():
        end(connection, row.tenant, row.id, "failed", _EXPIRED)
        # Its rows are as old as they were before it ended.
        mine = sa.and_(_of.tenant == row.tenant, _of.id == row.id)
        connection.execute(sa.update(training_jobs).where(mine).values(ended_at=before - 1.0))


def _delete(folder: Folder, expired: bool) -> None:
    if folder.path.exists():
        keeping.shed(folder)
        if expired:
            keeping.forget(folder)
