"""Reads data sets: lists, versions, pages of rows, and what changed between two versions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.types import Principal
from mainspring.evaluation.example_json import kept_example
from mainspring.evaluation.examples import DataSetVersion, Example, HeldExample
from mainspring.features.datasets.tables import data_set_rows as row_table
from mainspring.features.datasets.tables import data_set_sources, data_set_versions, data_sets
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.row_access import RowAccess

AT_ONCE = 500
"""Rows that are read at once."""


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows of a version: those that have everything given."""

    split: str = ""
    group: str = ""
    search: str = ""
    trace_id: str = ""
    source: str = ""
    ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A row that differs between two versions: ``before`` or ``after`` is None where it is absent."""

    id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A row: its example, the version that brought it, and the signature of its words (None: not made yet)."""

    example: Example
    since: int
    signature: bytes | None
    place: int


class Versions:
    """The data sets that a principal may see: a version is for those in all of its groups."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sets(self, principal: Principal, limit: int, after: str = "") -> list[sa.Row[Any]]:
        """Data sets by name, each with its newest version."""

        def work(connection: sa.Connection) -> list[sa.Row[Any]]:
            of = sa.and_(
                data_set_versions.c.tenant == data_sets.c.tenant,
                data_set_versions.c.name == data_sets.c.name,
                data_set_versions.c.number == data_sets.c.newest,
            )
            query = (
                sa.select(data_sets, *_version_columns())
                .join(data_set_versions, of)
                .where(
                    data_sets.c.tenant == principal.tenant,
                    data_sets.c.deleted.is_(False),
                    data_sets.c.kind == "",
                    data_sets.c.name > after,
                    RowAccess(connection, principal.groups).has_all(data_set_versions.c.groups),
                )
                .order_by(data_sets.c.name)
                .limit(limit)
            )
            return list(connection.execute(query).all())

        return await self._database.read(work)

    async def set(self, principal: Principal, name: str) -> sa.Row[Any]:
        """One data set. Raises ``NotFound``."""
        await self.version(principal, name)
        row = await self._database.read(lambda connection: found_set(connection, principal.tenant, name))
        if row is None:
            raise missing(name)
        return row

    async def version(self, principal: Principal, name: str, wanted: int | str | None = None) -> DataSetVersion:
        """The version of that number or tag. Raises ``NotFound``."""
        row = await self.version_row(principal, name, wanted)
        groups = frozenset(rows.load(row.groups))
        return DataSetVersion(name, row.number, row.examples, row.erased, row.fingerprint, groups)

    async def version_row(self, principal: Principal, name: str, wanted: int | str | None = None) -> sa.Row[Any]:
        """The same as a row. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> sa.Row[Any] | None:
            found = found_set(connection, principal.tenant, name)
            if found is None:
                return None
            number = _number(found, wanted)
            query = sa.select(data_set_versions).where(
                data_set_versions.c.tenant == principal.tenant,
                data_set_versions.c.name == name,
                data_set_versions.c.number == number,
                RowAccess(connection, principal.groups).has_all(data_set_versions.c.groups),
            )
            return connection.execute(query).one_or_none()

        row = await self._database.read(work)
        if row is None:
            raise missing(name, wanted)
        return row

    async def history(
        self, principal: Principal, name: str, limit: int, before: int | None = None
    ) -> list[sa.Row[Any]]:
        """The versions of a data set, newest first. Raises ``NotFound``."""
        await self.version(principal, name)

        def work(connection: sa.Connection) -> list[sa.Row[Any]]:
            query = sa.select(data_set_versions).where(
                data_set_versions.c.tenant == principal.tenant,
                data_set_versions.c.name == name,
                RowAccess(connection, principal.groups).has_all(data_set_versions.c.groups),
            )
            if before is not None:
                query = query.where(data_set_versions.c.number < before)
            return list(connection.execute(query.order_by(data_set_versions.c.number.desc()).limit(limit)).all())

        return await self._database.read(work)

    async def page(
        self, principal: Principal, version: DataSetVersion, wanted: RowFilter, limit: int, after: int = 0
    ) -> list[tuple[int, Mapping[str, Any]]]:
        """Rows of a version behind the place ``after``, in order: their places, and the examples as JSON."""
        tenant = principal.tenant
        query = (
            sa.select(row_table.c.place, row_table.c.body)
            .where(in_version(tenant, version.name, version.number), row_table.c.place > after, *_conditions(wanted))
            .order_by(row_table.c.place)
            .limit(limit)
        )
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [(row.place, rows.load(row.body)) for row in found]

    async def made_of(self, principal: Principal, trace_id: str, limit: int) -> list[HeldExample]:
        """See ``evaluation.examples.ExampleLineage``."""
        tenant, of = principal.tenant, row_table.c
        within = sa.select(events.c.id).where(events.c.tenant == tenant, events.c.trace_id == trace_id)
        source = sa.select(data_set_sources.c.name, data_set_sources.c.id).where(
            data_set_sources.c.tenant == tenant, data_set_sources.c.source.in_(within)
        )
        mine = sa.or_(of.trace_id == trace_id, sa.tuple_(of.name, of.id).in_(source))
        newest = sa.func.max(data_set_versions.c.number).label("version")

        def work(connection: sa.Connection) -> list[HeldExample]:
            here = sa.and_(data_sets.c.tenant == of.tenant, data_sets.c.name == of.name)
            has = sa.and_(
                *(data_set_versions.c.tenant == of.tenant, data_set_versions.c.name == of.name),
                *(data_set_versions.c.number >= of.since, data_set_versions.c.number <= data_sets.c.newest),
                sa.or_(of.until.is_(None), data_set_versions.c.number < of.until),
                RowAccess(connection, principal.groups).has_all(data_set_versions.c.groups),
            )
            columns = (of.name, of.place, of.id, of.split, of.since, data_sets.c.newest)
            query = sa.select(*columns, newest).join(data_sets, here).join(data_set_versions, has)
            query = query.where(of.tenant == tenant, data_sets.c.deleted.is_(False), data_sets.c.kind == "", mine)
            query = query.group_by(*columns).order_by(of.name, of.place, of.since).limit(limit)
            # What a later version changed is there twice: its newest form counts.
            found = {(row.name, row.id): row for row in connection.execute(query)}
            return [
                HeldExample(row.name, row.id, row.split, row.since, row.version, row.version == row.newest)
                for row in found.values()
            ]

        return await self._database.read(work)

    async def at(self, principal: Principal, version: DataSetVersion, share: float) -> Example | None:
        """The example at this share of the order of those that are left; None if none is."""
        mine = in_version(principal.tenant, version.name, version.number)

        def work(connection: sa.Connection) -> str | None:
            count = connection.execute(sa.select(sa.func.count()).select_from(row_table).where(mine)).scalar_one()
            query = sa.select(row_table.c.body).where(mine).order_by(row_table.c.place)
            return connection.execute(query.offset(min(int(share * count), max(0, count - 1))).limit(1)).scalar()

        body = await self._database.read(work)
        return None if body is None else kept_example(rows.load(body))

    async def stream(self, principal: Principal, version: DataSetVersion) -> AsyncIterator[tuple[int, Example]]:
        """All examples of a version with their places, read in pieces."""
        after = 0
        while True:
            found = await self.page(principal, version, RowFilter(), AT_ONCE, after)
            for place, body in found:
                yield place, kept_example(body)
            if len(found) < AT_ONCE:
                return
            after = found[-1][0]

    async def draft_rows(self, tenant: str, name: str, number: int) -> AsyncIterator[Sequence[KeptRow]]:
        """The rows of a version that may still be being written, in pieces."""
        columns = (row_table.c.place, row_table.c.since, row_table.c.body, row_table.c.signature)
        query = sa.select(*columns).where(in_version(tenant, name, number)).order_by(row_table.c.place).limit(AT_ONCE)
        after = 0
        while True:
            piece = query.where(row_table.c.place > after)
            found = await self._database.read(partial(_all, query=piece))
            yield [KeptRow(kept_example(rows.load(row.body)), row.since, row.signature, row.place) for row in found]
            if len(found) < AT_ONCE:
                return
            after = found[-1].place

    async def draft(self, principal: Principal, name: str, number: int) -> AsyncIterator[tuple[int, Example]]:
        """The examples of a version that may still be being written, with their places."""
        async for piece in self.draft_rows(principal.tenant, name, number):
            for each in piece:
                yield each.place, each.example

    async def changes(
        self, principal: Principal, name: str, old: int, new: int, limit: int, after: str = ""
    ) -> tuple[list[Change], str | None]:
        """What differs between two versions, by id, and the id behind which it goes on (None: nothing more)."""
        tenant = principal.tenant
        low, high = sorted((old, new))
        moved = sa.or_(
            sa.and_(row_table.c.since > low, row_table.c.since <= high),
            sa.and_(row_table.c.until > low, row_table.c.until <= high),
        )
        of = sa.and_(row_table.c.tenant == tenant, row_table.c.name == name)

        def work(connection: sa.Connection) -> tuple[list[Change], str | None]:
            ids = sa.select(row_table.c.id).distinct().where(of, moved, row_table.c.id > after)
            found: list[Change] = []
            wanted = list(connection.execute(ids.order_by(row_table.c.id).limit(limit)).scalars())
            sides = [
                {
                    row.id: row.body
                    for row in connection.execute(
                        sa.select(row_table.c.id, row_table.c.body).where(
                            in_version(tenant, name, number), row_table.c.id.in_(wanted)
                        )
                    )
                }
                for number in (old, new)
            ]
            for each in wanted:
                before, then = (side.get(each) for side in sides)
                if before != then:
                    found.append(Change(each, before and rows.load(before), then and rows.load(then)))
            return found, wanted[-1] if len(wanted) == limit else None

        return await self._database.read(work)


