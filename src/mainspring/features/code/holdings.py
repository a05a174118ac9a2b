"""Workspaces of data subjects: those that a key made, and all of a tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.code.index import workspaces as store
from mainspring.features.code.tables import code_files, code_workspaces
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, owners
from mainspring.stores.sql.database import Database


class IndexedCode:
    """Workspaces with their files."""

    name = "code_workspaces"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self,
        subject: Subject,
        held: SubjectData,  # noqa: ARG002
        upto: float,
        groups: frozenset[str] | None,
    ) -> Sequence[Mapping[str, Any]]:
        """The files, of workspaces whose groups are among ``groups``."""

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            found = connection.execute(sa.select(code_workspaces).where(_mine(connection, subject, upto))).all()
            seen = [row for row in found if groups is None or frozenset(rows.load(row.groups)) <= groups]
            return [
                {
                    "type": "code_file",
                    "workspace_id": row.id,
                    "workspace": row.name,
                    "path": file.path,
                    "at": file.updated_at,
                    "text": file.text,
                }
                for row in seen
                for file in connection.execute(
                    sa.select(code_files).where(
                        code_files.c.tenant == subject.tenant, code_files.c.workspace_id == row.id
                    )
                )
            ]

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:  # noqa: ARG002
        """Delete the workspaces; how many files they had. Can be done again."""

        def work(connection: sa.Connection) -> int:
            found = sa.select(code_workspaces.c.id).where(_mine(connection, subject, upto))
            return store.delete_workspaces(connection, subject.tenant, list(connection.execute(found).scalars()))

        return await self._database.write(work, durable=True)


def _mine(connection: sa.Connection, subject: Subject, upto: float) -> sa.ColumnElement[bool]:
    mine = sa.and_(code_workspaces.c.tenant == subject.tenant, code_workspaces.c.created_at <= upto)
    if subject.kind == "tenant":
        return mine
    if subject.kind != "key":
        return sa.false()
    return sa.and_(mine, code_workspaces.c.owner.in_(owners(connection, subject)))


HOLDINGS = (IndexedCode,)
