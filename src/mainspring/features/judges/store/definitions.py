"""Judges of a tenant, in numbered versions; those that come with the package where a tenant has none of the name."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound, QuotaExceeded
from mainspring.core.nearest import nearest
from mainspring.features.judges.definitions.definition import Definition
from mainspring.features.judges.definitions.shipped import shipped
from mainspring.features.judges.tables import judge_definitions as table
from mainspring.stores.sql.database import Database

MOST_VERSIONS = 1_000


@dataclass(frozen=True, slots=True)
class StoredJudge:
    """``number`` is 0 for a judge of the package."""

    name: str
    number: int
    definition: Definition
    created_at: float = 0.0


class Definitions:
    """The judges of all tenants."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most

    async def all(self, tenant: str) -> list[StoredJudge]:
        """The newest version of each, by name."""
        stored = await self._database.read(lambda connection: _newest(connection, tenant))
        found = {name: StoredJudge(name, 0, told) for name, told in shipped().items()}
        found |= {row.name: _stored(row) for row in stored if not row.deleted}
        return [found[name] for name in sorted(found)]

    async def get(self, tenant: str, name: str) -> StoredJudge:
        """Raises ``NotFound`` with the nearest name."""

        def work(connection: sa.Connection) -> sa.Row[Any] | None:
            mine = sa.and_(table.c.tenant == tenant, table.c.name == name)
            query = sa.select(table).where(mine).order_by(table.c.number.desc()).limit(1)
            return connection.execute(query).one_or_none()

        row = await self._database.read(work)
        if row is not None and not row.deleted:
            return _stored(row)
        if name in shipped():
            return StoredJudge(name, 0, shipped()[name])
        near = nearest(name, [each.name for each in await self.all(tenant)])
        remedy = f"Did you mean {near}?" if near else "GET /v1/judges lists them"
        raise NotFound(f"there is no judge {name!r}", remedy=remedy, param="judge")

    async def version(self, tenant: str, name: str, number: int) -> StoredJudge:
        """Raises ``NotFound``, also for one of a judge that was deleted."""
        current = await self.get(tenant, name)
        if number == current.number:
            return current
        mine = sa.and_(table.c.tenant == tenant, table.c.name == name, table.c.number == number)
        query = sa.select(table).where(mine, table.c.deleted.is_(False))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"the judge {name} has no version {number}", param="version")
        return _stored(row)

    async def put(self, tenant: str, name: str, definition: Definition) -> StoredJudge:
        """The next version; the newest one if it says the same. Raises ``QuotaExceeded``."""
        plain = rows.dump(definition.plain())

        def work(connection: sa.Connection) -> StoredJudge:
            mine = sa.and_(table.c.tenant == tenant, table.c.name == name)
            row = connection.execute(
                sa.select(table).where(mine).order_by(table.c.number.desc()).limit(1)
            ).one_or_none()
            if row is not None and not row.deleted and row.definition == plain:
                return _stored(row)
            if row is None or row.deleted:
                others = [each for each in _newest(connection, tenant) if not each.deleted]
                if len(others) >= self._most:
                    raise QuotaExceeded(f"this tenant has {self._most} judges, the maximum", remedy="Delete one")
            number = 1 if row is None else int(row.number) + 1
            if number > MOST_VERSIONS:
                raise QuotaExceeded(f"the judge has {MOST_VERSIONS} versions, the maximum", remedy="Use another name")
            now = time.time()
            values = {"tenant": tenant, "name": name, "number": number, "definition": plain, "created_at": now}
            connection.execute(sa.insert(table).values(values))
            return StoredJudge(name, number, definition, now)

        return await self._database.write(work, durable=True)

    async def delete(self, tenant: str, name: str) -> None:
        """Raises ``NotFound``. A judge of the package of that name counts again."""

        def work(connection: sa.Connection) -> bool:
            mine = sa.and_(table.c.tenant == tenant, table.c.name == name)
            live = sa.and_(mine, table.c.deleted.is_(False))
            return bool(connection.execute(sa.update(table).where(live).values(deleted=True)).rowcount)

        if not await self._database.write(work, durable=True):
            raise NotFound(f"you have no judge {name!r}", param="judge")


def _newest(connection: sa.Connection, tenant: str) -> list[sa.Row[Any]]:
    last = (
        sa.select(table.c.name, sa.func.max(table.c.number).label("number"))
        .where(table.c.tenant == tenant)
        .group_by(table.c.name)
        .subquery()
    )
    same = sa.and_(table.c.name == last.c.name, table.c.number == last.c.number)
    return list(connection.execute(sa.select(table).join(last, same).where(table.c.tenant == tenant)))


def _stored(row: sa.Row[Any]) -> StoredJudge:
    told = Definition.model_validate(rows.load(row.definition))
    return StoredJudge(row.name, int(row.number), told, float(row.created_at))
