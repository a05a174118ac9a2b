"""The data of a subject: the answers given to the subject, and everything attached to them.

A subject is a user by the name that requests give (OpenAI's ``user`` or ``safety_identifier``, Anthropic's
``metadata.user_id``), a session, an API key, or the whole tenant. The subject's answers are those that name the
subject, those of sessions in which the subject took part (answers to others there may repeat the subject's words), and
those that continue such an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args

import sqlalchemy as sa

from mainspring.core.errors import InvalidRequest
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.base import name_of
from mainspring.stores.schema import events, keys, sessions, turns
from mainspring.stores.sql.row_access import RowAccess

T = TypeVar("T")
Kind = Literal["user", "session", "key", "tenant"]
KINDS: tuple[Kind, ...] = get_args(Kind)
AT_ONCE = 400


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject in question. ``id`` is the user's name, the session's, the key's id or the tenant's name."""

    tenant: str
    kind: Kind
    id: str

    def __post_init__(self) -> None:
        if self.kind == "tenant" and self.id != self.tenant:
            raise InvalidRequest("a tenant can be asked about by itself alone", remedy="Name it", param="subject_id")


@dataclass(frozen=True, slots=True)
class SubjectAnswer:
    """An answer that was for a subject; ``at`` Unix seconds."""

    id: str
    trace_id: str
    at: float


@dataclass(slots=True)
class SubjectData:
    """The data of a subject: its answers by id, the stored names of its sessions, and its uploaded files."""

    answers: dict[str, SubjectAnswer] = field(default_factory=dict)
    sessions: set[str] = field(default_factory=set)

    files: set[str] = field(default_factory=set)

    def plan(self) -> dict[str, Any]:
        """As JSON."""
        answers = [[each.id, each.trace_id, each.at] for each in self.answers.values()]
        return {"answers": answers, "sessions": sorted(self.sessions), "files": sorted(self.files)}

    @classmethod
    def of(cls, plan: Mapping[str, Any]) -> SubjectData:
        """What ``plan`` made."""
        answers = {found[0]: SubjectAnswer(*found) for found in plan.get("answers", ())}
        return cls(answers, set(plan.get("sessions", ())), set(plan.get("files", ())))


def find(connection: sa.Connection, subject: Subject, upto: float, known: SubjectData | None = None) -> SubjectData:
    """All data from before ``upto`` (Unix seconds), with previously ``known`` items and everything attached to them."""
    held = SubjectData(dict(known.answers), set(known.sessions), set(known.files)) if known else SubjectData()
    _take(held, connection.execute(_named(connection, subject, upto)))
    if subject.kind == "session":
        mine = sa.select(sessions.c.session_id).where(
            sessions.c.tenant == subject.tenant, sessions.c.name == subject.id
        )
        held.sessions.update(connection.execute(mine.where(sessions.c.created_at <= upto)).scalars())
    if subject.kind == "tenant":
        mine = sa.select(sessions.c.session_id).where(sessions.c.tenant == subject.tenant)
        held.sessions.update(connection.execute(mine.where(sessions.c.created_at <= upto)).scalars())
        return held
    new, unread = list(held.answers.values()), set(held.sessions)
    while True:
        before = len(held.answers)
        fresh = unread | (_sessions_of(connection, subject.tenant, new) - held.sessions)
        held.sessions |= fresh
        unread = set()
        for part in parts(sorted(fresh)):
            _take(held, connection.execute(_answers_in(subject.tenant, part, upto)))
        _take(held, _continuing(connection, subject.tenant, held.answers, upto))
        _take(held, _replayed(connection, subject.tenant, held.answers, upto))
        new = list(held.answers.values())[before:]
        if not new:
            return held


def visible(connection: sa.Connection, tenant: str, groups: frozenset[str]) -> sa.ColumnElement[bool]:
    """Of answers: those whose asker's groups are all among ``groups``."""
    sight = RowAccess(connection, groups)
    asker = sa.and_(keys.c.tenant == tenant, keys.c.id == sight.field(events.c.facts, name_of(AnswerFacts, "key_id")))
    beyond = sa.select(sa.literal(1)).select_from(keys).where(asker, ~sight.has_all(keys.c.groups))
    return ~beyond.correlate(events).exists()


