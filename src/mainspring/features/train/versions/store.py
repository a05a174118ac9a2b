"""Versions of what was trained, in the database."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, NotFound, QuotaExceeded
from mainspring.features.train.jobs.orders import label_of, usable
from mainspring.features.train.jobs.store import ERASED, ROWS_ERASED
from mainspring.features.train.tables import training_jobs, training_sources, training_versions
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.sql import pages
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice
from mainspring.stores.sql.row_access import RowAccess
from mainspring.training.ports import Version
from mainspring.training.recipe import Made

Row = sa.Row[Any]
HERE = ("making", "ready")
_PAGE = 100
_ENTERED = re.compile(r"(.+)\.v(\d{1,18})\.[0-9a-f]{8}")


class VersionStore:
    """The versions of each tenant. ``groups`` None: for every caller."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most

    async def number(self, job: Row, made: Made) -> int:
        """The number of what a job made, taken once for each job. Raises ``QuotaExceeded``, ``Conflict`` if rows that
        it was trained on were erased meanwhile, or the job is gone."""
        of = training_versions.c

        def work(connection: sa.Connection) -> int:
            sql.lock(connection, f"training versions {job.tenant}")
            _may_be_kept(connection, job)
            mine = sa.select(of.number).where(of.tenant == job.tenant, of.job == job.id)
            known = connection.execute(mine).scalar()
            if known is not None:
                return int(known)
            counted = sa.select(sa.func.count()).select_from(training_versions)
            kept = counted.where(of.tenant == job.tenant, of.state.in_(HERE))
            if connection.execute(kept).scalar_one() >= self._most:
                raise QuotaExceeded(
                    f"{self._most} versions are kept, the maximum", remedy="Delete some, then resume the job"
                )
            newest = sa.select(sa.func.max(of.number)).where(of.tenant == job.tenant, of.name == job.name)
            number = int(connection.execute(newest).scalar() or 0) + 1
            asked = rows.load(job.asked)
            values = {
                "tenant": job.tenant,
                "name": job.name,
                "number": number,
                "state": "making",
                "makes": made.makes,
                "recipe": job.recipe,
                "job": job.id,
                "export": asked["export"],
                "base": job.base,
                "made": rows.dump(dataclasses.asdict(made)),
                "data": job.data,
                "asked": job.asked,
                "groups": job.groups,
                "owner": job.owner,
                "created_at": time.time(),
            }
            connection.execute(sa.insert(training_versions).values(**values))
            return number

        return await self._database.write(work, durable=True)

    async def ready(self, job: Row, number: int) -> None:
        """Its files are in place. Raises ``Conflict`` as ``number`` does; the version is deleted then."""
        mine = sa.and_(_is(job.tenant, job.name, number), training_versions.c.state == "making")

        def work(connection: sa.Connection) -> Conflict | None:
            try:
                _may_be_kept(connection, job)
            except Conflict as error:
                connection.execute(sa.update(training_versions).where(mine).values(state="deleted", made="{}"))
                return error
            # What it was made from may have become stale before its run, or meanwhile.
            stale = _inherited(connection, job)
            more = {"stale": stale, "stale_at": time.time()} if stale else {}
            connection.execute(sa.update(training_versions).where(mine).values(state="ready", **more))
            return None

        if (refused := await self._database.write(work, durable=True)) is not None:
            raise refused

    async def change(self, tenant: str, name: str, number: int, **values: Any) -> None:
        """Set columns of a version that do not say what it is."""
        query = sa.update(training_versions).where(_is(tenant, name, number)).values(**values)
        await self._database.write(lambda connection: connection.execute(query) and None, durable=True)

    async def serve(self, tenant: str, name: str, number: int, served: str) -> bool:
        """Note the name under which a version is in the catalogue; False if it was withdrawn or deleted meanwhile."""
        of = training_versions.c
        there = sa.and_(_is(tenant, name, number), of.withdrawn_at.is_(None), of.state == "ready")
        query = sa.update(training_versions).where(there).values(served=served, problem="")
        return bool(await self._database.write(lambda connection: connection.execute(query).rowcount, durable=True))

    async def find(self, tenant: str, label: str, groups: frozenset[str] | None = None) -> Row:
        """By ``NAME@NUMBER``, or the newest of NAME. Raises ``InvalidRequest``, ``NotFound``."""
        name, number = label_of(label)
        of = training_versions.c

        def work(connection: sa.Connection) -> Row | None:
            query = sa.select(training_versions).where(of.tenant == tenant, of.name == name, of.state == "ready")
            if number is not None:
                query = query.where(of.number == number)
            if groups is not None:
                query = query.where(RowAccess(connection, groups).has_all(of.groups))
            return connection.execute(query.order_by(of.number.desc()).limit(1)).one_or_none()

        row = await self._database.read(work)
        if row is None:
            remedy = "`mainspring train versions` lists them"
            raise NotFound(f"there is no version {label:.100}", remedy=remedy, param="version")
        return row

    async def row(self, tenant: str, name: str, number: int) -> Row:
        """In whatever state. Raises ``NotFound``."""
        query = sa.select(training_versions).where(_is(tenant, name, number))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"there is no version {name}@{number}", param="version")
        return row

    async def of_job(self, tenant: str, job_id: str) -> Row | None:
        """What a job made; None: nothing yet."""
        of = training_versions.c
        query = sa.select(training_versions).where(of.tenant == tenant, of.job == job_id)
        return await self._database.read(lambda connection: connection.execute(query).one_or_none())

    async def page(self, tenant: str, page: Page, groups: frozenset[str] | None, name: str = "") -> Slice[Row]:
        """The newest first. Cursors are ``NAME@NUMBER``."""
        of = training_versions.c

        def work(connection: sa.Connection) -> Slice[Row]:
            query = sa.select(training_versions).where(of.tenant == tenant, of.state == "ready")
            if name:
                query = query.where(of.name == name)
            if groups is not None:
                query = query.where(RowAccess(connection, groups).has_all(of.groups))

            def place(cursor: str) -> tuple[Any, ...] | None:
                known, number = label_of(cursor)
                row = connection.execute(sa.select(of.created_at).where(_is(tenant, known, number or 0))).one_or_none()
                return None if row is None else (row.created_at, known, number)

            return pages.read(connection, query, (of.created_at, of.name, of.number), page, place)

        return await self._database.read(work)

    async def of_kinds(
        self, tenant: str, makes: Sequence[str], groups: frozenset[str], limit: int, *, stale: bool
    ) -> list[Row]:
        """The newest of these kinds, at most ``limit``, but for adapters that are not merged. ``stale``: such ones,
        too."""
        of = training_versions.c

        def work(connection: sa.Connection) -> list[Row]:
            query = sa.select(training_versions).where(of.tenant == tenant, of.state == "ready", of.makes.in_(makes))
            query = query.where(sa.or_(of.makes != "adapter", of.served != ""))
            query = query.where(RowAccess(connection, groups).has_all(of.groups))
            if not stale:
                query = query.where(of.stale == "")
            newest = query.order_by(of.created_at.desc(), of.name, of.number.desc())
            return list(connection.execute(newest.limit(limit)).all())

        return await self._database.read(work)

    async def every(self, tenant: str, groups: frozenset[str] | None = None) -> AsyncIterator[Row]:
        """The newest first."""
        page = Page(_PAGE)
        while True:
            found = await self.page(tenant, page, groups)
            for row in found.rows:
                yield row
            if not found.more:
                return
            page = Page(_PAGE, after=f"{found.rows[-1].name}@{found.rows[-1].number}")

    async def in_service(self) -> list[Row]:
        """Those of all tenants that are served."""
        of = training_versions.c
        query = sa.select(training_versions).where(of.served != "", of.state == "ready", of.withdrawn_at.is_(None))
        return list(await self._database.read(lambda connection: connection.execute(query).all()))

    async def stale(self) -> list[Row]:
        """Those of all tenants that are made of rows that are gone, and are not withdrawn."""
        of = training_versions.c
        query = sa.select(training_versions).where(of.stale != "", of.state == "ready", of.withdrawn_at.is_(None))
        return list(await self._database.read(lambda connection: connection.execute(query).all()))

    async def gone(self, names: Set[str], name_of: Callable[[Row], str]) -> list[str]:
        """Those of these names in the catalogue, which ``name_of`` gives a version, that none may have any more."""
        of = training_versions.c
        found = [match for name in sorted(names) if (match := _ENTERED.fullmatch(name))]

        def work(connection: sa.Connection) -> list[str]:
            may = set[str]()
            for part in parts(found):
                wanted = sa.tuple_(of.name, of.number).in_([(each[1], int(each[2])) for each in part])
                here = sa.select(training_versions).where(wanted, of.withdrawn_at.is_(None))
                rows_here = connection.execute(here.where(of.state.in_(HERE)))
                may |= {name_of(row) for row in rows_here}
            return [each[0] for each in found if each[0] not in may]

        return await self._database.read(work)

    async def bury(self, may: Callable[[Row], bool]) -> None:
        """Forget the versions that were erased with their tenants, if they ``may`` be forgotten."""
        of = training_versions.c

        def work(connection: sa.Connection) -> None:
            for row in connection.execute(sa.select(training_versions).where(of.state == "erased")).all():
                if may(row):
                    connection.execute(sa.delete(training_versions).where(_is(row.tenant, row.name, row.number)))

        await self._database.write(work, durable=True)

    async def of_source(self, tenant: str, source: str, groups: frozenset[str] | None = None) -> list[Row]:
        """The versions that are made of an answer, a trace, an event or an export, and those made from these."""
        of = training_versions.c

        def work(connection: sa.Connection) -> list[Row]:
            jobs = sa.select(training_sources.c.job).where(
                training_sources.c.tenant == tenant, training_sources.c.source == source
            )
            query = sa.select(training_versions).where(of.tenant == tenant, of.state == "ready")
            if groups is not None:
                query = query.where(RowAccess(connection, groups).has_all(of.groups))
            found = list(connection.execute(query.where(sa.or_(of.job.in_(jobs), of.export == source))).all())
            return [*found, *_descended(connection, found, query)]

        return await self._database.read(work)

    async def sources(self, tenant: str, job: str, limit: int) -> list[tuple[str, str]]:
        """What a job's rows are made of, with its kind, and at most ``limit``."""
        of = training_sources.c
        query = sa.select(of.source, of.kind).where(of.tenant == tenant, of.job == job).order_by(of.kind, of.source)
        found = await self._database.read(lambda connection: connection.execute(query.limit(limit)).all())
        return [(row.source, row.kind) for row in found]


