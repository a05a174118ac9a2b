"""Data of data subjects in tasks: those whose answers were for them, and those of their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.a2a.tables import a2a_tasks as tasks
from mainspring.features.a2a.tasks import store
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, owners
from mainspring.stores.sql.database import Database


class A2aTasks:
    """The tasks of agents over A2A, in all tenants."""

    name = "a2a_tasks"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The tasks, of keys whose groups are among ``groups``."""

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            found = _tasks(connection, subject, held, upto)
            seen = [row for row in found if groups is None or frozenset(rows.load(row.groups)) <= groups]
            return [
                {
                    "type": "a2a_task",
                    "id": row.id,
                    "at": row.created_at,
                    "agent": row.agent,
                    "task": rows.load(row.task),
                }
                for row in seen
            ]

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete the tasks with their webhooks; how many."""

        def work(connection: sa.Connection) -> int:
            found = [row.id for row in _tasks(connection, subject, held, upto)]
            for task_id in found:
                store.delete_tasks(connection, subject.tenant, [task_id])
            return len(found)

        return await self._database.write(work, durable=True)


def _tasks(connection: sa.Connection, subject: Subject, held: SubjectData, upto: float) -> list[sa.Row[Any]]:
    mine = sa.and_(tasks.c.tenant == subject.tenant, tasks.c.created_at <= upto)
    if subject.kind == "key":
        return list(connection.execute(sa.select(tasks).where(mine, tasks.c.owner.in_(owners(connection, subject)))))
    found = connection.execute(sa.select(tasks).where(mine))
    if subject.kind == "tenant":
        return list(found)
    answers = frozenset(held.answers)
    named = subject.id if subject.kind == "user" else ""
    return [row for row in found if (named and row.person == named) or answers & frozenset(rows.load(row.answers))]


HOLDINGS = (A2aTasks,)
