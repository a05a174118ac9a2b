"""Answers to requests that may be sent again under one name, each made once by however many processes share a database.

The first claims a name for as long as it renews its lease; the others wait for its answer. A process that dies leaves a
claim that ends by itself. A claim of what creates something has a plan: the digits of the ids of what it makes, and the
digest of its request. The process that takes the claim over has the same plan. So it finds what was made, and cannot
make it a second time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.stores.schema import repeat_tags, repeats
from mainspring.stores.sql import ids
from mainspring.stores.sql.database import Database

LEASE_S = 15.0
_PLAN = b"\0plan:"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a claim may make. ``again``: another process had the claim before, and may have made it."""

    digits: str
    digest: str
    again: bool = False


Claim = bytes | Plan | Literal["mine", "busy"]
"""The answer under the name, the plan of one's claim ("mine": a claim without one), or that another has it."""


class Repeats:
    """The answers of all tenants. A claim may be lost in a power failure; an answer may not."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, tenant: str, name: str, owner: str, ttl_s: float, digest: str = "") -> Claim:
        """Claim the name for ``owner`` unless it is claimed already or has an answer; with a plan if there is the
        ``digest`` of a request that creates something."""
        now = time.time()
        new = {"tenant": tenant, "name": name, "owner": owner, "leased_until": now + LEASE_S, "expires_at": now + ttl_s}
        plan = Plan(ids.new(""), digest)
        fresh = {**new, "value": _written(plan) if digest else None}

        def work(connection: sa.Connection) -> Claim:
            _drop(connection, repeats.c.expires_at < now)
            if connection.execute(rows.insert_new(connection, repeats), fresh).rowcount:
                return plan if digest else "mine"
            found = connection.execute(sa.select(repeats).where(_is(tenant, name))).one()
            before = _plan(found.value)
            if found.value is not None and before is None:
                return bytes(found.value)
            if found.leased_until > now:
                return "busy"
            values = new if before is not None else fresh
            over = sa.update(repeats).where(_is(tenant, name), repeats.c.owner == found.owner)
            if not connection.execute(over.values(**values)).rowcount:
                return "busy"
            return before or (plan if digest else "mine")

        return await self._database.write(work, durable=False)

    async def replan(self, tenant: str, name: str, owner: str, plan: Plan) -> None:
        """Note another plan: nothing was made under the one before."""
        mine = sa.update(repeats).where(_is(tenant, name), repeats.c.owner == owner)
        await self._database.write(lambda connection: connection.execute(mine.values(value=_written(plan))) and None)

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
        """Give up the claim: the next request starts again, with the plan."""
        mine = sa.and_(_is(tenant, name), repeats.c.owner == owner)

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.delete(repeats).where(mine, repeats.c.value.is_(None)))
            if _plan(connection.execute(sa.select(repeats.c.value).where(mine)).scalar_one_or_none()) is not None:
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


def _written(plan: Plan) -> bytes:
    return _PLAN + f"{plan.digits}:{plan.digest}".encode()


def _plan(value: bytes | None) -> Plan | None:
    """The plan that stands in the place of an answer, if one does."""
    if value is None or not bytes(value).startswith(_PLAN):
        return None
    digits, _, digest = bytes(value)[len(_PLAN) :].decode().partition(":")
    return Plan(digits, digest, again=True)


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
