"""What people do with cases: take, release, pass on, answer, close and reopen them. Each is one transaction with its
event, its line in the audit log, and the turn of the session that a customer reads."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mainspring.core import cards
from mainspring.core.errors import Conflict, InvalidRequest
from mainspring.core.types import EventRecord, Message, Principal
from mainspring.features.desk.store.cases import CaseStore
from mainspring.features.desk.store.desk_persons import DeskPerson
from mainspring.features.desk.store.records import (
    OPEN,
    Author,
    Case,
    CaseMessage,
    case_of,
    change,
    find,
    may_see,
    message_of,
    record,
    say,
)
from mainspring.features.desk.tables import desk_assists, desk_suggestions
from mainspring.features.desk.tables import desk_cases as cases
from mainspring.features.desk.tables import desk_messages as messages
from mainspring.stores.events.audit_log import Actor, Audit
from mainspring.stores.events.log import EventLog
from mainspring.stores.sessions.turns import SessionTurn
from mainspring.stores.sql.database import Database

MAX_TEXT = 20_000
Also = Callable[[sa.Connection, Case, CaseMessage], Sequence[EventRecord]]
"""Further work in the transaction of an answer, and its events."""


@dataclass(frozen=True, slots=True)
class CaseChange:
    """A case after something was done, what was said, and the event, with those of ``more`` that was done."""

    case: Case
    event: EventRecord
    said: CaseMessage | None = None
    more: Sequence[EventRecord] = ()


class CaseWork:
    """What people and customers do with cases."""

    def __init__(self, database: Database, store: CaseStore, audit: Audit) -> None:
        self._database = database
        self._store = store
        self._audit = audit

    async def take(
        self, principal: Principal, wanted: str, who: DeskPerson, by: Actor, *, attend: bool | None = None
    ) -> CaseChange:
        """Take an open case, or one's own again. ``attend``: answer in the session in the agent's place (None: as it
        was). Raises ``NotFound``, ``Conflict`` for one that somebody else has taken or that is closed."""

        def work(connection: sa.Connection) -> CaseChange:
            return self._take(connection, find(connection, principal, wanted), who, by, attend)

        return await self._database.write(work, durable=True)

    async def next(self, principal: Principal, queues: Sequence[str], who: DeskPerson, by: Actor) -> CaseChange | None:
        """Take the case that has waited longest among those of the highest priority; None if none waits."""

        def work(connection: sa.Connection) -> CaseChange | None:
            order = (cases.c.priority.desc(), cases.c.created_at, cases.c.id)
            query = sa.select(cases).where(cases.c.tenant == principal.tenant, cases.c.status == "open")
            if queues:
                query = query.where(cases.c.queue.in_(list(queues)))
            for row in connection.execute(query.order_by(*order)):
                case = case_of(row)
                if may_see(case.groups, principal):
                    return self._take(connection, case, who, by, None)
            return None

        return await self._database.write(work, durable=True)

    async def assign(
        self, principal: Principal, wanted: str, by: Actor, *, to: DeskPerson | None, queue: str = "", actor: str = ""
    ) -> CaseChange:
        """Give a case to another person (None: back to its queue), or to another queue. Raises ``NotFound``,
        ``Conflict``."""

        def work(connection: sa.Connection) -> CaseChange:
            case = _unclosed(find(connection, principal, wanted))
            values: dict[str, Any] = {"queue": queue or case.queue}
            if to is None:
                values |= {"status": "open", "assignee": "", "assignee_name": "", "taken_at": None}
            else:
                values |= {"status": "taken", "assignee": to.person, "assignee_name": to.name, "taken_at": time.time()}
            action = "released" if to is None and not queue else "reassigned"
            return self._did(connection, change(connection, case, **values), action, by, actor)

        return await self._database.write(work, durable=True)

    async def say(
        self,
        principal: Principal,
        wanted: str,
        text: str,
        who: DeskPerson,
        by: Actor,
        *,
        author: Author = "person",
        also: Also | None = None,
    ) -> CaseChange:
        """Answer the customer, or leave a note. Answering an open case takes it. Raises ``NotFound``, ``Conflict``,
        ``InvalidRequest``."""
        said = _text(text)

        def work(connection: sa.Connection) -> CaseChange:
            case = _unclosed(find(connection, principal, wanted))
            if author == "note":
                note = say(connection, case, "note", said, by=who.person, by_name=who.name, trace_id=by.trace_id)
                return self._did(connection, change(connection, case), "noted", by, who.person, note)
            more: list[EventRecord] = []
            if case.status == "open":
                taken = self._take(connection, case, who, by, None)
                case, more = taken.case, [taken.event]
            elif case.assignee != who.person:
                raise _taken(case)
            made = say(connection, case, "person", said, by=who.person, by_name=who.name, trace_id=by.trace_id)
            if also is not None:
                beside = also(connection, case, made)
                EventLog.within(connection, beside)
                more += beside
            waited = None if case.due_at is None else max(0.0, made.at - _asked_at(connection, case))
            first = case.answered_at or made.at
            after = change(connection, case, status="waiting", due_at=None, overdue=0, answered_at=first)
            turns: tuple[SessionTurn, ...] = ()
            if case.session:
                turns = (SessionTurn(case.tenant, case.session, (Message("assistant", said),), by.trace_id, made.at),)
            done = self._did(connection, after, "answered", by, who.person, made, turns, seconds=waited)
            return dataclasses.replace(done, more=more)

        return await self._database.write(work, durable=True)

    async def asked(self, case: Case, text: str, trace_id: str) -> CaseChange:
        """The customer said something in an attended session. Nobody's answer is due twice."""
        said = cards.scrub(text)[:MAX_TEXT]

        def work(connection: sa.Connection) -> CaseChange:
            if trace_id and (known := _said_already(connection, case, said, trace_id)) is not None:
                # The process died between this and the answer, and the message is dealt with once more.
                return CaseChange(case, record(case, "asked", trace_id), known)
            made = say(connection, case, "customer", said, trace_id=trace_id)
            due = case.due_at or self._store.due(case.priority, made.at)
            status = "taken" if case.status == "waiting" else case.status
            after = change(connection, case, status=status, due_at=due)
            event = record(after, "asked", trace_id)
            EventLog.within(connection, [event])
            return CaseChange(after, event, made)

        return await self._database.write(work, durable=True)

    async def close(
        self,
        principal: Principal,
        wanted: str,
        who: DeskPerson,
        by: Actor,
        *,
        resolution: str = "",
        hand_back: bool = False,
    ) -> CaseChange:
        """Close a case: the agent answers again in the session. ``hand_back``: only that, and the case stays open.
        Raises ``NotFound``, ``Conflict``."""

        def work(connection: sa.Connection) -> CaseChange:
            case = _unclosed(find(connection, principal, wanted))
            if hand_back:
                if not case.attended:
                    raise Conflict("the agent answers in this session already")
                return self._did(connection, change(connection, case, attended=0), "handed_back", by, who.person)
            now = time.time()
            values = {"status": "closed", "closed_at": now, "attended": 0, "due_at": None, "overdue": 0}
            after = change(connection, case, **values, resolution=resolution)
            took = now - case.created_at
            return self._did(connection, after, "closed", by, who.person, seconds=took, resolution=resolution)

        return await self._database.write(work, durable=True)

    async def reopen(self, principal: Principal, wanted: str, who: DeskPerson, by: Actor) -> CaseChange:
        """Open a closed case again, in its queue. Raises ``NotFound``, ``Conflict``."""

        def work(connection: sa.Connection) -> CaseChange:
            case = find(connection, principal, wanted)
            if case.status != "closed":
                raise Conflict(f"the case {case.number} is not closed")
            values: dict[str, Any] = {"status": "open", "closed_at": None, "assignee": "", "assignee_name": ""}
            values |= {"due_at": self._store.due(case.priority, time.time()), "resolution": "", "taken_at": None}
            return self._did(connection, change(connection, case, **values), "reopened", by, who.person)

        return await self._database.write(work, durable=True)

    async def mark_late(self) -> list[CaseChange]:
        """Mark the cases of all tenants whose customers have waited too long, each once."""
        late = sa.and_(cases.c.status.in_(OPEN), cases.c.due_at < time.time(), cases.c.overdue == 0)

        def work(connection: sa.Connection) -> list[CaseChange]:
            found = []
            for row in connection.execute(sa.select(cases).where(late).limit(500)).all():
                after = change(connection, case_of(row), overdue=1)
                event = record(after, "overdue")
                EventLog.within(connection, [event])
                found.append(CaseChange(after, event))
            return found

        return await self._database.write(work)

    async def expire(self, days: float) -> int:
        """Delete the cases that were closed more than ``days`` ago; how many."""
        old = sa.and_(cases.c.status == "closed", cases.c.closed_at < time.time() - days * 86_400)

        def work(connection: sa.Connection) -> int:
            found = connection.execute(sa.select(cases.c.tenant, cases.c.id).where(old).limit(1000)).all()
            for tenant, case_id in found:
                mine = sa.and_(messages.c.tenant == tenant, messages.c.case_id == case_id)
                connection.execute(sa.delete(messages).where(mine))
                for table in (desk_assists, desk_suggestions):
                    about = sa.and_(table.c.tenant == tenant, table.c.case_id == case_id)
                    connection.execute(sa.delete(table).where(about))
                connection.execute(sa.delete(cases).where(cases.c.tenant == tenant, cases.c.id == case_id))
            return len(found)

        return await self._database.write(work, frees=True)

    def _take(
        self, connection: sa.Connection, case: Case, who: DeskPerson, by: Actor, attend: bool | None
    ) -> CaseChange:
        _unclosed(case)
        if case.assignee not in ("", who.person):
            raise _taken(case)
        attended = case.attended if attend is None else attend and bool(case.session)
        values = {"status": "taken", "assignee": who.person, "assignee_name": who.name, "attended": int(attended)}
        after = change(connection, case, **values, taken_at=case.taken_at or time.time())
        return self._did(connection, after, "taken", by, who.person)

    def _did(
        self,
        connection: sa.Connection,
        case: Case,
        action: str,
        by: Actor,
        actor: str,
        said: CaseMessage | None = None,
        turns: Sequence[SessionTurn] = (),
        **more: Any,
    ) -> CaseChange:
        event = record(case, action, by.trace_id, by=actor, **more)
        EventLog.within(connection, [event], turns)
        self._audit.append(connection, case.tenant, f"desk.case_{action}", by, object=case.id)
        return CaseChange(case, event, said)


