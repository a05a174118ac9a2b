"""Topics: their centroids, names and turns."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, NotFound
from mainspring.core.types import Principal
from mainspring.features.insights.store.turns import Floats, packed, seen, unpacked
from mainspring.features.insights.tables import insight_conversations as conversations
from mainspring.features.insights.tables import insight_topics as topics
from mainspring.features.insights.tables import insight_turns as turns
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.sql.database import Database

PREFIX = "topic_"
NamedBy = Literal["words", "person", "settings"]


@dataclass(frozen=True, slots=True)
class Topic:
    """``centroids`` (rows, d) are one mean, or one row for each example of a topic of the settings."""

    tenant: str
    id: str
    space: str
    groups: tuple[str, ...]
    name: str
    named_by: NamedBy
    words: tuple[str, ...]
    pinned: bool
    merged_into: str
    embedder: str
    centroids: Floats
    created_at: float


@dataclass(frozen=True, slots=True)
class Unassigned:
    """Turns of a space without a topic: ids, vectors (n, d), conversations and texts' names, latest first."""

    ids: Sequence[str]
    vectors: Floats
    conversations: Sequence[str]
    content_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class NewTopic:
    """A topic to be written, with its first turns."""

    name: str
    named_by: NamedBy
    words: Sequence[str]
    centroids: Floats
    turns: Sequence[str] = field(default=())


class Topics:
    """The topics of all tenants. ``dimensions`` are the embedder's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spaces(self, embedder: str) -> list[tuple[str, str, tuple[str, ...]]]:
        """The (tenant, space, groups) that have turns by this embedder without a topic."""
        waiting = sa.and_(turns.c.topic == "", turns.c.vector.is_not(None), turns.c.embedder == embedder)
        query = sa.select(turns.c.tenant, turns.c.space, turns.c.groups).distinct().where(waiting)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [(row.tenant, row.space, tuple(rows.load(row.groups))) for row in found]

    async def of(self, tenant: str, space: str, embedder: str, dimensions: int) -> list[Topic]:
        """The topics of a space that were made by this embedder, merged ones too."""
        mine = sa.and_(topics.c.tenant == tenant, topics.c.space == space, topics.c.embedder == embedder)
        query = sa.select(topics).where(mine).order_by(topics.c.created_at, topics.c.id)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return await asyncio.to_thread(lambda: [_topic(row, dimensions) for row in found])

    async def unassigned(self, tenant: str, space: str, embedder: str, dimensions: int, limit: int) -> Unassigned:
        """The latest turns without a topic."""
        mine = sa.and_(turns.c.tenant == tenant, turns.c.space == space, turns.c.embedder == embedder)
        query = sa.select(turns.c.id, turns.c.vector, turns.c.conversation, turns.c.content_id)
        query = query.where(mine, turns.c.topic == "", turns.c.vector.is_not(None)).order_by(turns.c.at.desc())
        found = await self._database.read(lambda connection: connection.execute(query.limit(limit)).all())
        vectors = await asyncio.to_thread(lambda: unpacked(b"".join(row.vector for row in found), dimensions))
        return Unassigned(
            [row.id for row in found],
            vectors,
            [row.conversation for row in found],
            [row.content_id for row in found],
        )

    async def assign(self, tenant: str, assigned: Mapping[str, Sequence[str]]) -> None:
        """Give turns their topic: ids of turns by id of topic. Their conversations are judged again."""
        await self._database.write(lambda connection: _assign(connection, tenant, assigned), durable=False)

    async def add(
        self, tenant: str, space: str, groups: Sequence[str], embedder: str, new: Sequence[NewTopic]
    ) -> list[str]:
        """Write new topics with their turns; returns their ids. One of the settings replaces itself."""

        def work(connection: sa.Connection) -> list[str]:
            made = []
            for each in new:
                fixed = each.named_by == "settings"
                topic_id = fixed_id(space, each.name) if fixed else ids.new(PREFIX)
                now = time.time()
                place = {"tenant": tenant, "id": topic_id}
                values: dict[str, Any] = {
                    "space": space,
                    "groups": rows.names(groups),
                    "name": each.name,
                    "named_by": each.named_by,
                    "words": rows.dump(list(each.words)),
                    "pinned": fixed,
                    "embedder": embedder,
                    "centroid": packed(each.centroids),
                    "created_at": now,
                    "updated_at": now,
                }
                mine = sa.and_(topics.c.tenant == tenant, topics.c.id == topic_id)
                if fixed:
                    connection.execute(sa.delete(topics).where(mine))
                connection.execute(sa.insert(topics).values(**place, **values))
                _assign(connection, tenant, {topic_id: each.turns})
                made.append(topic_id)
            return made

        return await self._database.write(work, durable=False)

    async def get(self, principal: Principal, topic_id: str) -> Topic:
        """Raises ``NotFound``."""
        return await self._database.read(lambda connection: _get(connection, principal, topic_id))

    async def change(
        self, principal: Principal, topic_id: str, *, name: str | None = None, pinned: bool | None = None
    ) -> Topic:
        """Rename or pin a topic. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> Topic:
            _get(connection, principal, topic_id)
            values: dict[str, Any] = {"updated_at": time.time()}
            values |= {} if name is None else {"name": name, "named_by": "person"}
            values |= {} if pinned is None else {"pinned": pinned}
            mine = sa.and_(topics.c.tenant == principal.tenant, topics.c.id == topic_id)
            connection.execute(sa.update(topics).where(mine).values(**values))
            return _get(connection, principal, topic_id)

        return await self._database.write(work, durable=True)

    async def merge(self, principal: Principal, topic_id: str, into: str) -> Topic:
        """Give the turns of one topic to another one, and those that come later. Raises ``NotFound``, and
        ``Conflict`` for topics of different spaces."""

        def work(connection: sa.Connection) -> Topic:
            source, target = _get(connection, principal, topic_id), _get(connection, principal, into)
            if source.id == target.id or source.space != target.space or target.merged_into:
                raise Conflict(
                    "these topics cannot be merged", remedy="Name two topics of the same groups", param="into"
                )
            tenant = principal.tenant
            for table in (turns, conversations):
                of = sa.and_(table.c.tenant == tenant, table.c.topic == topic_id)
                connection.execute(sa.update(table).where(of).values(topic=into))
            moved = sa.or_(topics.c.id == topic_id, topics.c.merged_into == topic_id)
            connection.execute(sa.update(topics).where(topics.c.tenant == tenant, moved).values(merged_into=into))
            return _get(connection, principal, into)

        return await self._database.write(work, durable=True)

    async def expire(self) -> None:
        """Delete topics that nobody pinned and that have no turns any more."""
        used = sa.select(sa.literal(1)).where(turns.c.tenant == topics.c.tenant, turns.c.topic == topics.c.id)
        kept = sa.or_(topics.c.pinned, topics.c.merged_into != "", topics.c.named_by == "person")
        gone = sa.delete(topics).where(~kept, ~used.correlate(topics).exists())
        await self._database.write(lambda connection: connection.execute(gone) and None, durable=False)


