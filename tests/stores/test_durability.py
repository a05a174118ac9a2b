"""What an acknowledgement survives: which commits are synced to disk, and that Lance's files are."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings, StoresSettings
from mainspring.core.types import EventRecord, Message
from mainspring.stores.schema.facts import events
from mainspring.stores.sessions.conversations import SessionTurn
from mainspring.stores.sql.database import Sqlite
from mainspring.stores.vectors.base import ChunkRow
from mainspring.stores.vectors.lance import LanceVectors

FULL, NORMAL = 2, 1


def fact(number: int) -> EventRecord:
    return EventRecord(f"evt_{number}", time.time(), "acme", "t", "", read("feedback", {"thumb": "up"}))


def watched(opened: Any) -> list[int]:
    """How each commit from now on is synced, as SQLite itself says."""
    found: list[int] = []
    database = cast(Sqlite, opened.database)

    @sa.event.listens_for(database._writer, "commit")
    def note(connection: sa.Connection) -> None:
        found.append(cast(int, connection.exec_driver_sql("PRAGMA synchronous").scalar_one()))

    return found


async def test_what_is_acknowledged_is_synced_to_disk(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        synced = watched(opened)
        turn = SessionTurn("acme", "s", (Message("user", "hello"), Message("assistant", "hi")), "t", time.time())
        await opened.events.settle([fact(1)], [turn])
        assert synced == [FULL]


async def test_settlements_side_by_side_share_a_sync(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        synced = watched(opened)
        await asyncio.gather(*(opened.events.append(fact(number)) for number in range(64)))
        assert set(synced) == {FULL}
        # The first has a commit of its own, what came meanwhile the second.
        assert len(synced) <= 3
        assert len(await opened.events.find("acme", limit=100)) == 64


async def test_one_may_trade_it_for_speed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, stores=StoresSettings(durability="process"))
    async with stores.open(settings) as opened:
        synced = watched(opened)
        await opened.events.append(fact(1))
        assert synced == [NORMAL]


async def test_what_may_go_with_the_power_is_not_synced(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        await opened.jobs.submit("acme", "job_1", "any", {})
        synced = watched(opened)
        assert await opened.jobs.lease("any", "worker", 30.0) is not None
        assert synced == [NORMAL]


@pytest.mark.parametrize("durable", [True, False])
async def test_the_files_of_written_chunks_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    synced: set[str] = set()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.add(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    vectors = LanceVectors(tmp_path / "vectors", durable=durable)
    for number in range(2):
        synced.clear()
        before = set((tmp_path / "vectors").rglob("*"))
        row = ChunkRow(f"d.{number}", "d", 1, "text", 0, 4, 1, "", np.ones(16, dtype=np.float32) / 4)
        await vectors.write("vs_1", [row])
        new = {str(path) for path in set((tmp_path / "vectors").rglob("*")) - before if path.is_file()}
        assert new
        assert new <= synced if durable else not synced
    await vectors.close()


async def test_an_event_is_written_into_no_index_that_nobody_reads(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        query = sa.text("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'events'")
        found = await opened.database.read(lambda connection: set(connection.execute(query).scalars()))
    assert "ix_events_unpublished" not in found
    assert len([name for name in found if name.startswith("ix_")]) == len(events.indexes)
