"""Examples from recorded answers: which ones, by filter, and what of their events goes into an example."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import InvalidRequest
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.base import name_of
from mainspring.core.facts.opinions import FeedbackFacts, LabelFacts, ScoreFacts
from mainspring.core.facts.registry import read
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.types import Principal
from mainspring.evaluation.example_json import checked, message_of
from mainspring.evaluation.examples import Example
from mainspring.stores.events.event_visibility import visible_events
from mainspring.stores.schema import contents, events
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.row_access import RowAccess

MOST = 10_000
"""Examples of one filter."""
_AT_ONCE = 200
# Answers that one filter looks at.
_LOOKED_AT = 100_000
_KINDS = (FeedbackFacts.EVENT, ScoreFacts.EVENT, LabelFacts.EVENT, RetrievalFacts.EVENT)


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """Which answers: the latest ``limit`` that have everything given. Times are Unix seconds. ``below`` are upper
    bounds of scores by measure, and ``references`` says whether answers that were rated up are right answers."""

    application: str = ""
    model: str = ""
    since: float | None = None
    until: float | None = None
    thumb: Literal["up", "down"] | None = None
    edited: bool | None = None
    refused: bool | None = None
    consented: bool = False
    below: Mapping[str, float] = field(default_factory=dict)
    session: str = ""
    search: str = ""
    limit: int = 1_000
    references: bool = True


@dataclass(slots=True)
class _Said:
    """What later events say of an answer."""

    thumb: str = ""
    edit: str | None = None
    edited_at: float = 0.0
    rated_at: float = 0.0
    refused: bool | None = None
    scores: dict[str, float] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)


class Traces:
    """Recorded answers that a principal may see: its own keys', or an admin's all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def examples(self, principal: Principal, wanted: TraceFilter) -> AsyncIterator[Example]:
        """One example for each answer, the latest first. Answers whose text is not kept are left out."""
        place: tuple[float, str] | None = None
        given = looked = 0
        while looked < _LOOKED_AT:
            work = partial(self._page, principal=principal, wanted=wanted, place=place)
            found = await self._database.read(work)
            for row, said in found:
                if given < wanted.limit and (made := _example(row, said, wanted)) is not None:
                    given += 1
                    yield made
            if len(found) < _AT_ONCE or given >= wanted.limit:
                return
            looked += len(found)
            place = (found[-1][0].at, found[-1][0].id)

    def _page(
        self, connection: sa.Connection, principal: Principal, wanted: TraceFilter, place: tuple[float, str] | None
    ) -> list[tuple[sa.Row[Any], _Said]]:
        of = sa.and_(contents.c.tenant == events.c.tenant, contents.c.sha256 == events.c.content_id)
        columns = (events.c.id, events.c.at, events.c.trace_id, events.c.person, events.c.consent, events.c.facts)
        query = (
            sa.select(*columns, contents.c.text)
            .join(contents, of)
            .where(
                events.c.tenant == principal.tenant,
                events.c.kind == AnswerFacts.EVENT,
                visible_events(connection, principal.groups),
                *_conditions(connection, principal, wanted),
            )
            .order_by(events.c.at.desc(), events.c.id.desc())
            .limit(_AT_ONCE)
        )
        if place is not None:
            query = query.where(sa.tuple_(events.c.at, events.c.id) < sa.tuple_(*map(sa.literal, place)))
        answers: Sequence[Any] = connection.execute(query).all()
        said = _later(connection, principal.tenant, [row.id for row in answers])
        return [(row, said.get(row.id, _Said())) for row in answers]


