"""Reads events in the order in which they were settled, and hands each to one transaction, whatever dies meanwhile.

What is made of events and the position behind them are written in one commit, under a lock: several processes read each
event once. An event whose values cannot be taken is passed over once others come with it, and stops none of them
(``tolerant``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

import mainspring.stores.events.commit_numbers as commits
import mainspring.stores.events.feed as feed
import mainspring.stores.sql.database as sql
from mainspring.stores.events.feed import Fact, Feed
from mainspring.stores.events.tolerant import PASSED_OVER
from mainspring.stores.schema import watermarks
from mainspring.stores.sql.database import Database

# A page is one transaction of the single writer: others wait for it.
_PAGE = 250
_OF_ONE_EVENT = (
    *(TypeError, ValueError, AttributeError, LookupError, ArithmeticError),
    *(sa.exc.DataError, sa.exc.IntegrityError, sa.exc.InterfaceError),
)
"""Errors that the values of an event cause. Others, such as a full disk, are no matter of one event."""
Take = Callable[[sa.Connection, Sequence[Fact]], None]
"""Processes a page of events within the transaction."""


class Follower:
    """The ``reader`` of events of these ``kinds``; its name is its place in the log. ``page`` events are ``take``n at
    once."""

    def __init__(self, database: Database, reader: str, kinds: Sequence[str], take: Take, *, page: int = _PAGE) -> None:
        self._database = database
        self._feed = Feed(database)
        self._reader = reader
        self._kinds = kinds
        self._take = take
        self._page = page

    async def follow(self) -> int:
        """Read all events that are there by now; returns how many. What comes meanwhile is left for the next time: each
        look behind requests would find the few events of the last ones, as long as there are requests."""
        read, end = 0, await self._feed.latest()
        while True:
            begin = await self._feed.begin(self._reader)
            facts = await self._feed.after(begin, self._kinds, self._page)
            if not facts:
                return read
            await self._database.write(partial(self._once, begin=begin, facts=facts), durable=False)
            read += len(facts)
            if facts[-1].settled >= end:
                return read

    async def pass_over(self, wanted: sa.Select[Any]) -> bool:
        """Move behind all events that are there by now, unread, unless they are ``wanted``; whether it did."""

        def work(connection: sa.Connection) -> bool:
            sql.lock(connection, self._reader)
            if connection.execute(wanted).scalar_one():
                return False
            feed.move(connection, self._reader, commits.latest(connection))
            return True

        if await self._database.read(lambda connection: connection.execute(wanted).scalar_one()):
            return False
        return bool(await self._database.write(work, durable=False))

    def _once(self, connection: sa.Connection, begin: int, facts: Sequence[Fact]) -> None:
        sql.lock(connection, self._reader)
        mine = sa.and_(watermarks.c.name == self._reader, watermarks.c.tenant == "")
        place = connection.execute(sa.select(watermarks.c.position).where(mine)).scalar_one_or_none()
        if int(place or 0) > begin:
            # Another process has read them.
            return
        self._taken(connection, facts)
        feed.move(connection, self._reader, facts[-1].settled)

    def _taken(self, connection: sa.Connection, facts: Sequence[Fact]) -> None:
        """Take a page; where some of its events cannot be taken, take each by itself and pass over those. Where none
        can, what takes them is at fault: the error is raised, and the page stays for the next time."""
        try:
            with connection.begin_nested():
                self._take(connection, facts)
                return
        except _OF_ONE_EVENT as whole:
            first = whole
        failed: list[tuple[str, Exception]] = []
        for each in facts:
            try:
                with connection.begin_nested():
                    self._take(connection, [each])
            except _OF_ONE_EVENT as error:
                failed.append((each.id, error))
        if len(failed) == len(facts):
            raise first
        for event, why in failed:
            PASSED_OVER.note(self._reader, event, why)
