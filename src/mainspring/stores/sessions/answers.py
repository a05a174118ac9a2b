"""The recorded answers of a session, beside the texts of its turns: their citations and usage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.types import Principal
from mainspring.stores.events.event_visibility import visible_events
from mainspring.stores.schema import contents as contents_table
from mainspring.stores.schema import events
from mainspring.stores.sessions.turns import TurnMessage
from mainspring.stores.sql.database import Database

_RATINGS = ("up", "down")


@dataclass(frozen=True, slots=True)
class SessionAnswer:
    """An answer: its recorded ``facts``, its ``citations``, and the latest rating by its key (empty: none)."""

    answer_id: str
    facts: AnswerFacts = field(default_factory=lambda: AnswerFacts.from_json({}))
    citations: tuple[dict[str, Any], ...] = ()
    rating: str = ""


class SessionAnswers:
    """Finds the recorded answers of turns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, principal: Principal, said: Sequence[TurnMessage]) -> dict[str, SessionAnswer]:
        """The answers by the ids of their turns, if the principal's groups may see their sources."""
        places = {(each.trace_id, each.at): each.turn for each in said if each.trace_id}
        if not places:
            return {}
        wanted = sa.and_(
            events.c.tenant == principal.tenant,
            _kind("answer"),
            events.c.trace_id.in_(sorted({trace for trace, _ in places})),
        )
        text = sa.and_(contents_table.c.tenant == events.c.tenant, contents_table.c.sha256 == events.c.content_id)

        def work(connection: sa.Connection) -> dict[str, SessionAnswer]:
            columns = [events.c.id, events.c.trace_id, events.c.at, events.c.facts, contents_table.c.text]
            joined = sa.select(*columns).select_from(events.outerjoin(contents_table, text))
            found = connection.execute(joined.where(wanted, visible_events(connection, principal.groups))).all()
            ratings = _ratings(connection, principal, [row.id for row in found])
            return {
                places[row.trace_id, row.at]: _answer(row, ratings.get(row.id, ""))
                for row in found
                if (row.trace_id, row.at) in places
            }

        return await self._database.read(work)


def _answer(row: sa.Row[Any], rating: str) -> SessionAnswer:
    citations = json.loads(row.text).get("citations", ()) if row.text else ()
    return SessionAnswer(row.id, AnswerFacts.from_json(rows.load(row.facts)), tuple(citations), rating)


def _ratings(connection: sa.Connection, principal: Principal, answers: Sequence[str]) -> dict[str, str]:
    """How the caller rated each of ``answers`` last, with this key or one that it has replaced."""
    mine = principal.own_keys
    about = sa.and_(events.c.tenant == principal.tenant, _kind("feedback"), events.c.subject.in_(answers))
    place = events.c.id.concat("")
    found = connection.execute(sa.select(events.c.subject, events.c.facts).where(about).order_by(place))
    given = ((row.subject, FeedbackFacts.from_json(rows.load(row.facts))) for row in found)
    return {
        answer: facts.rating
        for answer, facts in given
        if not mine.isdisjoint((facts.key_id, facts.person)) and facts.rating is not None and facts.rating in _RATINGS
    }


def _kind(name: str) -> sa.ColumnElement[bool]:
    """A condition for which no index serves: by kind, SQLite would read all of the tenant's events to find a few. So
    would it in an order that an index has."""
    return events.c.kind.concat("") == name
