"""Expired data is deleted, class by class, on every SQL database; other data stays."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry, generate_latest

from mainspring.core.facts.registry import read
from mainspring.core.settings.audit import RetentionSettings
from mainspring.core.types import EventRecord, Message, Principal
from mainspring.features.compliance.metrics import ComplianceMetrics
from mainspring.features.compliance.retention import KIND, Retention
from mainspring.stores import Stores
from mainspring.stores.documents.files import REQUESTS
from mainspring.stores.events.audit_log import LOCAL
from mainspring.stores.money.ledger import LedgerQuery
from mainspring.stores.schema import audit, batches
from mainspring.stores.schema import jobs as jobs_table
from mainspring.stores.sessions.conversations import SessionTurn
from mainspring.stores.sql import ids, jobs
from mainspring.stores.sql.jobs import Job
from tests.conformance.test_erasing import left
from tests.databases import opened, settings

__all__ = ["opened", "settings"]
DAY = 86_400.0
EVERYTHING = {
    *("contents_days", "sessions_days", "events_days", "batch_files_days", "jobs_days", "audit_days"),
}


def made(stores: Stores, **days: float) -> tuple[Retention, CollectorRegistry]:
    registry = CollectorRegistry()
    chosen = RetentionSettings.model_validate({**dict.fromkeys(EVERYTHING, 0.0), **days})
    return Retention(stores, chosen, ComplianceMetrics(registry)), registry


async def lived(stores: Stores, word: str, age: float, tenant: str = "a") -> None:
    """What a request of ``age`` days ago has left."""
    at = time.time() - age * DAY
    facts: dict[str, Any] = {"key_id": "k", "model": "m", "requested": "m", "cache": "hit", "saved_nanousd": 3}
    answer_id = f"ans_{word}"
    records = [
        EventRecord(
            answer_id,
            at,
            tenant,
            f"t_{word}",
            answer_id,
            read("answer", {**facts, "user": f"u{word}"}),
            f'"{word} said"',
            person=f"u{word}",
        ),
        EventRecord(f"evt_{word}", at, tenant, f"t_{word}", answer_id, read("call", {**facts, "cost_nanousd": 5})),
        EventRecord(f"ret_{word}", at, tenant, f"t_{word}", answer_id, read("retrieval", {"collections": []})),
        EventRecord(
            f"fb_{word}",
            at,
            tenant,
            f"t_{word}",
            answer_id,
            read("feedback", {"comment": f"{word} comment"}),
            f"{word} edit",
        ),
    ]
    turn = SessionTurn(tenant, f"0123456789abcdef:s{word}", (Message("user", f"{word} asked"),), f"t_{word}", at)
    await stores.events.settle(records, [turn])


async def job(stores: Stores, name: str, age: float, state: str) -> None:
    await stores.jobs.submit("a", name, "test", {"about": f"{name} payload"})
    changed = sa.update(jobs_table).where(jobs_table.c.id == name)
    changed = changed.values(state=state, updated_at=time.time() - age * DAY)
    await stores.database.write(lambda connection: connection.execute(changed) and None)


async def batch(stores: Stores, word: str, age: float, *, over: bool) -> str:
    who = Principal("a", "k", frozenset({"chat"}))
    data = json.dumps({"custom_id": word, "method": "POST", "url": "/v1/chat/completions", "body": {}}).encode()
    file = await stores.files.add("a", f"{word}.jsonl", data, REQUESTS)
    made_one = await stores.batches.create(
        who, endpoint="/v1/chat/completions", input_file_id=file.id, window="24h", window_s=DAY, metadata={}
    )
    if over:
        leased = await stores.jobs.lease("batch", ids.new("l_"), 60)
        assert leased is not None
        await stores.batches.begin(leased, 1)
        await stores.batches.record(leased, 1, json.dumps({"custom_id": word, "response": {}}), succeeded=True)
        await stores.batches.finish(leased, "completed")
    at = time.time() - age * DAY
    changed = sa.update(batches).where(batches.c.id == made_one.id).values(created_at=at)
    if over:
        changed = changed.values(times=json.dumps({"completed": at}))
    await stores.database.write(lambda connection: connection.execute(changed) and None)
    return made_one.id


async def due(retention: Retention) -> dict[str, int]:
    return {each.data: each.count for each in await retention.due() if each.count}


async def test_what_is_kept_for_ever_is(opened: Stores) -> None:
    await lived(opened, "old", 5000)
    retention, _ = made(opened)
    assert await due(retention) == {}
    assert await retention.apply() == {}
    assert "old said" in await left(opened)


async def test_texts_go_and_facts_stay(opened: Stores) -> None:
    await lived(opened, "old", 11)
    await lived(opened, "new", 9)
    retention, registry = made(opened, contents_days=10)
    assert await due(retention) == {"contents": 2, "feedback": 1}
    assert await retention.apply(LOCAL) == {"contents": 2, "feedback": 1}
    text = await left(opened)
    for gone in ("old said", "old edit", "old comment"):
        assert gone not in text
    for kept in ("new said", "new edit", "new comment", "old asked"):
        assert kept in text
    assert (await opened.events.get("a", "ans_old")).person == "uold"
    assert await due(retention) == {}
    entry = await opened.audit.latest("a", "retention.applied")
    assert entry is not None
    assert entry.details == {"deleted": {"contents": 2, "feedback": 1}}
    assert b'mainspring_retention_deleted_total{data="contents"} 2.0' in generate_latest(registry)


async def test_conversations_go_since_their_last_turn(opened: Stores) -> None:
    await lived(opened, "old", 11)
    await lived(opened, "new", 9)
    # An old one that went on yesterday.
    at = time.time() - DAY
    said = SessionTurn("a", "0123456789abcdef:skept", (Message("user", "kept begun"),), "t1", at - 20 * DAY)
    more = SessionTurn("a", "0123456789abcdef:skept", (Message("user", "kept on"),), "t2", at)
    await opened.events.settle([], [said])
    await opened.events.settle([], [more])
    retention, _ = made(opened, sessions_days=10)
    assert await retention.apply() == {"sessions": 1}
    text = await left(opened)
    assert "old asked" not in text
    assert "sold" not in text
    for kept in ("new asked", "kept begun", "kept on", "old said"):
        assert kept in text


async def test_of_old_facts_those_of_money_stay(opened: Stores) -> None:
    for number in range(3):
        await lived(opened, f"old{number}", 11 + number)
    await lived(opened, "new", 9)
    before = await opened.ledger.sums(["key", "model"], LedgerQuery())
    retention, _ = made(opened, events_days=10)
    assert await due(retention) == {"events": 12}
    assert await retention.apply() == {"events": 12}
    assert await opened.ledger.sums(["key", "model"], LedgerQuery()) == before
    kinds = [each.kind for each in await opened.events.find("a", subject="ans_old1")]
    assert sorted(kinds) == ["answer", "call"]
    text = await left(opened)
    assert "uold1" not in text
    assert "old1 said" not in text
    assert "unew" in text
    assert await due(retention) == {}


async def test_jobs_that_are_over_go(opened: Stores) -> None:
    for name, age, state in (
        ("old", 11, jobs.DONE),
        ("failed", 11, jobs.FAILED),
        ("new", 9, jobs.DONE),
        ("waiting", 99, jobs.WAITING),
        ("running", 99, jobs.RUNNING),
    ):
        await job(opened, name, age, state)
    retention, _ = made(opened, jobs_days=10)
    assert await retention.apply() == {"jobs": 2}
    text = await left(opened)
    assert [name for name in ("old", "failed", "new", "waiting", "running") if f"{name} payload" in text] == [
        "new",
        "waiting",
        "running",
    ]


async def test_files_of_batches_go_when_those_have_ended(opened: Stores) -> None:
    old = await batch(opened, "old", 11, over=True)
    new = await batch(opened, "new", 9, over=True)
    waits = await batch(opened, "waits", 11, over=False)
    retention, _ = made(opened, batch_files_days=10, jobs_days=10)
    assert await due(retention) == {"batch_files": 2}
    assert await retention.apply() == {"batch_files": 2}
    names = {each.name for each in await opened.files.list("a")}
    assert names == {"new.jsonl", "waits.jsonl", f"{new}_output.jsonl"}
    found = await opened.database.read(lambda it: set(it.execute(sa.select(batches.c.id)).scalars()))
    assert found == {new, waits}
    assert old not in found
    assert await due(retention) == {}


async def test_the_log_is_trimmed_and_says_so(opened: Stores) -> None:
    for _ in range(3):
        await opened.audit.record("a", "test.done")
    retention, _ = made(opened, audit_days=10)
    assert await due(retention) == {}
    later = time.time() + 11 * DAY
    # The last one stays: there must be something to go on from.
    assert (await retention.apply(now=later))["audit"] == 2
    assert (await opened.audit.verify("a")).intact
    count = sa.select(sa.func.count()).select_from(audit).where(audit.c.tenant == "a")
    assert await opened.database.read(lambda connection: connection.execute(count).scalar_one()) == 2


async def test_cached_answers_leave_the_files_when_their_time_is_over(opened: Stores) -> None:
    await opened.cache.put("one", b"1", 0.05, frozenset({"x"}))
    await opened.cache.put("two", b"2", 60, frozenset({"x"}))
    await asyncio.sleep(0.3)
    retention, _ = made(opened)
    assert await retention.apply() == {"cached": 1}
    assert await opened.cache.get("two") == b"2"


async def test_one_process_at_a_time_and_not_all_the_time(opened: Stores) -> None:
    claim = opened.jobs.claim
    first = await claim(KIND, "one", 3600, 60)
    assert isinstance(first, Job)
    assert await claim(KIND, "two", 3600, 60) is None
    await opened.jobs.release(first)
    # It was done just now.
    assert await claim(KIND, "two", 3600, 60) is None
    again = await claim(KIND, "two", 0, -1)
    assert again is not None
    # Its owner has died: the lease is over.
    assert await claim(KIND, "three", 3600, 60) is not None


async def test_it_looks_by_itself(opened: Stores) -> None:
    await lived(opened, "old", 11)
    retention, _ = made(opened, contents_days=10, every_s=0.05)
    retention.start()
    async with asyncio.timeout(30):
        while "old said" in await left(opened):
            await asyncio.sleep(0.02)
    await retention.close()
    assert "old said" not in await left(opened)


@pytest.mark.parametrize("kind", ["retrieval", "guard", "score"])
async def test_other_facts_are_deleted_whole(opened: Stores, kind: Any) -> None:
    at = time.time() - 11 * DAY
    await opened.events.append(EventRecord("evt_x", at, "a", "t", "s", read(kind, {"n": 1}), "a text of it"))
    retention, _ = made(opened, events_days=10)
    await retention.apply()
    assert not await opened.events.find("a")
    assert "a text of it" not in await left(opened)
