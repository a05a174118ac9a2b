"""What is remembered of translations: sentences of this process by tenant, and the edits of people."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.database as sql
from mainspring.core.types import EventRecord, Principal
from mainspring.features.translate.tables import translate_edits
from mainspring.stores.events.log import EventLog
from mainspring.stores.sql import ids
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Slice


@dataclass(frozen=True, slots=True)
class Edit:
    """A translation as a person would have it."""

    answer: str
    source_language: str
    target_language: str
    source: str
    translation: str
    edit: str
    consent: bool


def digest(source: str, source_language: str, target_language: str) -> str:
    """Of a sentence in a pair of languages; spaces around it do not count."""
    return hashlib.sha256(f"{source_language}\0{target_language}\0{source.strip()}".encode()).hexdigest()


class Remembered:
    """Translated sentences: at most ``most`` in all, and ``own`` of a tenant; the least used go first."""

    def __init__(self, most: int, own: int) -> None:
        self._most = most
        self._own = own
        self._all: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._counts: dict[str, int] = {}

    def find(self, tenant: str, key: str) -> str | None:
        found = self._all.get((tenant, key))
        if found is not None:
            self._all.move_to_end((tenant, key))
        return found

    def keep(self, tenant: str, key: str, translation: str) -> None:
        if not min(self._most, self._own):
            return
        if (tenant, key) not in self._all:
            self._counts[tenant] = self._counts.get(tenant, 0) + 1
        self._all[tenant, key] = translation
        self._all.move_to_end((tenant, key))
        if self._counts[tenant] > self._own:
            self._drop(next(each for each in self._all if each[0] == tenant))
        if len(self._all) > self._most:
            self._drop(next(iter(self._all)))

    def forget(self, tenant: str) -> None:
        """All of a tenant."""
        for each in [each for each in self._all if each[0] == tenant]:
            self._drop(each)

    def _drop(self, entry: tuple[str, str]) -> None:
        del self._all[entry]
        self._counts[entry[0]] -= 1
        if not self._counts[entry[0]]:
            del self._counts[entry[0]]


class Edits:
    """Edits in the database; ``most`` are kept of a tenant."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most

    async def add(self, principal: Principal, edit: Edit, feedback: EventRecord) -> str:
        """Write it down together with the event of feedback; its id."""
        edit_id = ids.new("edit_")

        def work(connection: sa.Connection) -> None:
            sql.lock(connection, f"translate edits {principal.tenant}")
            connection.execute(
                sa.insert(translate_edits).values(
                    tenant=principal.tenant, id=edit_id, answer=edit.answer, owner=principal.person,
                    source_language=edit.source_language, target_language=edit.target_language,
                    digest=digest(edit.source, edit.source_language, edit.target_language), source=edit.source,
                    translation=edit.translation, edit=edit.edit, consent=edit.consent, at=time.time(),
                )
            )  # fmt: skip
            own = sa.select(translate_edits.c.id).where(translate_edits.c.tenant == principal.tenant)
            old = own.order_by(translate_edits.c.id.desc()).offset(self._most).limit(100)
            gone = connection.execute(old).scalars().all()
            if gone:
                mine = translate_edits.c.tenant == principal.tenant
                connection.execute(sa.delete(translate_edits).where(mine, translate_edits.c.id.in_(gone)))
            EventLog.within(connection, [feedback])

        await self._database.write(work, durable=True)
        return edit_id

    async def known(self, principal: Principal, digests: Sequence[str]) -> dict[str, str]:
        """The person's latest edit of each sentence, by digest."""

        def work(connection: sa.Connection) -> dict[str, str]:
            found: dict[str, str] = {}
            mine = sa.and_(translate_edits.c.tenant == principal.tenant, translate_edits.c.owner == principal.person)
            for start in range(0, len(digests), 500):
                query = sa.select(translate_edits.c.digest, translate_edits.c.edit).where(
                    mine, translate_edits.c.digest.in_(digests[start : start + 500])
                )
                found |= {row.digest: row.edit for row in connection.execute(query.order_by(translate_edits.c.id))}
            return found

        return await self._database.read(work)

    async def page(self, tenant: str, limit: int, after: str, *, consented: bool) -> Slice[Any]:
        """The oldest first, behind the one with the id ``after``."""

        def work(connection: sa.Connection) -> list[Any]:
            query = sa.select(translate_edits).where(translate_edits.c.tenant == tenant, translate_edits.c.id > after)
            if consented:
                query = query.where(translate_edits.c.consent)
            return list(connection.execute(query.order_by(translate_edits.c.id).limit(limit + 1)).all())

        found = await self._database.read(work)
        return Slice(found[:limit], len(found) > limit)
