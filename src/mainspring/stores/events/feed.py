"""Events in the order in which they were settled, for readers that keep up with them without missing any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.events.commit_numbers as commits
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.base import Facts
from mainspring.stores.events.log import IMPORTED
from mainspring.stores.events.tolerant import facts_of
from mainspring.stores.schema import contents, events, watermarks
from mainspring.stores.sql.database import Database


@dataclass(frozen=True, slots=True)
class Fact:
    """An event without its text: ``content_id`` names that."""

    settled: int
    at: float
    tenant: str
    id: str
    trace_id: str
    subject: str
    facts: Facts
    content_id: str | None

    @property
    def kind(self) -> str:
        """The kind of the event."""
        return self.facts.EVENT


class Feed:
    """Reads the event log from a position on. A position is the number of a commit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, name: str) -> int:
        """The position of the reader ``name``. A new reader starts with the events that are settled from now on, and
        one whose database was replaced by an older copy continues from there."""
        return (await self.positions(name)).get("", 0)

    async def positions(self, name: str) -> dict[str, int]:
        """``begin`` by tenants: how far the reader has read the events of each for itself; those of all: ""."""

        def work(connection: sa.Connection) -> dict[str, int]:
            query = sa.select(watermarks.c.tenant, watermarks.c.position).where(watermarks.c.name == name)
            latest = commits.latest(connection)
            return {row.tenant: min(int(row.position or 0), latest) for row in connection.execute(query)}

        return await self._database.read(work)

    async def latest(self) -> int:
        """The newest position that there may be by now."""
        return await self._database.read(commits.latest)

    async def after(
        self, position: int, kinds: Sequence[str], limit: int, tenant: str = "", *, imported: bool = False
    ) -> list[Fact]:
        """The next events of these kinds, of ``tenant`` if given: about ``limit`` events, in whole commits. Events that
        were ``imported`` are no live traffic: only readers that ask for them read them. Events that cannot be read have
        facts of an unknown kind (``tolerant``), so that no reader stops at them."""
        columns = (
            *(events.c.settled, events.c.at, events.c.tenant, events.c.id, events.c.trace_id, events.c.kind),
            *(events.c.subject, events.c.facts, events.c.content_id),
        )

        def work(connection: sa.Connection) -> list[Fact]:
            wanted = sa.and_(events.c.kind.in_(kinds), commits.before_horizon(connection))
            wanted = sa.and_(wanted, events.c.tenant == tenant) if tenant else wanted
            wanted = wanted if imported else sa.and_(wanted, ~events.c.id.startswith(IMPORTED, autoescape=True))
            query = sa.select(*columns).where(wanted).order_by(events.c.settled, events.c.at, events.c.id)
            found = list(connection.execute(query.where(events.c.settled > position).limit(limit)))
            if len(found) == limit:
                last = found[-1].settled
                whole = [row for row in found if row.settled != last]
                found = whole or list(connection.execute(query.where(events.c.settled == last)))
            return [_fact(row) for row in found]

        return await self._database.read(work)

    async def applications(self, answers: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The questions behind these answers, given as (tenant, id)."""
        if not answers:
            return {}
        named = sa.tuple_(events.c.tenant, events.c.id).in_(list(answers))
        columns = (events.c.tenant, events.c.id, events.c.kind, events.c.facts)
        query = sa.select(*columns).where(named, events.c.kind == "answer")
        found = await self._database.read(lambda connection: connection.execute(query).all())
        read = {(row.tenant, row.id): facts_of(row, "the feed") for row in found}
        return {name: facts.requested for name, facts in read.items() if isinstance(facts, AnswerFacts)}

    async def text(self, tenant: str, content_id: str) -> str | None:
        """The text of an event; None if it is gone."""
        query = sa.select(contents.c.text).where(contents.c.tenant == tenant, contents.c.sha256 == content_id)
        return await self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())


def move(connection: sa.Connection, name: str, position: float, tenant: str = "") -> None:
    """Record how far the reader ``name`` has read, in the transaction that writes its results."""
    place = sa.update(watermarks).where(_is(name, tenant)).values(position=position)
    if not connection.execute(place).rowcount:
        connection.execute(sa.insert(watermarks).values(tenant=tenant, name=name, position=position))


def _is(name: str, tenant: str = "") -> sa.ColumnElement[bool]:
    return sa.and_(watermarks.c.tenant == tenant, watermarks.c.name == name)


def _fact(row: Any) -> Fact:
    return Fact(
        settled=row.settled,
        at=row.at,
        tenant=row.tenant,
        id=row.id,
        trace_id=row.trace_id,
        subject=row.subject,
        facts=facts_of(row, "the feed"),
        content_id=row.content_id,
    )
