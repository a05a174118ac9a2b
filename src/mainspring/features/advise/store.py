"""Advice in the database. A move from stage to stage is one transaction: the new stage, its step, and its events."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from mainspring.core.errors import Conflict, NotFound, QuotaExceeded
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.facts.trials import AdviceFacts
from mainspring.core.types import EventRecord, Principal
from mainspring.features.advise.settings import AdviseSettings
from mainspring.features.advise.tables import advice
from mainspring.features.advise.wish import Wish
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.events.log import EventLog
from mainspring.stores.schema import events
from mainspring.stores.sql import ids, pages, rows
from mainspring.stores.sql import jobs as job_store
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job
from mainspring.stores.sql.pages import Page, Slice
from mainspring.stores.sql.row_access import RowAccess

KIND = "advice"
PREFIX = "adv_"
UNFINISHED = ("queued", "running")
FIRST = "sampling"
_AT_ONCE = 400
_c = advice.c


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision about a way, for the event log."""

    way: str
    decision: str
    reason: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """A move to ``stage``. ``notes`` are added to what earlier stages left; ``told`` are decisions about ways."""

    stage: str
    reason: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)
    told: Sequence[DecisionRecord] = ()
    report: Mapping[str, Any] | None = None


class AdviceStore:
    """The advice that a principal may see: that whose groups it has all."""

    def __init__(self, database: Database, settings: AdviseSettings) -> None:
        self._database = database
        self._settings = settings

    async def submit(self, principal: Principal, values: Mapping[str, Any], wish: Wish) -> str:
        """Queue an advice; durable when it returns. Its id. Raises ``QuotaExceeded``."""
        tenant, now, advice_id = principal.tenant, time.time(), ids.new(PREFIX)

        def work(connection: sa.Connection) -> None:
            counted = sa.select(sa.func.count()).select_from(advice).where(_c.tenant == tenant)
            busy = connection.execute(counted.where(_c.state.in_(UNFINISHED))).scalar_one()
            if busy >= self._settings.per_tenant:
                raise QuotaExceeded(f"{busy} pieces of advice are under way", remedy="Wait for one", param="dataset")
            if connection.execute(counted).scalar_one() >= self._settings.kept:
                told = f"{self._settings.kept} pieces of advice are kept"
                raise QuotaExceeded(told, remedy="Delete some", param="name")
            made = {"tenant": tenant, "id": advice_id, "state": "queued", "stage": FIRST, **values}
            made |= {"key_id": principal.key_id, "owner": principal.person, "spec": rows.dump(wish.plain())}
            connection.execute(sa.insert(advice).values(**made, created_at=now, updated_at=now))
            job_store.insert(connection, tenant, advice_id, KIND, {"key_id": principal.key_id}, priority=-busy)

        await self._database.write(work, durable=True)
        return advice_id

    async def get(self, principal: Principal, advice_id: str) -> sa.Row[Any]:
        """Raises ``NotFound``."""

        def work(connection: sa.Connection) -> sa.Row[Any] | None:
            seen = RowAccess(connection, principal.groups).has_all(_c.groups)
            query = sa.select(advice).where(_is(principal.tenant, advice_id), seen)
            return connection.execute(query).one_or_none()

        row = await self._database.read(work)
        if row is None:
            raise NotFound(f"there is no advice {advice_id:.100}", param="advice")
        return row

    async def page(self, principal: Principal, page: Page) -> Slice[sa.Row[Any]]:
        """By age. Raises ``InvalidRequest`` for a cursor."""

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            seen = RowAccess(connection, principal.groups).has_all(_c.groups)
            query = sa.select(advice).where(_c.tenant == principal.tenant, seen)
            return pages.read(connection, query, (_c.id,), page, pages.by_id(PREFIX))

        return await self._database.read(work)

    async def of(self, tenant: str, advice_id: str) -> sa.Row[Any] | None:
        """For its worker."""
        query = sa.select(advice).where(_is(tenant, advice_id))
        return await self._database.read(lambda connection: connection.execute(query).one_or_none())

    async def admitted_by_others(self, tenant: str, advice_id: str) -> set[str]:
        """The candidates of the tenant's other advice that is under way."""
        query = sa.select(_c.notes).where(_c.tenant == tenant, _c.state.in_(UNFINISHED), _c.id != advice_id)
        found = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        return {each["id"] for notes in found for each in rows.load(notes).get("admissions", ())}

    async def move(self, job: Job, row: sa.Row[Any], step: Step) -> bool:
        """Write a move under the lease of ``job``; whether it held, and the row was as it was read."""
        now = time.time()
        notes = {**rows.load(row.notes), **step.notes}
        made = [*rows.load(row.steps), {"at": now, "stage": step.stage, "reason": step.reason[:1000]}]
        values = {"state": "running", "stage": step.stage, "number": row.number + 1, "notes": rows.dump(notes)}
        values |= {"steps": rows.dump(made[-100:]), "updated_at": now}

        def work(connection: sa.Connection) -> bool:
            if not job_store.lease_holds(connection, job):
                return False
            mine = sa.and_(_is(job.tenant, job.id), _c.number == row.number)
            if not connection.execute(sa.update(advice).where(mine).values(**values)).rowcount:
                return False
            EventLog.within(connection, _records(row, step, now))
            return True

        return await self._database.write(work, durable=True)

    async def end(self, job: Job, state: str, error: str = "", step: Step | None = None) -> bool:
        """End the advice and its job under its lease; whether it held."""
        over = {"completed": job_store.DONE, "failed": job_store.FAILED, "cancelled": job_store.CANCELLED}
        now = time.time()

        def work(connection: sa.Connection) -> bool:
            if not job_store.lease_holds(connection, job):
                return False
            row = connection.execute(sa.select(advice).where(_is(job.tenant, job.id))).one_or_none()
            if row is not None:
                last = step or Step(state, error)
                made = [*rows.load(row.steps), {"at": now, "stage": last.stage, "reason": last.reason[:1000]}]
                told = {} if last.report is None else {"report": rows.dump(dict(last.report))}
                values = {"state": state, "stage": last.stage, "error": error[:1000], "steps": rows.dump(made[-100:])}
                changed = sa.update(advice).where(_is(job.tenant, job.id))
                connection.execute(changed.values(**values, **told, ended_at=now, updated_at=now))
                EventLog.within(connection, _records(row, last, now))
            job_store.end(connection, job, over[state], error)
            return True

        return await self._database.write(work, durable=True)

    async def delete(self, principal: Principal, advice_id: str) -> sa.Row[Any]:
        """Delete one that is over; what it was. Raises ``NotFound``, ``Conflict``."""
        row = await self.get(principal, advice_id)
        if row.ended_at is None:
            raise Conflict(f"{advice_id} is {row.state}", remedy="Cancel it first", param="advice")
        gone = sa.delete(advice).where(_is(principal.tenant, advice_id))
        await self._database.write(lambda connection: connection.execute(gone) and None, durable=True, frees=True)
        return row

    async def unconsented(self, tenant: str, sources: Sequence[str]) -> set[str]:
        """Those of these events from which nothing may be learnt, with those that are there no more. A rating needs
        no consent of its own: nothing that it says is learnt."""
        rated = sa.and_(events.c.kind == FeedbackFacts.EVENT, events.c.content_id.is_(None))
        allowed = sa.or_(events.c.consent, rated)

        def work(connection: sa.Connection) -> set[str]:
            lost = set(sources)
            for start in range(0, len(sources), _AT_ONCE):
                part = list(sources[start : start + _AT_ONCE])
                query = sa.select(events.c.id).where(events.c.tenant == tenant, events.c.id.in_(part), allowed)
                lost.difference_update(connection.execute(query).scalars())
            return lost

        return await self._database.read(work)

    async def people(self, tenant: str, sources: Sequence[str]) -> dict[str, str]:
        """Whose the answers among these events are; nobody's are left out."""

        def work(connection: sa.Connection) -> dict[str, str]:
            found: dict[str, str] = {}
            mine = sa.select(events.c.id, events.c.person)
            mine = mine.where(events.c.tenant == tenant, events.c.kind == AnswerFacts.EVENT, events.c.person != "")
            for part in parts(sources):
                found |= {row.id: row.person for row in connection.execute(mine.where(events.c.id.in_(part)))}
            return found

        return await self._database.read(work)


def _records(row: sa.Row[Any], step: Step, now: float) -> list[EventRecord]:
    """The events of a move: one of the stage, and one of each decision."""
    facts = [AdviceFacts(advice=row.id, data_set=row.data_set, stage=step.stage, reason=step.reason[:1000])]
    facts += [
        AdviceFacts(
            advice=row.id,
            data_set=row.data_set,
            stage=step.stage,
            way=each.way,
            decision=each.decision,
            reason=each.reason[:1000],
            figures={name: float(value) for name, value in each.figures.items()} or None,
        )
        for each in step.told
    ]
    return [EventRecord(ids.new("evt_"), now, row.tenant, "", row.id, each) for each in facts]


def _is(tenant: str, advice_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(_c.tenant == tenant, _c.id == advice_id)
