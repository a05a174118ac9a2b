"""What ``/readyz`` says over HTTP of a system whose home has a fault; the fault leaves the rest working."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from mainspring.stores.sql.disk_space import DiskRoom
from tests.world import EVERYONE, World, echoing, opened, use_engines


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    use_engines(monkeypatch, echoing("echo"))
    async with opened(tmp_path / "home", whole=False) as made:
        yield made


async def ready(world: World) -> tuple[int, dict[str, str]]:
    """Status and parts; no part names a place on the server's disk."""
    answer = await world.client.get("/readyz")
    assert str(world.system.settings.home) not in answer.text
    found: dict[str, str] = answer.json().get("parts", {})
    return answer.status_code, found


async def chat(world: World) -> tuple[int, str]:
    key = world.keys["both"]
    body = {"model": "echo", "messages": [{"role": "user", "content": "hello"}]}
    headers = {"authorization": f"Bearer {key.secret}"}
    answer = await world.client.post("/v1/chat/completions", json=body, headers=headers)
    return answer.status_code, answer.text


async def test_a_whole_home_is_ready(world: World) -> None:
    assert await ready(world) == (200, {})
    assert (await chat(world))[0] == 200


@pytest.mark.parametrize(("free", "status", "part", "answers"), [(60, 200, "disk", 200), (10, 503, "stores", 507)])
async def test_a_disk_that_fills_up_is_reported(
    world: World, monkeypatch: pytest.MonkeyPatch, free: int, status: int, part: str, answers: int
) -> None:
    made = (await world.call(world.keys["both"], "POST", "/v1/vector_stores", {"name": "shelf"})).json()
    monkeypatch.setattr(DiskRoom, "free", lambda self: free * self._reserve // 100)
    found, parts = await ready(world)
    assert (found, set(parts)) == (status, {part})
    assert "full" in parts[part]
    assert (await chat(world))[0] == answers
    headers = {"authorization": f"Bearer {world.keys['both'].secret}"}
    gone = await world.client.delete(f"/v1/vector_stores/{made['id']}", headers=headers)
    assert gone.status_code == 200, "what frees space works"


async def test_a_database_that_another_process_holds_is_reported_and_comes_back(world: World) -> None:
    path = world.system.settings.home / "mainspring.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        status, parts = await ready(world)
        assert (status, set(parts)) == (503, {"stores"})
        assert "holds it" in parts["stores"]
    assert await ready(world) == (200, {})


def damage(path: Path, tables: tuple[str, ...] = ()) -> None:
    """Write over the pages of a database that is open, of these tables' roots or all but the first. A commit to the
    first page then makes the server read the file again, and not what it remembers of it."""
    with closing(sqlite3.connect(path)) as other:
        (size,) = other.execute("PRAGMA page_size").fetchone()
        roots = dict(other.execute("SELECT tbl_name, rootpage FROM sqlite_master").fetchall())
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        for page in [roots[name] for name in tables] or range(2, path.stat().st_size // size + 1):
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 0")


async def test_a_database_that_was_damaged_meanwhile_is_reported(world: World) -> None:
    path = world.system.settings.home / "mainspring.db"
    damage(path)
    status, parts = await ready(world)
    assert (status, set(parts)) == (503, {"stores"})
    assert "damaged" in parts["stores"]
    assert (await world.client.get("/healthz")).status_code == 200


async def test_damage_that_one_request_met_stays_reported(world: World) -> None:
    path = world.system.settings.home / "mainspring.db"
    damage(path, ("approvals",))
    assert (await ready(world))[0] == 200, "nobody has met it yet"
    headers = {"authorization": f"Bearer {world.keys['both'].secret}"}
    assert (await world.client.get("/v1/approvals", headers=headers)).status_code >= 500
    for _ in range(2):
        status, parts = await ready(world)
        assert (status, set(parts)) == (503, {"stores"})
    assert (await chat(world))[0] == 200, "the rest works"


async def test_a_damaged_collection_is_reported_and_the_others_answer(world: World) -> None:
    key = world.keys["both"]
    broken, whole = [await world.store(key, name) for name in ("broken", "whole")]
    for store in (broken, whole):
        await world.add(key, store, EVERYONE)
    table = (await world.system.stores.collections.get("default", "broken")).table
    for data in (world.system.settings.home / "vectors" / f"{table}.lance" / "data").iterdir():
        data.unlink()

    async def search(store: str) -> int:
        headers = {"authorization": f"Bearer {key.secret}"}
        path = f"/v1/vector_stores/{store}/search"
        return (await world.client.post(path, json={"query": "subject0"}, headers=headers)).status_code

    assert await search(broken) >= 500
    assert await search(whole) == 200
    status, parts = await ready(world)
    assert (status, set(parts)) == (200, {"vectors"})
    assert "1 collections fail" in parts["vectors"]


async def test_a_clock_that_was_set_back_is_reported(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await chat(world))[0] == 200
    now = time.time()
    monkeypatch.setattr("mainspring.stores.time.time", lambda: now - 3600)
    status, parts = await ready(world)
    assert (status, set(parts)) == (200, {"clock"})
