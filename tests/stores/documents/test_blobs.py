"""Blobs are whole or absent."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from mainspring.core.errors import NotFound, StoreError
from mainspring.stores.documents import blobs as module
from mainspring.stores.documents.blobs import Blobs


@pytest.fixture
async def blobs(tmp_path: Path) -> Blobs:
    made = Blobs(tmp_path / "blobs")
    await made.open()
    return made


async def test_what_is_put_is_got(blobs: Blobs) -> None:
    for data in (b"", b"x", os.urandom(1 << 20)):
        sha256 = await blobs.put(data)
        assert sha256 == hashlib.sha256(data).hexdigest()
        assert await blobs.get(sha256) == data


async def test_concurrent_puts_of_the_same_bytes(blobs: Blobs, tmp_path: Path) -> None:
    assert len(set(await asyncio.gather(*(blobs.put(b"same" * 1000) for _ in range(16))))) == 1
    assert [path.name for path in (tmp_path / "blobs" / "unfinished").iterdir()] == []


async def test_a_deleted_blob_is_gone(blobs: Blobs) -> None:
    sha256 = await blobs.put(b"x")
    await blobs.delete(sha256)
    await blobs.delete(sha256)
    with pytest.raises(NotFound):
        await blobs.get(sha256)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63, "0" * 64 + "\n"])
async def test_only_hashes_name_blobs(blobs: Blobs, name: str) -> None:
    with pytest.raises(NotFound):
        await blobs.get(name)


@pytest.mark.parametrize("damage", [b"evil!", b"evil", b""])
async def test_a_damaged_blob_is_an_error_and_can_be_put_again(blobs: Blobs, damage: bytes) -> None:
    sha256 = await blobs.put(b"good")
    blobs.path(sha256).write_bytes(damage)
    with pytest.raises(StoreError, match="damaged"):
        await blobs.get(sha256)
    await blobs.put(b"good")
    assert await blobs.get(sha256) == b"good"


async def test_what_was_never_finished_is_cleared_when_old(blobs: Blobs, tmp_path: Path) -> None:
    young, old = (tmp_path / "blobs" / "unfinished" / name for name in ("young", "old"))
    for path in (young, old):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    await blobs.open()
    assert young.exists()
    assert not old.exists()
    assert module.ABANDONED_S > 60
