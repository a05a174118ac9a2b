"""Turns with vectors, for gaps and for the FAQ."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mainspring.core.types import Principal
from mainspring.features.insights.store.turns import Floats, seen, unpacked
from mainspring.features.insights.store.views import Period
from mainspring.features.insights.tables import insight_conversations as conversations
from mainspring.features.insights.tables import insight_turns as turns
from mainspring.stores.sql.database import Database

LOW_SUPPORT = 0.5
"""The share of an answer's sentences without support from which it is poor."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of ``insight_turns``, with ``outcome`` and ``started_at`` of their conversations, and vectors (n, d)."""

    rows: Sequence[sa.Row[Any]]
    vectors: Floats


class Samples:
    """Reads the latest ``most`` turns that were embedded by ``embedder``."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most

    async def poor(self, principal: Principal, period: Period, embedder: str, dimensions: int) -> Sample:
        """Those that were refused, rated down, answered with little support, or that led to people."""
        low = turns.c.unsupported >= LOW_SUPPORT
        # What led to people is what was asked first, not the words of somebody who has lost patience.
        first = sa.and_(conversations.c.outcome == "escalated", turns.c.at == conversations.c.started_at)
        bad = sa.or_(turns.c.refused, turns.c.rating == "down", low, first)
        return await self._read(principal, period, embedder, dimensions, bad)

    async def good(self, principal: Principal, period: Period, embedder: str, dimensions: int) -> Sample:
        """Those with a cited answer that no sign speaks against, and that came from documents alone."""
        fine = sa.or_(turns.c.unsupported.is_(None), turns.c.unsupported == 0)
        by_documents = sa.and_(turns.c.tools_ok == 0, turns.c.tools_failed == 0)
        good = sa.and_(turns.c.grounded, ~turns.c.refused, turns.c.rating != "down", ~turns.c.escalated)
        return await self._read(principal, period, embedder, dimensions, sa.and_(good, fine, by_documents))

    async def _read(
        self, principal: Principal, period: Period, embedder: str, dimensions: int, wanted: sa.ColumnElement[bool]
    ) -> Sample:
        def work(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
            of = sa.and_(conversations.c.tenant == turns.c.tenant, conversations.c.id == turns.c.conversation)
            where = sa.and_(seen(connection, turns, principal), turns.c.embedder == embedder, wanted)
            where = sa.and_(where, turns.c.vector.is_not(None), turns.c.at >= period.since, turns.c.at <= period.until)
            if period.application:
                where = sa.and_(where, turns.c.application == period.application)
            query = (
                sa.select(turns, conversations.c.outcome, conversations.c.started_at)
                .join(conversations, of)
                .where(where)
            )
            return connection.execute(query.order_by(turns.c.at.desc()).limit(self._most)).all()

        found = await self._database.read(work)
        vectors = await asyncio.to_thread(lambda: unpacked(b"".join(row.vector for row in found), dimensions))
        return Sample(found, vectors)