def parts(values: Sequence[T], size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """``values`` in pieces that fit into one statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def owners(connection: sa.Connection, key: Subject) -> list[str]:
    """The names under which data of a key's owner is stored: the key's id, and the identity that its owner keeps over
    its keys."""
    mine = sa.select(keys.c.identity).where(keys.c.tenant == key.tenant, keys.c.id == key.id)
    return sorted({key.id, connection.execute(mine).scalar_one_or_none() or key.id})


def _take(held: SubjectData, found: Iterable[sa.Row[Any]]) -> None:
    for row in found:
        held.answers.setdefault(row.id, SubjectAnswer(row.id, row.trace_id, row.at))


def _answers(tenant: str, upto: float) -> sa.Select[Any]:
    query = sa.select(events.c.id, events.c.trace_id, events.c.at)
    return query.where(events.c.tenant == tenant, events.c.kind == "answer", events.c.at <= upto)


def _named(connection: sa.Connection, subject: Subject, upto: float) -> sa.Select[Any]:
    query = _answers(subject.tenant, upto)
    field_of = RowAccess(connection, frozenset()).field
    match subject.kind:
        case "user":
            # The second condition lets the database use the index of named ones.
            return query.where(events.c.person == subject.id, events.c.person != "")
        case "session":
            return query.where(field_of(events.c.facts, name_of(AnswerFacts, "session_id")) == subject.id)
        case "key":
            return query.where(field_of(events.c.facts, name_of(AnswerFacts, "key_id")) == subject.id)
        case "tenant":
            return query


def _sessions_of(connection: sa.Connection, tenant: str, answers: Sequence[SubjectAnswer]) -> set[str]:
    """The sessions, forks among them, that hold turns of these answers. Several requests may share a trace, so a turn
    is identified by its time, too."""
    found: set[str] = set()
    for part in parts(answers):
        moments = {(each.trace_id, each.at) for each in part}
        traces = sorted({each.trace_id for each in part if each.trace_id})
        query = sa.select(turns.c.session_id, turns.c.trace_id, turns.c.at).distinct()
        for row in connection.execute(query.where(turns.c.tenant == tenant, turns.c.trace_id.in_(traces))):
            if (row.trace_id, row.at) in moments:
                found.add(row.session_id)
    return found


def _answers_in(tenant: str, names: Sequence[str], upto: float) -> sa.Select[Any]:
    """The answers of sessions."""
    turn = sa.select(sa.literal(1)).where(
        turns.c.tenant == tenant,
        turns.c.session_id.in_(names),
        turns.c.trace_id == events.c.trace_id,
        turns.c.at == events.c.at,
    )
    return _answers(tenant, upto).where(turn.correlate(events).exists())


def _replayed(connection: sa.Connection, tenant: str, answers: Iterable[str], upto: float) -> Iterator[sa.Row[Any]]:
    """The replays of requests behind ``answers``, which repeat them. Their number is small."""
    known = set(answers)
    query: sa.Select[Any] = sa.select(events.c.id, events.c.trace_id, events.c.at, events.c.parent_id)
    query = query.where(events.c.tenant == tenant, events.c.kind == "replay", events.c.at <= upto)
    return (row for row in connection.execute(query).all() if row.parent_id in known and row.id not in known)


def _continuing(connection: sa.Connection, tenant: str, answers: Iterable[str], upto: float) -> Iterator[sa.Row[Any]]:
    """The answers that continue one of ``answers`` by its id."""
    previous = RowAccess(connection, frozenset()).field(events.c.facts, name_of(AnswerFacts, "previous"))
    known = set(answers)
    query = _answers(tenant, upto).add_columns(previous.label("previous")).where(previous.is_not(None))
    # Few answers continue another one. A query for many ids would read all facts once for each part of the ids.
    return (row for row in connection.execute(query).all() if row.previous in known and row.id not in known)
