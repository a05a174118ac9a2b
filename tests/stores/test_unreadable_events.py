"""Erasure and retention go on where an event cannot be read: what cannot be read does not stay."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from mainspring.stores import Stores
from mainspring.stores.documents.forgetting import Forgetting
from mainspring.stores.erase import erasing, retention
from mainspring.stores.schema import events

UNREADABLE = ["{no json", "[1, 2]", '"comment":"secret"', '["comment":"secret"]']


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def _filled(opened: Stores) -> None:
    """Two answers of two tenants, each with feedback."""
    for tenant in ("acme", "other"):
        facts = AnswerFacts.from_json({"status": "completed", "operation": "chat", "user": "ada", "cost_nanousd": 5})
        told = FeedbackFacts(key_id="k", rating="down", comment="I dislike it", edited=False)
        await opened.events.append(
            EventRecord("ans_1", time.time(), tenant, "trace", "ans_1", facts, "said", person="ada"),
            EventRecord("event-1", time.time(), tenant, "trace", "ans_1", told),
        )


async def _damage(opened: Stores, event: str, facts: str) -> None:
    found = sa.and_(events.c.tenant == "acme", events.c.id == event)
    await opened.database.write(lambda link: link.execute(sa.update(events).where(found).values(facts=facts)) and None)


async def _facts(opened: Stores) -> dict[tuple[str, str], str]:
    query = sa.select(events.c.tenant, events.c.id, events.c.facts)
    found = await opened.database.read(lambda link: link.execute(query).all())
    return {(row.tenant, row.id): row.facts for row in found}


@pytest.mark.parametrize("facts", UNREADABLE)
async def test_an_erasure_leaves_nothing_of_what_cannot_be_read(opened: Stores, facts: str) -> None:
    await _filled(opened)
    await _damage(opened, "ans_1", facts)
    await _damage(opened, "event-1", facts)
    done = await opened.database.write(lambda link: erasing.answers(link, "acme", ["ans_1"]))
    assert done == {"facts": 2, "texts": 1}
    left = await _facts(opened)
    assert left["acme", "ans_1"] == left["acme", "event-1"] == "{}"
    assert "ada" in left["other", "ans_1"]


@pytest.mark.parametrize("facts", UNREADABLE)
async def test_retention_goes_on_behind_what_cannot_be_read(opened: Stores, facts: str) -> None:
    await _filled(opened)
    await _damage(opened, "event-1", facts)
    later = time.time() + 60
    await opened.database.write(lambda link: retention.delete(link, "feedback", later))
    left = await _facts(opened)
    assert "dislike" not in left["other", "event-1"]
    assert "secret" not in left["acme", "event-1"]
    assert await opened.database.read(lambda link: retention.due(link, "feedback", later)) == {}
    await _damage(opened, "ans_1", facts)
    await opened.database.write(lambda link: retention.delete(link, "events", later))
    left = await _facts(opened)
    assert left["acme", "ans_1"] == "{}"
    assert "ada" not in left["other", "ans_1"]
    assert "5" in left["other", "ans_1"]


@pytest.mark.parametrize(
    "facts",
    ['{"hits": [{"document_id": "doc_1"}', '["doc_1"]', '{"collections": 7, "cited": [{"document_id": "doc_1"}]}'],
)
async def test_an_answer_that_may_repeat_a_deleted_document_is_forgotten(opened: Stores, facts: str) -> None:
    for number in (1, 2):
        hit = {"document_id": f"doc_{number}", "score": 0.5}
        found = RetrievalFacts.from_json({"mode": "hybrid", "collections": ["vs_1"], "hits": [hit]})
        await opened.events.append(EventRecord(f"event-{number}", time.time(), "acme", "trace", f"ans_{number}", found))
    await _damage(opened, "event-1", facts)
    notes = [Forgetting("acme", "", "doc_1", (), time.time())]
    assert await opened.forgetting.answers("acme", notes) == ["ans_1"]
