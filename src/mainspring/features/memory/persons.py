"""Persons: who a memory belongs to, whether they agreed to it, and what they had forgotten."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import InvalidRequest, QuotaExceeded
from mainspring.core.types import Principal
from mainspring.features.memory.tables import memory_forgotten as forgotten
from mainspring.features.memory.tables import memory_people as people
from mainspring.serving.memory.terms import words
from mainspring.stores.sql.database import Database

MAX_NAME = 256
Consent = Literal["granted", "refused", ""]


@dataclass(frozen=True, slots=True)
class Person:
    """A user (``person``; empty: the owner) of the application of a key (``owner``)."""

    tenant: str
    owner: str
    person: str

    @classmethod
    def of(cls, principal: Principal, person: str) -> Person:
        """Raises ``InvalidRequest``: a name that is too long, or a card number."""
        if len(person) > MAX_NAME:
            raise InvalidRequest(f"user may have {MAX_NAME} characters at most", param="user")
        cards.refuse(person, "user")
        return cls(principal.tenant, principal.person, rows.clean(person))


class People:
    """The consent of persons."""

    def __init__(self, database: Database, most: int = 10_000) -> None:
        self._database = database
        self._most = most

    async def consent(self, who: Person) -> Consent:
        """What the person decided; empty: nothing yet."""
        query = sa.select(people.c.consent).where(_one(who))
        found = await self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())
        return found if found in ("granted", "refused") else ""

    async def decide(self, who: Person, consent: Consent) -> None:
        """Write the decision down. Raises ``QuotaExceeded`` for one more person than a tenant may have."""

        def work(connection: sa.Connection) -> None:
            if connection.execute(sa.select(people.c.salt).where(_one(who))).first() is None:
                hold(connection, people, who.tenant, self._most, "persons")
            _known(connection, who)
            change = sa.update(people).where(_one(who)).values(consent=consent, changed_at=time.time())
            connection.execute(change)

        await self._database.write(work, durable=True)


def hold(connection: sa.Connection, table: sa.Table, tenant: str, most: int, name: str) -> None:
    """Raises ``QuotaExceeded`` if the tenant has as many rows as ``memory.NAME`` says. Two that count at the same time
    would both find room for the last one, so others wait."""
    sql.lock(connection, f"memory {name} {tenant}")
    count = sa.select(sa.func.count()).select_from(table).where(table.c.tenant == tenant)
    if connection.execute(count).scalar_one() >= most:
        raise QuotaExceeded(
            f"this tenant has {most} {name.replace('tenant_', '')} in its memory, the maximum",
            remedy=f"Erase users who are gone, or ask whoever operates the server to raise memory.{name}",
            param="user",
        )


def forget(connection: sa.Connection, who: Person, texts: Sequence[str], now: float) -> None:
    """Mark facts as forgotten, by digests that cannot be read without the person's salt."""
    salt = _known(connection, who)
    new = [
        {"tenant": who.tenant, "owner": who.owner, "person": who.person, "digest": _digest(salt, text), "at": now}
        for text in texts
    ]
    if new:
        connection.execute(rows.insert_new(connection, forgotten), new)


def is_forgotten(connection: sa.Connection, who: Person, text: str) -> bool:
    salt = connection.execute(sa.select(people.c.salt).where(_one(who))).scalar_one_or_none()
    if salt is None:
        return False
    mine = sa.and_(forgotten.c.tenant == who.tenant, forgotten.c.owner == who.owner, forgotten.c.person == who.person)
    query = sa.select(sa.literal(1)).where(mine, forgotten.c.digest == _digest(salt, text))
    return connection.execute(query.limit(1)).scalar_one_or_none() is not None


def clear(connection: sa.Connection, who: Person) -> None:
    """Delete the marks."""
    mine = sa.and_(forgotten.c.tenant == who.tenant, forgotten.c.owner == who.owner, forgotten.c.person == who.person)
    connection.execute(sa.delete(forgotten).where(mine))


def _known(connection: sa.Connection, who: Person) -> str:
    """The person's salt; a new row if there was none."""
    row = {"tenant": who.tenant, "owner": who.owner, "person": who.person, "consent": "", "changed_at": time.time()}
    connection.execute(rows.insert_new(connection, people).values(**row, salt=secrets.token_hex(16)))
    return str(connection.execute(sa.select(people.c.salt).where(_one(who))).scalar_one())


def _one(who: Person) -> sa.ColumnElement[bool]:
    return sa.and_(people.c.tenant == who.tenant, people.c.owner == who.owner, people.c.person == who.person)


def _digest(salt: str, text: str) -> str:
    said = " ".join(sorted(set(words(text)))) or " ".join(text.lower().split())
    return hashlib.sha256(f"{salt}\0{said}".encode("utf-8", "replace")).hexdigest()
