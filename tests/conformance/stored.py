"""Events, turns and documents as the tests of stores put them in."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

import mainspring.stores.events.commit_numbers as commits
from mainspring.core.facts.registry import read
from mainspring.core.types import EventRecord, Message
from mainspring.stores import Stores
from mainspring.stores.documents.collections import Collection
from mainspring.stores.schema import events
from mainspring.stores.sessions.conversations import SessionTurn
from mainspring.stores.sql import ids

SECRET = "the launch code is 7-4-1"


def event(
    tenant: str = "a",
    *,
    kind: str = "answer",
    facts: Mapping[str, Any] = {"tokens": 3},
    content: str | None = None,
    **changes: object,
) -> EventRecord:
    record = EventRecord(ids.new("event-"), time.time(), tenant, "t1", "s1", read(kind, facts), content)
    return dataclasses.replace(record, **changes)  # type: ignore[arg-type]


async def followed(opened: Stores) -> None:
    """Until what was written can be followed: on Postgres transactions that began before, also those of others, must
    have ended."""

    def behind(connection: sa.Connection) -> bool:
        newest = sa.select(sa.func.max(events.c.settled))
        seen = connection.execute(newest.where(commits.before_horizon(connection))).scalar()
        return bool(seen != connection.execute(newest).scalar())

    async with asyncio.timeout(60):
        while await opened.database.read(behind):
            await asyncio.sleep(0.01)


def turn(*messages: Message, tenant: str = "a", session: str = "chat", trace_id: str = "t1") -> SessionTurn:
    return SessionTurn(tenant, session, messages, trace_id, time.time())


async def publish(opened: Stores, collection: Collection, source: str, text: str) -> tuple[str, int]:
    """Ingest ``text``; (document id, generation)."""
    begun = await opened.collections.begin(collection, source, hashlib.sha256(text.encode()).hexdigest(), source)
    blob = await opened.blobs.put(text.encode())
    await opened.collections.publish(
        collection, begun.document_id, begun.generation, chars=len(text), chunks=1, parser="text", text_blob=blob
    )
    return begun.document_id, begun.generation
