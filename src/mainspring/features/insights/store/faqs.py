"""Entries of the FAQ: drafts, what a person approved, and what a person rejected."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound
from mainspring.core.types import Principal
from mainspring.features.insights.store.turns import seen
from mainspring.features.insights.tables import insight_faqs as faqs
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.events import event_visibility
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database

PREFIX = "faq_"
Status = Literal["draft", "approved", "rejected"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A question with its answer; ``answers`` are the ids of those that it was made of, the quoted one first."""

    id: str
    space: str
    groups: frozenset[str]
    topic: str
    question: str
    answer: str
    citations: Sequence[Mapping[str, Any]]
    answers: Sequence[str]
    conversations: int
    status: Status
    decided_by: str
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A draft to be written."""

    space: str
    groups: str
    topic: str
    question: str
    answer: str
    citations: Sequence[Mapping[str, Any]]
    answers: Sequence[str]
    conversations: int


class Faqs:
    """The entries of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, principal: Principal, status: Status | None = None) -> list[Entry]:
        """Those that the principal may see, latest first. What cites documents that it may not see is left out."""

        def work(connection: sa.Connection) -> list[Entry]:
            query = sa.select(faqs).where(seen(connection, faqs, principal))
            if status is not None:
                query = query.where(faqs.c.status == status)
            found = [_entry(row) for row in connection.execute(query.order_by(faqs.c.created_at.desc(), faqs.c.id))]
            hidden = _hidden(connection, principal, [each.answers[0] for each in found if each.answers])
            return [each for each in found if not hidden.intersection(each.answers[:1])]

        return await self._database.read(work)

    async def add(self, tenant: str, new: Sequence[NewEntry]) -> int:
        """Write drafts."""

        def work(connection: sa.Connection) -> int:
            for each in new:
                now = time.time()
                values: dict[str, Any] = {"tenant": tenant, "id": ids.new(PREFIX), "status": "draft"}
                values |= {"space": each.space, "groups": each.groups, "topic": each.topic}
                values |= {"question": each.question, "answer": each.answer, "conversations": each.conversations}
                values |= {"citations": rows.dump(list(each.citations)), "answers": rows.dump(list(each.answers))}
                connection.execute(sa.insert(faqs).values(**values, created_at=now, updated_at=now))
            return len(new)

        return await self._database.write(work, durable=True)

    async def counted(self, tenant: str, entry_id: str, conversations: int) -> None:
        """How many conversations asked it now."""
        mine = sa.and_(faqs.c.tenant == tenant, faqs.c.id == entry_id)
        change = sa.update(faqs).where(mine).values(conversations=conversations)
        await self._database.write(lambda connection: connection.execute(change) and None, durable=False)

    async def change(self, principal: Principal, entry_id: str, values: Mapping[str, Any]) -> Entry:
        """Edit, approve or reject. Raises ``NotFound``."""
        if entry_id not in {each.id for each in await self.all(principal)}:
            raise NotFound(f"there is no entry {entry_id}")

        def work(connection: sa.Connection) -> Entry:
            mine = sa.and_(faqs.c.tenant == principal.tenant, faqs.c.id == entry_id)
            changed = {**values, "updated_at": time.time()}
            connection.execute(sa.update(faqs).where(mine).values(**changed))
            row = connection.execute(sa.select(faqs).where(mine)).one_or_none()
            if row is None:
                raise NotFound(f"there is no entry {entry_id}")
            return _entry(row)

        return await self._database.write(work, durable=True)

    async def delete(self, principal: Principal, entry_id: str) -> None:
        """Raises ``NotFound``."""

        def work(connection: sa.Connection) -> bool:
            mine = sa.and_(seen(connection, faqs, principal), faqs.c.id == entry_id)
            return bool(connection.execute(sa.delete(faqs).where(mine)).rowcount)

        if not await self._database.write(work, durable=True):
            raise NotFound(f"there is no entry {entry_id}")


def _hidden(connection: sa.Connection, principal: Principal, answers: Sequence[str]) -> set[str]:
    """Those of ``answers`` whose sources the principal may not see."""
    found: set[str] = set()
    for part in parts(sorted(set(answers))):
        of = sa.and_(events.c.tenant == principal.tenant, events.c.id.in_(part))
        query = sa.select(events.c.id).where(of, ~event_visibility.visible_events(connection, principal.groups))
        found |= set(connection.execute(query).scalars())
    return found


def _entry(row: sa.Row[Any]) -> Entry:
    return Entry(
        id=row.id,
        space=row.space,
        groups=frozenset(rows.load(row.groups)),
        topic=row.topic,
        question=row.question,
        answer=row.answer,
        citations=rows.load(row.citations),
        answers=rows.load(row.answers),
        conversations=row.conversations,
        status=row.status,
        decided_by=row.decided_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
