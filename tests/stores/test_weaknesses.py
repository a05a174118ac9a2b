"""What a server says of its own state: held or damaged files, and a clock that was set back."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from mainspring import stores
from mainspring.core.errors import StoreError
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from mainspring.stores.sql import database as sql
from mainspring.stores.vectors.base import ChunkRow


def row(name: str) -> ChunkRow:
    return ChunkRow(f"{name}.1", name, 1, "text", 0, 4, 1, "", np.ones(16, dtype=np.float32) / 4)


async def test_a_database_that_another_process_holds_is_noticed_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_PROBE_S", 0.2)
    async with stores.open(Settings(home=tmp_path)) as opened:
        assert await opened.problem() == ""
        with closing(sqlite3.connect(tmp_path / sql.FILE_NAME, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert "another process holds it" in await opened.problem()
            other.execute("ROLLBACK")
        assert await opened.problem() == ""


async def test_a_damaged_table_is_named_and_the_others_answer(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        for name in ("vs_good", "vs_bad"):
            await opened.vectors.write(name, [row("d")])
        for manifest in (tmp_path / "vectors" / "vs_bad.lance" / "_versions").iterdir():
            manifest.write_bytes(b"no manifest")
        with pytest.raises(StoreError):
            await opened.vectors.search("vs_bad", vector=np.ones(16) / 4, k=1, current={"d": 1})
        assert "vs_bad" in (await opened.weaknesses())["vectors"]
        assert str(tmp_path) not in (await opened.weaknesses())["vectors"]
        assert await opened.vectors.search("vs_good", vector=np.ones(16) / 4, k=1, current={"d": 1})
        assert await opened.problem() == ""


async def test_a_clock_that_was_set_back_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, real_ns = time.time, time.time_ns
    async with stores.open(Settings(home=tmp_path)) as opened:
        await opened.events.append(EventRecord("e1", real(), "acme", "t", "", read("call", {})))
        assert await opened.weaknesses() == {}
        monkeypatch.setattr(time, "time", lambda: real() - 3600)
        monkeypatch.setattr(time, "time_ns", lambda: real_ns() - 3600 * 10**9)
        assert "3600 s" in (await opened.weaknesses())["clock"]
        # What is recorded since does not hide it.
        await opened.events.append(EventRecord("e2", time.time(), "acme", "t", "", read("call", {})))
        assert "clock" in await opened.weaknesses()
