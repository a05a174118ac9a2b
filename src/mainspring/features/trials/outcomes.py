"""What came of episodes: a session, the trace of an agent's run, or one answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

import sqlalchemy as sa

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.ids as ids
from mainspring.core.errors import NotFound, QuotaExceeded
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import OutcomeFacts, session_name
from mainspring.core.types import EventRecord, Principal
from mainspring.stores.events.log import EventLog
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice

Episode = Literal["answer", "session", "trace"]

PREFIX = "evt_"


class Outcomes:
    """Writes and reads outcomes. One episode has at most ``most``."""

    def __init__(self, database: Database, log: EventLog, most: int) -> None:
        self._database = database
        self._log = log
        self._most = most

    async def tell(self, principal: Principal, episode: Episode, about: str, metric: str, value: float) -> EventRecord:
        """Write an outcome. Raises ``NotFound`` for an answer or a trace that the principal may not see, and
        ``QuotaExceeded``."""
        subject, trace, arms = session_name(principal.tenant, about), "", None
        if episode != "session":
            answer = await self._answer(principal, episode, about)
            subject, trace = answer.id, answer.trace_id
            arms = _arms(AnswerFacts.of(answer.facts))
        facts = OutcomeFacts(metric=metric, value=value, episode=episode, arms=arms)
        record = EventRecord(ids.new(PREFIX), time.time(), principal.tenant, trace, subject, facts)

        def work(connection: sa.Connection) -> None:
            sql.lock(connection, f"outcomes {principal.tenant} {subject}")
            told = sa.select(sa.func.count()).where(
                events.c.tenant == principal.tenant, events.c.kind == OutcomeFacts.EVENT, events.c.subject == subject
            )
            if connection.execute(told).scalar_one() >= self._most:
                raise QuotaExceeded(
                    f"{self._most} outcomes of this {episode} are recorded, the maximum",
                    remedy="Report only the latest outcome",
                    param="value",
                )
            EventLog.within(connection, [record])

        await self._database.write(work, durable=True)
        return record

    async def get(self, tenant: str, event_id: str) -> EventRecord:
        """Raises ``NotFound``."""
        return await self._log.get(tenant, event_id)

    async def page(self, principal: Principal, page: Page, about: str | None) -> Slice[EventRecord]:
        """Outcomes that the principal's groups may see, of an answer by its id or of a session by its name."""
        if about is not None and not about.startswith(("ans_", "ses_")):
            about = session_name(principal.tenant, about)
        return await self._log.page(
            principal.tenant, page, groups=principal.groups, kind=OutcomeFacts.EVENT, subject=about
        )

    async def _answer(self, principal: Principal, episode: Episode, about: str) -> EventRecord:
        if episode == "answer":
            return await self._log.answer_for(principal, about)
        found = await self._log.find(principal.tenant, kind=AnswerFacts.EVENT, trace_id=about, limit=1)
        if not found:
            raise NotFound(f"no answer is recorded under trace {about:.100}", param="trace_id")
        return await self._log.answer_for(principal, found[0].id)


def _arms(answer: AnswerFacts) -> Mapping[str, str] | None:
    return {answer.requested: answer.arm} if answer.arm else None
