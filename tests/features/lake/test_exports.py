"""Exports of recorded traffic: made, handed out, found from their traces, and rewritten when somebody is erased."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring.core.errors import Forbidden, InvalidRequest, NotFound, QuotaExceeded, StorageFull, TooLarge
from mainspring.core.facts.opinions import OutcomeFacts, VoteFacts
from mainspring.core.types import EventRecord, Principal
from mainspring.features.lake.exports.asking import ExportRequest
from mainspring.features.lake.exports.erasing import ExportedRows
from mainspring.features.lake.exports.service import ExportWork
from mainspring.features.lake.exports.sets.splits import Shares
from mainspring.features.lake.exports.store import Export
from mainspring.features.lake.exports.workplace import works
from mainspring.features.lake.files import manifest as lake_manifest
from mainspring.stores.erase import erasing
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.erase.data_subjects import find as find_held
from mainspring.stores.events.audit_log import Actor
from mainspring.stores.sql import ids
from mainspring.stores.sql.disk_space import DiskRoom
from mainspring.stores.sql.pages import Page
from mainspring.stores.sql.worker import Lease
from tests.features.lake.world import World

ME = Principal("acme", "key_1", frozenset({"lake"}))
ADMIN = Principal("acme", "key_0", frozenset({"lake", "admin"}))
ALL = Shares(1, 0, 0)


async def made(world: World, asked: ExportRequest, who: Principal = ME) -> Export:
    await world.lake.syncing.sync()
    return await world.lake.exports.make(await world.lake.exports.ask(who, asked, job=False))


async def files(world: World, found: Export) -> dict[str, bytes]:
    """All files that are kept, decoded as a reader decodes them."""
    kept = await world.lake.exports.store.files(found)
    return {each.name: await world.stores.blobs.get(each.sha256) for each in kept}


def rows(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


async def test_only_consented_finished_answers_of_users_are_exported(world: World) -> None:
    await world.say("Where is the lamp that I ordered?", "On its way.", user="ada")
    await world.say("May you learn from this question?", "No.", consent=False)
    await world.say("Is this one cut?", "It is c", finish=["length"])
    await world.say("Did this one fail?", "", status="failed")
    found = await made(world, ExportRequest("sft", shares=ALL))
    (row,) = rows((await files(world, found))["train.jsonl"])
    assert row["messages"][-1]["content"] == "On its way."
    assert found.manifest["counts"]["read"] == 4
    assert found.manifest["counts"]["consent"] == 1
    assert (await world.lake.export_state("acme", found.id)).counts == found.manifest["counts"]
    assert found.manifest["people"] == 1
    events = [each.id for each in await world.stores.events.find("acme", subject=row["event_ids"][0])]
    assert set(row["event_ids"]) <= set(events) | set(row["event_ids"])


async def test_an_export_tells_how_far_it_is(world: World) -> None:
    for number in range(3):
        await world.say(f"Where is lamp {number}?", "On its way.")
    await world.lake.syncing.sync()
    told: list[tuple[str, int, int]] = []
    asked = await world.lake.exports.ask(ME, ExportRequest("sft", shares=ALL), job=False)
    await world.lake.exports.make(asked, progress=lambda *each: told.append(each))
    assert told == [("steps", 3, 3), ("steps", 1, 1), ("make", 0, 1), ("make", 1, 1)]


async def test_an_override_is_an_administrators_and_is_audited(world: World) -> None:
    await world.say("May you learn from this?", "No.", consent=False)
    asked = ExportRequest("sft", shares=ALL, override="ticket 17")
    with pytest.raises(Forbidden):
        await made(world, asked)
    found = await made(world, asked, ADMIN)
    assert found.rows == 1
    entry = await world.stores.audit.latest("acme", "lake.export.override")
    assert entry is not None
    assert (entry.actor, entry.object, entry.details["reason"]) == ("key_0", found.id, "ticket 17")
    assert "ticket 17" in (await files(world, found))["README.md"].decode()


async def test_votes_outcomes_and_regenerations_of_the_log_are_preferences(world: World) -> None:
    one = await world.say("Which lamp is brighter?", "The red one.", session_id="s1", ago=90)
    two = await world.say("Which lamp is brighter?", "The blue one is.", session_id="s1", ago=60)
    left = await world.say("Say c.", "C left.")
    right = await world.say("Say c.", "C right.")
    control = await world.say("Say d.", "D control.", arm="control")
    treated = await world.say("Say d.", "D treated.", arm="treated")
    for facts, subject in (
        (VoteFacts(arena="a", winner="left", left=left, right=right), "battle"),
        (OutcomeFacts(metric="sale", value=1.0), treated),
        (OutcomeFacts(metric="sale", value=0.0), control),
    ):
        event = EventRecord(ids.new("evt_"), 1_790_000_000.0, "acme", "", subject, facts)
        await world.stores.events.append(event)
    found = await made(world, ExportRequest("preference", shares=ALL))
    kept = await files(world, found)
    said = {
        beside["origin"]: (row["chosen"][0]["content"], row["rejected"][0]["content"])
        for row, beside in zip(rows(kept["train.jsonl"]), rows(kept["train.lineage.jsonl"]), strict=True)
    }
    assert said == {
        "regeneration": ("The blue one is.", "The red one."),
        "vote": ("C left.", "C right."),
        "experiment": ("D treated.", "D control."),
    }
    assert {one, two} <= {each for row in rows(kept["train.lineage.jsonl"]) for each in row["answers"]}


async def test_lineage_leads_from_a_trace_to_its_rows_and_back(world: World) -> None:
    answer = await world.say("Where is the lamp?", "There.", user="ada")
    await world.say("Where is the sofa?", "Here.")
    found = await made(world, ExportRequest("sft"))
    store = world.lake.exports.store
    trace = (await world.stores.events.get("acme", answer)).trace_id
    assert [each.id for each in (await store.page(ME, Page(10), answer_id=answer)).rows] == [found.id]
    assert [each.id for each in (await store.page(ME, Page(10), trace_id=trace)).rows] == [found.id]
    assert not (await store.page(ME, Page(10), trace_id="trace_none")).rows
    (row,) = await world.lake.exports.lineage(found, answer, 10)
    assert row["traces"] == [trace]
    assert len(await world.lake.exports.lineage(found, None, 1)) == 1


async def test_exports_are_for_those_with_all_groups_of_the_key_that_asked(world: World) -> None:
    await world.say("Where is the secret lamp?", "There.", groups=("red",))
    await world.say("Where is the open lamp?", "Here.")
    red = Principal("acme", "key_1", frozenset({"lake"}), frozenset({"red"}))
    found = await made(world, ExportRequest("sft", shares=ALL), red)
    assert found.rows == 2
    assert (await made(world, ExportRequest("sft", shares=ALL), ME)).rows == 1
    with pytest.raises(NotFound):
        await world.lake.exports.store.get(ME, found.id)
    assert found.id not in {each.id for each in (await world.lake.exports.store.page(ME, Page(10))).rows}
    stranger = Principal("other", "key_9", frozenset({"lake"}), frozenset({"red"}))
    with pytest.raises(NotFound):
        await world.lake.exports.store.get(stranger, found.id)


async def test_an_erasure_rewrites_the_files_and_tells_which_copies_were_handed_out(
    world: World, tmp_path: Path
) -> None:
    marker = "Xylothorpe"
    for number in range(4):
        await world.say(f"Where is the lamp number {number} of mine?", "There it is.", user=f"user-{number}")
    await world.say(f"My name is {marker}, where is my sofa?", f"Dear {marker}, it is here.", user="ada")
    exports = world.lake.exports
    shots = [await world.say(f"Is it number {number}?", "Yes.", user=f"u{number}") for number in range(3)]
    for each in shots:
        await world.think(each)
    first = await made(world, ExportRequest("sft"))
    second = await made(world, ExportRequest("few-shot", shares=ALL))
    names = await exports.write(first, tmp_path / "out", "key_1")
    before = await files(world, first)
    # Each is whole or not there: nothing else is left.
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert names == sorted(before)
    assert any(marker.encode() in data for data in before.values())
    old = {each.sha256 for each in await exports.store.files(first)}

    subject = Subject("acme", "user", "ada")
    held = await world.stores.database.read(lambda connection: find_held(connection, subject, 10.0**12))
    holding = ExportedRows(world.stores.database, world.stores.blobs)
    assert {each["export"] for each in await holding.find(subject, held, 10.0**12)} == {first.id, second.id}
    assert await holding.find(subject, held, 10.0**12, frozenset()) != []
    await world.stores.database.write(
        lambda connection: erasing.answers(connection, "acme", list(held.answers)) and None
    )
    gone = await holding.erase(subject, held, 10.0**12)
    assert gone >= 2
    assert not list(works(exports._home).glob("export-*"))

    for export in (first, second):
        after = await files(world, export)
        assert not any(marker.encode() in data for data in after.values())
        found = await exports.store.find("acme", export.id)
        assert found.rows == export.rows - found.erasures[0]["rows"]
        told = json.loads(after["manifest.json"])
        assert told == found.manifest
        for name, about in told["files"].items():
            assert hashlib.sha256(after[name]).hexdigest() == about["sha256"]
            if name.endswith(".jsonl"):
                assert len(rows(after[name])) == about["rows"]
    # The old files are off the disk.
    held_now = {each.sha256 for export in (first, second) for each in await exports.store.files(export)}
    assert not any(world.stores.blobs.holds(sha256) for sha256 in old - held_now)
    receipt = (await exports.store.find("acme", first.id)).erasures[0]
    assert {each["sha256"] for each in receipt["copies"]} == old
    assert (await exports.store.find("acme", second.id)).erasures[0]["copies"] == []
    entry = await world.stores.audit.latest("acme", "lake.export.erased")
    assert entry is not None
    assert await holding.erase(subject, held, 10.0**12) == 0
    assert await holding.erase(Subject("acme", "tenant", "acme"), SubjectData(), 10.0**12) > 0
    assert not (await exports.store.page(ME, Page(10))).rows


async def test_an_erasure_while_an_export_is_made_makes_it_begin_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.say("Where is the lamp?", "There.")
    await world.lake.syncing.sync()
    asked = await world.lake.exports.ask(ME, ExportRequest("sft"), job=False)
    counts = iter([0, 1, 1, 1])
    monkeypatch.setattr(lake_manifest, "erasures", lambda *_: next(counts))
    found = await world.lake.exports.make(asked)
    assert found.status == "completed"
    assert next(counts, None) is None


async def test_a_queued_export_is_made_by_a_worker_and_a_dead_one_is_taken_up(world: World) -> None:
    await world.say("Where is the lamp?", "There.")
    await world.lake.syncing.sync()
    found = await world.lake.exports.ask(ME, ExportRequest("sft"))
    work = ExportWork(world.lake.exports, world.stores.jobs)
    job = await world.stores.jobs.lease("lake export", "lease_dead", -1)
    assert job is not None
    again = await world.stores.jobs.lease("lake export", "lease_new", 60)
    assert again is not None
    await work(Lease(again))
    # The first one comes back from the dead: its lease is gone.
    await work(Lease(job))
    done = await world.lake.exports.store.find("acme", found.id)
    assert (done.status, done.rows) == ("completed", 1)
    too_many = await world.lake.exports.ask(ME, ExportRequest("sft"))
    world.lake.exports._reader._bounds = world.lake.exports.bounds.model_copy(update={"interactions": 0})
    job = await world.stores.jobs.lease("lake export", "lease_3", 60)
    assert job is not None
    await work(Lease(job))
    failed = await world.lake.exports.store.find("acme", too_many.id)
    assert failed.status == "failed"
    assert "interactions" in failed.error


async def test_exports_are_bounded_and_deleted_ones_still_tell_their_copies(world: World) -> None:
    exports = world.lake.exports
    exports.store._bounds = exports.bounds.model_copy(update={"pending": 1, "kept": 1})
    await world.say("Where is the lamp?", "There.")
    await exports.ask(ME, ExportRequest("sft"))
    with pytest.raises(QuotaExceeded):
        await exports.ask(ME, ExportRequest("sft"))
    job = await world.stores.jobs.lease("lake export", "lease_1", 60)
    assert job is not None
    await ExportWork(exports, world.stores.jobs)(Lease(job))
    found = await exports.store.find("acme", job.id)
    with pytest.raises(QuotaExceeded):
        await exports.ask(ME, ExportRequest("sft"))
    await exports.store.content(found, "README.md", "key_1")
    await exports.store.delete(found, Actor("key_1", ""))
    assert await exports.store.files(found) == []
    assert [each["name"] for each in await exports.store.copies(found)] == ["README.md"]
    await exports.ask(ME, ExportRequest("sft"))


def test_what_is_asked_is_checked() -> None:
    for wrong in ({"since": 2.0, "until": 1.0}, {"name": "a\nb"}, {"kind": "poems"}, {"format": "csv"}):
        with pytest.raises(InvalidRequest):
            ExportRequest(**{"kind": "sft", **wrong})  # type: ignore[arg-type]
    asked = ExportRequest("raft", since=1.0, applications=("desk",), shares=Shares(0.5, 0.5, 0))
    assert ExportRequest.of(json.loads(json.dumps(asked.plain()))) == asked


async def test_too_many_interactions_are_refused_with_the_field(world: World) -> None:
    await world.say("Where is the lamp?", "There.")
    world.lake.exports._reader._bounds = world.lake.exports.bounds.model_copy(update={"interactions": 0})
    with pytest.raises(TooLarge) as caught:
        await made(world, ExportRequest("sft"))
    assert caught.value.param == "since"


async def test_an_export_leaves_nothing_beside_its_files_and_stops_before_the_disk_is_full(world: World) -> None:
    await world.say("Where is the lamp?", "There.")
    await made(world, ExportRequest("sft"))
    exports = world.lake.exports
    left = works(exports._home)
    assert not list(left.glob("export-*"))
    exports._reader._room = DiskRoom(exports._home, 10**6, lambda _: 10)
    with pytest.raises(StorageFull):
        await made(world, ExportRequest("sft"))
    assert not list(left.glob("export-*"))
    found = await exports.ask(ME, ExportRequest("sft"))
    job = await world.stores.jobs.lease("lake export", "lease_1", 60)
    assert job is not None
    await ExportWork(exports, world.stores.jobs)(Lease(job))
    assert "the disk" in (await exports.store.find("acme", found.id)).error
    # What a dead process has left goes with the next export.
    (left / "export-dead").mkdir()
    (left / "export-dead" / "rows").write_text("words")
    exports._reader._room = DiskRoom(exports._home, 0)
    await made(world, ExportRequest("sft"))
    assert not list(left.glob("export-*"))


def test_the_tables_are_of_the_schema() -> None:
    from mainspring.features.lake import tables

    assert all(isinstance(getattr(tables, name), sa.Table) for name in tables.__all__)


async def test_withdrawn_consent_reaches_the_files_of_exports(world: World) -> None:
    await world.say("Where is the lamp that I ordered?", "On its way.", user="ada")
    await world.say("Where is the chair that I ordered?", "In the shop.", user="bob")
    found = await made(world, ExportRequest("sft", shares=ALL))
    assert len(rows((await files(world, found))["train.jsonl"])) == 2
    receipt = await world.lake.withdrawing.withdraw(Subject("acme", "user", "ada"), Actor("key_0"))
    (row,) = rows((await files(world, found))["train.jsonl"])
    assert row["messages"][-1]["content"] == "In the shop."
    assert receipt["exported_rows"] == 1
