"""Reads new answers, and what was found out about answers later, from the event log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.guards import ToolFacts
from mainspring.core.facts.opinions import FeedbackFacts, ScoreFacts
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.types import confined
from mainspring.stores.events.feed import Fact, Feed
from mainspring.stores.schema import contents, events, keys, turns
from mainspring.stores.sql.database import Database

KINDS = ("answer", "retrieval", "feedback", "score", "tool")
MOST_CHARACTERS = 2000
"""Of a customer's message; what follows is not read."""


@dataclass(frozen=True, slots=True)
class CustomerTurn:
    """A turn of a customer: ``text`` and the ``answer`` to it. ``conversation`` is the stored name of its session, or
    the answer's id. ``regions`` are those that its request and its key accept."""

    tenant: str
    id: str
    at: float
    trace_id: str
    content_id: str
    conversation: str
    session_id: str
    person: str
    groups: tuple[str, ...]
    text: str
    answer: str
    facts: AnswerFacts
    consent: bool = False

    @property
    def space(self) -> str:
        """The space of its groups."""
        return space_of(self.groups)

    @property
    def regions(self) -> tuple[frozenset[str], frozenset[str]]:
        """Those of the request, and of its key."""
        asked, key = (frozenset(each) for each in self.facts.regions or ((), ()))
        return asked, key


@dataclass(slots=True)
class Later:
    """What other events say about an answer, by its id, or by its trace where they do not name it."""

    refused: bool = False
    unsupported: float | None = None
    rating: str = ""
    tools_ok: int = 0
    tools_failed: int = 0
    tools: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class TurnBatch:
    """``said`` by customers, ``later`` by (tenant, answer or trace), up to ``position``; ``more`` waits."""

    said: Sequence[CustomerTurn]
    later: Mapping[tuple[str, str], Later]
    position: int
    more: bool


def space_of(groups: Sequence[str]) -> str:
    """The name of the space of these groups: conversations of others are never counted with theirs."""
    return hashlib.sha256("\x00".join(sorted(groups)).encode()).hexdigest()[:16]


