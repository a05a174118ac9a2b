"""Turns and conversations: written page by page under a lease, and read for readers with certain groups."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

import mainspring.stores.sql.jobs as jobs
import mainspring.stores.sql.rows as rows
from mainspring.core.types import Principal
from mainspring.features.insights.analysis.outcomes import Ended, Signs
from mainspring.features.insights.store.reading import CustomerTurn, Later
from mainspring.features.insights.tables import insight_conversations as conversations
from mainspring.features.insights.tables import insight_turns as turns
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.events import feed
from mainspring.stores.schema import contents
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job
from mainspring.stores.sql.row_access import RowAccess

Floats = npt.NDArray[np.float32]
MOST_TURNS = 500
"""Of a conversation that are judged."""
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A turn as it is written: what was ``said``, what it shows, and its vector (None: too little is said)."""

    said: CustomerTurn
    signs: Signs
    embedder: str = ""
    vector: Floats | None = None


@dataclass(frozen=True, slots=True)
class Stale:
    """A conversation to be judged again, with its turns, oldest first. ``again``: its person came back."""

    tenant: str
    id: str
    ended_at: float
    turns: Sequence[Signs]
    topic: str
    again: bool


class Turns:
    """The turns and conversations of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(
        self,
        new: Sequence[NewTurn],
        later: Mapping[tuple[str, str], Later],
        escalating: frozenset[str],
        reader: str,
        position: int,
        lease: Job,
        tenant: str = "",
    ) -> bool:
        """Write a page with the position behind it (of ``tenant``, if it is its page), in one commit; whether the lease
        still held."""

        def work(connection: sa.Connection) -> bool:
            if not jobs.lease_holds(connection, lease):
                return False
            chained: dict[tuple[str, str], str] = {}
            for each in new:
                _insert(connection, each, chained)
            for (theirs, about), what in later.items():
                _amend(connection, theirs, about, what, escalating)
            feed.move(connection, reader, position, tenant)
            return True

        return await self._database.write(work, durable=False)

    async def stale(self, again_days: float, limit: int, tenant: str = "") -> list[Stale]:
        """Conversations whose outcome may have changed, of ``tenant`` if given, those that ended first."""

        def work(connection: sa.Connection) -> list[Stale]:
            query = sa.select(conversations).where(conversations.c.stale).order_by(conversations.c.ended_at)
            query = query.where(conversations.c.tenant == tenant) if tenant else query
            return [_stale(connection, row, again_days) for row in connection.execute(query.limit(limit)).all()]

        return await self._database.read(work)

    async def judged(self, found: Sequence[tuple[Stale, Ended, float | None, float | None]], again_days: float) -> None:
        """Write outcomes, with the mean sentiment and its course. Earlier conversations of the same persons on the same
        topics are judged again."""

        def work(connection: sa.Connection) -> None:
            for stale, ended, mood, course in found:
                mine = sa.and_(conversations.c.tenant == stale.tenant, conversations.c.id == stale.id)
                # A turn that came meanwhile: the next round judges it.
                same = conversations.c.ended_at == stale.ended_at
                values: dict[str, Any] = {"outcome": ended.outcome, "why": ended.why, "topic": stale.topic}
                values |= {"sentiment": mood, "course": course, "stale": ended.outcome == "open"}
                connection.execute(sa.update(conversations).where(mine, same).values(**values))
                row = connection.execute(sa.select(conversations).where(mine)).one_or_none()
                if row is not None and row.person and row.topic:
                    _earlier(connection, row, again_days)

        await self._database.write(work, durable=False)

    async def expire(self, before: float) -> int:
        """Delete what is older, and the vectors of texts that are gone; returns the number of deleted turns."""

        def work(connection: sa.Connection) -> int:
            connection.execute(sa.delete(conversations).where(conversations.c.ended_at < before))
            of = sa.and_(contents.c.tenant == turns.c.tenant, contents.c.sha256 == turns.c.content_id)
            text = sa.select(sa.literal(1)).where(of).correlate(turns)
            # Their texts were deleted.
            emptied = sa.update(turns).where(turns.c.vector.is_not(None), ~text.exists())
            connection.execute(emptied.values(vector=None))
            return connection.execute(sa.delete(turns).where(turns.c.at < before)).rowcount

        return await self._database.write(work, durable=False)


def seen(connection: sa.Connection, table: sa.Table, principal: Principal) -> sa.ColumnElement[bool]:
    """The rows of ``table`` that the principal may see: those of askers that had no groups beyond its own."""
    sight = RowAccess(connection, principal.groups)
    return sa.and_(table.c.tenant == principal.tenant, sight.has_all(table.c.groups), sight.left(table.c.groups))


def packed(vector: Floats) -> bytes:
    """As it is stored."""
    return np.asarray(vector, dtype="<f2").tobytes()


def unpacked(stored: bytes, dimensions: int) -> Floats:
    """(rows, dimensions), each of length 1."""
    found = np.frombuffer(stored, "<f2").astype(np.float32).reshape(-1, dimensions)
    unit: Floats = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    return unit


def person_of(said: CustomerTurn) -> str:
    """A digest of the person's name, in its tenant and space; empty: unknown."""
    if not said.person:
        return ""
    return hashlib.sha256("\x00".join((said.tenant, said.space, said.person)).encode()).hexdigest()[:32]