def _may_be_kept(connection: sa.Connection, job: Row) -> None:
    """Raises ``Conflict`` if rows of the job were erased while it worked: nothing would mark its version."""
    of = training_jobs.c
    query = sa.select(of.wish).where(of.tenant == job.tenant, of.id == job.id).with_for_update()
    wish = connection.execute(query).scalar_one_or_none()
    if wish is None or wish == ERASED:
        raise Conflict(f"no version is kept: {ROWS_ERASED['message']}")


def made_of(connection: sa.Connection, tenant: str, answers: Sequence[str]) -> tuple[list[tuple[str, str]], list[Row]]:
    """The jobs (id, state) that read rows of these answers, and the versions that come of them."""
    of = training_versions.c
    jobs: dict[str, str] = {}
    for part in parts(list(answers)):
        query = (
            sa.select(training_jobs.c.id, training_jobs.c.state)
            .join(
                training_sources,
                sa.and_(
                    training_sources.c.tenant == training_jobs.c.tenant, training_sources.c.job == training_jobs.c.id
                ),
            )
            .where(training_jobs.c.tenant == tenant, training_sources.c.source.in_(part))
            .distinct()
        )
        jobs.update({row.id: row.state for row in connection.execute(query)})
        own = sa.select(training_sources.c.job).where(
            training_sources.c.tenant == tenant, training_sources.c.source.in_(part)
        )
        for row in connection.execute(sa.select(of.job).where(of.tenant == tenant, of.job.in_(own)).distinct()):
            jobs.setdefault(row.job, "")
    query = sa.select(training_versions).where(of.tenant == tenant)
    found: list[Row] = []
    for part in parts(sorted(jobs)):
        found += list(connection.execute(query.where(of.job.in_(part))))
    return sorted(jobs.items()), [*found, *_descended(connection, found, query)]