def in_version(tenant: str, name: str, number: int) -> sa.ColumnElement[bool]:
    """The condition of the rows of a version."""
    return sa.and_(
        row_table.c.tenant == tenant,
        row_table.c.name == name,
        row_table.c.since <= number,
        sa.or_(row_table.c.until.is_(None), row_table.c.until > number),
    )


def found_set(connection: sa.Connection, tenant: str, name: str, *, lock: bool = False) -> sa.Row[Any] | None:
    """The row of a data set that is not deleted."""
    query = sa.select(data_sets).where(data_sets.c.tenant == tenant, data_sets.c.name == name)
    found = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if found is None or found.deleted else found


def missing(name: str, wanted: int | str | None = None) -> NotFound:
    """The error for a data set, or a version of it, that is not there or may not be seen."""
    version = "" if wanted is None else f"@{wanted}"
    return NotFound(f"there is no data set {name + version:.200}", param="name")


def check_name(name: str, kind: str = "") -> None:
    """Raises ``InvalidRequest`` for what is no name of a data set."""
    plain_name = name.replace("-", "").replace("_", "").replace(".", "").replace(":", "" if kind else ":")
    if not (0 < len(name) <= 128 and plain_name.isascii() and plain_name.isalnum()):
        raise InvalidRequest("a data set has a name of at most 128 letters, digits, '-', '_' and '.'", param="name")


