"""The data of data subjects: turns of their answers, conversations, and entries of the FAQ that repeat answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.insights.store.turns import conversation_id
from mainspring.features.insights.tables import insight_conversations, insight_faqs, insight_topics, insight_turns
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, parts
from mainspring.stores.sql.database import Database


class CountedTurns:
    """Turns with their vectors, their conversations, and the FAQ made of their answers, in all tenants. A topic is
    nobody's: its words were used by several."""

    name = "insights"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The turns that were said with groups among ``groups``."""

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            found = _turns(connection, subject, held, upto)
            return [_body(row) for row in found if groups is None or frozenset(rows.load(row.groups)) <= groups]

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete the rows."""

        def work(connection: sa.Connection) -> int:
            found = _turns(connection, subject, held, upto)
            _delete(connection, subject.tenant, [row.id for row in found])
            theirs = {conversation_id(subject.tenant, name) for name in held.sessions}
            _empty(connection, subject.tenant, theirs | {row.conversation for row in found})
            if subject.kind == "tenant":
                for table in (insight_faqs, insight_topics):
                    old = sa.and_(table.c.tenant == subject.tenant, table.c.created_at <= upto)
                    connection.execute(sa.delete(table).where(old))
            return len(found)

        return await self._database.write(work, durable=True, frees=True)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """The documents behind these answers are gone: entries of the FAQ that repeat them go, too."""
        await self._database.write(lambda connection: _unlearn(connection, tenant, answers), durable=True, frees=True)


def _turns(connection: sa.Connection, subject: Subject, held: SubjectData, upto: float) -> list[sa.Row[Any]]:
    query = sa.select(insight_turns).where(insight_turns.c.tenant == subject.tenant, insight_turns.c.at <= upto)
    if subject.kind == "tenant":
        return list(connection.execute(query).all())
    found: dict[str, sa.Row[Any]] = {}
    for part in parts(sorted(held.answers)):
        found |= {row.id: row for row in connection.execute(query.where(insight_turns.c.id.in_(part)))}
    return list(found.values())


def _delete(connection: sa.Connection, tenant: str, names: Sequence[str]) -> None:
    for part in parts(names):
        mine = sa.and_(insight_turns.c.tenant == tenant, insight_turns.c.id.in_(part))
        connection.execute(sa.delete(insight_turns).where(mine))
    _unlearn(connection, tenant, names)


def _empty(connection: sa.Connection, tenant: str, names: set[str]) -> None:
    """Delete conversations without turns, and judge the others again."""
    left = sa.select(sa.literal(1)).where(
        insight_turns.c.tenant == tenant, insight_turns.c.conversation == insight_conversations.c.id
    )
    for part in parts(sorted(names)):
        mine = sa.and_(insight_conversations.c.tenant == tenant, insight_conversations.c.id.in_(part))
        gone = sa.delete(insight_conversations).where(mine, ~left.correlate(insight_conversations).exists())
        connection.execute(gone)
        connection.execute(sa.update(insight_conversations).where(mine).values(stale=True))


def _unlearn(connection: sa.Connection, tenant: str, answers: Sequence[str]) -> None:
    gone = set(answers)
    found = connection.execute(
        sa.select(insight_faqs.c.id, insight_faqs.c.answers).where(insight_faqs.c.tenant == tenant)
    ).all()
    names = [row.id for row in found if gone & set(rows.load(row.answers))]
    for part in parts(names):
        connection.execute(sa.delete(insight_faqs).where(insight_faqs.c.tenant == tenant, insight_faqs.c.id.in_(part)))


def _body(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "type": "insight",
        "id": row.id,
        "at": row.at,
        "topic": row.topic,
        "sentiment": row.sentiment,
        "application": row.application,
    }


HOLDINGS = (CountedTurns,)
