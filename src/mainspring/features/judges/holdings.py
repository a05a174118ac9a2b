"""The data of data subjects: items of measurements that were made of their answers, and those of a whole tenant.

Figures are counts over many items and stay; judges are nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from mainspring.features.judges.tables import judge_definitions as definitions
from mainspring.features.judges.tables import judge_items as items
from mainspring.features.judges.tables import judge_measurements as measurements
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, parts
from mainspring.stores.sql.database import Database


class JudgedItems:
    """Items that were made of answers, in all tenants, with their scores."""

    name = "judges"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self,
        subject: Subject,
        held: SubjectData,
        upto: float,
        groups: frozenset[str] | None = None,  # noqa: ARG002
    ) -> Sequence[Mapping[str, Any]]:
        """The items; their texts are the answers', which are found there."""

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            return [
                {"type": "judged_item", "id": f"{row.measurement}/{row.number}", "at": row.created_at, "of": row.source}
                for row in _items(connection, subject, held, upto)
            ]

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete the items; of a tenant its measurements and judges, too."""

        def work(connection: sa.Connection) -> int:
            found = _items(connection, subject, held, upto)
            for row in found:
                mine = sa.and_(items.c.measurement == row.measurement, items.c.number == row.number)
                connection.execute(sa.delete(items).where(items.c.tenant == subject.tenant, mine))
            if subject.kind == "tenant":
                for table in (measurements, definitions):
                    old = sa.and_(table.c.tenant == subject.tenant, table.c.created_at <= upto)
                    connection.execute(sa.delete(table).where(old))
            return len(found)

        return await self._database.write(work, durable=True, frees=True)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """The documents behind these answers are gone: items with their passages go, too."""

        def work(connection: sa.Connection) -> None:
            for part in parts(answers):
                gone = sa.delete(items).where(items.c.tenant == tenant, items.c.source.in_(part))
                connection.execute(gone)

        await self._database.write(work, durable=True, frees=True)


def _items(connection: sa.Connection, subject: Subject, held: SubjectData, upto: float) -> list[Any]:
    columns = items.c.measurement, items.c.number, items.c.source, items.c.created_at
    query = sa.select(*columns).where(items.c.tenant == subject.tenant, items.c.created_at <= upto)
    if subject.kind == "tenant":
        return list(connection.execute(query).all())
    found: list[Any] = []
    for part in parts(sorted(held.answers)):
        found += connection.execute(query.where(items.c.source.in_(part))).all()
    return found


HOLDINGS = (JudgedItems,)
