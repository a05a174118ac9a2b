"""Conversations: read for the next answer, listed, forked and deleted. ``EventLog.settle`` writes their turns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.events.contents as contents
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, NotFound
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.base import name_of
from mainspring.core.facts.operations import ErasedFacts
from mainspring.core.types import Message
from mainspring.stores.events.audit_log import LOCAL, Actor, Audit, HashedText
from mainspring.stores.keys.quotas import Quotas
from mainspring.stores.schema import contents as contents_table
from mainspring.stores.schema import events, session_summaries, sessions, turn_vectors, turns
from mainspring.stores.sessions.turns import (
    SessionTurn,
    TurnMessage,
    delete_turns,
    messages_query,
    new_session,
    turn_message,
)
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Place, Slice
from mainspring.stores.sql.row_access import RowAccess

__all__ = ["Conversation", "SessionInfo", "SessionTurn", "Sessions", "Summary", "TurnMessage"]

# The messages that are searched for instructions: those of one turn.
_INSTRUCTIONS = 8
# Words of a search, and characters of how a session begins.
_WORDS, _BEGINS = 8, 120
# Separates the name of a parent session from a part's own name.
PART = "."


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """The record of a session. ``name`` is the callers' name for it, ``title`` a person's (empty: none yet), ``begins``
    the start of its first question, ``spent`` the tokens that it used; times are Unix seconds. ``summarised`` is the
    last turn that the summary covers (empty: no summary)."""

    session_id: str
    name: str
    created_at: float
    updated_at: float
    turns: int
    messages: int
    spent: int
    forked_from: str = ""
    summarised: str = ""
    title: str = ""
    begins: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of the first ``turns`` turns, up to and including turn ``upto``. ``notes`` is JSON text as the
    serving room writes it, ``method`` what made it."""

    upto: str
    turns: int
    method: str
    notes: str
    made_at: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """A session as the next answer needs it: the latest messages, the first ones, instructions and summary.

    ``revision`` is None if the session does not exist; ``turns`` is the number of all turns.
    """

    revision: int | None = None
    turns: int = 0
    recent: tuple[TurnMessage, ...] = ()
    first: tuple[TurnMessage, ...] = ()
    instructions: tuple[Message, ...] = ()
    summary: Summary | None = None


