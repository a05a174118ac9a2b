"""Cases and what is said in them, as rows and as values."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.agents.handover import CaseKind, CasePriority
from mainspring.core.errors import NotFound
from mainspring.core.facts.cases import CaseFacts
from mainspring.core.types import EventRecord, Principal, confinement
from mainspring.features.desk.tables import desk_cases as cases
from mainspring.features.desk.tables import desk_messages as messages

CASE, MESSAGE = "case_", "casemsg_"
PRIORITIES: tuple[CasePriority, ...] = get_args(CasePriority)
"""From the least urgent to the most."""
Status = Literal["open", "taken", "waiting", "closed"]
Author = Literal["customer", "person", "note", "event"]
OPEN: tuple[Status, ...] = ("open", "taken", "waiting")


@dataclass(frozen=True, slots=True)
class Case:
    """A case. Times are Unix seconds; see the table for the fields."""

    tenant: str
    id: str
    number: str
    kind: CaseKind
    status: Status
    queue: str
    priority: CasePriority
    subject: str
    topic: str = ""
    language: str = ""
    reason: str = ""
    body: str = ""
    customer: str = ""
    references: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    groups: frozenset[str] = frozenset()
    person: str = ""
    session_id: str = ""
    session: str = ""
    attended: bool = False
    agent: str = ""
    run_id: str = ""
    trace_id: str = ""
    channel: str = "api"
    address: Mapping[str, Any] = field(default_factory=dict)
    assignee: str = ""
    assignee_name: str = ""
    resolution: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0
    taken_at: float | None = None
    answered_at: float | None = None
    closed_at: float | None = None
    due_at: float | None = None
    overdue: bool = False
    version: int = 0

    def is_late(self, now: float) -> bool:
        """Whether the customer has waited too long."""
        return self.status != "closed" and self.due_at is not None and self.due_at < now


@dataclass(frozen=True, slots=True)
class CaseMessage:
    """What a customer or a person said in a case, a note, or an event of it."""

    id: str
    case_id: str
    author: Author
    text: str
    at: float
    by: str = ""
    by_name: str = ""
    trace_id: str = ""


def case_of(row: sa.Row[Any]) -> Case:
    """The value of a row."""
    values = dict(row._mapping)
    values.pop("serial"), values.pop("opening")
    values["references"] = rows.load(values.pop("refs"))
    values["address"] = rows.load(values["address"])
    values["groups"] = frozenset(rows.load(values["groups"]))
    values["priority"] = PRIORITIES[values["priority"]]
    values["attended"], values["overdue"] = bool(values["attended"]), bool(values["overdue"])
    return Case(**values)


def message_of(row: sa.Row[Any]) -> CaseMessage:
    """The value of a row."""
    return CaseMessage(row.id, row.case_id, row.author, row.text, row.at, row.by, row.by_name, row.trace_id)


def may_see(groups: frozenset[str], principal: Principal) -> bool:
    """Whether somebody may work on a case: who is in all ``groups`` of the conversation, and in its confinement."""
    return groups <= principal.groups and confinement(groups) == confinement(principal.groups)


def find(connection: sa.Connection, principal: Principal, wanted: str) -> Case:
    """The case of that id or number. Raises ``NotFound``, for one that the caller may not see, too."""
    named = sa.or_(cases.c.id == wanted, cases.c.number == wanted)
    query = sa.select(cases).where(cases.c.tenant == principal.tenant, named)
    row = connection.execute(query).first()
    found = None if row is None else case_of(row)
    if found is None or not may_see(found.groups, principal):
        raise NotFound(f"there is no case {wanted!r}", remedy="GET /v1/desk/cases lists them", param="case")
    return found


def change(connection: sa.Connection, case: Case, **values: Any) -> Case:
    """The case with other values, in a transaction that has read it."""
    mine = sa.and_(cases.c.tenant == case.tenant, cases.c.id == case.id)
    values = {"updated_at": time.time(), "version": cases.c.version + 1, **values}
    connection.execute(sa.update(cases).where(mine).values(**values))
    return case_of(connection.execute(sa.select(cases).where(mine)).one())


def say(
    connection: sa.Connection,
    case: Case,
    author: Author,
    text: str,
    *,
    by: str = "",
    by_name: str = "",
    trace_id: str = "",
    at: float | None = None,
) -> CaseMessage:
    """Add a message to a case."""
    said = CaseMessage(ids.new(MESSAGE), case.id, author, text, at or time.time(), by, by_name, trace_id)
    row = {"tenant": case.tenant, "id": said.id, "case_id": case.id, "author": author, "by": by, "by_name": by_name}
    connection.execute(sa.insert(messages).values(**row, text=text, trace_id=trace_id, at=said.at))
    return said


def record(case: Case, action: str, trace_id: str = "", **more: Any) -> EventRecord:
    """The event that something happened to a case."""
    facts = CaseFacts(
        action=action,
        number=case.number,
        type=case.kind,
        queue=case.queue,
        topic=case.topic,
        priority=case.priority,
        channel=case.channel,
        agent=case.agent,
        session_id=case.session_id,
        **more,
    )
    return EventRecord(ids.new("evt_"), time.time(), case.tenant, trace_id, case.id, facts, person=case.person)
