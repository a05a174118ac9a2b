"""Verdicts on answers: each written only while the answer's text is still kept, and deleted when that is erased."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

import mainspring.stores.events.contents as contents
import mainspring.stores.events.log as event_log
from mainspring.core.types import EventRecord
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database


def name(answer_id: str) -> str:
    """The id of the verdict on an answer: there is one at most."""
    return event_log.VERDICT + answer_id


class Verdicts:
    """Writes them, see ``events.forget_verdicts`` for how they go."""

    def __init__(self, database: Database, log: event_log.EventLog) -> None:
        self._database = database
        self._log = log

    async def known(self, tenant: str, answers: Sequence[str]) -> set[str]:
        """The judged ones of these answers."""
        query = sa.select(events.c.subject).where(
            events.c.tenant == tenant, events.c.id.in_([name(each) for each in answers])
        )
        return set(await self._database.read(lambda connection: connection.execute(query).scalars().all()))

    async def text_of(self, tenant: str, answer_id: str) -> str | None:
        """The id of an answer's text; None if it is gone."""
        query = sa.select(events.c.content_id).where(events.c.tenant == tenant, events.c.id == answer_id)
        return await self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())

    async def write(self, record: EventRecord, content_id: str) -> bool:
        """Write the verdict ``record`` if the answer that it is about still has this text and none yet; whether."""
        of = sa.and_(events.c.tenant == record.tenant, events.c.id == record.subject)
        kept = sa.select(sa.literal(1)).where(of, events.c.content_id == content_id)
        there = sa.select(sa.literal(1)).where(events.c.tenant == record.tenant, events.c.id == record.id)

        def work(connection: sa.Connection) -> bool:
            # An erasure of the answer holds the same lock: either this is not written, or it is erased too.
            contents.lock(connection)
            if connection.execute(kept).first() is None or connection.execute(there).first() is not None:
                return False
            event_log.insert(connection, record)
            return True

        if not await self._database.write(work):
            return False
        for hear in self._log.heard:
            hear([record])
        return True