class Sessions:
    """The conversations of each tenant, under their stored names."""

    def __init__(self, database: Database, audit: Audit | None = None, quotas: Quotas | None = None) -> None:
        self._database = database
        self._quotas = quotas or Quotas(database)
        self._audit = audit or Audit(database)

    async def history(self, tenant: str, session_id: str, limit: int) -> list[Message]:
        """The last ``limit`` messages, oldest first; none for an unknown session."""
        found = await self._database.read(lambda connection: _latest(connection, tenant, session_id, limit))
        return [each.message for each in found]

    async def read(
        self, tenant: str, session_id: str, *, limit: int, first: int = 0, summary: bool = False
    ) -> Conversation:
        """The conversation: its latest ``limit`` messages and its ``first`` ones. With ``summary`` also that, and of
        the messages only those that it does not cover."""

        def work(connection: sa.Connection) -> Conversation:
            mine = sa.and_(sessions.c.tenant == tenant, sessions.c.session_id == session_id)
            revision = connection.execute(sa.select(sessions.c.revision).where(mine)).scalar_one_or_none()
            if revision is None:
                return Conversation()
            found = summary_of(connection, tenant, session_id) if summary else None
            return Conversation(
                revision,
                _count(connection, tenant, session_id),
                tuple(_latest(connection, tenant, session_id, limit, found.upto if found else "")),
                tuple(_earliest(connection, tenant, session_id, first)) if first else (),
                tuple(_instructions(connection, tenant, session_id)),
                found,
            )

        return await self._database.read(work)

    async def reserve(self, tenant: str, session_id: str, tokens: int, budget: int, *, lease_s: float) -> int | None:
        """Reserve ``tokens`` of ``budget`` for a request. Returns None if they were reserved (or the session does not
        exist yet), else the rest of the budget, which is too small for them. An unsettled reservation expires after
        ``lease_s`` seconds."""
        now = time.time()
        mine = sa.and_(sessions.c.tenant == tenant, sessions.c.session_id == session_id)
        held = sa.case((sessions.c.reserved_until > now, sessions.c.reserved), else_=0)
        statement = sa.update(sessions).where(mine, sessions.c.spent + held + tokens <= budget)

        def work(connection: sa.Connection) -> int | None:
            done = connection.execute(statement.values(reserved=held + tokens, reserved_until=now + lease_s))
            if done.rowcount:
                return None
            left = connection.execute(sa.select(budget - sessions.c.spent - held).where(mine)).scalar_one_or_none()
            return None if left is None else max(0, int(left))

        return await self._database.write(work)

    async def get(self, tenant: str, session_id: str) -> SessionInfo:
        """Raises ``NotFound``."""
        query = _infos(tenant).where(sessions.c.session_id == session_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise unknown(session_id.partition(":")[2])
        return SessionInfo(**row._mapping)

    async def page(
        self, tenant: str, owner: str, page: Page, *, words: str = "", part_of: str | None = None, whole: bool = False
    ) -> Slice[SessionInfo]:
        """The sessions of one owner, by start time: those with each of ``words`` in their title or a message, with
        ``part_of`` only its parts, and with ``whole`` only sessions that are no parts.

        A cursor is a session's name; raises ``InvalidRequest`` for a name that is not in the list.
        """
        query = _infos(tenant).where(sessions.c.owner == owner)
        if whole:
            query = query.where(~sessions.c.name.contains(PART, autoescape=True))
        if part_of is not None:
            query = query.where(sessions.c.name.startswith(part_of + PART, autoescape=True))
        for word in words.split()[:_WORDS]:
            query = query.where(_has(word, whole=whole))

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            def place(cursor: str) -> Place | None:
                found = connection.execute(query.where(sessions.c.name == cursor)).one_or_none()
                return None if found is None else (found.created_at, found.session_id)

            return pages.read(connection, query, (sessions.c.created_at, sessions.c.session_id), page, place)

        return (await self._database.read(work)).map(lambda row: SessionInfo(**row._mapping))

    async def entitle(self, tenant: str, session_id: str, title: str) -> SessionInfo:
        """Call a session ``title`` (empty: by how it begins). Raises ``NotFound``."""
        mine = sa.and_(sessions.c.tenant == tenant, sessions.c.session_id == session_id)
        changed = sa.update(sessions).where(mine).values(title=title)
        await self._database.write(lambda connection: connection.execute(changed), durable=True)
        return await self.get(tenant, session_id)

    async def messages(self, tenant: str, session_id: str, page: Page) -> Slice[TurnMessage]:
        """A page of the messages, in order. A cursor is a turn's id, a colon and a position."""
        query = messages_query().where(turns.c.tenant == tenant, turns.c.session_id == session_id)

        def place(cursor: str) -> Place | None:
            turn, _, position = cursor.rpartition(":")
            return (turn, int(position)) if turn and position.isdecimal() and len(position) < 10 else None

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            return pages.read(connection, query, (turns.c.id, turns.c.position), page, place)

        return (await self._database.read(work)).map(turn_message)

    async def all_messages(self, tenant: str, session_id: str) -> list[TurnMessage]:
        """All messages, oldest first."""
        return await self._database.read(lambda connection: _latest(connection, tenant, session_id, None))

    async def fork(self, tenant: str, session_id: str, into: str, *, upto: str | None = None) -> SessionInfo:
        """A new session ``into`` with the turns of this one, up to and with turn ``upto`` (None: all).

        Texts are shared: erasing an answer takes it out of both. Raises ``NotFound`` for an unknown session or turn,
        ``Conflict`` if ``into`` is taken.
        """
        source = sa.and_(turns.c.tenant == tenant, turns.c.session_id == session_id)

        def work(connection: sa.Connection) -> None:
            contents.lock(connection)
            last = connection.execute(sa.select(sa.func.max(turns.c.id)).where(source)).scalar_one_or_none()
            if last is None:
                raise unknown(session_id.partition(":")[2])
            end = upto or last
            if connection.execute(sa.select(turns.c.id).where(source, turns.c.id == end).limit(1)).first() is None:
                raise NotFound(f"the session has no turn {upto}", param="turn_id")
            self._quotas.hold(connection, tenant, "sessions")
            new = new_session(tenant, into, time.time(), session_id.partition(":")[2])
            if connection.execute(rows.insert_new(connection, sessions), new).rowcount == 0:
                raise Conflict("a session of that name is there already", remedy="Choose another", param="session_id")
            for table, column in ((turns, "id"), (turn_vectors, "id"), (session_summaries, "upto")):
                _copy(connection, table, column, (tenant, session_id, into, end))

        await self._database.write(work, durable=True)
        return await self.get(tenant, into)

    async def delete(self, tenant: str, session_id: str, *, by: Actor = LOCAL) -> int:
        """Delete a session: its turns, their derived data, the recorded texts of its answers, and the texts that
        nothing else refers to. An ``erased`` event is left, and an entry of the audit log. Returns the number of its
        messages."""
        where = sa.and_(turns.c.tenant == tenant, turns.c.session_id == session_id)
        name = session_id.partition(":")[2] or session_id

        def work(connection: sa.Connection) -> int:
            contents.lock(connection)
            texts = _forget_answers(connection, tenant, where, name)
            count = delete_turns(connection, tenant, where)
            contents.drop_unreferenced(connection, tenant, texts)
            connection.execute(
                sa.delete(sessions).where(sessions.c.tenant == tenant, sessions.c.session_id == session_id)
            )
            if count:
                facts = ErasedFacts(session_id=name, messages=count, events=len(texts))
                connection.execute(sa.insert(events), _erased(tenant, session_id, by.trace_id, facts))
                told = {"session": HashedText(name), "messages": count, "events": len(texts)}
                self._audit.append(connection, tenant, "session.deleted", by, details=told)
            return count

        count = await self._database.write(work, frees=True)
        await self._database.compact()
        return count


def unknown(name: str) -> NotFound:
    """There is no such session."""
    return NotFound(f"there is no session {name!r}", remedy="GET /v1/sessions lists them", param="session_id")


def _mine(tenant: str, session_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(turns.c.tenant == tenant, turns.c.session_id == session_id)


def _latest(
    connection: sa.Connection, tenant: str, session_id: str, limit: int | None, after: str = ""
) -> list[TurnMessage]:
    query = messages_query().where(_mine(tenant, session_id))
    if after:
        query = query.where(turns.c.id > after)
    query = query.order_by(turns.c.id.desc(), turns.c.position.desc()).limit(limit)
    return [turn_message(row) for row in reversed(connection.execute(query).all())]


def _earliest(connection: sa.Connection, tenant: str, session_id: str, limit: int) -> list[TurnMessage]:
    query = messages_query().where(_mine(tenant, session_id)).order_by(turns.c.id, turns.c.position).limit(limit)
    return [turn_message(row) for row in connection.execute(query)]


def _instructions(connection: sa.Connection, tenant: str, session_id: str) -> list[Message]:
    """The system messages of the latest turn that had any."""
    query = messages_query().where(_mine(tenant, session_id), turns.c.role.in_(("system", "developer")))
    found = connection.execute(query.order_by(turns.c.id.desc(), turns.c.position).limit(_INSTRUCTIONS)).all()
    return [turn_message(row).message for row in found if row.id == found[0].id]


def _count(connection: sa.Connection, tenant: str, session_id: str) -> int:
    query = sa.select(sa.func.count(sa.distinct(turns.c.id))).where(_mine(tenant, session_id))
    return int(connection.execute(query).scalar_one())


def summary_of(connection: sa.Connection, tenant: str, session_id: str) -> Summary | None:
    """The summary of a session; None if it has none."""
    table = session_summaries.c
    query = sa.select(table.upto, table.turns, table.method, table.notes, table.made_at)
    row = connection.execute(query.where(table.tenant == tenant, table.session_id == session_id)).one_or_none()
    return None if row is None else Summary(**row._mapping)


def _infos(tenant: str) -> sa.Select[Any]:
    its = sa.and_(turns.c.tenant == sessions.c.tenant, turns.c.session_id == sessions.c.session_id)
    counted = sa.select(sa.func.count(sa.distinct(turns.c.id))).where(its).correlate(sessions).scalar_subquery()
    messages = sa.select(sa.func.count()).select_from(turns).where(its).correlate(sessions).scalar_subquery()
    summed = sa.and_(
        session_summaries.c.tenant == sessions.c.tenant, session_summaries.c.session_id == sessions.c.session_id
    )
    upto = sa.select(session_summaries.c.upto).where(summed).correlate(sessions).scalar_subquery()
    return sa.select(
        sessions.c.session_id,
        sessions.c.name,
        sessions.c.created_at,
        sessions.c.updated_at,
        counted.label("turns"),
        messages.label("messages"),
        sessions.c.spent,
        sessions.c.forked_from,
        sa.func.coalesce(upto, "").label("summarised"),
        sessions.c.title,
        sa.func.coalesce(_begins(), "").label("begins"),
    ).where(sessions.c.tenant == tenant)


def _texts(within: sa.ColumnElement[bool]) -> sa.Select[Any]:
    its = sa.and_(contents_table.c.tenant == turns.c.tenant, contents_table.c.sha256 == turns.c.content_id)
    return sa.select(sa.literal(1)).select_from(turns.join(contents_table, its)).where(within)


def _begins() -> sa.ScalarSelect[Any]:
    its = sa.and_(turns.c.tenant == sessions.c.tenant, turns.c.session_id == sessions.c.session_id)
    text = sa.func.substr(contents_table.c.text, 1, _BEGINS)
    query = _texts(sa.and_(its, turns.c.role == "user")).with_only_columns(text)
    return query.order_by(turns.c.id, turns.c.position).limit(1).correlate(sessions).scalar_subquery()


def _has(word: str, *, whole: bool) -> sa.ColumnElement[bool]:
    """Sessions with ``word`` in their title or in a message; with ``whole`` also in one of their parts."""
    its = turns.c.session_id == sessions.c.session_id
    if whole:
        its = sa.or_(its, turns.c.session_id.startswith(sessions.c.session_id + PART))
    said = contents_table.c.text.icontains(word, autoescape=True)
    found = _texts(sa.and_(turns.c.tenant == sessions.c.tenant, its, turns.c.role.in_(("user", "assistant")), said))
    return sa.or_(sessions.c.title.icontains(word, autoescape=True), found.correlate(sessions).exists())


def _copy(connection: sa.Connection, table: sa.Table, column: str, what: tuple[str, str, str, str]) -> None:
    """Copies rows of one session to another: those whose ``column`` is not after the end."""
    tenant, session_id, into, end = what
    names = [each.name for each in table.columns]
    chosen = [sa.literal(into).label(name) if name == "session_id" else table.c[name] for name in names]
    rows_ = sa.select(*chosen).where(table.c.tenant == tenant, table.c.session_id == session_id, table.c[column] <= end)
    connection.execute(sa.insert(table).from_select(names, rows_))


def _forget_answers(connection: sa.Connection, tenant: str, where: sa.ColumnElement[bool], name: str) -> Sequence[str]:
    """Take the texts of the answers of a session out of their events; what those referred to."""
    field = RowAccess(connection, frozenset()).field
    traces = sa.select(turns.c.trace_id).where(where, turns.c.trace_id != "")
    answers = sa.select(events.c.subject).where(
        events.c.tenant == tenant,
        events.c.kind == "answer",
        events.c.trace_id.in_(traces),
        field(events.c.facts, name_of(AnswerFacts, "session_id")) == name,
    )
    # A repeated request repeats its messages.
    repeats = sa.and_(events.c.kind == "replay", events.c.parent_id.in_(answers))
    about = sa.or_(events.c.subject.in_(answers), repeats)
    spoken = sa.and_(events.c.tenant == tenant, about, events.c.content_id.is_not(None))
    found = connection.execute(sa.select(events.c.id, events.c.content_id).where(spoken)).all()
    for start in range(0, len(found), 500):
        part = [row.id for row in found[start : start + 500]]
        taken = sa.update(events).where(events.c.tenant == tenant, events.c.id.in_(part))
        connection.execute(taken.values(content_id=None))
    return [row.content_id for row in found]


def _erased(tenant: str, session_id: str, trace_id: str, facts: ErasedFacts) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "id": ids.new("event-"),
        "at": time.time(),
        "trace_id": trace_id,
        "parent_id": None,
        "kind": facts.EVENT,
        "subject": session_id,
        "version": 1,
        "consent": False,
        "retention": "default",
        "facts": rows.dump(facts.plain()),
        "content_id": None,
    }
