"""SQLite's own troubles: damage, locks, several processes, and text that must really be gone."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import SettingsError, StoreError, Unauthenticated
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings, StoresSettings
from mainspring.core.types import EventRecord, Message
from mainspring.stores.keys import api_keys as key_store
from mainspring.stores.sessions.conversations import SessionTurn
from mainspring.stores.sql import database as sql
from mainspring.stores.sql import ids


def event(content: str, subject: str = "s") -> EventRecord:
    return EventRecord(ids.new("event-"), time.time(), "a", "t", subject, read("answer", {}), content)


async def test_the_home_is_private(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path / "deep" / "home")):
        assert (tmp_path / "deep" / "home").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", [b"not a database at all " * 100, b"SQLite format 3\0" + b"\xff" * 4080])
async def test_a_damaged_file_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / sql.FILE_NAME
    path.write_bytes(damage)
    with pytest.raises(StoreError, match=r"mainspring\.db.*(damaged|backup)"):
        async with sql.open(Settings(home=tmp_path)):
            pass
    assert path.read_bytes() == damage


async def test_damage_inside_the_file_is_an_error_and_not_an_empty_answer(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    async with stores.open(settings) as opened:
        await opened.events.append(*(event(f"text {n} " * 50) for n in range(200)))
    path = tmp_path / sql.FILE_NAME
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match="damaged"):
        async with stores.open(settings) as opened:
            await opened.events.find("a", limit=1000)


@pytest.mark.parametrize(
    ("url", "said"),
    [("nonsense", "not a database URL"), ("mysql://u:secret@h/d", "mysql"), ("sqlite://", "sqlite")],
)
async def test_an_unusable_url_is_refused_without_its_password(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        async with sql.open(Settings(home=tmp_path, stores=StoresSettings(database=url))):
            pass
    assert "secret" not in str(caught.value)


async def test_an_unreachable_server_is_named_without_its_password(tmp_path: Path) -> None:
    pytest.importorskip("asyncpg", reason="mainspring[postgres] is not installed")
    url = "postgresql://me:secret@127.0.0.1:1/none"
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:1/none") as caught:
        async with sql.open(Settings(home=tmp_path, stores=StoresSettings(database=url))):
            pass
    assert "secret" not in str(caught.value)


async def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file/home"):
        async with stores.open(Settings(home=tmp_path / "file" / "home")):
            pass


async def test_a_locked_database_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "BUSY_S", 0.05)
    async with stores.open(Settings(home=tmp_path)) as opened:
        other = sqlite3.connect(tmp_path / sql.FILE_NAME)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"locked.*Another process"):
            await opened.events.append(event("x"))
        assert await opened.events.find("a") == []
        other.rollback()
        other.close()
        await opened.events.append(event("x"))
        assert len(await opened.events.find("a")) == 1


async def test_erased_text_leaves_the_files(tmp_path: Path) -> None:
    marker, kept = "zebra-crossing-marker", "kept-marker"
    async with stores.open(Settings(home=tmp_path)) as opened:
        turn = SessionTurn("a", "chat", (Message("user", marker + " asked " * 2000),), "t", time.time())
        await opened.events.settle([event(marker), event(marker + " long " * 5000)], [turn])
        await opened.events.append(EventRecord(ids.new("e-"), 1.0, "a", "t2", "other", read("answer", {}), kept))
        assert _holds(tmp_path, marker)
        await opened.events.erase("a", "s")
        assert not _holds(tmp_path, marker)
        assert _holds(tmp_path, kept)
    assert not _holds(tmp_path, marker)


def _holds(home: Path, marker: str) -> bool:
    return any(marker.encode() in path.read_bytes() for path in home.glob(f"{sql.FILE_NAME}*"))


_ANOTHER = """
import asyncio, sys
from pathlib import Path
from mainspring import stores
from mainspring.core.settings import Settings

async def main():
    async with stores.open(Settings(home=Path(sys.argv[1]))) as opened:
        for n in range(20):
            print((await opened.keys.create(f"key {n}", scopes=frozenset({"chat"})))[1], flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_processes_write_side_by_side(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        others = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", _ANOTHER, str(tmp_path), stdout=asyncio.subprocess.PIPE
            )
            for _ in range(2)
        ]
        written = 0
        while any(other.returncode is None for other in others):
            await opened.events.append(event(f"text {written}"))
            written += 1
        secrets = [secret for other in others for secret in (await other.communicate())[0].decode().split()]
        assert len(secrets) == 40
        for secret in secrets:
            await opened.keys.authenticate(secret)
        assert len(await opened.events.find("a", limit=written + 1)) == written


async def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.text("INSERT INTO contents VALUES ('a', 'h', 'text', 1.0)"))
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await opened.database.write(work)
        count = sa.text("SELECT count(*) FROM contents")
        assert await opened.database.read(lambda connection: connection.execute(count).scalar()) == 0


async def test_a_key_in_use_is_read_again_beside_its_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_store, "REREAD_S", 0.0)
    # What is remembered does not end in this test: a revocation is heard of by reading again, or never.
    monkeypatch.setattr(key_store, "REMEMBERED_S", 3600.0)
    settings = Settings(home=tmp_path)
    async with stores.open(settings) as here, stores.open(settings) as elsewhere:
        info, secret = await here.keys.create("k", scopes=frozenset({"chat"}))
        assert (await here.keys.authenticate(secret)).key_id == info.id
        await elsewhere.keys.revoke("default", info.id)
        # This one is still answered from memory, and has the key read again.
        await here.keys.authenticate(secret)
        await here.keys.close()
        with pytest.raises(Unauthenticated, match="revoked"):
            await here.keys.authenticate(secret)


async def test_a_pool_that_is_used_up_is_a_store_error(tmp_path: Path) -> None:
    def wait(_: sa.Connection) -> None:
        raise sa.exc.TimeoutError("QueuePool limit reached")

    async with sql.open(Settings(home=tmp_path)) as database:
        with pytest.raises(StoreError, match="QueuePool"):
            await database.read(wait)


def test_ids_sort_by_time() -> None:
    made = []
    for _ in range(1000):
        made.append(ids.new("x-"))
    assert made == sorted(made)
    assert len(set(made)) == 1000
    assert {len(each) for each in made} == {28}
