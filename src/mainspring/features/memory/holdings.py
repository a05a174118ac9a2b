"""The memory's data of data subjects: facts about a user or of a key, and those that came from answers of a subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.memory.tables import memories, memory_forgotten, memory_people
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, owners, parts
from mainspring.stores.sql.database import Database


class PersonalMemories:
    """Facts about persons with their vectors and history, consent, and marks of forgotten facts, in all tenants."""

    name = "memories"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The facts, superseded ones too, that a caller with groups among ``groups`` told."""

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            found = _facts(connection, subject, held, upto)
            return [_body(row) for row in found if groups is None or frozenset(rows.load(row.groups)) <= groups]

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete the facts; for a user, a key or a tenant the consent and the marks of forgotten facts, too."""

        def work(connection: sa.Connection) -> int:
            names = [row.id for row in _facts(connection, subject, held, upto)]
            for part in parts(names):
                mine = sa.and_(memories.c.tenant == subject.tenant, memories.c.id.in_(part))
                connection.execute(sa.delete(memories).where(mine))
            for table, moment in ((memory_people, "changed_at"), (memory_forgotten, "at")):
                whose = _whose(connection, table, subject)
                if whose is not None:
                    connection.execute(sa.delete(table).where(whose, table.c[moment] <= upto))
            return len(names)

        return await self._database.write(work, durable=True, frees=True)


def _whose(connection: sa.Connection, table: sa.Table, subject: Subject) -> sa.ColumnElement[bool] | None:
    """The rows of a person, a key's persons or a tenant; None for other subjects."""
    mine = table.c.tenant == subject.tenant
    if subject.kind == "tenant":
        return mine
    if subject.kind == "user":
        return sa.and_(mine, table.c.person == subject.id, table.c.person != "")
    if subject.kind == "key":
        return sa.and_(mine, table.c.owner.in_(owners(connection, subject)))
    return None


def _facts(connection: sa.Connection, subject: Subject, held: SubjectData, upto: float) -> list[sa.Row[Any]]:
    """The subject's facts and those that its answers brought, each once."""
    query = sa.select(memories).where(memories.c.tenant == subject.tenant, memories.c.at <= upto)
    found: dict[str, sa.Row[Any]] = {}
    whose = _whose(connection, memories, subject)
    if whose is not None:
        found |= {row.id: row for row in connection.execute(query.where(whose))}
    for part in parts(sorted(held.answers)):
        found |= {row.id: row for row in connection.execute(query.where(memories.c.answer_id.in_(part)))}
    if subject.kind == "session":
        found |= {row.id: row for row in connection.execute(query.where(memories.c.session_id == subject.id))}
    return list(found.values())


def _body(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "type": "memory",
        "id": row.id,
        "text": row.text,
        "kind": row.kind,
        "origin": row.origin,
        "user": row.person,
        "session_id": row.session_id,
        "at": row.at,
        "superseded_by": row.superseded_by,
        "superseded_at": row.superseded_at,
    }


HOLDINGS = (PersonalMemories,)
