"""Opens, lists and finds cases."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.agents.handover import NewCase
from mainspring.core import cards
from mainspring.core.errors import InvalidRequest, NotFound, QuotaExceeded
from mainspring.core.types import EventRecord, Principal
from mainspring.features.desk.settings import DeskSettings, QueueRule
from mainspring.features.desk.store.records import (
    CASE,
    OPEN,
    PRIORITIES,
    Case,
    CaseMessage,
    case_of,
    find,
    may_see,
    message_of,
    record,
)
from mainspring.features.desk.tables import desk_cases as cases
from mainspring.features.desk.tables import desk_messages as messages
from mainspring.features.desk.tables import desk_numbers as numbers
from mainspring.stores.events.log import EventLog
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice

LONGEST = {"subject": 300, "reason": 2000, "body": 20_000, "topic": 64, "customer": 256}
_FIRST = 1001


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a case comes from. ``key`` is the idempotency key of its opening; ``session`` the stored name of the
    session that the caller calls ``session_id``."""

    key: str
    session_id: str = ""
    session: str = ""
    person: str = ""
    agent: str = ""
    run_id: str = ""
    trace_id: str = ""
    channel: str = "api"
    address: Mapping[str, Any] = field(default_factory=dict)
    language: str = ""


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """The cases of a list; an empty condition holds for all."""

    statuses: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    assignee: str = ""
    priority: str = ""
    customer: str = ""
    late: bool = False
    words: str = ""