def _descended(connection: sa.Connection, found: Sequence[Row], query: sa.Select[Any]) -> list[Row]:
    """The versions that were made from these, and from those: on them as a base, or as an option names them."""
    of = training_versions.c
    known = {(row.name, row.number) for row in found}
    fresh, made = list(found), []
    by_option = _by_option(connection, query) if found else {}
    while fresh:
        labels = [f"{row.name}@{row.number}" for row in fresh]
        named = sorted({each for label in labels for each in by_option.get(label, ())})
        wanted = [of.base.in_(part) for part in parts(labels)]
        wanted += [sa.tuple_(of.name, of.number).in_(part) for part in parts(named)]
        fresh = []
        for each in wanted:
            for row in connection.execute(query.where(each)):
                if (row.name, row.number) not in known:
                    known.add((row.name, row.number))
                    fresh.append(row)
        made += fresh
    return made


def _by_option(connection: sa.Connection, query: sa.Select[Any]) -> dict[str, list[tuple[str, int]]]:
    """The versions whose options name others, by the label that they name."""
    of = training_versions.c
    found: dict[str, list[tuple[str, int]]] = {}
    for row in connection.execute(query.with_only_columns(of.name, of.number, of.asked).where(of.asked.like("%@%"))):
        for label in named_versions(rows.load(row.asked)).values():
            found.setdefault(label, []).append((row.name, row.number))
    return found


