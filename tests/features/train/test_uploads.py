"""Uploaded files become the folder of a set: a part at a time, within the bounds, whole or not at all."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from mainspring.core.errors import StoreError, TooLarge
from mainspring.features.train.data.uploads import folder_of
from tests.features.train.world import world

_LARGE = 32 * 2**20


async def test_a_large_file_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        files, who, bounds = home.stores.files, home.who, home.service.settings
        row = b'{"x": 1, "y": 2}' + b" " * 47 + b"\n"
        info = await files.add(who.tenant, "rows.jsonl", row * (_LARGE // len(row)), "fine-tune")
        tracemalloc.start()
        try:
            async with folder_of(files, who, {"train": info.id}, tmp_path / "drafts", bounds) as folder:
                assert (folder / "train.jsonl").stat().st_size == info.bytes
            assert tracemalloc.get_traced_memory()[1] < _LARGE // 4
        finally:
            tracemalloc.stop()


async def test_the_sides_together_have_a_bound_and_damage_is_reported(tmp_path: Path) -> None:
    async with world(tmp_path, works=False, train={"bytes": 3_000}) as home:
        files, who, bounds = home.stores.files, home.who, home.service.settings
        info = await files.add(who.tenant, "rows.jsonl", b'{"x": 1}\n' * 200, "fine-tune")
        with pytest.raises(TooLarge, match=r"train\.bytes"):
            async with folder_of(files, who, {"train": info.id, "test": info.id}, tmp_path / "drafts", bounds):
                pass
        assert list((tmp_path / "drafts").iterdir()) == []
        (blob,) = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
        blob.write_bytes(b"another")
        with pytest.raises(StoreError, match="damaged"):
            async with folder_of(files, who, {"train": info.id}, tmp_path / "drafts", bounds):
                pass
        blob.unlink()
        with pytest.raises(StoreError, match="lost"):
            async with folder_of(files, who, {"train": info.id}, tmp_path / "drafts", bounds):
                pass
