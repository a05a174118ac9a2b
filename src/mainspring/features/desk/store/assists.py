"""What was made to assist people with a case, and what they did with the suggestions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import Conflict, NotFound
from mainspring.core.types import EventRecord, Principal
from mainspring.features.desk.store.records import Case, find, record
from mainspring.features.desk.tables import desk_assists as assists
from mainspring.features.desk.tables import desk_suggestions as suggestions
from mainspring.stores.events.log import EventLog
from mainspring.stores.sql.database import Database

SUGGESTION = "suggest_"
Source = Literal["knowledge", "tools", "greeting"]
Decision = Literal["accepted", "edited", "rejected", ""]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An answer that a person may send. ``citations`` are passages that it rests on, as JSON values."""

    text: str
    source: Source
    citations: Sequence[Mapping[str, Any]] = ()
    id: str = ""
    decision: Decision = ""


@dataclass(frozen=True, slots=True)
class Assistance:
    """What helps with a case as it was after the message ``basis``. ``method`` made the summary: a model's name, or
    ``extractive``; empty: more is being made. ``hints`` are passages of knowledge, ``facts`` what is known of the
    customer and from tools."""

    basis: str
    summary: str
    method: str
    hints: Sequence[Mapping[str, Any]]
    facts: Sequence[Mapping[str, Any]]
    suggestions: Sequence[Suggestion]
    made_at: float = 0.0

    @property
    def preparing(self) -> bool:
        """Whether this is not all yet."""
        return not self.method


class AssistStore:
    """The assistance of all tenants' cases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, case: Case) -> Assistance | None:
        """The latest; None if nothing was made yet."""

        def work(connection: sa.Connection) -> Assistance | None:
            mine = sa.and_(assists.c.tenant == case.tenant, assists.c.case_id == case.id)
            row = connection.execute(sa.select(assists).where(mine)).one_or_none()
            if row is None:
                return None
            made = sa.and_(suggestions.c.tenant == case.tenant, suggestions.c.case_id == case.id)
            query = sa.select(suggestions).where(made, suggestions.c.basis == row.basis).order_by(suggestions.c.id)
            found = [_suggestion(each) for each in connection.execute(query)]
            hints, facts = rows.load(row.hints), rows.load(row.facts)
            return Assistance(row.basis, row.summary, row.method, hints, facts, found, row.made_at)

        return await self._database.read(work)

    async def put(self, case: Case, made: Assistance) -> None:
        """Keep it in place of what was made before. Suggestions that somebody decided on stay, and those that are made
        again keep their ids: somebody may have them in sight."""
        where = {"tenant": case.tenant, "case_id": case.id}
        shown = {"hints": rows.dump(list(made.hints)), "facts": rows.dump(list(made.facts))}
        values = {"basis": made.basis, "summary": made.summary, "method": made.method, "made_at": time.time(), **shown}

        def work(connection: sa.Connection) -> None:
            connection.execute(rows.insert_new(connection, assists).values(**where, **values))
            mine = sa.and_(assists.c.tenant == case.tenant, assists.c.case_id == case.id)
            connection.execute(sa.update(assists).where(mine).values(**values))
            old = sa.and_(suggestions.c.tenant == case.tenant, suggestions.c.case_id == case.id)
            query = sa.select(suggestions.c.id, suggestions.c.source, suggestions.c.text)
            before = connection.execute(query.where(old, suggestions.c.basis == made.basis)).all()
            again = {(each.source, each.text) for each in made.suggestions}
            stay = {(each.source, each.text): each.id for each in before if (each.source, each.text) in again}
            gone = sa.and_(old, suggestions.c.decision == "", suggestions.c.id.not_in(stay.values()))
            connection.execute(sa.delete(suggestions).where(gone))
            for each in made.suggestions:
                if (each.source, each.text) in stay:
                    continue
                row = {"id": ids.new(SUGGESTION), "text": each.text, "source": each.source, "basis": made.basis}
                row |= {"citations": rows.dump(list(each.citations))}
                connection.execute(sa.insert(suggestions).values(**where, **row, made_at=time.time()))

        await self._database.write(work)

    async def reject(self, principal: Principal, case: str, suggestion: str, trace_id: str) -> tuple[Case, EventRecord]:
        """Note that somebody does not want a suggestion. Raises ``NotFound``, ``Conflict``."""

        def work(connection: sa.Connection) -> tuple[Case, EventRecord]:
            found = find(connection, principal, case)
            event = decide(connection, found, suggestion, "", principal.person, trace_id)
            EventLog.within(connection, [event])
            return found, event

        return await self._database.write(work, durable=True)


def decide(
    connection: sa.Connection, case: Case, suggestion: str, sent: str, person: str, trace_id: str
) -> EventRecord:
    """What became of a suggestion, in the transaction of an answer: it was accepted or edited if something was
    ``sent``, else rejected. Its event holds both texts. Raises ``NotFound``, ``Conflict``."""
    mine = sa.and_(suggestions.c.tenant == case.tenant, suggestions.c.case_id == case.id)
    one = sa.and_(mine, suggestions.c.id == suggestion)
    row = connection.execute(sa.select(suggestions).where(one)).one_or_none()
    if row is None:
        raise NotFound(f"there is no suggestion {suggestion!r}", remedy="Read the case again", param="suggestion")
    if row.decision:
        raise Conflict(f"the suggestion was {row.decision} already")
    decision = "rejected" if not sent else "accepted" if _same(sent, row.text) else "edited"
    values = {"decision": decision, "sent": sent, "decided_by": person, "decided_at": time.time()}
    connection.execute(sa.update(suggestions).where(one).values(**values))
    event = record(case, decision, trace_id, by=person, suggestion=row.source)
    content = rows.dump({"suggestion": row.text, "sent": cards.scrub(sent) or None})
    return _with_content(event, content)


def _with_content(event: EventRecord, content: str) -> EventRecord:
    return EventRecord(
        event.id, event.at, event.tenant, event.trace_id, event.subject, event.facts, content, person=event.person
    )


def _same(sent: str, suggested: str) -> bool:
    return " ".join(sent.split()) == " ".join(suggested.split())


def _suggestion(row: sa.Row[Any]) -> Suggestion:
    return Suggestion(row.text, row.source, rows.load(row.citations), row.id, row.decision)