def _conditions(connection: sa.Connection, principal: Principal, wanted: TraceFilter) -> list[sa.ColumnElement[bool]]:
    field_of = RowAccess(connection, principal.groups).field

    def fact(name: str) -> sa.ColumnElement[str]:
        return field_of(events.c.facts, name_of(AnswerFacts, name))

    found: list[sa.ColumnElement[bool]] = [fact("operation") == "chat", fact("status") == "completed"]
    if "admin" not in principal.scopes:
        found.append(fact("key_id").in_(sorted(principal.own_keys)))
    if wanted.application:
        found.append(fact("requested") == wanted.application)
    if wanted.model:
        found.append(sa.or_(fact("model") == wanted.model, fact("requested") == wanted.model))
    if wanted.session:
        found.append(fact("session_id") == wanted.session)
    if wanted.since is not None:
        found.append(events.c.at >= wanted.since)
    if wanted.until is not None:
        found.append(events.c.at < wanted.until)
    if wanted.consented:
        found.append(events.c.consent.is_(True))
    if wanted.search:
        found.append(contents.c.text.icontains(rows.dump(wanted.search)[1:-1], autoescape=True))
    if wanted.thumb or wanted.edited:
        opinion = events.alias()
        of = sa.and_(opinion.c.tenant == events.c.tenant, opinion.c.subject == events.c.id)
        kind = opinion.c.kind.in_((FeedbackFacts.EVENT, LabelFacts.EVENT))
        found.append(sa.select(sa.literal(1)).select_from(opinion).where(of, kind).exists())
    if wanted.below:
        score = events.alias()
        of = sa.and_(score.c.tenant == events.c.tenant, score.c.subject == events.c.id)
        scored = sa.select(sa.literal(1)).select_from(score).where(of, score.c.kind == ScoreFacts.EVENT)
        found.append(scored.exists())
    return found


def _later(connection: sa.Connection, tenant: str, answers: Sequence[str]) -> dict[str, _Said]:
    of = sa.and_(contents.c.tenant == events.c.tenant, contents.c.sha256 == events.c.content_id)
    query = (
        sa.select(events.c.id, events.c.at, events.c.kind, events.c.subject, events.c.facts, contents.c.text)
        .outerjoin(contents, of)
        .where(events.c.tenant == tenant, events.c.subject.in_(list(answers)), events.c.kind.in_(_KINDS))
        # In an order that an index has, SQLite would read all of the tenant's events to find these few.
        .order_by(events.c.at + 0.0, events.c.id)
    )
    found: dict[str, _Said] = {}
    later: Sequence[Any] = connection.execute(query).all()
    for row in later:
        _take(found.setdefault(row.subject, _Said()), row)
    return found


def _take(said: _Said, row: sa.Row[Any]) -> None:
    match read(row.kind, rows.load(row.facts)):
        case FeedbackFacts() as facts:
            said.thumb = facts.rating or said.thumb
            if facts.edited and row.text is not None:
                said.edit = row.text
            said.events.append(row.id)
        case LabelFacts() as facts:
            if facts.edited and row.text is not None:
                said.edit = row.text
            said.scores |= facts.scores or {}
            said.events.append(row.id)
        case ScoreFacts() as facts:
            said.scores |= facts.scores or {}
            if facts.metric == "support" and facts.sentences:
                said.scores["support"] = 1 - (facts.unsupported or 0) / facts.sentences
        case RetrievalFacts(refused=refused):
            said.refused = bool(refused)


def _example(row: sa.Row[Any], said: _Said, wanted: TraceFilter) -> Example | None:
    facts = AnswerFacts.from_json(rows.load(row.facts))
    if facts.replay_of or (wanted.thumb and said.thumb != wanted.thumb):
        return None
    if wanted.edited is not None and wanted.edited != (said.edit is not None):
        return None
    if wanted.refused is not None and wanted.refused != bool(said.refused):
        return None
    if any(said.scores.get(name, bound) >= bound for name, bound in wanted.below.items()):
        return None
    try:
        content = json.loads(row.text)
        messages = tuple(message_of(each) for each in content.get("messages") or ())
        texts = [str(each.get("text") or "") for each in content.get("choices") or ()]
    except (ValueError, AttributeError, InvalidRequest):
        return None
    if not messages or (wanted.search and wanted.search.lower() not in " ".join(m.content for m in messages).lower()):
        return None
    answer = texts[0] if texts else ""
    right = said.edit if said.edit is not None else answer if wanted.references and said.thumb == "up" else None
    tags = {"application": facts.requested, "model": facts.model, "thumb": said.thumb}
    made = Example(
        id=f"ex_{row.id.removeprefix('ans_')}",
        messages=messages,
        references=() if right is None else (right,),
        passages=tuple(str(each.get("quote") or "") for each in content.get("citations") or () if each.get("quote")),
        refused=None,
        tags={name: value for name, value in tags.items() if value},
        sources=(row.id, *said.events),
        trace_id=row.trace_id,
        subject=row.person or "",
        group=facts.session_id or "",
        extra={"answer": answer, "scores": said.scores},
    )
    try:
        return checked(made)
    except InvalidRequest:
        return None