class CaseStore:
    """The cases of all tenants."""

    def __init__(self, database: Database, settings: DeskSettings) -> None:
        self.database = database
        self._settings = settings

    async def open(self, principal: Principal, new: NewCase, origin: Origin) -> tuple[Case, EventRecord | None]:
        """The case of ``origin.key``, with its event if it is new. Raises ``InvalidRequest``, ``QuotaExceeded``."""
        _check(new)
        now = time.time()

        def work(connection: sa.Connection) -> tuple[Case, EventRecord | None]:
            opened = sa.and_(cases.c.tenant == principal.tenant, cases.c.opening == origin.key)
            query = sa.select(cases).where(opened)
            if (row := connection.execute(query).one_or_none()) is not None:
                return case_of(row), None
            self._check_room(connection, principal.tenant)
            serial = _next(connection, principal.tenant)
            values = self._row(principal, new, origin, now)
            number = f"{self._settings.prefix}{serial}"
            connection.execute(sa.insert(cases).values(**values, serial=serial, number=number))
            made = case_of(connection.execute(query).one())
            event = record(made, "opened", origin.trace_id)
            EventLog.within(connection, [event])
            return made, event

        return await self.database.write(work, durable=True)

    async def get(self, principal: Principal, wanted: str) -> tuple[Case, list[CaseMessage]]:
        """A case and its own messages, oldest first. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> tuple[Case, list[CaseMessage]]:
            found = find(connection, principal, wanted)
            mine = sa.and_(messages.c.tenant == found.tenant, messages.c.case_id == found.id)
            query = sa.select(messages).where(mine).order_by(messages.c.id)
            return found, [message_of(row) for row in connection.execute(query)]

        return await self.database.read(work)

    async def of_customer(self, principal: Principal, number: str, customer: str) -> Case:
        """The case of a verified customer. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> Case:
            found = find(connection, principal, number)
            if not customer or found.customer != customer:
                raise NotFound(f"there is no case {number!r}", param="number")
            return found

        return await self.database.read(work)

    async def attended(self, tenant: str, session: str) -> Case | None:
        """The open case in whose session a person answers; the newest."""
        mine = sa.and_(cases.c.tenant == tenant, cases.c.session == session)
        now = sa.and_(mine, cases.c.attended == 1, cases.c.status.in_(OPEN))
        query = sa.select(cases).where(now).order_by(cases.c.created_at.desc()).limit(1)
        row = await self.database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else case_of(row)

    async def opened_by(self, case: Case, key: str) -> bool:
        """Whether this idempotency key opened the case."""
        mine = sa.and_(cases.c.tenant == case.tenant, cases.c.id == case.id, cases.c.opening == key)
        query = sa.select(cases.c.id).where(mine)
        return await self.database.read(lambda connection: connection.execute(query).first()) is not None

    async def page(self, principal: Principal, page: Page, wanted: CaseFilter) -> Slice[Case]:
        """Cases, newest first. Raises ``InvalidRequest`` for a cursor that is no case."""

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            query = _seen(connection, principal).where(*_conditions(wanted))
            return pages.read(connection, query, (cases.c.id,), page, pages.by_id(CASE))

        return (await self.database.read(work)).map(case_of)

    async def queue(self, principal: Principal, wanted: CaseFilter, limit: int) -> list[Case]:
        """Cases in the order of work: the highest priority first, and of each the oldest."""

        def work(connection: sa.Connection) -> list[Case]:
            query = _seen(connection, principal).where(*_conditions(wanted))
            order = (cases.c.priority.desc(), cases.c.created_at, cases.c.id)
            return [case_of(row) for row in connection.execute(query.order_by(*order).limit(limit))]

        return await self.database.read(work)

    async def counts(self, principal: Principal) -> list[tuple[str, str, int, int]]:
        """For each queue and status: how many cases, and how many of them are late."""

        def work(connection: sa.Connection) -> list[tuple[str, str, int, int]]:
            late = sa.func.sum(sa.case((_late(), 1), else_=0))
            query = _seen(connection, principal).with_only_columns(cases.c.queue, cases.c.status, sa.func.count(), late)
            grouped = query.group_by(cases.c.queue, cases.c.status).order_by(cases.c.queue, cases.c.status)
            return [(row[0], row[1], int(row[2]), int(row[3] or 0)) for row in connection.execute(grouped)]

        return await self.database.read(work)

    async def changes(self, principal: Principal) -> int:
        """A number that differs after each change of an open case of the tenant. Closed ones are not read."""
        query = sa.select(sa.func.sum(cases.c.version + 1))
        query = query.where(cases.c.tenant == principal.tenant, cases.c.status.in_(OPEN))
        return int(await self.database.read(lambda connection: connection.execute(query).scalar_one()) or 0)

    async def all_counts(self) -> list[tuple[str, str, int, int]]:
        """The same over all tenants, of cases that are not closed."""
        late = sa.func.sum(sa.case((_late(), 1), else_=0))
        query = sa.select(cases.c.queue, cases.c.status, sa.func.count(), late).where(cases.c.status.in_(OPEN))
        grouped = query.group_by(cases.c.queue, cases.c.status)

        def work(connection: sa.Connection) -> list[tuple[str, str, int, int]]:
            return [(row[0], row[1], int(row[2]), int(row[3] or 0)) for row in connection.execute(grouped)]

        return await self.database.read(work)

    def due(self, priority: str, now: float) -> float:
        """When a person must have answered what was said at ``now``."""
        return now + 60.0 * float(getattr(self._settings.answer_minutes, priority))

    def _row(self, principal: Principal, new: NewCase, origin: Origin, now: float) -> dict[str, Any]:
        said = {name: cards.scrub(str(getattr(new, name))) for name in ("subject", "reason", "body", "topic")}
        return {
            "tenant": principal.tenant,
            "id": ids.new(CASE),
            "opening": origin.key,
            "kind": new.kind,
            "status": "open",
            "queue": queue_of(self._settings, new, origin),
            "priority": PRIORITIES.index(new.priority),
            **said,
            "customer": new.customer,
            "refs": rows.dump(cards.scrubbed(dict(new.references))),
            "owner": principal.person,
            "groups": rows.names(principal.groups),
            "person": origin.person,
            "session_id": origin.session_id,
            "session": origin.session,
            "attended": int(new.kind == "escalation" and bool(origin.session)),
            "agent": origin.agent,
            "run_id": origin.run_id,
            "trace_id": origin.trace_id,
            "channel": origin.channel,
            "address": rows.dump(dict(origin.address)),
            "language": origin.language,
            "created_at": now,
            "updated_at": now,
            "due_at": self.due(new.priority, now),
        }

    def _check_room(self, connection: sa.Connection, tenant: str) -> None:
        mine = sa.and_(cases.c.tenant == tenant, cases.c.status.in_(OPEN))
        count = connection.execute(sa.select(sa.func.count()).select_from(cases).where(mine)).scalar_one()
        if count >= self._settings.max_open:
            raise QuotaExceeded(f"{count} cases are open, the maximum", remedy="Close some, or set desk.max_open")