def parsed(text: str) -> tuple[str, int | str | None]:
    """``NAME``, ``NAME@3`` or ``NAME@TAG``. Raises ``InvalidRequest``."""
    name, at, version = text.partition("@")
    if not name or (at and not version):
        raise InvalidRequest(f"{text:.100} names no data set", remedy="Write NAME, NAME@VERSION or NAME@TAG")
    return name, (int(version) if version.isdigit() else version or None)


def _all(connection: sa.Connection, query: sa.Select[Any]) -> Sequence[Any]:
    return connection.execute(query).all()


def _number(found: sa.Row[Any], wanted: int | str | None) -> int:
    if wanted is None:
        return int(found.newest)
    if isinstance(wanted, str):
        return int(rows.load(found.tags).get(wanted, 0))
    # A version that is still being written is not there yet.
    return wanted if wanted <= found.newest else 0


def _version_columns() -> list[sa.ColumnElement[Any]]:
    names = ("number", "examples", "erased", "fingerprint", "shares", "groups", "note")
    return [data_set_versions.c[name].label(name) for name in names]


def _conditions(wanted: RowFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    for column, value in (
        (row_table.c.split, wanted.split),
        (row_table.c.cluster, wanted.group),
        (row_table.c.trace_id, wanted.trace_id),
    ):
        if value:
            found.append(column == value)
    if wanted.search:
        written = rows.dump(wanted.search)[1:-1]
        found.append(row_table.c.body.icontains(written, autoescape=True))
    if wanted.ids:
        found.append(row_table.c.id.in_(list(wanted.ids)))
    if wanted.source:
        source = sa.select(sa.literal(1)).where(
            data_set_sources.c.tenant == row_table.c.tenant,
            data_set_sources.c.source == wanted.source,
            data_set_sources.c.name == row_table.c.name,
            data_set_sources.c.id == row_table.c.id,
        )
        found.append(source.exists())
    return found
