"""Reads items and labels, for reviewers' pages and for what is computed of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.pages as pages
from mainspring.core.errors import NotFound
from mainspring.features.review.definition import Queue
from mainspring.features.review.store.filling import DONE, PREFIX
from mainspring.features.review.store.verdicts import GivenLabel
from mainspring.features.review.tables import review_items as items
from mainspring.features.review.tables import review_labels as labels
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice

MOST_READ = 20_000
"""Items, newest first, that statistics are computed of."""


class Items:
    """The items of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, queue: Queue, item_id: str) -> sa.Row[Any]:
        """Raises ``NotFound``."""
        query = sa.select(items).where(_of(queue), items.c.id == item_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"there is no item {item_id}", param="item_id")
        return row

    async def page(
        self, queue: Queue, page: Page, state: str | None = None, reviewer: str | None = None
    ) -> Slice[sa.Row[Any]]:
        """The items of a queue, by the time at which they entered; those that ``reviewer`` has a place of."""
        query = sa.select(items).where(_of(queue))
        query = query if state is None else query.where(items.c.state == state)
        if reviewer is not None:
            of = sa.and_(labels.c.tenant == items.c.tenant, labels.c.item_id == items.c.id, labels.c.by == reviewer)
            query = query.where(sa.select(sa.literal(1)).select_from(labels).where(of).correlate(items).exists())
        return await self._database.read(
            lambda connection: pages.read(connection, query, (items.c.id,), page, pages.by_id(PREFIX))
        )

    async def counts(self, queues: Sequence[Queue]) -> dict[str, Counter[str]]:
        """The number of items by state, by the queue's id."""
        if not queues:
            return {}
        mine = sa.and_(items.c.tenant == queues[0].tenant, items.c.queue_id.in_([each.id for each in queues]))
        query = sa.select(items.c.queue_id, items.c.state, sa.func.count().label("count")).where(mine)
        query = query.group_by(items.c.queue_id, items.c.state)
        made: dict[str, Counter[str]] = {each.id: Counter() for each in queues}
        for row in await self._database.read(lambda connection: connection.execute(query).all()):
            made[row.queue_id][row.state] = int(row._mapping["count"])
        return made

    async def done(self, queue: Queue, *, undelivered: bool = False, limit: int = MOST_READ) -> list[sa.Row[Any]]:
        """Items with their results, the latest first."""
        query = sa.select(items).where(_of(queue), items.c.state == DONE)
        if undelivered:
            query = query.where(items.c.delivered_at.is_(None))
        query = query.order_by(items.c.done_at.desc()).limit(limit)
        return list(await self._database.read(lambda connection: connection.execute(query).all()))

    async def strata(self, queue: Queue) -> dict[str, str]:
        """The strata of its latest items, by answer."""
        query = sa.select(items.c.answer_id, items.c.stratum).where(_of(queue))
        query = query.order_by(items.c.id.desc()).limit(5 * MOST_READ)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return {row.answer_id: row.stratum for row in found}

    async def given(self, queue: Queue, names: Sequence[str] | None = None) -> list[GivenLabel]:
        """Labels of these items (None: of the latest of all), oldest first."""
        query = sa.select(labels).where(
            labels.c.tenant == queue.tenant, labels.c.queue_id == queue.id, labels.c.state == "given"
        )

        def work(connection: sa.Connection) -> list[sa.Row[Any]]:
            if names is None:
                return list(connection.execute(query.order_by(labels.c.given_at.desc()).limit(MOST_READ)))
            return [
                row
                for part in parts(list(names))
                for row in connection.execute(query.where(labels.c.item_id.in_(part)))
            ]

        return sorted((GivenLabel.of(row) for row in await self._database.read(work)), key=lambda each: each.at)


def _of(queue: Queue) -> sa.ColumnElement[bool]:
    return sa.and_(items.c.tenant == queue.tenant, items.c.queue_id == queue.id)
