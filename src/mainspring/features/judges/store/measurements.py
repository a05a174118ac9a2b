"""Measurements of judges and estimates by them: what was asked, the items, the scores so far, and the figures."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.jobs as jobs
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound, QuotaExceeded
from mainspring.features.judges.tables import judge_items as items
from mainspring.features.judges.tables import judge_measurements as table
from mainspring.stores.schema import jobs as jobs_table
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import DONE, RUNNING, WAITING, Job

PREFIX = "jme_"
KIND = "judging"
"""Of the jobs that judge the items."""
Asked = Literal["measure", "estimate"]
MOST_UNFINISHED, MOST_KEPT = 8, 500
"""Measurements and estimates of a tenant."""
_PAGE = 500


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item as JSON, with the answer that it is of (empty: of a file)."""

    item: Mapping[str, Any]
    source: str = ""


@dataclass(frozen=True, slots=True)
class KeptItem:
    """``item`` is None once its measurement has ended. ``score`` is None until it is judged."""

    number: int
    source: str
    item: Mapping[str, Any] | None
    score: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """``figures`` are None until it ends. ``state`` and ``error`` are its job's; ``done`` counts judged items."""

    tenant: str
    id: str
    kind: Asked
    judge: str
    version: str
    asked: Mapping[str, Any]
    figures: Mapping[str, Any] | None
    items: int
    done: int
    created_at: float
    finished_at: float | None
    state: str
    error: str


