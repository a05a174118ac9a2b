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
from mainspring.stores.events.event_visibility import visible_events
from mainspring.stores.events.log import EventLog
from mainspring.stores.schema import events
from mainspring.stores.sql import ids, rows
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Slice
from mainspring.stores.sql.row_access import RowAccess


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


@dataclass(frozen=True, slots=True)
class SentenceTranslation:
    """A sentence's translation. ``doubtful``: see ``engine.translator.TranslatedText``."""

    text: str
    doubtful: bool = False


class Remembered:
    """Translated sentences: at most ``most`` in all, and ``own`` of a tenant, for ``seconds``; the least used go
    first. All of it is used by one thread."""

    def __init__(self, most: int, own: int, seconds: float = 3600.0) -> None:
        self._most = most
        self._own = own
        self._seconds = seconds
        self._all: OrderedDict[tuple[str, str], tuple[SentenceTranslation, float]] = OrderedDict()
        # The order of each tenant's own: to look for it among all others' would take as long as there are others.
        self._of: dict[str, OrderedDict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def find(self, tenant: str, key: str) -> SentenceTranslation | None:
        found = self._all.get((tenant, key))
        if found is None:
            return None
        translation, until = found
        if until <= time.monotonic():
            self._drop(tenant, key)
            return None
        self._all.move_to_end((tenant, key))
        self._of[tenant].move_to_end(key)
        return translation

    def keep(self, tenant: str, key: str, translation: SentenceTranslation) -> None:
        if not min(self._most, self._own):
            return
        mine = self._of.setdefault(tenant, OrderedDict())
        self._all[tenant, key] = translation, time.monotonic() + self._seconds
        self._all.move_to_end((tenant, key))
        mine[key] = None
        mine.move_to_end(key)
        if len(mine) > self._own:
            self._drop(tenant, next(iter(mine)))
        if len(self._all) > self._most:
            self._drop(*next(iter(self._all)))

    def tidy(self) -> None:
        """Drop what is too old: it may be the text of somebody who was erased."""
        now = time.monotonic()
        for tenant, key in [each for each, (_, until) in self._all.items() if until <= now]:
            self._drop(tenant, key)

    def _drop(self, tenant: str, key: str) -> None:
        del self._all[tenant, key]
        mine = self._of[tenant]
        del mine[key]
        if not mine:
            del self._of[tenant]


class Edits:
    """Edits in the database; ``most`` are kept of a tenant, for ``days``."""

    def __init__(self, database: Database, most: int, days: float = 365.0) -> None:
        self._database = database
        self._most = most
        self._days = days

    async def add(self, principal: Principal, edit: Edit, feedback: EventRecord, person: str = "") -> str:
        """Write it down together with the event of feedback; its id. ``person``: whom the answer was for."""
        edit_id = ids.new("edit_")
        # A sentence is read with single spaces, however it was written.
        plain = " ".join(edit.source.split())

        def work(connection: sa.Connection) -> None:
            mine = sa.and_(events.c.tenant == principal.tenant, events.c.id == edit.answer)
            everybody_s = sa.select(events.c.id).where(mine, visible_events(connection, frozenset()))
            groups = frozenset() if connection.execute(everybody_s).first() else principal.groups
            sql.lock(connection, f"translate edits {principal.tenant}")
            connection.execute(
                sa.insert(translate_edits).values(
                    tenant=principal.tenant, id=edit_id, answer=edit.answer, owner=principal.person, person=person,
                    source_language=edit.source_language, target_language=edit.target_language,
                    digest=digest(plain, edit.source_language, edit.target_language), source=edit.source,
                    translation=edit.translation, edit=edit.edit, consent=edit.consent, groups=rows.names(groups),
                    at=time.time(),
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

    async def tidy(self, now: float) -> int:
        """Delete those that are too old; how many."""
        old = sa.delete(translate_edits).where(translate_edits.c.at < now - self._days * 86_400)
        return await self._database.write(lambda connection: connection.execute(old).rowcount, frees=True)

    async def page(self, principal: Principal, limit: int, after: str, *, consented: bool) -> Slice[Any]:
        """Those that the principal's groups may see, the oldest first, behind the one with the id ``after``."""

        def work(connection: sa.Connection) -> list[Any]:
            mine = sa.and_(translate_edits.c.tenant == principal.tenant, translate_edits.c.id > after)
            seen = RowAccess(connection, principal.groups).has_all(translate_edits.c.groups)
            query = sa.select(translate_edits).where(mine, seen)
            if consented:
                query = query.where(translate_edits.c.consent)
            return list(connection.execute(query.order_by(translate_edits.c.id).limit(limit + 1)).all())

        found = await self._database.read(work)
        return Slice(found[:limit], len(found) > limit)
