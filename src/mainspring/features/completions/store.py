"""The store of chat completions. A completion is an answer of the event log that its key marked, with metadata.

Only the key that asked sees one, and only while the answer's text is kept: an erasure and the end of its retention take
it away.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import NotFound
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.path import Layer
from mainspring.core.types import Context, EventRecord, Principal, Request, Responder, Response
from mainspring.features.completions.tables import stored_completions
from mainspring.http.access import acting
from mainspring.stores.events.log import EventLog
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice

Tags = Mapping[str, str]
PREFIX = "ans_"
_KEPT = sa.exists().where(
    events.c.tenant == stored_completions.c.tenant,
    events.c.id == stored_completions.c.id,
    events.c.content_id.is_not(None),
)


@dataclass(frozen=True, slots=True)
class StoredCompletion:
    """A completion's mark, and the event that its answer is."""

    id: str
    tags: Tags
    record: EventRecord


class StoredCompletions:
    """Marks answers, and finds them again."""

    def __init__(self, database: Database, log: EventLog) -> None:
        self._database = database
        self._log = log

    def storing(self, responder: Responder, tags: Tags) -> Responder:
        """``responder``, whose answers are marked as soon as there is one."""
        return _Storing(responder, self, tags)

    async def mark(self, answer_id: str, model: str, tags: Tags, principal: Principal) -> None:
        row = {
            "tenant": principal.tenant,
            "id": answer_id,
            "key_id": principal.key_id,
            "model": model,
            "at": time.time(),
            "metadata": rows.dump(cards.scrubbed(dict(tags))),
        }
        await self._database.write(lambda connection: connection.execute(sa.insert(stored_completions), row) and None)

    async def page(
        self, principal: Principal, page: Page, model: str | None = None, tags: Tags | None = None
    ) -> Slice[StoredCompletion]:
        """The key's completions of ``model`` with all of these ``tags``. Raises ``InvalidRequest`` naming a cursor."""

        def work(connection: sa.Connection) -> Slice[sa.Row[tuple[str, str]]]:
            query = sa.select(stored_completions.c.id, stored_completions.c.metadata).where(_mine(principal), _KEPT)
            if model is not None:
                query = query.where(stored_completions.c.model == model)
            for name, value in (tags or {}).items():
                query = query.where(_tagged(connection, name, value))
            return pages.read(connection, query, (stored_completions.c.id,), page, pages.by_id(PREFIX))

        found = await self._database.read(work)
        seen = []
        for row in found.rows:
            try:
                seen.append(StoredCompletion(row.id, rows.load(row.metadata), await self._event(row.id, principal)))
            except NotFound:
                # It was made of documents that the key may no longer see.
                continue
        return Slice(seen, found.more)

    async def get(self, completion_id: str, principal: Principal) -> StoredCompletion:
        """Raises ``NotFound``."""
        one = sa.select(stored_completions.c.metadata).where(_one(completion_id, principal), _KEPT)
        tags = await self._database.read(lambda connection: connection.execute(one).scalar_one_or_none())
        if tags is None:
            raise _unknown(completion_id)
        return StoredCompletion(completion_id, rows.load(tags), await self._event(completion_id, principal))

    async def tag(self, completion_id: str, tags: Tags, principal: Principal) -> StoredCompletion:
        """Give it these ``tags`` instead of its own. Raises ``NotFound``."""
        await self.get(completion_id, principal)
        change = sa.update(stored_completions).where(_one(completion_id, principal))
        named = change.values(metadata=rows.dump(cards.scrubbed(dict(tags))))
        await self._database.write(lambda connection: connection.execute(named) and None)
        return await self.get(completion_id, principal)

    async def delete(self, completion_id: str, context: Context) -> None:
        """Delete it and the texts of its answer; facts without text stay. Raises ``NotFound``."""
        await self.get(completion_id, context.principal)
        gone = sa.delete(stored_completions).where(_one(completion_id, context.principal))
        await self._database.write(lambda connection: connection.execute(gone) and None, frees=True)
        await self._log.erase(context.principal.tenant, completion_id, by=acting(context))

    async def _event(self, completion_id: str, principal: Principal) -> EventRecord:
        try:
            record = await self._log.answer_for(principal, completion_id)
        except NotFound:
            raise _unknown(completion_id) from None
        if record.content is None or AnswerFacts.of(record.facts).key_id not in principal.own_keys:
            raise _unknown(completion_id)
        return record


class _Storing(Layer):
    def __init__(self, inner: Responder, store: StoredCompletions, tags: Tags) -> None:
        super().__init__(inner)
        self._store = store
        self._tags = tags

    async def respond(self, request: Request, context: Context) -> Response:
        response = await self.inner.respond(request, context)
        try:
            await self._store.mark(response.head.answer_id, response.head.model, self._tags, context.principal)
        except BaseException:
            await response.aclose()
            raise
        return response


def _mine(principal: Principal) -> sa.ColumnElement[bool]:
    own = stored_completions.c.key_id.in_(sorted(principal.own_keys))
    return sa.and_(stored_completions.c.tenant == principal.tenant, own)


def _one(completion_id: str, principal: Principal) -> sa.ColumnElement[bool]:
    return sa.and_(_mine(principal), stored_completions.c.id == completion_id)


def _tagged(connection: sa.Connection, name: str, value: str) -> sa.ColumnElement[bool]:
    column = stored_completions.c.metadata
    if connection.dialect.name == "postgresql":
        return sa.cast(column, JSONB).contains({name: value})
    each = sa.func.json_each(column).table_valued("key", "value", joins_implicitly=True)
    return sa.exists(sa.select(each.c.key).where(each.c.key == name, each.c.value == value))


def _unknown(completion_id: str) -> NotFound:
    remedy = "Completions asked for with store: true are kept for the key that asked"
    return NotFound(f"there is no stored completion {completion_id!r}", remedy=remedy)
