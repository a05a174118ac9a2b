"""Facts about persons: each belongs to one person of one key, and nobody else finds it.

A person is a user whom the key's application names, or the key's owner. What was told while the key had certain groups
is told only to a caller with these groups, and in the same confinement. Card numbers are never kept.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import InvalidRequest, NotFound, QuotaExceeded
from mainspring.core.types import Principal, confinement
from mainspring.features.memory import persons
from mainspring.features.memory.extract import Kind
from mainspring.features.memory.persons import Person
from mainspring.features.memory.settings import MemorySettings
from mainspring.features.memory.tables import memories
from mainspring.serving.memory.terms import words
from mainspring.stores.sql.database import Database

PREFIX = "mem_"
Origin = Literal["rules", "model", "person", "agent"]
# Facts that share this much of their words, and have no slot, are one.
_SAME = 0.8
_NEGATIVE = frozenset("not no never don't doesn't didn't can't cannot longer stopped quit hate dislike detest".split())


@dataclass(frozen=True, slots=True)
class Memory:
    """A fact. Times are Unix seconds: ``at`` when it was told. ``superseded_by`` is the fact that took its place."""

    id: str
    text: str
    kind: Kind
    slot: str
    origin: Origin
    session_id: str
    answer_id: str
    at: float
    created_at: float
    updated_at: float
    expires_at: float | None
    superseded_by: str
    superseded_at: float | None
    uses: int
    vector: Any = None


@dataclass(frozen=True, slots=True)
class New:
    """A fact to be kept, and where it comes from."""

    text: str
    kind: Kind
    slot: str = ""
    origin: Origin = "rules"
    session_id: str = ""
    answer_id: str = ""
    at: float | None = None


@dataclass(frozen=True, slots=True)
class AddedFact:
    """What became of a new fact: ``memory`` is it, or the one that said the same (not ``new``). ``superseded`` are the
    ids of those whose place it took."""

    memory: Memory
    new: bool
    superseded: tuple[str, ...] = ()


class MemoryStore:
    """The facts of all tenants."""

    def __init__(self, database: Database, settings: MemorySettings) -> None:
        self._database = database
        self._settings = settings

    async def add(self, principal: Principal, person: str, new: New) -> AddedFact | None:
        """Keep a fact. One that says the same as a present one renews it; one with the same slot, or the opposite,
        supersedes it. None: it was forgotten before, and is kept again only if the person gives it by hand; or it was
        learnt, and the tenant has as many facts as it may. Raises ``QuotaExceeded`` for one given by hand."""
        who = Person.of(principal, person)
        text = " ".join(str(cards.scrubbed(new.text)).split())[: self._settings.max_characters].strip()
        if not text:
            raise InvalidRequest("a fact needs words", param="text")
        now = time.time()

        def work(connection: sa.Connection) -> AddedFact | None:
            if new.origin in ("rules", "model") and persons.is_forgotten(connection, who, text):
                return None
            found = _present(connection, principal, who, new.session_id)
            for each in found:
                if _same(each, text, new.slot):
                    values = {"updated_at": now, "at": max(each.at, new.at or now)}
                    connection.execute(sa.update(memories).where(_one(who, each.id)).values(**values))
                    return AddedFact(each, new=False)
            try:
                persons.hold(connection, memories, who.tenant, self._settings.tenant_facts, "tenant_facts")
            except QuotaExceeded:
                # A chat is not refused for what would have been learnt from it.
                if new.origin in ("rules", "model"):
                    return None
                raise
            made = self._insert(connection, principal, who, text, new, now)
            old = [each.id for each in found if _contradicted(each, text, new.slot)]
            _supersede(connection, who, old, made.id, now)
            self._bound(connection, who)
            return AddedFact(made, new=True, superseded=tuple(old))

        return await self._database.write(work, durable=True)

    async def edit(self, principal: Principal, person: str, memory_id: str, text: str, kind: Kind, slot: str) -> Memory:
        """Put ``text`` in the place of a fact, which becomes its history. Raises ``NotFound``."""
        who, now = Person.of(principal, person), time.time()
        said = " ".join(str(cards.scrubbed(text)).split())[: self._settings.max_characters].strip()
        if not said:
            raise InvalidRequest("a fact needs words", param="text")

        def work(connection: sa.Connection) -> Memory:
            old = _get(connection, principal, who, memory_id)
            if old.superseded_by:
                raise NotFound(f"{memory_id} is history: {old.superseded_by} took its place", param="memory_id")
            new = New(said, kind, slot, "person", old.session_id, at=now)
            made = self._insert(connection, principal, who, said, new, now)
            _supersede(connection, who, [old.id], made.id, now)
            return made

        return await self._database.write(work, durable=True)

    async def get(self, principal: Principal, person: str, memory_id: str) -> Memory:
        """Raises ``NotFound``."""
        who = Person.of(principal, person)
        return await self._database.read(lambda connection: _get(connection, principal, who, memory_id))

    async def all(
        self, principal: Principal, person: str, *, session_id: str | None = None, vectors: bool = False
    ) -> list[Memory]:
        """The present facts, oldest first: those of every session, and those of ``session_id`` only (None: of any
        session)."""
        who = Person.of(principal, person)
        return await self._database.read(
            lambda connection: _present(connection, principal, who, session_id, vectors=vectors, any_session=True)
        )

    async def history(self, principal: Principal, person: str, memory_id: str) -> list[Memory]:
        """What the fact superseded, directly and before, newest first. Raises ``NotFound``."""
        who = Person.of(principal, person)

        def work(connection: sa.Connection) -> list[Memory]:
            _get(connection, principal, who, memory_id)
            return _ancestors(connection, principal, who, memory_id)

        return await self._database.read(work)

    async def forget(self, principal: Principal, person: str, memory_id: str) -> int:
        """Delete a fact with its vector and its history, and remember that it is forgotten: it is not taken up again
        from what was said. Returns how many went. Raises ``NotFound``."""
        who = Person.of(principal, person)

        def work(connection: sa.Connection) -> int:
            fact = _get(connection, principal, who, memory_id)
            gone = [fact, *_ancestors(connection, principal, who, memory_id)]
            persons.forget(connection, who, [each.text for each in gone], time.time())
            return _delete(connection, who, [each.id for each in gone])

        return await self._database.write(work, durable=True, frees=True)

    async def forget_all(self, principal: Principal, person: str) -> int:
        """Delete every fact of the person, history and marks of forgotten ones; consent stays as it is."""
        who = Person.of(principal, person)

        def work(connection: sa.Connection) -> int:
            count = connection.execute(sa.delete(memories).where(_of(who))).rowcount
            persons.clear(connection, who)
            return int(count)

        return await self._database.write(work, durable=True, frees=True)

    async def embed(self, who: Person, embedder: str, vectors: Mapping[str, Any]) -> None:
        """Keep the vectors of facts that still exist."""

        def work(connection: sa.Connection) -> None:
            for memory_id, vector in vectors.items():
                values = {"embedder": embedder, "vector": np.asarray(vector, dtype="<f2").tobytes()}
                connection.execute(sa.update(memories).where(_one(who, memory_id)).values(**values))

        await self._database.write(work)

    async def unembedded(self, principal: Principal, person: str, embedder: str, limit: int = 256) -> list[Memory]:
        """Present facts without a vector of ``embedder``."""
        who = Person.of(principal, person)

        def work(connection: sa.Connection) -> list[Memory]:
            query = sa.select(memories).where(_of(who), memories.c.superseded_by == "", memories.c.embedder != embedder)
            found = connection.execute(query.order_by(memories.c.id).limit(limit)).all()
            return [_memory(row) for row in found if _visible(row, principal)]

        return await self._database.read(work)

    async def used(self, who: Person, memory_ids: Sequence[str]) -> None:
        """Note that these were recalled: what is used is kept longer."""
        if not memory_ids:
            return
        change = sa.update(memories).where(_of(who), memories.c.id.in_(list(memory_ids)))
        await self._database.write(
            lambda connection: connection.execute(change.values(uses=memories.c.uses + 1, updated_at=time.time()))
        )

    async def expire(self) -> int:
        """Delete what has expired, and what was neither told nor used for longer than facts are kept; how many."""
        now, days = time.time(), self._settings.retention_days
        old = sa.and_(memories.c.expires_at.is_not(None), memories.c.expires_at <= now)
        if days:
            old = sa.or_(old, memories.c.updated_at < now - days * 86_400)
        return await self._database.write(
            lambda connection: int(connection.execute(sa.delete(memories).where(old)).rowcount), frees=True
        )

    def _insert(
        self, connection: sa.Connection, principal: Principal, who: Person, text: str, new: New, now: float
    ) -> Memory:
        expires = now + self._settings.session_hours * 3600 if new.session_id else None
        row: dict[str, Any] = {"id": ids.new(PREFIX), "text": text, "kind": new.kind, "slot": new.slot}
        row |= {"origin": new.origin, "session_id": new.session_id, "answer_id": new.answer_id}
        row |= {"at": new.at or now, "created_at": now, "updated_at": now, "expires_at": expires}
        row |= {"superseded_by": "", "superseded_at": None, "uses": 0}
        where = {"tenant": who.tenant, "owner": who.owner, "person": who.person}
        connection.execute(sa.insert(memories).values(**where, groups=rows.names(principal.groups), **row))
        return Memory(**row)

    def _bound(self, connection: sa.Connection, who: Person) -> None:
        """Delete the least used facts beyond the most that a person may have, history first."""
        count = connection.execute(sa.select(sa.func.count()).select_from(memories).where(_of(who))).scalar_one()
        if (over := count - self._settings.max_facts) > 0:
            order = (memories.c.superseded_by == "", memories.c.uses, memories.c.updated_at)
            query = sa.select(memories.c.id).where(_of(who)).order_by(*order).limit(over)
            _delete(connection, who, list(connection.execute(query).scalars()))


def _of(who: Person) -> sa.ColumnElement[bool]:
    return sa.and_(memories.c.tenant == who.tenant, memories.c.owner == who.owner, memories.c.person == who.person)


def _one(who: Person, memory_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(_of(who), memories.c.id == memory_id)


def _visible(row: sa.Row[Any], principal: Principal) -> bool:
    groups = frozenset(rows.load(row.groups))
    return groups <= principal.groups and confinement(groups) == confinement(principal.groups)


def _get(connection: sa.Connection, principal: Principal, who: Person, memory_id: str) -> Memory:
    row = connection.execute(sa.select(memories).where(_one(who, memory_id))).one_or_none()
    expired = row is not None and row.expires_at is not None and row.expires_at <= time.time()
    if row is None or expired or not _visible(row, principal):
        raise NotFound(f"there is no memory {memory_id!r}", param="memory_id")
    return _memory(row)


def _present(
    connection: sa.Connection,
    principal: Principal,
    who: Person,
    session_id: str | None,
    *,
    vectors: bool = False,
    any_session: bool = False,
) -> list[Memory]:
    """The facts that hold now: those of ``session_id``, and (``any_session``) those of every session."""
    query = sa.select(memories).where(_of(who), memories.c.superseded_by == "")
    query = query.where(sa.or_(memories.c.expires_at.is_(None), memories.c.expires_at > time.time()))
    if not any_session:
        query = query.where(memories.c.session_id == (session_id or ""))
    elif session_id is not None:
        query = query.where(memories.c.session_id.in_(["", session_id]))
    found = connection.execute(query.order_by(memories.c.at, memories.c.id)).all()
    return [_memory(row, vectors=vectors) for row in found if _visible(row, principal)]


def _ancestors(connection: sa.Connection, principal: Principal, who: Person, memory_id: str) -> list[Memory]:
    found: list[Memory] = []
    names = [memory_id]
    while names:
        query = sa.select(memories).where(_of(who), memories.c.superseded_by.in_(names))
        older = [_memory(row) for row in connection.execute(query) if _visible(row, principal)]
        found += older
        names = [each.id for each in older]
    return sorted(found, key=lambda each: -(each.superseded_at or 0))


def _supersede(connection: sa.Connection, who: Person, old: Sequence[str], new: str, now: float) -> None:
    if old:
        change = sa.update(memories).where(_of(who), memories.c.id.in_(list(old)))
        connection.execute(change.values(superseded_by=new, superseded_at=now))


def _delete(connection: sa.Connection, who: Person, memory_ids: Sequence[str]) -> int:
    if not memory_ids:
        return 0
    return int(connection.execute(sa.delete(memories).where(_of(who), memories.c.id.in_(list(memory_ids)))).rowcount)


def _memory(row: sa.Row[Any], *, vectors: bool = False) -> Memory:
    names = ("id", "text", "kind", "slot", "origin", "session_id", "answer_id", "at", "created_at", "updated_at")
    more = ("expires_at", "superseded_by", "superseded_at", "uses")
    vector = np.frombuffer(row.vector, dtype="<f2").astype(np.float32) if vectors and row.vector is not None else None
    return Memory(**{name: getattr(row, name) for name in (*names, *more)}, vector=vector)


def _same(known: Memory, text: str, slot: str) -> bool:
    """Whether ``text`` says what ``known`` says."""
    one, other = frozenset(words(known.text)), frozenset(words(text))
    if _polarity(known.text) != _polarity(text) or ((slot or known.slot) and slot != known.slot):
        return False
    alike = len(one & other) / max(1, len(one | other))
    return one == other if slot else alike >= _SAME


def _contradicted(known: Memory, text: str, slot: str) -> bool:
    """Whether ``text`` takes the place of ``known``: the same slot, with another value."""
    del text
    return bool(slot) and slot == known.slot


def _polarity(text: str) -> bool:
    return not any(word in _NEGATIVE for word in text.lower().replace("’", "'").split())
