"""What readers see of topics and conversations: counts over what their groups may see, and texts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

import mainspring.features.insights.analysis.sentiment as sentiment
from mainspring.core.errors import NotFound
from mainspring.core.types import Principal
from mainspring.features.insights.store.turns import seen
from mainspring.features.insights.tables import insight_conversations as conversations
from mainspring.features.insights.tables import insight_topics as topics
from mainspring.features.insights.tables import insight_turns as turns
from mainspring.stores.sql.database import Database

MOST = 20_000
"""The latest conversations of a period that are counted."""


@dataclass(frozen=True, slots=True)
class Period:
    """From ``since`` to ``until``, in Unix seconds, of one application (empty: all)."""

    since: float
    until: float
    application: str = ""


@dataclass(slots=True)
class Group:
    """Conversations counted together: how they ended, when they began, their sentiments and the course of these."""

    outcomes: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    moods: list[float | None] = field(default_factory=list)
    courses: list[float | None] = field(default_factory=list)

    def add(self, row: Any) -> None:
        self.outcomes[row.outcome] += 1
        self.times.append(row.started_at)
        self.moods.append(row.sentiment)
        self.courses.append(row.course)

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.times)

    @property
    def sentiment(self) -> float | None:
        """Their mean."""
        return sentiment.mean(self.moods)

    @property
    def course(self) -> float | None:
        """The mean change from the first turn to the last one."""
        return sentiment.mean(self.courses)

    @property
    def resolved(self) -> float | None:
        """The share of resolved ones among those that are over."""
        over = self.count - self.outcomes["open"]
        return round(self.outcomes["resolved"] / over, 3) if over else None


@dataclass(frozen=True, slots=True)
class Counted:
    """All conversations of a period, and those of each topic (``""``: of none)."""

    total: Group
    topics: Mapping[str, Group]


class Views:
    """Reads for a principal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counted(self, principal: Principal, period: Period) -> Counted:
        """Conversations by topic."""
        columns = [conversations.c[name] for name in ("topic", "outcome", "started_at", "sentiment", "course")]

        def work(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
            query = sa.select(*columns).where(_within(connection, principal, period))
            return connection.execute(query.order_by(conversations.c.started_at.desc()).limit(MOST)).all()

        return await asyncio.to_thread(_counted, await self._database.read(work))

    async def topics(self, principal: Principal) -> Sequence[sa.Row[Any]]:
        """Rows of ``insight_topics`` that were not merged into others."""

        def work(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
            mine = sa.and_(seen(connection, topics, principal), topics.c.merged_into == "")
            return connection.execute(sa.select(topics).where(mine).order_by(topics.c.created_at)).all()

        return await self._database.read(work)

    async def applications(self, principal: Principal) -> list[str]:
        """The names of those that had conversations."""

        def work(connection: sa.Connection) -> list[str]:
            query = sa.select(conversations.c.application).where(seen(connection, conversations, principal))
            return sorted(connection.execute(query.distinct()).scalars())

        return await self._database.read(work)

    async def conversations(
        self, principal: Principal, period: Period, *, topic: str | None, outcome: str | None, limit: int, skip: int
    ) -> Sequence[sa.Row[Any]]:
        """Conversations, latest first; ``topic`` ``""``: those of none."""

        def work(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
            where = _within(connection, principal, period)
            if topic is not None:
                where = sa.and_(where, conversations.c.topic == topic)
            if outcome is not None:
                where = sa.and_(where, conversations.c.outcome == outcome)
            query = sa.select(conversations).where(where)
            order = (conversations.c.started_at.desc(), conversations.c.id)
            return connection.execute(query.order_by(*order).offset(skip).limit(limit)).all()

        return await self._database.read(work)

    async def conversation(
        self, principal: Principal, conversation_id: str
    ) -> tuple[sa.Row[Any], Sequence[sa.Row[Any]]]:
        """A conversation with its turns, oldest first. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> tuple[sa.Row[Any] | None, Sequence[sa.Row[Any]]]:
            mine = sa.and_(seen(connection, conversations, principal), conversations.c.id == conversation_id)
            row = connection.execute(sa.select(conversations).where(mine)).one_or_none()
            of = sa.and_(turns.c.tenant == principal.tenant, turns.c.conversation == conversation_id)
            query = sa.select(turns).where(of, seen(connection, turns, principal)).order_by(turns.c.at, turns.c.id)
            return row, connection.execute(query.limit(500)).all()

        row, found = await self._database.read(work)
        if row is None:
            raise NotFound(f"there is no conversation {conversation_id}")
        return row, found

    async def openings(self, principal: Principal, names: Sequence[str]) -> dict[str, sa.Row[Any]]:
        """The first turn of each of these conversations, by its id."""

        def work(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
            of = sa.and_(seen(connection, turns, principal), turns.c.conversation.in_(names))
            columns = [turns.c[name] for name in ("conversation", "trace_id", "at")]
            query = sa.select(*columns).where(of)
            return connection.execute(query.order_by(turns.c.at.desc(), turns.c.id.desc())).all()

        return {row.conversation: row for row in await self._database.read(work)}


def _counted(found: Sequence[Any]) -> Counted:
    total, by_topic = Group(), dict[str, Group]()
    for row in found:
        total.add(row)
        by_topic.setdefault(row.topic, Group()).add(row)
    return Counted(total, by_topic)


def _within(connection: sa.Connection, principal: Principal, period: Period) -> sa.ColumnElement[bool]:
    at = conversations.c.started_at
    where = sa.and_(seen(connection, conversations, principal), at >= period.since, at <= period.until)
    if period.application:
        where = sa.and_(where, conversations.c.application == period.application)
    return where
