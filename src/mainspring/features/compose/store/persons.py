"""Persons: whether they agreed that their own phrases are learnt, and what they wrote since."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import InvalidRequest, NoConsent, QuotaExceeded
from mainspring.core.types import Principal
from mainspring.features.compose.settings import ComposeSettings
from mainspring.features.compose.tables import compose_people as people
from mainspring.features.compose.tables import compose_texts as texts
from mainspring.guards.detect import pii
from mainspring.stores.sql.database import Database

MAX_NAME = 256
Agreed = Literal["granted", "refused", ""]


@dataclass(frozen=True, slots=True)
class Writer:
    """A user (``person``; empty: the owner) of the application of a key (``owner``)."""

    tenant: str
    owner: str
    person: str

    @classmethod
    def of(cls, principal: Principal, user: str) -> Writer:
        """Raises ``InvalidRequest``: a name that is too long, or a card number."""
        if len(user) > MAX_NAME:
            raise InvalidRequest(f"user may have {MAX_NAME} characters at most", param="user")
        cards.refuse(user, "user")
        return cls(principal.tenant, principal.person, rows.clean(user))


class Writers:
    """Consent and texts of persons: so many of each, and of all persons of a tenant, as the settings say."""

    def __init__(self, database: Database, settings: ComposeSettings) -> None:
        self._database = database
        self._settings = settings

    async def agreed(self, who: Writer) -> Agreed:
        """What the person decided; empty: nothing yet."""
        query = sa.select(people.c.consent).where(_one(people, who))
        found = await self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())
        return found if found in ("granted", "refused") else ""

    async def decide(self, who: Writer, consent: Agreed) -> None:
        """Write the decision down. A person who refuses is forgotten at once. Raises ``QuotaExceeded`` for one more
        person than a tenant may have."""

        def work(connection: sa.Connection) -> None:
            if not _count(connection, people, _one(people, who)):
                self._hold(connection, people, who.tenant, self._settings.persons, "persons")
            connection.execute(sa.delete(people).where(_one(people, who)))
            values = {"tenant": who.tenant, "owner": who.owner, "person": who.person}
            connection.execute(sa.insert(people).values(**values, consent=consent, changed_at=time.time()))
            if consent == "refused":
                connection.execute(sa.delete(texts).where(_one(texts, who)))

        await self._database.write(work, durable=True, frees=consent == "refused")

    async def add(self, who: Writer, text: str) -> int:
        """Keep a text that the person sent, without personal data; returns how many there are. Raises ``NoConsent``,
        and ``QuotaExceeded`` for one more text than a tenant may have."""
        most = self._settings.own_texts
        plain, _ = pii.redact(rows.clean(text))
        digest = hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()[:32]

        def work(connection: sa.Connection) -> int:
            consent = connection.execute(sa.select(people.c.consent).where(_one(people, who))).scalar_one_or_none()
            if consent != "granted":
                raise NoConsent(
                    "this person has not agreed that own phrases are learnt",
                    remedy='PUT /v1/compose/personal with {"consent": true}',
                    param="user",
                )
            mine = _one(texts, who)
            gone = connection.execute(sa.delete(texts).where(mine, texts.c.digest == digest)).rowcount
            # One that takes the place of another makes no more of them.
            if not gone and _count(connection, texts, mine) < most:
                self._hold(connection, texts, who.tenant, self._settings.tenant_texts, "tenant_texts")
            values = {"tenant": who.tenant, "owner": who.owner, "person": who.person}
            connection.execute(sa.insert(texts).values(**values, digest=digest, text=plain, at=time.time()))
            kept = connection.execute(sa.select(texts.c.digest).where(mine).order_by(texts.c.at.desc())).scalars().all()
            for each in kept[most:]:
                connection.execute(sa.delete(texts).where(mine, texts.c.digest == each))
            return min(len(kept), most)

        return await self._database.write(work, durable=True)

    @staticmethod
    def _hold(connection: sa.Connection, table: sa.Table, tenant: str, most: int, name: str) -> None:
        # Two that count at the same time would both find room for the last one.
        sql.lock(connection, f"compose {name} {tenant}")
        if _count(connection, table, table.c.tenant == tenant) >= most:
            what = "persons" if table is people else "texts of persons"
            raise QuotaExceeded(
                f"this tenant has {most} {what}, the maximum",
                remedy=f"Erase users who are gone, or ask whoever operates the server to raise compose.{name}",
                param="user",
            )

    async def texts(self, who: Writer) -> Sequence[str]:
        """The texts of a person who agreed, oldest first."""
        query = sa.select(texts.c.text).where(_one(texts, who)).order_by(texts.c.at)
        return await self._database.read(lambda connection: connection.execute(query).scalars().all())

    async def forget(self, who: Writer) -> int:
        """Delete the texts; how many."""
        gone = sa.delete(texts).where(_one(texts, who))
        return await self._database.write(
            lambda connection: connection.execute(gone).rowcount, durable=True, frees=True
        )


def _count(connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table).where(where)).scalar_one()


def _one(table: sa.Table, who: Writer) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.tenant == who.tenant, table.c.owner == who.owner, table.c.person == who.person)
