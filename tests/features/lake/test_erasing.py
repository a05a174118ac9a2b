"""Erasure reaches every file of every zone: each is decoded and searched."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pyarrow.parquet as pq
import pytest

from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.types import EventRecord
from mainspring.features.lake.build.building import Building
from mainspring.features.lake.files.rewriting import Rewriting
from mainspring.features.lake.files.storage import UNFINISHED
from mainspring.features.lake.holdings import LakeRows
from mainspring.features.lake.steps.options import BuildSettings
from mainspring.features.lake.stream import preparing
from mainspring.stores.erase.data_subjects import Subject, SubjectData, find
from mainspring.stores.events.audit_log import Actor
from mainspring.stores.sql import ids
from tests.features.lake.world import World

MARKER = "xylophone"


def decoded(world: World) -> str:
    """All values of all files, as text."""
    return "\n".join(str(pq.read_table(path).to_pylist()) for path in (world.settings.home / "lake").rglob("*.parquet"))


async def filled(world: World) -> str:
    mine = await world.say(f"Where is my {MARKER}?", f"Your {MARKER} is here.", user="ada", session_id="s1")
    await world.say("Where is the sun?", "Up in the sky.", user="bob")
    comment = FeedbackFacts(key_id="key_1", rating="up", comment=f"a fine {MARKER}", edited=False)
    await world.stores.events.append(EventRecord(ids.new("event-"), time.time(), "acme", "", mine, comment))
    await world.lake.syncing.sync()
    await world.think(mine, "up", f"The {MARKER} lies on the table.")
    await world.lake.syncing.sync()
    await world.lake.building.build("acme", options=BuildSettings(workers=0))
    assert MARKER in decoded(world)
    assert "'ada'" in decoded(world)
    return mine


async def erased(world: World, subject: Subject) -> int:
    upto = time.time()
    held = await world.stores.database.read(lambda connection: find(connection, subject, upto))
    return await LakeRows(world.stores.database, world.stores.blobs).erase(subject, held, upto)


@pytest.mark.parametrize(("kind", "name"), [("user", "ada"), ("session", "s1"), ("tenant", "acme")])
async def test_nothing_of_a_subject_is_left(world: World, kind: str, name: str) -> None:
    await filled(world)
    assert await erased(world, Subject("acme", kind, name)) > 0  # type: ignore[arg-type]
    assert MARKER not in decoded(world)
    assert "'ada'" not in decoded(world)
    rest = await world.interactions()
    assert [each.subject for each in rest] == ([] if kind == "tenant" else ["bob"])
    # Sums of money stay.
    assert (await world.lake.sql.query("acme", "SELECT count(*), sum(cost_nanousd) FROM call")).rows == [[2, 10]]
    assert await erased(world, Subject("acme", kind, name)) == 0  # type: ignore[arg-type]


async def test_an_erasure_between_reading_and_commit_is_not_undone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.say(f"Where is my {MARKER}?", user="ada")
    original, reads = preparing.following, []

    def prepared(*given: Any, **more: Any) -> Any:
        reads.append(given)
        return original(*given, **more)

    syncing = world.lake.syncing
    commit = syncing._commit

    async def late(*given: Any) -> bool | None:
        if len(reads) == 1:
            await erased(world, Subject("acme", "user", "ada"))
        return await commit(*given)

    monkeypatch.setattr(preparing, "following", prepared)
    monkeypatch.setattr(syncing, "_commit", late)
    await syncing.sync()
    # Read, read again after the erasure, and nothing left to read.
    assert len(reads) == 3


async def test_what_a_dead_process_left_is_erased_too(world: World) -> None:
    await filled(world)
    build = (await world.lake.building.builds.list("acme"))[0]
    left = world.settings.home / "lake" / UNFINISHED / build.id
    left.mkdir(parents=True)
    (left / "rows.parquet").write_text(MARKER)
    files = await world.lake.manifest.files("acme", "clean")
    await world.lake.manifest.kill(files[:1])
    await erased(world, Subject("acme", "user", "ada"))
    assert not left.exists()
    assert not (world.settings.home / "lake" / files[0].path).exists()
    assert MARKER not in decoded(world)


async def test_answers_of_deleted_documents_go(world: World) -> None:
    mine = await filled(world)
    await LakeRows(world.stores.database, world.stores.blobs).forget("acme", [mine])
    assert [each.subject for each in await world.interactions()] == ["bob"]
    assert f"my {MARKER}" not in decoded(world)


async def test_a_subject_is_told_where_it_is(world: World) -> None:
    mine = await filled(world)
    subject, held = Subject("acme", "user", "ada"), SubjectData()
    held.answers[mine] = next(
        iter((await world.stores.database.read(lambda c: find(c, subject, time.time()))).answers.values())
    )
    (found,) = await LakeRows(world.stores.database, world.stores.blobs).find(subject, held, time.time())
    assert found["answer_id"] == mine
    assert found["zones"] == ["clean", "ready"]


@pytest.mark.parametrize("withdrawn", [False, True])
async def test_a_build_that_reads_while_the_clean_zone_is_rewritten_begins_again(
    world: World, monkeypatch: pytest.MonkeyPatch, withdrawn: bool
) -> None:
    await filled(world)
    read, done = asyncio.Event(), asyncio.Event()
    builds: list[asyncio.Task[Any]] = []
    commit, replace = Building._commit, Rewriting._replace

    async def commit_later(self: Building, *given: Any) -> bool:
        read.set()
        await done.wait()
        return await commit(self, *given)

    async def replace_after_a_read(self: Rewriting, file: Any, change: Any) -> int | None:
        if file.zone == "clean" and not builds:
            builds.append(asyncio.create_task(world.lake.building.build("acme", options=BuildSettings(workers=0))))
            await read.wait()
        return await replace(self, file, change)

    monkeypatch.setattr(Building, "_commit", commit_later)
    monkeypatch.setattr(Rewriting, "_replace", replace_after_a_read)
    if withdrawn:
        await world.lake.withdrawing.withdraw(Subject("acme", "user", "ada"), Actor("key_0"))
    else:
        await erased(world, Subject("acme", "user", "ada"))
    done.set()
    await builds[0]
    assert (await world.lake.sql.query("acme", "SELECT subject FROM ready")).rows == [["bob"]]
