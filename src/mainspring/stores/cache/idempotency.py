"""Answers to requests that may be sent again under one name, each made once by however many processes share a database.

The first claims a name for as long as it renews its lease; the others wait for its answer. A process that dies leaves a
claim that ends by itself. What it has made by then is noted in the claim by the transaction that makes it, so that
whoever takes the claim over finds it, and makes no second one.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.stores.schema import repeat_tags, repeats
from mainspring.stores.sql.database import Database

LEASE_S = 15.0
_MADE = b"\0made:"
Claim = bytes | Literal["mine", "busy"]
"""The answer under the name, or the owner of the claim."""
ClaimName = tuple[str, str, str]
"""Tenant, name and owner."""
CLAIM: ContextVar[ClaimName | None] = ContextVar("claim", default=None)
"""The claim under which the current task works. Read it outside of transactions: they run in threads."""


def made_before(connection: sa.Connection, claim: ClaimName | None) -> str:
    """The id of what was made under the claim before; empty: nothing, or there is no claim."""
    if claim is None:
        return ""
    tenant, name, owner = claim
    mine = sa.select(repeats.c.value).where(_is(tenant, name), repeats.c.owner == owner)
    value = connection.execute(mine).scalar_one_or_none()
    return bytes(value)[len(_MADE) :].decode() if value is not None and _unanswered(bytes(value)) else ""


def note_made(connection: sa.Connection, claim: ClaimName | None, made: str) -> None:
    """Note in the claim what this transaction makes, if there is one."""
    if claim is not None:
        tenant, name, owner = claim
        mine = sa.update(repeats).where(_is(tenant, name), repeats.c.owner == owner)
        connection.execute(mine.values(value=_MADE + made.encode()))


def _unanswered(value: bytes) -> bool:
    return value.startswith(_MADE)


class Repeats:
    """The answers of all tenants. A claim may be lost in a power failure; an answer may not."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, tenant: str, name: str, owner: str, ttl_s: float) -> Claim:
        """Claim the name for ``owner`` unless it is claimed already or has an answer."""
        now = time.time()
        new = {"tenant": tenant, "name": name, "owner": owner, "leased_until": now + LEASE_S, "expires_at": now + ttl_s}

        def work(connection: sa.Connection) -> Claim:
            _drop(connection, repeats.c.expires_at < now)
            if connection.execute(rows.insert_new(connection, repeats), new).rowcount:
                return "mine"
            found = connection.execute(sa.select(repeats).where(_is(tenant, name))).one()
            if found.value is not None and not _unanswered(bytes(found.value)):
                return bytes(found.value)
            if found.leased_until > now:
                return "busy"
            over = sa.update(repeats).where(_is(tenant, name), repeats.c.owner == found.owner)
            return "mine" if connection.execute(over.values(**new)).rowcount else "busy"

        return await self._database.write(work, durable=False)

    async def retake(self, tenant: str, name: str, owner: str, value: bytes) -> bool:
        """Claim the name again for ``owner`` if its answer is still ``value``, which becomes void."""
        there = sa.update(repeats).where(_is(tenant, name), repeats.c.value == value)
        new: dict[str, Any] = {"value": None, "owner": owner, "leased_until": time.time() + LEASE_S}
        return bool(await self._database.write(lambda connection: connection.execute(there.values(**new)).rowcount))

    async def renew(self, tenant: str, name: str, owner: str) -> None:
        """Keep the claim for another while."""
        mine = sa.update(repeats).where(_is(tenant, name), repeats.c.owner == owner)
        new = {"leased_until": time.time() + LEASE_S}
        await self._database.write(lambda connection: connection.execute(mine.values(**new)) and None, durable=False)

    async def done(self, tenant: str, name: str, owner: str, value: bytes, tags: frozenset[str]) -> None:
        """Store the answer; it is durable on return."""

        def work(connection: sa.Connection) -> None:
            mine = sa.update(repeats).where(_is(tenant, name), repeats.c.owner == owner)
            if connection.execute(mine.values(value=value)).rowcount:
                new = [{"tenant": tenant, "tag": tag, "name": name} for tag in sorted(tags)]
                connection.execute(sa.delete(repeat_tags).where(_of(tenant, name)))
                connection.execute(sa.insert(repeat_tags), new)

        await self._database.write(work, durable=True)

    async def release(self, tenant: str, name: str, owner: str) -> None:
        """Give up the claim: the next request starts again, with what was made under it."""
        mine = sa.and_(_is(tenant, name), repeats.c.owner == owner)

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.delete(repeats).where(mine, repeats.c.value.is_(None)))
            value = connection.execute(sa.select(repeats.c.value).where(mine)).scalar_one_or_none()
            if value is not None and _unanswered(bytes(value)):
                connection.execute(sa.update(repeats).where(mine).values(leased_until=0.0))

        await self._database.write(work)

    async def invalidate(self, tag: str) -> int:
        """Drop every answer with this tag; returns their number."""
        named = sa.select(repeat_tags.c.name).where(repeat_tags.c.tag == tag)
        return await self._database.write(lambda connection: _drop(connection, repeats.c.name.in_(named)), durable=True)

    async def count(self, tag: str) -> int:
        """How many answers carry this tag."""
        query = sa.select(sa.func.count()).select_from(repeat_tags).where(repeat_tags.c.tag == tag)
        return int(await self._database.read(lambda connection: connection.execute(query).scalar_one()))

    async def expire(self) -> int:
        """Drop expired entries; returns their number."""
        old = repeats.c.expires_at < time.time()
        return await self._database.write(lambda connection: _drop(connection, old))


def _is(tenant: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(repeats.c.tenant == tenant, repeats.c.name == name)


def _of(tenant: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(repeat_tags.c.tenant == tenant, repeat_tags.c.name == name)


def _drop(connection: sa.Connection, where: sa.ColumnElement[bool]) -> int:
    gone = connection.execute(sa.select(repeats.c.tenant, repeats.c.name).where(where)).all()
    for tenant, name in gone:
        connection.execute(sa.delete(repeat_tags).where(_of(tenant, name)))
        connection.execute(sa.delete(repeats).where(_is(tenant, name)))
    return len(gone)
