"""Conversations: each belongs to the key that made it, and nobody else finds it.

Card numbers are never kept. An item that came with an answer names it, so that erasing the answer erases the item.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import NotFound, QuotaExceeded, TooLarge
from mainspring.core.types import Principal
from mainspring.features.conversations.settings import ConversationsSettings
from mainspring.features.conversations.tables import conversation_items as items
from mainspring.features.conversations.tables import conversations
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice

PREFIX = "conv_"
Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation without its items; ``created_at`` is in Unix seconds."""

    id: str
    created_at: float
    metadata: Mapping[str, str]


class Conversations:
    """The conversations of all tenants."""

    def __init__(self, database: Database, settings: ConversationsSettings) -> None:
        self._database = database
        self._settings = settings

    async def create(
        self, principal: Principal, metadata: Mapping[str, str], bodies: Sequence[Body] = ()
    ) -> Conversation:
        """A new one that begins with items. Raises ``QuotaExceeded`` and ``TooLarge``."""
        made = Conversation(ids.new(PREFIX), time.time(), dict(cards.scrubbed(dict(metadata))))
        row = {"tenant": principal.tenant, "id": made.id, "owner": principal.person}
        row |= {"groups": rows.names(principal.groups), "metadata": rows.dump(dict(made.metadata))}

        def work(connection: sa.Connection) -> None:
            mine = sa.and_(conversations.c.tenant == principal.tenant, conversations.c.owner == principal.person)
            count = connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one()
            if count >= self._settings.max_conversations:
                raise QuotaExceeded(
                    f"this key has {count} conversations, and may have no more", remedy="Delete some that are over"
                )
            times = {"created_at": made.created_at, "updated_at": made.created_at}
            connection.execute(sa.insert(conversations).values(**row, **times))
            self._append(connection, principal.tenant, made.id, bodies, "")

        await self._database.write(work, durable=True)
        return made

    async def get(self, principal: Principal, conversation_id: str) -> Conversation:
        """Raises ``NotFound``."""
        return await self._database.read(lambda connection: _found(connection, principal, conversation_id))

    async def update(self, principal: Principal, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        """Put ``metadata`` in the place of the present. Raises ``NotFound``."""
        text = rows.dump(cards.scrubbed(dict(metadata)))

        def work(connection: sa.Connection) -> Conversation:
            _found(connection, principal, conversation_id)
            mine = sa.update(conversations).where(_one(principal.tenant, conversation_id))
            connection.execute(mine.values(metadata=text, updated_at=time.time()))
            return _found(connection, principal, conversation_id)

        return await self._database.write(work, durable=True)

    async def delete(self, principal: Principal, conversation_id: str) -> None:
        """Delete it with its items. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            _found(connection, principal, conversation_id)
            delete_conversations(connection, principal.tenant, [conversation_id])

        await self._database.write(work, durable=True)

    async def add_items(
        self, principal: Principal, conversation_id: str, bodies: Sequence[Body], answer_id: str = ""
    ) -> list[Body]:
        """Append items; those without an id get one. Raises ``NotFound`` and ``TooLarge``."""

        def work(connection: sa.Connection) -> list[Body]:
            _found(connection, principal, conversation_id)
            return self._append(connection, principal.tenant, conversation_id, bodies, answer_id)

        return await self._database.write(work, durable=True)

    async def items_of(self, principal: Principal, conversation_id: str) -> list[Body]:
        """All items, oldest first. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> list[Body]:
            _found(connection, principal, conversation_id)
            query = sa.select(items.c.body).where(_of(principal.tenant, conversation_id)).order_by(items.c.position)
            return [rows.load(text) for text in connection.execute(query).scalars()]

        return await self._database.read(work)

    async def page(self, principal: Principal, conversation_id: str, page: Page) -> Slice[Body]:
        """A page of items. Raises ``NotFound``, and ``InvalidRequest`` for a cursor that is no item's id."""

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            _found(connection, principal, conversation_id)
            mine = _of(principal.tenant, conversation_id)

            def place(item_id: str) -> tuple[Any, ...] | None:
                query = sa.select(items.c.position).where(mine, items.c.id == item_id)
                found = connection.execute(query).scalars().first()
                return None if found is None else (found,)

            query = sa.select(items.c.body).where(mine)
            return pages.read(connection, query, (items.c.position,), page, place)

        return (await self._database.read(work)).map(lambda row: rows.load(row.body))

    async def item(self, principal: Principal, conversation_id: str, item_id: str) -> Body:
        """Raises ``NotFound``."""

        def work(connection: sa.Connection) -> str | None:
            _found(connection, principal, conversation_id)
            query = sa.select(items.c.body).where(_of(principal.tenant, conversation_id), items.c.id == item_id)
            return connection.execute(query).scalars().first()

        text = await self._database.read(work)
        if text is None:
            raise NotFound(f"there is no item {item_id!r} in {conversation_id}", param="item_id")
        found: Body = rows.load(text)
        return found

    async def remove(self, principal: Principal, conversation_id: str, item_id: str) -> Conversation:
        """Delete an item. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> Conversation:
            found = _found(connection, principal, conversation_id)
            mine = sa.delete(items).where(_of(principal.tenant, conversation_id), items.c.id == item_id)
            if not connection.execute(mine).rowcount:
                raise NotFound(f"there is no item {item_id!r} in {conversation_id}", param="item_id")
            return found

        return await self._database.write(work, durable=True)

    async def expire(self) -> int:
        """Delete what has not changed for longer than it is kept; how many."""
        if not self._settings.retention_days:
            return 0
        before = time.time() - self._settings.retention_days * 86_400

        def work(connection: sa.Connection) -> int:
            query = sa.select(conversations.c.tenant, conversations.c.id).where(conversations.c.updated_at < before)
            found = connection.execute(query.limit(200)).all()
            for row in found:
                delete_conversations(connection, row.tenant, [row.id])
            return len(found)

        count = 0
        while found := await self._database.write(work, durable=True):
            count += found
        return count

    def _append(
        self, connection: sa.Connection, tenant: str, conversation_id: str, bodies: Sequence[Body], answer_id: str
    ) -> list[Body]:
        mine = _of(tenant, conversation_id)
        last, count = connection.execute(sa.select(sa.func.max(items.c.position), sa.func.count()).where(mine)).one()
        if count + len(bodies) > self._settings.max_items:
            raise TooLarge(
                f"{conversation_id} would have more than {self._settings.max_items} items",
                remedy="Begin another conversation",
                param="conversation",
            )
        now, first = time.time(), -1 if last is None else last
        kept = [cards.scrubbed({**body, "id": body.get("id") or ids.new(_prefix(body))}) for body in bodies]
        own = {"tenant": tenant, "conversation_id": conversation_id, "answer_id": answer_id, "at": now}
        new = [
            {**own, "position": first + number, "id": body["id"], "body": rows.dump(body)}
            for number, body in enumerate(kept, 1)
        ]
        if new:
            connection.execute(sa.insert(items), new)
            connection.execute(sa.update(conversations).where(_one(tenant, conversation_id)).values(updated_at=now))
        return kept


def delete_conversations(connection: sa.Connection, tenant: str, conversation_ids: Sequence[str]) -> None:
    """Delete conversations with their items."""
    for conversation_id in conversation_ids:
        connection.execute(sa.delete(items).where(_of(tenant, conversation_id)))
        connection.execute(sa.delete(conversations).where(_one(tenant, conversation_id)))


def _found(connection: sa.Connection, principal: Principal, conversation_id: str) -> Conversation:
    """The conversation if it is this key's, and it still has the groups that it had when it made it."""
    row = connection.execute(sa.select(conversations).where(_one(principal.tenant, conversation_id))).one_or_none()
    if row is None or row.owner != principal.person or not frozenset(rows.load(row.groups)) <= principal.groups:
        raise NotFound(f"there is no conversation {conversation_id!r}", param="conversation")
    return Conversation(row.id, row.created_at, rows.load(row.metadata))


def _one(tenant: str, conversation_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(conversations.c.tenant == tenant, conversations.c.id == conversation_id)


def _of(tenant: str, conversation_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(items.c.tenant == tenant, items.c.conversation_id == conversation_id)


def _prefix(body: Body) -> str:
    """The prefix of an item's id, by its type, as OpenAI's are."""
    kind = str(body.get("type", "message"))
    known = {"message": "msg_", "function_call": "fc_", "function_call_output": "fco_", "reasoning": "rs_"}
    return known.get(kind, "item_")
