"""The data of data subjects in data sets: examples made of their answers, or under their names; and what repeats
documents.

An erased example is gone from all versions. A version keeps its number and its fingerprint, and says how many examples
it has lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.datasets.tables import data_set_rows, data_set_sources, data_set_versions, data_sets
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, parts
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.row_access import RowAccess


class DataSetRows:
    """Rows of data sets, in all tenants."""

    name = "data_sets"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self,
        subject: Subject,
        held: SubjectData,
        upto: float,  # noqa: ARG002
        groups: frozenset[str] | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        """The latest form of each example, of data sets that ``groups`` may see."""

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            seen = _seen(connection, subject.tenant, groups)
            found = {(row.name, row.id): row for row in _rows(connection, subject, held)}
            return [
                {"type": "data_set_example", "data_set": row.name, "example": rows.load(row.body)}
                for row in found.values()
                if row.name in seen
            ]

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:  # noqa: ARG002
        """Delete the examples from all versions; how many."""

        def work(connection: sa.Connection) -> int:
            if subject.kind == "tenant":
                return _all(connection, subject.tenant)
            found = _rows(connection, subject, held)
            _delete(connection, subject.tenant, found)
            return len({(row.name, row.id) for row in found})

        return await self._database.write(work, durable=True, frees=True)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """The documents behind these answers are gone: examples that repeat them go, too."""

        def work(connection: sa.Connection) -> None:
            _delete(connection, tenant, _of_answers(connection, tenant, answers))

        await self._database.write(work, durable=True, frees=True)

    async def forget_documents(self, tenant: str, documents: Sequence[str]) -> None:
        """These documents or collections are gone: examples that repeat their text go, too."""

        def work(connection: sa.Connection) -> None:
            found = _of_answers(connection, tenant, documents)
            # The group of a suite's example is its document; older ones do not say it elsewhere.
            mine = sa.select(data_set_rows).where(data_set_rows.c.tenant == tenant, data_set_rows.c.cluster != "")
            for part in parts(documents):
                found += connection.execute(mine.where(data_set_rows.c.cluster.in_(part))).all()
            _delete(connection, tenant, found)

        await self._database.write(work, durable=True, frees=True)


def _seen(connection: sa.Connection, tenant: str, groups: frozenset[str] | None) -> set[str]:
    query = sa.select(data_set_versions.c.name).distinct().where(data_set_versions.c.tenant == tenant)
    if groups is not None:
        query = query.where(RowAccess(connection, groups).has_all(data_set_versions.c.groups))
    return set(connection.execute(query).scalars())


def _rows(connection: sa.Connection, subject: Subject, held: SubjectData) -> list[sa.Row[Any]]:
    found = _of_answers(connection, subject.tenant, sorted(held.answers))
    query = sa.select(data_set_rows).where(data_set_rows.c.tenant == subject.tenant)
    if subject.kind == "tenant":
        return list(connection.execute(query.order_by(data_set_rows.c.since)).all())
    if subject.kind == "user":
        named = query.where(data_set_rows.c.person == subject.id, data_set_rows.c.person != "")
        found += connection.execute(named).all()
    traces = sorted({each.trace_id for each in held.answers.values() if each.trace_id})
    for part in parts(traces):
        found += connection.execute(query.where(data_set_rows.c.trace_id.in_(part))).all()
    return sorted({(row.name, row.id, row.since): row for row in found}.values(), key=lambda row: row.since)


def _of_answers(connection: sa.Connection, tenant: str, answers: Sequence[str]) -> list[sa.Row[Any]]:
    of = sa.and_(
        data_set_sources.c.tenant == data_set_rows.c.tenant,
        data_set_sources.c.name == data_set_rows.c.name,
        data_set_sources.c.id == data_set_rows.c.id,
    )
    query = sa.select(data_set_rows).join(data_set_sources, of).where(data_set_rows.c.tenant == tenant)
    found: list[sa.Row[Any]] = []
    for part in parts(answers):
        found += connection.execute(query.where(data_set_sources.c.source.in_(part))).all()
    return found


def _delete(connection: sa.Connection, tenant: str, found: Sequence[sa.Row[Any]]) -> None:
    gone = {(row.name, row.id, row.since): row for row in found}
    for row in gone.values():
        one = sa.and_(
            data_set_rows.c.tenant == tenant,
            data_set_rows.c.name == row.name,
            data_set_rows.c.id == row.id,
            data_set_rows.c.since == row.since,
        )
        if not connection.execute(sa.delete(data_set_rows).where(one)).rowcount:
            continue
        within = sa.and_(
            data_set_versions.c.tenant == tenant,
            data_set_versions.c.name == row.name,
            data_set_versions.c.number >= row.since,
        )
        if row.until is not None:
            within = sa.and_(within, data_set_versions.c.number < row.until)
        more = data_set_versions.c.erased + 1
        connection.execute(sa.update(data_set_versions).where(within).values(erased=more))
        less = sa.update(data_sets).where(data_sets.c.tenant == tenant, data_sets.c.name == row.name)
        connection.execute(less.values(rows=data_sets.c.rows - 1))
        source = sa.and_(
            data_set_sources.c.tenant == tenant,
            data_set_sources.c.name == row.name,
            data_set_sources.c.id == row.id,
        )
        connection.execute(sa.delete(data_set_sources).where(source))


def _all(connection: sa.Connection, tenant: str) -> int:
    count = connection.execute(sa.delete(data_set_rows).where(data_set_rows.c.tenant == tenant)).rowcount
    for table in (data_set_sources, data_set_versions, data_sets):
        connection.execute(sa.delete(table).where(table.c.tenant == tenant))
    return count


HOLDINGS = (DataSetRows,)