def queue_of(settings: DeskSettings, new: NewCase, origin: Origin) -> str:
    """The queue of the first rule that fits."""
    for rule in settings.rules:
        if _fits(rule, new, origin):
            return rule.queue
    return settings.queue


def _fits(rule: QueueRule, new: NewCase, origin: Origin) -> bool:
    pairs = (
        (rule.topics, new.topic),
        (rule.priorities, new.priority),
        (rule.languages, origin.language),
        (rule.channels, origin.channel),
    )
    return all(not wanted or value in wanted for wanted, value in pairs)


def _check(new: NewCase) -> None:
    if not new.subject.strip():
        raise InvalidRequest("a case needs a subject", remedy="Describe the request in one line", param="subject")
    for name, longest in LONGEST.items():
        if len(getattr(new, name)) > longest:
            raise InvalidRequest(f"{name} may have {longest} characters at most", param=name)
    if new.priority not in PRIORITIES:
        raise InvalidRequest(f"priority must be one of {', '.join(PRIORITIES)}", param="priority")
    if new.kind not in ("ticket", "escalation"):
        raise InvalidRequest("kind must be ticket or escalation", param="kind")
    cards.refuse(new.customer, "customer")
    if len(new.references) > 32 or any(
        len(name) > 64 or len(str(value)) > 512 for name, value in new.references.items()
    ):
        raise InvalidRequest("references may have at most 32 entries of 512 characters each", param="references")


def _next(connection: sa.Connection, tenant: str) -> int:
    connection.execute(rows.insert_new(connection, numbers).values(tenant=tenant, last=_FIRST - 1))
    query = sa.update(numbers).where(numbers.c.tenant == tenant).values(last=numbers.c.last + 1)
    return int(connection.execute(query.returning(numbers.c.last)).scalar_one())


def _seen(connection: sa.Connection, principal: Principal) -> sa.Select[Any]:
    """The cases that the caller may see. The sets of groups are few."""
    mine = cases.c.tenant == principal.tenant
    known = connection.execute(sa.select(cases.c.groups).where(mine).distinct()).scalars().all()
    seen = [text for text in known if may_see(frozenset(rows.load(text)), principal)]
    return sa.select(cases).where(mine, cases.c.groups.in_(seen))


def _late() -> sa.ColumnElement[bool]:
    return sa.and_(cases.c.status != "closed", cases.c.due_at.is_not(None), cases.c.due_at < time.time())


def _conditions(wanted: CaseFilter) -> Sequence[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.statuses:
        found.append(cases.c.status.in_(wanted.statuses))
    if wanted.queues:
        found.append(cases.c.queue.in_(wanted.queues))
    if wanted.assignee:
        found.append(cases.c.assignee == wanted.assignee)
    if wanted.customer:
        found.append(cases.c.customer == wanted.customer)
    if wanted.priority:
        found.append(cases.c.priority == PRIORITIES.index(wanted.priority))
    if wanted.late:
        found.append(_late())
    for word in wanted.words.split()[:8]:
        pattern = "%" + word.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        texts = sa.func.lower(cases.c.number + " " + cases.c.subject + " " + cases.c.customer + " " + cases.c.body)
        found.append(texts.like(pattern, escape="\\"))
    return found