class Reader:
    """Reads the log in pages."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._feed = Feed(database)

    async def begin(self, name: str) -> Mapping[str, int]:
        """Where the reader ``name`` goes on: with all (""), and with tenants that it has read beyond that."""
        return await self._feed.positions(name)

    async def page(
        self, position: int, since: float, limit: int, begun: Mapping[str, int], tenant: str = ""
    ) -> TurnBatch:
        """The next events, of ``tenant`` if given; answers from before ``since`` (Unix seconds) are left out, and so
        are events of tenants that were read beyond them."""
        page = await self._feed.after(position, KINDS, limit, tenant)
        facts = [each for each in page if each.settled > begun.get(each.tenant, 0)]
        wanted = [each for each in facts if _spoken(each) and each.at >= since]
        said = await self._database.read(lambda connection: _said(connection, wanted))
        return TurnBatch(said, _later(facts), page[-1].settled if page else position, len(page) >= limit // 2)


def _spoken(fact: Fact) -> bool:
    facts = fact.facts
    return (
        isinstance(facts, AnswerFacts)
        and facts.operation == "chat"
        and not facts.replay_of
        and fact.content_id is not None
    )


def _later(facts: Sequence[Fact]) -> dict[tuple[str, str], Later]:
    found: dict[tuple[str, str], Later] = {}
    for fact in facts:
        if isinstance(fact.facts, AnswerFacts) or fact.facts.replay_of:
            continue
        about = found.setdefault((fact.tenant, fact.subject or fact.trace_id), Later())
        match fact.facts:
            case RetrievalFacts(refused=True):
                about.refused = True
            case ScoreFacts(metric="support", sentences=sentences, unsupported=unsupported) if sentences:
                about.unsupported = (unsupported or 0) / sentences
            case FeedbackFacts(rating=rating) if rating:
                about.rating = rating
            case ToolFacts(tool=tool, outcome=outcome):
                about.tools.add(tool)
                about.tools_ok += outcome == "ok"
                about.tools_failed += outcome not in ("ok", "refused")
    return {place: each for place, each in found.items() if each != Later()}


def _said(connection: sa.Connection, wanted: Sequence[Fact]) -> list[CustomerTurn]:
    if not wanted:
        return []
    places = _conversations(connection, wanted)
    groups = _groups(connection, wanted)
    named = sa.tuple_(events.c.tenant, events.c.id).in_([(each.tenant, each.id) for each in wanted])
    of = sa.and_(contents.c.tenant == events.c.tenant, contents.c.sha256 == events.c.content_id)
    columns = (events.c.tenant, events.c.id, events.c.person, events.c.consent, contents.c.text)
    query = sa.select(*columns).join(contents, of).where(named, events.c.kind == "answer")
    rest = {(row.tenant, row.id): row for row in connection.execute(query)}
    made = []
    for fact in wanted:
        row, facts = rest.get((fact.tenant, fact.id)), fact.facts
        text, answer = ("", "") if row is None else spoken(row.text)
        if row is None or not text or not isinstance(facts, AnswerFacts) or fact.content_id is None:
            continue
        theirs = facts.groups if facts.groups is not None else groups.get((fact.tenant, facts.key_id), ())
        conversation = places.get((fact.tenant, fact.trace_id, fact.at)) or (facts.previous or fact.id)
        made.append(
            CustomerTurn(
                tenant=fact.tenant,
                id=fact.id,
                at=fact.at,
                trace_id=fact.trace_id,
                content_id=fact.content_id,
                conversation=conversation,
                session_id=facts.session_id or "",
                person=row.person,
                groups=tuple(sorted(theirs)),
                text=text,
                answer=answer,
                facts=facts,
                consent=row.consent,
            )
        )
    return made


def _conversations(connection: sa.Connection, wanted: Sequence[Fact]) -> dict[tuple[str, str, float], str]:
    """The stored sessions by (tenant, trace, time)."""
    traces = sorted({(each.tenant, each.trace_id) for each in wanted})
    columns = (turns.c.tenant, turns.c.trace_id, turns.c.at, turns.c.session_id)
    query = sa.select(*columns).distinct().where(sa.tuple_(turns.c.tenant, turns.c.trace_id).in_(traces))
    return {(row.tenant, row.trace_id, row.at): row.session_id for row in connection.execute(query)}


def _groups(connection: sa.Connection, wanted: Sequence[Fact]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The groups of the keys that asked, with their confinement to collections."""
    names = sorted({(each.tenant, each.facts.key_id) for each in wanted if isinstance(each.facts, AnswerFacts)})
    query = sa.select(keys.c.tenant, keys.c.id, keys.c.groups, keys.c.collections)
    found = connection.execute(query.where(sa.tuple_(keys.c.tenant, keys.c.id).in_(names)))
    return {
        (row.tenant, row.id): tuple(
            sorted(confined(frozenset(rows.load(row.groups)), frozenset(rows.load(row.collections))))
        )
        for row in found
    }


def spoken(content: str) -> tuple[str, str]:
    """The last message of a user and the answer's text in the record of an answer; empty: there is none."""
    try:
        found: Any = json.loads(content)
    except ValueError:
        return "", ""
    if not isinstance(found, dict):
        return "", ""
    said = [each for each in found.get("messages") or () if isinstance(each, dict) and each.get("role") == "user"]
    text = _text(said[-1].get("content")) if said else ""
    first: Any = (found.get("choices") or ({},))[0]
    return text[:MOST_CHARACTERS], str(first.get("text") or "") if isinstance(first, dict) else ""


def _text(content: Any) -> str:
    if isinstance(content, list):
        content = " ".join(each["text"] for each in content if isinstance(each, dict) and "text" in each)
    return " ".join(str(content or "").split())
