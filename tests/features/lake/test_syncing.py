"""The stream: events reach the raw and the clean zone once, whatever happens in between."""

from __future__ import annotations

import asyncio
import shutil

import pyarrow.parquet as pq
import pytest

from mainspring.core.errors import StoreError
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.features.lake import feature
from mainspring.features.lake.files.columns import facts_of, raw_row, raw_schema, table
from mainspring.features.lake.stream.syncing import NAME
from tests.features.lake.world import World


async def test_answers_are_joined_with_what_was_said_of_them_later(world: World) -> None:
    first = await world.say("How do I reset it?", "Press the button.", user="ada", system="Be kind.")
    done = await world.lake.syncing.sync()
    assert done is not None
    assert (done.events, done.interactions) == (2, 1)
    await world.think(first, "down", "Hold the button.")
    await world.lake.syncing.sync()
    (row,) = await world.interactions()
    assert row.answer_id == first
    assert (row.answer, row.edited, row.thumb, row.subject) == ("Press the button.", "Hold the button.", "down", "ada")
    assert [each["role"] for each in row.messages] == ["system", "user"]
    assert len(row.event_ids) == 3
    assert row.model_version == "openvino/small"
    assert len(world.files("raw")) == 3
    assert len(world.files("clean")) == 2


async def test_each_tenant_has_files_of_its_own(world: World) -> None:
    await world.say("What does the acme thing cost?")
    await world.say("What does the other thing cost?", tenant="umbrella/../acme")
    await world.lake.syncing.sync()
    assert [each.messages[0]["content"] for each in await world.interactions()] == ["What does the acme thing cost?"]
    mine = [path for path in world.files() if "tenant=acme" in path.parts]
    assert len(mine) == 3
    assert all(b"other thing" not in str(pq.read_table(path).to_pylist()).encode() for path in mine)


async def test_a_second_sync_finds_nothing(world: World) -> None:
    await world.say("Hello?")
    await world.lake.syncing.sync()
    before = world.files()
    done = await world.lake.syncing.sync()
    assert done is not None
    assert done.events == 0
    assert world.files() == before


async def test_a_sync_tells_how_many_of_the_waiting_events_it_has_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.lake.syncing, "_batch", 2)
    await world.say("What came before?")
    await world.lake.syncing.sync()
    for number in range(3):
        await world.say(f"Question {number}?")
    told: list[tuple[int, int]] = []
    await world.lake.syncing.sync(lambda *each: told.append(each))
    assert told == [(2, 6), (4, 6), (6, 6)]


