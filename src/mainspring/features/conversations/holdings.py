"""Conversations' data of data subjects: items that came with an answer of theirs, and whole conversations of a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.conversations import store
from mainspring.features.conversations.tables import conversation_items as items
from mainspring.features.conversations.tables import conversations
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, owners, parts
from mainspring.stores.sql.database import Database


class ConversationItems:
    """The items of conversations, in all tenants."""

    name = "conversation_items"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The items, of conversations whose groups are among ``groups``."""

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            found = _items(connection, subject, held, upto)
            seen = [row for row in found if groups is None or frozenset(rows.load(row.groups)) <= groups]
            return [
                {
                    "type": "conversation_item",
                    "conversation_id": row.conversation_id,
                    "id": row.id,
                    "at": row.at,
                    "item": rows.load(row.body),
                }
                for row in seen
            ]

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete the items, and the whole conversations of a key or a tenant; how many items."""

        def work(connection: sa.Connection) -> int:
            found = _items(connection, subject, held, upto)
            for row in found:
                mine = sa.and_(items.c.tenant == subject.tenant, items.c.conversation_id == row.conversation_id)
                connection.execute(sa.delete(items).where(mine, items.c.position == row.position))
            store.delete_conversations(connection, subject.tenant, _whole(connection, subject, upto))
            return len(found)

        return await self._database.write(work, durable=True)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """Delete the items that came with these answers, which quote a document that was deleted: see
        ``RepeatsAnswers``."""

        def work(connection: sa.Connection) -> None:
            for part in parts(sorted(answers)):
                connection.execute(sa.delete(items).where(items.c.tenant == tenant, items.c.answer_id.in_(part)))

        await self._database.write(work, durable=True, frees=True)


def _whole(connection: sa.Connection, subject: Subject, upto: float) -> list[str]:
    """The conversations that belong to the subject."""
    mine = sa.and_(conversations.c.tenant == subject.tenant, conversations.c.created_at <= upto)
    if subject.kind == "key":
        mine = sa.and_(mine, conversations.c.owner.in_(owners(connection, subject)))
    elif subject.kind != "tenant":
        return []
    return list(connection.execute(sa.select(conversations.c.id).where(mine)).scalars())


def _items(connection: sa.Connection, subject: Subject, held: SubjectData, upto: float) -> list[sa.Row[Any]]:
    """The items of the subject's answers, and those of its conversations, each once."""
    query = sa.select(items, conversations.c.groups).join(
        conversations,
        sa.and_(conversations.c.tenant == items.c.tenant, conversations.c.id == items.c.conversation_id),
    )
    query = query.where(items.c.tenant == subject.tenant, items.c.at <= upto)
    found: dict[tuple[str, int], sa.Row[Any]] = {}
    for column, wanted in (
        (items.c.answer_id, held.answers),
        (items.c.conversation_id, _whole(connection, subject, upto)),
    ):
        for part in parts(sorted(wanted)):
            for row in connection.execute(query.where(column.in_(part))):
                found[row.conversation_id, row.position] = row
    return list(found.values())


HOLDINGS = (ConversationItems,)