def _unclosed(case: Case) -> Case:
    if case.status == "closed":
        raise Conflict(f"the case {case.number} is closed", remedy="Reopen it")
    return case


def _taken(case: Case) -> Conflict:
    who = case.assignee_name or "somebody else"
    return Conflict(f"{who} works on the case {case.number}", remedy="Ask for it to be released or reassigned")


def _text(text: str) -> str:
    said = cards.scrub(text).strip()
    if not said or len(said) > MAX_TEXT:
        raise InvalidRequest(f"text must have 1 to {MAX_TEXT} characters", param="text")
    return said


def _said_already(connection: sa.Connection, case: Case, text: str, trace_id: str) -> CaseMessage | None:
    mine = sa.and_(messages.c.tenant == case.tenant, messages.c.case_id == case.id, messages.c.author == "customer")
    same = sa.and_(mine, messages.c.trace_id == trace_id, messages.c.text == text)
    row = connection.execute(sa.select(messages).where(same).limit(1)).one_or_none()
    return None if row is None else message_of(row)


def _asked_at(connection: sa.Connection, case: Case) -> float:
    """When the customer began to wait: the first message since the last answer, or the opening."""
    mine = sa.and_(messages.c.tenant == case.tenant, messages.c.case_id == case.id)
    answered = sa.select(sa.func.max(messages.c.at)).where(mine, messages.c.author == "person")
    last = connection.execute(answered).scalar_one_or_none()
    if last is None:
        return case.created_at
    asked = sa.select(sa.func.min(messages.c.at)).where(mine, messages.c.author == "customer", messages.c.at > last)
    return float(connection.execute(asked).scalar_one_or_none() or last)
