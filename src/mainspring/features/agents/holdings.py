"""Agents that a whole tenant has made. Those of one key stay: they serve its tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.agents.tables import agent_versions as versions
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.sql.database import Database


class AgentsHeld:
    """The definitions of a tenant's agents."""

    name = "agents"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self,
        subject: Subject,
        held: SubjectData,  # noqa: ARG002
        upto: float,
        groups: frozenset[str] | None,
    ) -> Sequence[Mapping[str, Any]]:
        """All versions, of keys whose groups are among ``groups``."""
        if subject.kind != "tenant":
            return []
        query = sa.select(versions).where(_mine(subject, upto))
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [
            {
                "type": "agent",
                "id": row.name,
                "version": row.version,
                "at": row.created_at,
                "definition": rows.load(row.definition),
            }
            for row in found
            if groups is None or frozenset(rows.load(row.groups)) <= groups
        ]

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:  # noqa: ARG002
        """Delete them."""
        if subject.kind != "tenant":
            return 0
        query = sa.delete(versions).where(_mine(subject, upto))
        return await self._database.write(lambda connection: int(connection.execute(query).rowcount), durable=True)


def _mine(subject: Subject, upto: float) -> sa.ColumnElement[bool]:
    return sa.and_(versions.c.tenant == subject.tenant, versions.c.created_at <= upto)


HOLDINGS = (AgentsHeld,)
