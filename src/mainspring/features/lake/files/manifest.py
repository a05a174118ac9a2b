"""The manifest: which files are the lake's, of which tenant, and whose questions are in them.

Writers write files first and add their rows in the commit that makes them count. A file without a row is the remains
of a process that died.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.lake.tables import lake_files
from mainspring.stores.schema import watermarks
from mainspring.stores.sql.database import Database

ERASURES = "lake: erasures"


@dataclass(frozen=True, slots=True)
class LakeFile:
    """A file. ``kind`` is of the events of a raw file, or the build of a ready one; ``at``s are of its rows."""

    tenant: str
    id: str
    zone: str
    kind: str
    date: str
    groups: tuple[str, ...]
    root: str
    path: str
    rows: int
    bytes: int
    first_at: float
    last_at: float

    @property
    def partition(self) -> tuple[str, str, str, tuple[str, ...]]:
        """Files of one partition may be merged."""
        return self.zone, self.kind, self.date, self.groups


def access_name(groups: Sequence[str]) -> str:
    """The folder of those who need these groups."""
    return hashlib.sha256(rows.names(groups).encode()).hexdigest()[:12] if groups else "all"


class Manifest:
    """The files of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def files(
        self,
        tenant: str,
        zone: str,
        kind: str | None = None,
        *,
        groups: frozenset[str] | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> list[LakeFile]:
        """The files of a tenant that count, by date; those whose questions ``groups`` may see (None: all)."""
        where = [lake_files.c.tenant == tenant, lake_files.c.zone == zone, ~lake_files.c.dead]
        if kind is not None:
            where.append(lake_files.c.kind == kind)
        if since is not None:
            where.append(lake_files.c.last_at >= since)
        if until is not None:
            where.append(lake_files.c.first_at < until)
        query = sa.select(lake_files).where(*where).order_by(lake_files.c.date, lake_files.c.id)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        made = map(_file, found)
        return [each for each in made if groups is None or set(each.groups) <= groups]

    async def paths(self, zones: Sequence[str]) -> set[str]:
        """The paths of all files of these zones that have a row."""
        query = sa.select(lake_files.c.path).where(lake_files.c.zone.in_(zones))
        return set(await self._database.read(lambda connection: connection.execute(query).scalars().all()))

    async def tenants(self) -> list[str]:
        """Those that have files."""
        query = sa.select(lake_files.c.tenant).distinct().order_by(lake_files.c.tenant)
        return list(await self._database.read(lambda connection: connection.execute(query).scalars().all()))

    async def dead(self, tenant: str = "") -> list[LakeFile]:
        """Files to be removed, of ``tenant`` if given."""
        query = sa.select(lake_files).where(lake_files.c.dead)
        query = query.where(lake_files.c.tenant == tenant) if tenant else query
        return list(map(_file, await self._database.read(lambda connection: connection.execute(query).all())))

    async def kill(self, files: Sequence[LakeFile]) -> None:
        """Make files count no more."""
        await self._database.write(lambda connection: kill(connection, files) and None)

    async def removed(self, files: Iterable[LakeFile]) -> None:
        """Their files are gone."""
        gone = list(files)

        def work(connection: sa.Connection) -> None:
            for each in gone:
                connection.execute(sa.delete(lake_files).where(_is(each), lake_files.c.dead))

        await self._database.write(work, frees=True)

    async def erasures(self, tenant: str) -> int:
        """How many erasures have reached the lake: what was read before one may not be written after it."""
        return await self._database.read(lambda connection: erasures(connection, tenant))


def erasures(connection: sa.Connection, tenant: str) -> int:
    """``Manifest.erasures`` within a transaction."""
    query = sa.select(watermarks.c.position).where(watermarks.c.tenant == tenant, watermarks.c.name == ERASURES)
    return int(connection.execute(query).scalar_one_or_none() or 0)


def add(connection: sa.Connection, files: Sequence[LakeFile]) -> None:
    """Make files count."""
    if files:
        connection.execute(sa.insert(lake_files), [_row(each) for each in files])


def forget(connection: sa.Connection, zones: Sequence[str]) -> None:
    """Take all files of these zones off the manifest: they are not there."""
    connection.execute(sa.delete(lake_files).where(lake_files.c.zone.in_(zones)))


def kill(connection: sa.Connection, files: Sequence[LakeFile]) -> bool:
    """Make files count no more; false if one of them does not count already: another process was faster."""
    counted = True
    for each in files:
        mine = sa.update(lake_files).where(_is(each), ~lake_files.c.dead)
        counted &= connection.execute(mine.values(dead=True)).rowcount > 0
    return counted


def _is(file: LakeFile) -> sa.ColumnElement[bool]:
    return sa.and_(lake_files.c.tenant == file.tenant, lake_files.c.id == file.id)


def _row(file: LakeFile) -> Mapping[str, Any]:
    return asdict(file) | {"groups": rows.names(file.groups), "created_at": time.time(), "dead": False}


def _file(row: sa.Row[Any]) -> LakeFile:
    return LakeFile(
        *(row.tenant, row.id, row.zone, row.kind, row.date, tuple(rows.load(row.groups)), row.root, row.path),
        *(row.rows, row.bytes, row.first_at, row.last_at),
    )