async def test_a_sync_that_died_before_its_commit_leaves_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.say("Hello?")

    async def dies(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(type(world.lake.syncing), "_commit", dies)
        with pytest.raises(RuntimeError):
            await world.lake.syncing.sync()
    written = world.files()
    assert len(written) == 3
    assert await world.interactions() == []
    await world.lake.syncing.sync()
    assert len(world.files()) == 3
    assert not set(written) & set(world.files())
    assert len(await world.interactions()) == 1


async def test_files_of_an_answer_need_its_askers_groups(world: World) -> None:
    await world.say("What does the board think?", groups=["board"])
    await world.say("What is for lunch?")
    await world.lake.syncing.sync()
    seen = [each async for found in world.lake.clean.rows("acme", frozenset()) for each in found]
    assert [each.messages[0]["content"] for each in seen] == ["What is for lunch?"]
    assert len(await world.interactions()) == 2


def test_old_versions_unknown_facts_and_odd_values_are_kept() -> None:
    facts = {"collections": ["c"], "refused": "maybe", "evidence": 1, "features": {"a": 0.5}, "novel": {"x": 1}}
    facts |= {"hits": [{"document_id": "d", "score": 0.5}]}
    row = raw_row({"id": "e", "at": 1.0}, "retrieval", facts)
    assert facts_of("retrieval", row) == facts
    made = table(
        raw_schema("retrieval"), [{**row, **dict.fromkeys(("trace_id", "subject", "retention", "person"), "")}]
    )
    assert {**facts_of("retrieval", made.to_pylist()[0])} == facts
    assert facts_of("retrieval", raw_row({}, "retrieval", RetrievalFacts.from_json({}).plain())) is not None


def test_facts_that_are_not_exported_have_no_column() -> None:
    assert "replica" not in raw_schema("answer").names
    assert "replica" not in facts_of("answer", raw_row({}, "answer", {"replica": "gpu-7", "status": "completed"}))


async def test_small_files_are_merged_and_replaced_rows_left_out(world: World) -> None:
    asked = [await world.say(f"Question {number}?") for number in range(3)]
    await world.lake.syncing.sync()
    for answer_id in asked:
        await world.think(answer_id)
        await world.lake.syncing.sync()
    before = await world.interactions()
    assert len(world.files("clean")) == 4
    assert await world.lake.syncing._compacting.compact("acme", most_files=2) == 7
    (clean,) = world.files("clean")
    assert pq.read_table(clean).num_rows == 3
    after = await world.interactions()
    assert sorted(after, key=lambda each: each.answer_id) == sorted(before, key=lambda each: each.answer_id)
    assert (await world.lake.syncing.sync()) is not None
    assert len(world.files()) == 4


async def test_rows_go_with_the_texts_that_they_repeat(world: World) -> None:
    gone = await world.say("Where is my xylophone?")
    await world.say("Where is the sun?")
    await world.lake.syncing.sync()
    assert await world.lake.syncing.sweep() == 0
    await world.stores.events.erase("acme", gone)
    # The deletion is an event: the next sync sees it.
    await world.lake.syncing.sync()
    assert [each.messages[0]["content"] for each in await world.interactions()] == ["Where is the sun?"]


async def test_a_lake_that_is_gone_is_made_anew(world: World) -> None:
    for number in range(3):
        await world.say(f"Question {number}?")
    await world.lake.syncing.sync()
    shutil.rmtree(world.settings.home / "lake")
    await world.lake.syncing.sync()
    assert len(await world.interactions()) == 3


async def test_the_rounds_go_on_after_any_error() -> None:
    told: list[int] = []
    again = asyncio.Event()

    async def work() -> None:
        told.append(1)
        if len(told) == 1:
            raise OSError("the disk is full")
        again.set()

    rounds = asyncio.create_task(feature._repeat(0.0, work))
    waiting = asyncio.create_task(again.wait())
    await asyncio.wait([rounds, waiting], return_when=asyncio.FIRST_COMPLETED)
    assert not rounds.done()
    for each in (rounds, waiting):
        each.cancel()


async def test_one_tenants_failing_build_is_not_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for tenant in ("acme", "beta"):
        await world.say("How do I reset it?", tenant=tenant)
    await world.lake.syncing.sync()
    tried: list[str] = []

    async def build(tenant: str) -> None:
        tried.append(tenant)
        raise OSError("a damaged file")

    monkeypatch.setattr(world.lake.building, "build", build)
    await world.lake.build_all()
    assert sorted(tried) == ["acme", "beta"]


async def test_what_a_process_that_died_was_reading_is_read_soon(world: World) -> None:
    await world.say("Hello?")
    dead = await world.stores.jobs.claim(NAME, "lease_dead", 0.0, 0.5)
    assert dead is not None
    assert await world.lake.syncing.sync() is None
    await world.lake.syncing.catch_up()
    assert len(await world.interactions()) == 1


async def test_another_process_that_reads_is_waited_for_and_one_that_hangs_is_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.say("Hello?")
    monkeypatch.setattr(world.lake.syncing, "_lease_s", 0.2)
    held = await world.stores.jobs.claim(NAME, "lease_other", 0.0, 600)
    assert held is not None
    with pytest.raises(StoreError, match="gets no further"):
        await world.lake.syncing.catch_up()
    waiting = asyncio.create_task(world.lake.syncing.catch_up())
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await world.stores.jobs.release(held)
    async with asyncio.timeout(30):
        await waiting
    assert len(await world.interactions()) == 1