def named_versions(asked: Mapping[str, Any]) -> dict[str, str]:
    """The versions that the options of an order name, such as ``start``, ``teacher`` or ``value.model``, by option."""
    found: dict[str, str] = {}
    waiting: list[tuple[str, Any]] = list((asked.get("options") or {}).items())
    while waiting:
        name, value = waiting.pop(0)
        if isinstance(value, Mapping):
            waiting += [(f"{name}.{key}", each) for key, each in value.items()]
        elif isinstance(value, str) and usable(value):
            found[name] = value
    return found


def _inherited(connection: sa.Connection, job: Row) -> str:
    """Why a version that a job was made from is stale; empty: none is."""
    of = training_versions.c
    for label in (job.base, *named_versions(rows.load(job.asked)).values()):
        if usable(label):
            name, number = label_of(label)
            stale = connection.execute(sa.select(of.stale).where(_is(job.tenant, name, number or 0))).scalar()
            if stale:
                return str(stale)
    return ""


def version_of(row: Row, folder: Path) -> Version:
    """The row as others see it."""
    told: Mapping[str, Any] = rows.load(row.made)
    intervals = {name: (each[0], each[1]) for name, each in told["intervals"].items()}
    made = Made(**{**told, "files": tuple(told["files"]), "notes": tuple(told["notes"]), "intervals": intervals})
    served = f"{row.name}@{row.number}" if row.served and row.withdrawn_at is None else ""
    return Version(
        row.tenant,
        row.name,
        row.number,
        made.makes,
        made,
        folder,
        row.recipe,
        row.job,
        row.export,
        row.base,
        served,
        row.created_at,
        row.stale,
        row.withdrawn_at is not None,
        groups=frozenset(rows.load(row.groups)),
        candidate=bool(rows.load(row.asked).get("candidate")),
    )


def _is(tenant: str, name: str, number: int) -> sa.ColumnElement[bool]:
    of = training_versions.c
    return sa.and_(of.tenant == tenant, of.name == name, of.number == number)