class Measurements:
    """The measurements of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(
        self, tenant: str, kind: Asked, judge: str, version: str, asked: Mapping[str, Any], new: Sequence[NewItem]
    ) -> str:
        """Queue one, with its items, in one transaction; its id. ``asked`` has the ``key_id`` that is charged.
        Raises ``QuotaExceeded``."""
        name, now = ids.new(PREFIX), time.time()
        # Before the transaction: others wait for the one writer meanwhile.
        told = [
            {
                "tenant": tenant,
                "measurement": name,
                "number": number,
                "source": each.source,
                "item": rows.dump(dict(each.item)),
                "created_at": now,
            }
            for number, each in enumerate(new)
        ]

        def work(connection: sa.Connection) -> None:
            mine = sa.select(sa.func.count()).select_from(table).where(table.c.tenant == tenant)
            if connection.execute(mine).scalar_one() >= MOST_KEPT:
                raise QuotaExceeded(f"{MOST_KEPT} of your measurements are kept, the maximum", remedy="Delete old ones")
            unfinished = mine.where(table.c.figures.is_(None), jobs_table.c.state.in_((WAITING, RUNNING)))
            joined = unfinished.join(jobs_table, _of_job())
            if connection.execute(joined).scalar_one() >= MOST_UNFINISHED:
                raise QuotaExceeded(
                    f"{MOST_UNFINISHED} of your measurements are not finished, the maximum",
                    remedy="Wait for one, or delete one",
                )
            values: dict[str, Any] = {"tenant": tenant, "id": name, "kind": kind, "judge": judge, "version": version}
            values |= {"asked": rows.dump(dict(asked)), "items": len(new), "created_at": now}
            connection.execute(sa.insert(table).values(values))
            if told:
                connection.execute(sa.insert(items), told)
            jobs.insert(connection, tenant, name, KIND, {"key_id": asked["key_id"]})

        await self._database.write(work, durable=True)
        return name

    async def get(self, tenant: str, name: str) -> Measurement:
        """Raises ``NotFound``."""
        found = await self._select(table.c.tenant == tenant, table.c.id == name)
        if not found:
            raise NotFound(f"there is no measurement {name!r}", param="measurement_id")
        return found[0]

    async def page(self, tenant: str, judge: str = "", limit: int = 50) -> list[Measurement]:
        """The latest first."""
        mine = [table.c.tenant == tenant, *([table.c.judge == judge] if judge else [])]
        return await self._select(*mine, limit=limit)

    async def published(self, tenant: str, judge: str, version: str = "") -> Measurement | None:
        """The newest finished measurement of a judge, of that version if given."""
        told = [table.c.tenant == tenant, table.c.judge == judge, table.c.kind == "measure"]
        told += [table.c.version == version] if version else []
        found = await self._select(*told, table.c.figures.is_not(None), limit=1)
        return found[0] if found else None

    async def next_items(self, tenant: str, name: str, limit: int) -> list[KeptItem]:
        """Those that are not judged yet, in order."""
        mine = sa.and_(items.c.tenant == tenant, items.c.measurement == name, items.c.score.is_(None))
        query = sa.select(items).where(mine).order_by(items.c.number).limit(limit)
        return [_item(row) for row in await self._database.read(lambda connection: connection.execute(query).all())]

    async def all_items(self, tenant: str, name: str) -> list[KeptItem]:
        """Every item, in order."""
        found: list[KeptItem] = []
        while True:
            after = found[-1].number if found else -1
            mine = sa.and_(items.c.tenant == tenant, items.c.measurement == name, items.c.number > after)
            query = sa.select(items).where(mine).order_by(items.c.number).limit(_PAGE)
            piece = await self._rows(query)
            found += [_item(row) for row in piece]
            if len(piece) < _PAGE:
                return found

    async def judged(self, job: Job, number: int, score: Mapping[str, Any]) -> bool:
        """Keep the score of an item, while the lease of ``job`` holds; false if it does not."""
        mine = sa.and_(items.c.tenant == job.tenant, items.c.measurement == job.id, items.c.number == number)

        def work(connection: sa.Connection) -> bool:
            if not jobs.lease_holds(connection, job):
                return False
            connection.execute(sa.update(items).where(mine).values(score=rows.dump(dict(score))))
            return True

        return await self._database.write(work, durable=True)

    async def finish(self, job: Job, figures: Mapping[str, Any]) -> None:
        """Publish the figures and delete the texts, while the lease of ``job`` holds."""
        of = sa.and_(table.c.tenant == job.tenant, table.c.id == job.id)
        its = sa.and_(items.c.tenant == job.tenant, items.c.measurement == job.id)

        def work(connection: sa.Connection) -> None:
            if not jobs.lease_holds(connection, job):
                return
            values = {"figures": rows.dump(dict(figures)), "finished_at": time.time()}
            connection.execute(sa.update(table).where(of).values(values))
            connection.execute(sa.update(items).where(its).values(item=""))
            jobs.end(connection, job, DONE)

        await self._database.write(work, durable=True, frees=True)

    async def delete(self, tenant: str, name: str) -> None:
        """With its items. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> bool:
            its = sa.and_(items.c.tenant == tenant, items.c.measurement == name)
            connection.execute(sa.delete(items).where(its))
            connection.execute(sa.delete(jobs_table).where(jobs_table.c.tenant == tenant, jobs_table.c.id == name))
            gone = sa.delete(table).where(table.c.tenant == tenant, table.c.id == name)
            return bool(connection.execute(gone).rowcount)

        if not await self._database.write(work, durable=True, frees=True):
            raise NotFound(f"there is no measurement {name!r}", param="measurement_id")

    async def fail(self, job: Job, state: str, error: str = "") -> None:
        """End it without figures, and delete the texts, while the lease of ``job`` holds."""
        its = sa.and_(items.c.tenant == job.tenant, items.c.measurement == job.id)

        def work(connection: sa.Connection) -> None:
            if jobs.lease_holds(connection, job):
                connection.execute(sa.update(items).where(its).values(item=""))
                jobs.end(connection, job, state, error)

        await self._database.write(work, durable=True, frees=True)

    async def give_turn(self, job: Job) -> None:
        """Put the job behind those that have had fewer turns."""
        its = sa.and_(jobs_table.c.tenant == job.tenant, jobs_table.c.id == job.id)
        values = {"state": WAITING, "owner": "", "lease_until": None, "attempts": 0}

        def work(connection: sa.Connection) -> None:
            if jobs.lease_holds(connection, job):
                behind = sa.update(jobs_table).where(its).values(**values, priority=jobs_table.c.priority - 1)
                connection.execute(behind)

        await self._database.write(work, durable=True)

    async def _rows(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        return await self._database.read(lambda connection: connection.execute(query).all())

    async def _select(self, *conditions: sa.ColumnElement[bool], limit: int = 1) -> list[Measurement]:
        done = (
            sa.select(sa.func.count())
            .where(items.c.tenant == table.c.tenant, items.c.measurement == table.c.id, items.c.score.is_not(None))
            .scalar_subquery()
        )
        joined = table.outerjoin(jobs_table, _of_job())
        query = sa.select(table, jobs_table.c.state, jobs_table.c.error, done.label("done")).select_from(joined)
        query = query.where(*conditions).order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [_measurement(row) for row in found]


def _of_job() -> sa.ColumnElement[bool]:
    return sa.and_(jobs_table.c.tenant == table.c.tenant, jobs_table.c.id == table.c.id)


def _measurement(row: sa.Row[Any]) -> Measurement:
    return Measurement(
        tenant=row.tenant,
        id=row.id,
        kind=row.kind,
        judge=row.judge,
        version=row.version,
        asked=rows.load(row.asked),
        figures=None if row.figures is None else rows.load(row.figures),
        items=row.items,
        done=row.done,
        created_at=row.created_at,
        finished_at=row.finished_at,
        state=row.state or "done",
        error=row.error or "",
    )


def _item(row: sa.Row[Any]) -> KeptItem:
    return KeptItem(
        row.number,
        row.source,
        rows.load(row.item) if row.item else None,
        None if row.score is None else rows.load(row.score),
    )
