"""All data of a person, item by item, for access requests.

Items that an admin key may not see (answers to keys of other groups, or over documents closed to it) are counted, not
shown; with ``groups`` None, at the machine, all are shown.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.facts.derived import exported
from mainspring.features.compliance.erase.documents import Documents
from mainspring.stores import Stores
from mainspring.stores.cache.answers import made_for
from mainspring.stores.erase import data_subjects
from mainspring.stores.erase.data_subjects import Subject, SubjectAnswer, SubjectData
from mainspring.stores.events.audit_log import Actor, HashedText
from mainspring.stores.events.event_visibility import visible_events
from mainspring.stores.schema import contents, events, session_summaries, turns

Thing = dict[str, Any]
_CONTENT = sa.and_(contents.c.tenant == events.c.tenant, contents.c.sha256 == events.c.content_id)


class Subjects:
    """Reads; erasing is the ``Eraser``'s."""

    def __init__(self, stores: Stores, documents: Documents) -> None:
        self._stores = stores
        self._documents = documents

    async def export(self, subject: Subject, by: Actor, groups: frozenset[str] | None = None) -> AsyncIterator[Thing]:
        """The items, and finally their number. The audit log says that it was read."""
        asked = {"kind": subject.kind, "subject": HashedText(f"{subject.kind}:{subject.id}")}
        await self._stores.audit.record(subject.tenant, "subject.exported", by, details=asked)
        now = time.time()
        held = await self._stores.database.read(lambda connection: data_subjects.find(connection, subject, now))
        shown = await self._visible(subject, held, groups)
        counts = {"answers": 0, "events": 0, "messages": 0, "documents": 0, "spans": 0, "cached": 0}
        for part in data_subjects.parts(shown, 100):
            for each in (*await self._events(subject.tenant, part), *await self._messages(subject.tenant, part, held)):
                counts[{"answer": "answers", "message": "messages"}.get(each["type"], "events")] += 1
                yield each
        seen_ids = SubjectData({each.id: each for each in shown}, held.sessions)
        if len(shown) == len(held.answers):
            for summary in await self._summaries(subject.tenant, held):
                yield summary
        for holding in self._stores.holdings:
            kept = await holding.find(subject, seen_ids, now, groups)
            counts[holding.name] = len(kept)
            for thing in kept:
                yield dict(thing)
        for document in await self._documents.find(subject, now, groups):
            counts["documents"] += 1
            facts = {"id": document.id, "vector_store_id": document.collection_id, "name": document.name}
            told = {"attributes": rows.load(document.attributes), "text": await self._documents.text(document)}
            yield {"type": "document", **facts, **told}
        traces = sorted({each.trace_id for each in shown})
        counts["spans"] = await self._stores.spans.count(subject.tenant, traces)
        counts["cached"] = sum([await self._stores.cache.count(made_for(each.id)) for each in shown])
        yield {"type": "end", "counts": counts, "withheld_answers": len(held.answers) - len(shown)}

    async def _visible(self, subject: Subject, held: SubjectData, groups: frozenset[str] | None) -> list[SubjectAnswer]:
        if groups is None:
            return list(held.answers.values())
        wanted = groups

        def work(connection: sa.Connection, ids: Sequence[str]) -> set[str]:
            query = sa.select(events.c.id).where(events.c.tenant == subject.tenant, events.c.id.in_(ids))
            may = query.where(
                visible_events(connection, wanted), data_subjects.visible(connection, subject.tenant, wanted)
            )
            return set(connection.execute(may).scalars())

        shown: set[str] = set()
        for part in data_subjects.parts(list(held.answers), 100):
            shown |= await self._stores.database.read(lambda connection, ids=part: work(connection, ids))  # type: ignore[misc]
        return [each for each in held.answers.values() if each.id in shown]

    async def _events(self, tenant: str, answers: Sequence[SubjectAnswer]) -> list[Thing]:
        ids = [each.id for each in answers]
        query = sa.select(events, contents.c.text).outerjoin(contents, _CONTENT)
        # In an order that an index has, SQLite would read all of the tenant's events to find these few.
        at = events.c.at + 0.0
        about = query.where(events.c.tenant == tenant, events.c.subject.in_(ids)).order_by(at, events.c.id)
        found = await self._stores.database.read(lambda connection: connection.execute(about).all())
        return [
            {
                "type": row.kind,
                "id": row.id,
                "at": row.at,
                "answer_id": row.subject,
                "trace_id": row.trace_id,
                "consent": row.consent,
                "facts": exported(row.kind, rows.load(row.facts)),
                "content": row.text,
            }
            for row in found
        ]

    async def _messages(self, tenant: str, answers: Sequence[SubjectAnswer], held: SubjectData) -> list[Thing]:
        moments = {(each.trace_id, each.at) for each in answers}
        traces = sorted({each.trace_id for each in answers})
        text = sa.and_(contents.c.tenant == turns.c.tenant, contents.c.sha256 == turns.c.content_id)
        query = sa.select(turns, contents.c.text).join(contents, text)
        query = query.where(turns.c.tenant == tenant, turns.c.trace_id.in_(traces))
        ordered = query.order_by(turns.c.session_id, turns.c.id, turns.c.position)
        found = await self._stores.database.read(lambda connection: connection.execute(ordered).all())
        return [
            {
                "type": "message",
                "session": row.session_id.partition(":")[2] or row.session_id,
                "at": row.at,
                "role": row.role,
                "text": row.text,
                **rows.load(row.extra),
            }
            for row in found
            if (row.trace_id, row.at) in moments and row.session_id in held.sessions
        ]

    async def _summaries(self, tenant: str, held: SubjectData) -> list[Thing]:
        found: list[Thing] = []
        for part in data_subjects.parts(sorted(held.sessions)):
            mine = sa.and_(session_summaries.c.tenant == tenant, session_summaries.c.session_id.in_(part))
            query = sa.select(session_summaries).where(mine)
            read = await self._stores.database.read(lambda connection, asked=query: connection.execute(asked).all())  # type: ignore[misc]
            found += [
                {
                    "type": "summary",
                    "session": row.session_id.partition(":")[2],
                    "at": row.made_at,
                    "notes": rows.load(row.notes),
                }
                for row in read
            ]
        return found