def conversation_id(tenant: str, name: str) -> str:
    """The id of the conversation in the session of this stored name, or that begins with this answer."""
    return "conv_" + hashlib.sha256(f"{tenant}\x00{name}".encode()).hexdigest()[:26]


def signs(row: sa.Row[Any]) -> Signs:
    """What a stored turn shows."""
    return Signs(
        status=row.status,
        refused=row.refused,
        grounded=row.grounded,
        rating=row.rating,
        thanks=row.thanks,
        asks_back=row.asks_back,
        escalated=row.escalated,
        tools_ok=row.tools_ok,
        tools_failed=row.tools_failed,
        sentiment=row.sentiment,
    )


def _insert(connection: sa.Connection, new: NewTurn, chained: dict[tuple[str, str], str]) -> None:
    said = new.said
    conversation = conversation_id(said.tenant, said.conversation)
    if (previous := said.conversation) == said.facts.previous:
        # It continues an answer, which may continue another one.
        known = sa.select(turns.c.conversation).where(turns.c.tenant == said.tenant, turns.c.id == previous)
        found = chained.get((said.tenant, previous)) or connection.execute(known).scalar_one_or_none()
        conversation = found or conversation
    chained[said.tenant, said.id] = conversation
    common = {"tenant": said.tenant, "space": said.space, "groups": rows.names(said.groups)}
    row: dict[str, Any] = common | {
        "id": said.id,
        "conversation": conversation,
        "application": said.facts.requested,
        "at": said.at,
        "trace_id": said.trace_id,
        "content_id": said.content_id,
        "embedder": new.embedder,
        "vector": None if new.vector is None else packed(new.vector),
        "sentiment": new.signs.sentiment,
        "status": new.signs.status,
        "refused": new.signs.refused,
        "grounded": new.signs.grounded,
        "thanks": new.signs.thanks,
        "asks_back": new.signs.asks_back,
        "escalated": new.signs.escalated,
    }
    if not connection.execute(rows.insert_new(connection, turns).values(**row)).rowcount:
        return
    begun: dict[str, Any] = common | {
        "id": conversation,
        "session_id": said.session_id,
        "application": said.facts.requested,
        "person": person_of(said),
        "started_at": said.at,
        "ended_at": said.at,
        "outcome": "open",
    }
    connection.execute(rows.insert_new(connection, conversations).values(**begun))
    mine = sa.and_(conversations.c.tenant == said.tenant, conversations.c.id == conversation)
    later = sa.case((conversations.c.ended_at < said.at, said.at), else_=conversations.c.ended_at)
    counted = {"turns": conversations.c.turns + 1, "ended_at": later, "stale": True, "outcome": "open"}
    connection.execute(sa.update(conversations).where(mine).values(**counted))


def _amend(connection: sa.Connection, tenant: str, about: str, what: Later, escalating: frozenset[str]) -> None:
    """Add what later events say to the turn; it may be named by its answer or by its trace."""
    mine = sa.and_(turns.c.tenant == tenant, sa.or_(turns.c.id == about, turns.c.trace_id == about))
    values: dict[str, Any] = {}
    if what.refused:
        values["refused"] = True
    if what.unsupported is not None:
        values["unsupported"] = what.unsupported
        if what.unsupported:
            values["grounded"] = False
    if what.rating:
        values["rating"] = what.rating
    if what.tools_ok or what.tools_failed:
        values["tools_ok"] = turns.c.tools_ok + what.tools_ok
        values["tools_failed"] = turns.c.tools_failed + what.tools_failed
    if what.tools & escalating:
        values["escalated"] = True
    if not values:
        return
    changed = connection.execute(sa.update(turns).where(mine).values(**values).returning(turns.c.conversation))
    for part in parts(sorted(set(changed.scalars()))):
        of = sa.and_(conversations.c.tenant == tenant, conversations.c.id.in_(part))
        connection.execute(sa.update(conversations).where(of).values(stale=True))


def _stale(connection: sa.Connection, row: sa.Row[Any], again_days: float) -> Stale:
    of = sa.and_(turns.c.tenant == row.tenant, turns.c.conversation == row.id)
    found = connection.execute(sa.select(turns).where(of).order_by(turns.c.at, turns.c.id).limit(MOST_TURNS)).all()
    topic = next((each.topic for each in found if each.topic), "")
    again = False
    if row.person and topic:
        same = sa.and_(
            conversations.c.tenant == row.tenant,
            conversations.c.person == row.person,
            conversations.c.topic == topic,
            conversations.c.id != row.id,
            conversations.c.started_at > row.ended_at,
            conversations.c.started_at <= row.ended_at + again_days * _DAY,
        )
        again = connection.execute(sa.select(sa.literal(1)).where(same).limit(1)).first() is not None
    return Stale(row.tenant, row.id, row.ended_at, [signs(each) for each in found], topic, again)


def _earlier(connection: sa.Connection, row: sa.Row[Any], again_days: float) -> None:
    same = sa.and_(
        conversations.c.tenant == row.tenant,
        conversations.c.person == row.person,
        conversations.c.topic == row.topic,
        conversations.c.ended_at < row.started_at,
        conversations.c.ended_at >= row.started_at - again_days * _DAY,
        conversations.c.outcome.in_(("resolved", "refused")),
        conversations.c.why != "the same topic again",
    )
    connection.execute(sa.update(conversations).where(same).values(stale=True))