def fixed_id(space: str, name: str) -> str:
    """The id of a topic of the settings in a space."""
    return PREFIX + hashlib.sha256(f"{space}\x00{name}".encode()).hexdigest()[:26]


def _assign(connection: sa.Connection, tenant: str, assigned: Mapping[str, Sequence[str]]) -> None:
    for topic, names in assigned.items():
        for part in parts(names):
            mine = sa.and_(turns.c.tenant == tenant, turns.c.id.in_(part))
            changed = sa.update(turns).where(mine).values(topic=topic).returning(turns.c.conversation)
            of = sorted(set(connection.execute(changed).scalars()))
            theirs = sa.and_(conversations.c.tenant == tenant, conversations.c.id.in_(of))
            connection.execute(sa.update(conversations).where(theirs).values(stale=True))


def _get(connection: sa.Connection, principal: Principal, topic_id: str) -> Topic:
    row = connection.execute(
        sa.select(topics).where(seen(connection, topics, principal), topics.c.id == topic_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no topic {topic_id}")
    return _topic(row, 0)


def _topic(row: sa.Row[Any], dimensions: int) -> Topic:
    return Topic(
        tenant=row.tenant,
        id=row.id,
        space=row.space,
        groups=tuple(rows.load(row.groups)),
        name=row.name,
        named_by=row.named_by,
        words=tuple(rows.load(row.words)),
        pinned=row.pinned,
        merged_into=row.merged_into,
        embedder=row.embedder,
        centroids=unpacked(row.centroid, dimensions or len(row.centroid) // 2),
        created_at=row.created_at,
    )
