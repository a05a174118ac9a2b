"""Mails as they were sent, of which models of the tenant may learn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.database as sql
from mainspring.core.types import EventRecord, Principal
from mainspring.features.compose.store.shown_suggestions import mail_name
from mainspring.features.compose.tables import compose_sent as sent
from mainspring.guards.detect import pii
from mainspring.stores.events.event_visibility import visible_events
from mainspring.stores.events.log import EventLog
from mainspring.stores.schema import events
from mainspring.stores.sql import ids, rows
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.row_access import RowAccess

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class SentMail:
    """A mail as it went out; ``answer`` is a suggestion that it asked for, and ``session`` its name."""

    answer: str
    text: str
    subject: str = ""
    to: str = ""
    session: str = ""


class SentMails:
    """Mails in the database; ``most`` are kept of a tenant, for ``days``."""

    def __init__(self, database: Database, most: int, days: float) -> None:
        self._database = database
        self._most = most
        self._days = days

    async def add(self, principal: Principal, mail: SentMail, feedback: EventRecord, person: str) -> str:
        """Write it down with the event of feedback, without personal data; its id. A mail that was told before is
        replaced. ``person``: whom the answer was for."""
        made, name = ids.new("mail_"), mail_name(principal.tenant, mail.session) or mail.answer
        said = {"text": mail.text, "subject": mail.subject, "recipient": mail.to}
        plain = {column: pii.redact(rows.clean(value))[0] for column, value in said.items()}

        def work(connection: sa.Connection) -> None:
            mine = sa.and_(events.c.tenant == principal.tenant, events.c.id == mail.answer)
            everybody_s = sa.select(events.c.id).where(mine, visible_events(connection, frozenset()))
            groups = frozenset() if connection.execute(everybody_s).first() else principal.groups
            own = sent.c.tenant == principal.tenant
            sql.lock(connection, f"compose sent {principal.tenant}")
            # A mail that stands twice could be learned from and be held out. Others may name theirs alike.
            whose = sa.and_(own, sent.c.owner == principal.person, sent.c.person == person)
            connection.execute(sa.delete(sent).where(whose, sent.c.mail == name))
            connection.execute(
                sa.insert(sent).values(
                    tenant=principal.tenant, id=made, answer=mail.answer, owner=principal.person, person=person,
                    mail=name, consent=True, groups=rows.names(groups), at=time.time(), **plain,
                )
            )  # fmt: skip
            old = sa.select(sent.c.id).where(own).order_by(sent.c.id.desc()).offset(self._most).limit(100)
            if gone := connection.execute(old).scalars().all():
                connection.execute(sa.delete(sent).where(own, sent.c.id.in_(gone)))
            EventLog.within(connection, [feedback])

        await self._database.write(work, durable=True)
        return made

    async def learnable(self, principal: Principal) -> Sequence[Any]:
        """The rows that models may learn from and that the principal's groups may see, the oldest first."""

        def page(connection: sa.Connection, after: str) -> list[Any]:
            mine = sa.and_(sent.c.tenant == principal.tenant, sent.c.id > after, sent.c.consent)
            seen = RowAccess(connection, principal.groups).has_all(sent.c.groups)
            query = sa.select(sent).where(mine, seen).order_by(sent.c.id).limit(_PAGE)
            return list(connection.execute(query).all())

        found: list[Any] = []
        while True:
            some = await self._database.read(partial(page, after=found[-1].id if found else ""))
            found += some
            if len(some) < _PAGE:
                return found

    async def tidy(self, now: float) -> None:
        """Delete those that are too old."""
        old = sa.delete(sent).where(sent.c.at < now - self._days * 86_400)
        await self._database.write(lambda connection: connection.execute(old).rowcount, frees=True)
