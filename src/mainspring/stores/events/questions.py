"""The questions of the latest traces, in the form that the guards let pass, and their askers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.facts.answers import AnswerFacts
from mainspring.stores.events.event_visibility import visible_events
from mainspring.stores.schema import contents, events
from mainspring.stores.sql.database import Database

MOST_READ = 2000
"""The number of texts with the search words, latest first, that are searched for questions."""
LENGTH = 300


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """``text`` is None if it is not kept; cut to ``LENGTH`` characters. ``session_id`` is None without a session."""

    trace_id: str
    text: str | None
    key_id: str
    session_id: str | None


class Questions:
    """Questions of recorded answers that groups may see (``EventLog.page``)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, tenant: str, groups: frozenset[str], traces: Iterable[str]) -> dict[str, AskedQuestion]:
        """The questions of these traces that are recorded and seen, by trace; of several in a trace the first."""
        wanted = events.c.trace_id.in_(sorted(set(traces)))

        def work(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
            # By kind, or in an order that an index has, SQLite would read all answers of the tenant to find a few.
            query = _query(tenant, events.c.kind.concat("")).where(wanted, visible_events(connection, groups))
            query = query.order_by((events.c.at + 0.0).desc())
            return connection.execute(query).all()

        found = map(_question, await self._database.read(work))
        return {question.trace_id: question for question in found}

    async def traces(self, tenant: str, groups: frozenset[str], text: str, limit: int) -> list[str]:
        """The latest traces with a question that contains ``text``, whatever its case."""
        # Texts are JSON: the search words are in them as JSON writes them.
        written = orjson.dumps(text).decode()[1:-1]

        def work(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
            like = contents.c.text.icontains(written, autoescape=True)
            query = _query(tenant).where(like, visible_events(connection, groups))
            return connection.execute(query.order_by(events.c.at.desc()).limit(MOST_READ)).all()

        found = await self._database.read(work)
        asked = ((row.trace_id, _asked(row.text)) for row in found)
        return list(dict.fromkeys(trace for trace, said in asked if text.lower() in (said or "").lower()))[:limit]


def _query(tenant: str, kind: sa.ColumnElement[str] = events.c.kind) -> sa.Select[Any]:
    of = sa.and_(contents.c.tenant == events.c.tenant, contents.c.sha256 == events.c.content_id)
    asked = sa.and_(events.c.tenant == tenant, kind == "answer")
    return sa.select(events.c.trace_id, events.c.facts, contents.c.text).outerjoin(contents, of).where(asked)


def _question(row: sa.Row[Any]) -> AskedQuestion:
    facts = AnswerFacts.from_json(rows.load(row.facts))
    said = _asked(row.text)
    return AskedQuestion(row.trace_id, said and said[:LENGTH], facts.key_id, facts.session_id)


def _asked(content: str | None) -> str | None:
    """The last message of a user in an answer's record, on one line; None if there is no text of one."""
    if content is None:
        return None
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    messages = found.get("messages") if isinstance(found, dict) else None
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "user":
            said = message.get("content")
            if isinstance(said, list):
                said = " ".join(part["text"] for part in said if isinstance(part, dict) and "text" in part)
            return " ".join(str(said).split()) or None
    return None
