"""A disk that fills up: what grows is refused in time, what frees is done, and nothing is torn."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.errors import StorageFull, StoreError, Unauthenticated
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings, StoresSettings
from mainspring.core.types import EventRecord, Message
from mainspring.stores.sessions.conversations import SessionTurn
from mainspring.stores.sql.disk_space import BALLAST, BALLAST_BYTES, Ballast, DiskRoom

MIB = 2**20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 MiB that is really full when it is full."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root: run the tests as root, or in a container with CAP_SYS_ADMIN")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(place: Path) -> Path:
    """Somebody else's file takes all that is left, to the last page."""
    path = place / "other"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (MIB, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    os.write(descriptor, bytes(size))
    finally:
        os.close(descriptor)
    return path


def room(free: int, reserve: int = 100) -> DiskRoom:
    return DiskRoom(Path("/"), reserve, lambda _: free)


def test_documents_are_refused_before_answers() -> None:
    room(150).admit(50)
    with pytest.raises(StorageFull, match="nearly full"):
        room(150).admit(51)
    with pytest.raises(StorageFull, match="nearly full"):
        room(60).admit()
    room(60).admit_answer()
    with pytest.raises(StorageFull, match="could not be recorded"):
        room(24).admit_answer()
    assert room(100).problem() == ""
    assert "nearly full" in room(99).problem()
    assert room(24).full
    room(0, reserve=0).admit(5)


def test_the_disk_is_asked_once_a_second_at_most() -> None:
    asked: list[Path] = []

    def look(path: Path) -> int:
        asked.append(path)
        return 10

    watched = DiskRoom(Path("/"), 1, look)
    for _ in range(50):
        watched.admit()
    assert len(asked) == 1


def test_the_ballast_is_laid_once_and_given_back_once(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path)
    ballast.load()
    assert (tmp_path / BALLAST).stat().st_size == BALLAST_BYTES
    assert ballast.drop()
    assert not ballast.drop()


async def test_on_a_full_disk_one_can_delete(small: Path) -> None:
    home = small / "home"
    settings = Settings(home=home, stores=StoresSettings(disk_reserve_mb=1))
    async with stores.open(settings) as opened:
        file = await opened.files.add("acme", "a.txt", os.urandom(20 * MIB), "user_data")
        turn = SessionTurn("acme", "s", (Message("user", "x" * 10_000),), "t", time.time())
        await opened.events.settle([], [turn])
        other = fill(small)
        with pytest.raises(StoreError):
            # Several pages: the log of the database has no room for them.
            await opened.events.append(
                *(
                    EventRecord(f"e{n}", time.time(), "acme", "t", "", read("call", {"x": "y" * 3000}))
                    for n in range(3000)
                )
            )
        opened.room._looked = -10.0
        assert "full" in await opened.problem()
        assert "disk" in await opened.weaknesses()
        await opened.files.delete("acme", file.id)
        await opened.sessions.delete("acme", "s")
        assert not await opened.files.list("acme")
        other.unlink()
    async with stores.open(settings) as opened:
        assert await opened.problem() == ""
        assert await opened.weaknesses() == {}
        assert (home / BALLAST).exists()


async def test_on_a_full_disk_a_key_that_got_out_is_revoked(small: Path) -> None:
    async with stores.open(Settings(home=small / "home", stores=StoresSettings(disk_reserve_mb=1))) as opened:
        made = [await opened.keys.create(f"k{n}", tenant="acme", scopes=frozenset({"chat"})) for n in range(40)]
        fill(small)
        for key, _ in made:
            await opened.keys.revoke("acme", key.id)
        assert not [key for key in await opened.keys.list("acme") if key.revoked_at is None]
        for _, secret in made:
            with pytest.raises(Unauthenticated):
                await opened.keys.authenticate(secret)


async def test_a_nearly_full_disk_takes_no_files_and_still_answers(small: Path) -> None:
    settings = Settings(home=small / "home", stores=StoresSettings(disk_reserve_mb=100))
    async with stores.open(settings) as opened:
        (small / "other").write_bytes(bytes(60 * MIB))
        opened.room._looked = -10.0
        with pytest.raises(StorageFull):
            await opened.files.add("acme", "a.txt", b"text", "user_data")
        opened.room.admit_answer()
        assert await opened.problem() == ""
        assert "nearly full" in (await opened.weaknesses())["disk"]
