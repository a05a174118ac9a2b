"""Imports of a key or a whole tenant: the names of files. What was imported are events, which other rooms erase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.imports.tables import imports
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, owners
from mainspring.stores.sql.database import Database


class ImportsHeld:
    """Imports by a key, or in a whole tenant."""

    name = "imports"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self,
        subject: Subject,
        held: SubjectData,  # noqa: ARG002
        upto: float,
        groups: frozenset[str] | None,
    ) -> Sequence[Mapping[str, Any]]:
        """The records, for keys whose groups are among ``groups``."""

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            if (mine := _mine(connection, subject, upto)) is None:
                return []
            return [
                {"type": "import", "id": row.id, "filename": row.name, "source": row.source, "at": row.created_at}
                for row in connection.execute(sa.select(imports).where(mine))
                if groups is None or frozenset(rows.load(row.groups)) <= groups
            ]

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:  # noqa: ARG002
        """Delete the records. A running import ends with its next piece."""

        def work(connection: sa.Connection) -> int:
            mine = _mine(connection, subject, upto)
            return 0 if mine is None else connection.execute(sa.delete(imports).where(mine)).rowcount

        return await self._database.write(work, durable=True, frees=True)


def _mine(connection: sa.Connection, subject: Subject, upto: float) -> sa.ColumnElement[bool] | None:
    of = sa.and_(imports.c.tenant == subject.tenant, imports.c.created_at <= upto)
    if subject.kind == "key":
        names = owners(connection, subject)
        return sa.and_(of, imports.c.owner.in_(names) | imports.c.key_id.in_(names))
    return of if subject.kind == "tenant" else None


HOLDINGS = (ImportsHeld,)
