"""Artifacts of data subjects: those of a key or of a tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from mainspring.features.toolsets.tables import artifacts
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, owners
from mainspring.stores.sql.database import Database


class KeptArtifacts:
    """The artifacts, in all tenants."""

    name = "artifacts"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self,
        subject: Subject,
        held: SubjectData,  # noqa: ARG002
        upto: float,
        groups: frozenset[str] | None = None,  # noqa: ARG002
    ) -> Sequence[Mapping[str, Any]]:
        """The artifacts with their text."""

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            mine = _of(connection, subject, upto)
            if mine is None:
                return []
            return [
                {
                    "type": "artifact",
                    "id": row.id,
                    "name": row.name,
                    "at": row.created_at,
                    "text": bytes(row.data).decode("utf-8", "replace"),
                }
                for row in connection.execute(sa.select(artifacts).where(mine))
            ]

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:  # noqa: ARG002
        """Delete them; how many."""

        def work(connection: sa.Connection) -> int:
            mine = _of(connection, subject, upto)
            return 0 if mine is None else connection.execute(sa.delete(artifacts).where(mine)).rowcount

        return await self._database.write(work, durable=True)


def _of(connection: sa.Connection, subject: Subject, upto: float) -> Any:
    """Which artifacts are the subject's; None: it has none of its own."""
    mine = sa.and_(artifacts.c.tenant == subject.tenant, artifacts.c.created_at <= upto)
    if subject.kind == "key":
        return sa.and_(mine, artifacts.c.owner.in_(owners(connection, subject)))
    return mine if subject.kind == "tenant" else None


HOLDINGS = (KeptArtifacts,)
