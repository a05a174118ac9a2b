"""From an answer to the feedback that what gave it is made of, and from feedback to the answers that it served."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from mainspring.core.errors import MainspringError, NotFound
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.base import Facts
from mainspring.core.facts.opinions import FeedbackFacts, LabelFacts
from mainspring.core.facts.registry import read
from mainspring.core.types import Principal
from mainspring.features.improve.lineage.store import Variant, VariantStore
from mainspring.features.improve.stages.tools import Tools
from mainspring.stores.events.event_visibility import visible_events
from mainspring.stores.events.log import EventLog
from mainspring.stores.schema import events
from mainspring.stores.sql import rows
from mainspring.stores.sql.database import Database

_SHOWN = 100
_OPINIONS = (FeedbackFacts.EVENT, LabelFacts.EVENT)


class Tracing:
    """Answers about the lineage of answers, variants and feedback. Every list has at most a hundred entries, with the
    count of all."""

    def __init__(self, variants: VariantStore, tools: Tools, log: EventLog, database: Database) -> None:
        self._variants = variants
        self._tools = tools
        self._events = log
        self._database = database

    async def of_answer(self, principal: Principal, answer_id: str, limit: int = _SHOWN) -> dict[str, Any]:
        """What gave an answer, what that is made of, and what the answer itself was made into. Raises ``NotFound`` for
        one that the caller may not see."""
        record = await self._events.answer_for(principal, answer_id)
        given = await self._variants.answer(principal.tenant, answer_id)
        variant = None if given is None or not given[1] else await self._variants.seen(principal, given[1])
        inside = await self._variants.made_of(principal.tenant, answer_id)
        made = [await self._variants.seen(principal, each) for each in inside[:limit]]
        return {
            "object": "lineage",
            "answer_id": answer_id,
            "trace_id": record.trace_id,
            "application": None if given is None else given[0],
            "given_by": None if variant is None else await self._whole(principal, variant, limit),
            "feedback": await self._feedback(principal, answer_id),
            "made_into": [await self._served(each, limit) for each in made if each is not None],
        }

    async def of_variant(self, principal: Principal, name: str, limit: int = _SHOWN) -> dict[str, Any]:
        """A variant (by its id, or by its version) with its campaign, the answers that it is made of with what people
        said of them, and the answers that it gave. Raises ``NotFound``."""
        variant = await self._variants.seen(principal, name)
        if variant is None:
            raise NotFound(f"there is no variant {name:.100}", remedy="GET /v1/improve/campaigns names them")
        return await self._whole(principal, variant, limit)

    async def _whole(self, principal: Principal, variant: Variant, limit: int) -> dict[str, Any]:
        count, sources = await self._variants.sources(principal.tenant, variant.id, limit)
        told = await self._served(variant, limit)
        told |= {"sources": {"total": count, "data": await self._sources(principal, sources)}}
        if variant.export:
            told["rows"] = await self._rows(principal.tenant, variant.export, sources[:limit])
        return told

    async def of_feedback(self, principal: Principal, event_id: str, limit: int = _SHOWN) -> dict[str, Any]:
        """The answer that feedback is about, the variants made of it, and the answers that those gave. Raises
        ``NotFound``."""
        record = await self._events.get(principal.tenant, event_id)
        if record.facts.EVENT not in _OPINIONS:
            raise NotFound(f"{event_id:.100} is not feedback", param="feedback")
        return {**await self.of_answer(principal, record.subject, limit), "feedback_id": event_id}

    async def _served(self, variant: Variant, limit: int) -> dict[str, Any]:
        total, newest = await self._variants.answers(variant.tenant, variant.id, limit)
        return {**variant_body(variant), "answers": {"total": total, "data": newest}}

    async def _feedback(self, principal: Principal, answer_id: str) -> list[dict[str, Any]]:
        found = []
        for kind in _OPINIONS:
            for each in await self._events.find(principal.tenant, kind=kind, subject=answer_id, limit=_SHOWN):
                found.append({"kind": kind, "at": each.at, **_said(each.id, each.facts)})
        return found

    async def _sources(self, principal: Principal, answers: Sequence[str]) -> list[dict[str, Any]]:
        """The answers with their traces and what people said of them; those that the caller may see."""
        c = events.c
        columns = (c.id, c.kind, c.trace_id, c.subject, c.facts)
        own = sa.and_(c.tenant == principal.tenant, c.id.in_(answers), c.kind == AnswerFacts.EVENT)
        about = sa.and_(c.tenant == principal.tenant, c.subject.in_(answers), c.kind.in_(_OPINIONS))

        def work(connection: sa.Connection) -> tuple[dict[str, str], Sequence[Any]]:
            visible = visible_events(connection, principal.groups)
            seen = connection.execute(sa.select(c.id, c.trace_id).where(own, visible)).all()
            # In the order of the key itself SQLite would read all of the tenant's events to find these few.
            told = connection.execute(sa.select(*columns).where(about).order_by(c.id.concat(""))).all()
            return {row.id: row.trace_id for row in seen}, told

        traces, told = await self._database.read(work)
        said: dict[str, list[dict[str, Any]]] = {}
        for row in told:
            said.setdefault(row.subject, []).append(_said(row.id, read(row.kind, rows.load(row.facts))))
        return [
            {"answer_id": each, "trace_id": traces[each], "feedback": said.get(each, [])}
            for each in answers
            if each in traces
        ]

    async def _rows(self, tenant: str, export: str, answers: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of the export that are made of these answers."""
        found: list[dict[str, Any]] = []
        try:
            async for row in self._tools.exporter.export_rows(tenant, export, frozenset(answers)):
                found.append({"split": row.split, "line": row.line, "answers": list(row.answers)})
                if len(found) == _SHOWN:
                    break
        except MainspringError:
            # The export was deleted since, or nothing makes any.
            return found
        return found


def _said(event_id: str, facts: Facts) -> dict[str, Any]:
    """A thumb, or a person's label, as JSON."""
    rating = facts.rating if isinstance(facts, FeedbackFacts) else None
    edited = isinstance(facts, FeedbackFacts | LabelFacts) and facts.edited
    return {"id": event_id, "rating": rating, "edited": edited}


def variant_body(variant: Variant) -> dict[str, Any]:
    """A variant as JSON."""
    return {
        "id": variant.id,
        "object": "improve.variant",
        "application": variant.application,
        "kind": variant.kind,
        "version": variant.version or None,
        "campaign": variant.campaign,
        "export": variant.export or None,
        "dataset": variant.data_set or None,
        "made_at": variant.made_at,
        "promoted_at": variant.promoted_at,
        "withdrawn_at": variant.withdrawn_at,
        "reason": variant.reason or None,
        "erased_at": variant.erased_at,
    }
