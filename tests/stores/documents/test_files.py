"""Uploaded files: what was deleted is in no file of the home."""

from __future__ import annotations

from pathlib import Path

from mainspring import stores
from mainspring.core.settings import Settings
from tests.stores.decode import holding


async def test_nothing_of_a_deleted_file_is_left_in_the_databases_log(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        gone = await opened.files.add("a", "brovandil.txt", b"about chistumer", "assistants")
        kept = await opened.files.add("a", "dolpraken.txt", b"about fenglowit", "assistants")
        assert holding(tmp_path, "brovandil")
        assert holding(tmp_path, "chistumer")
        await opened.files.delete("a", gone.id)
        assert not holding(tmp_path, "brovandil")
        assert not holding(tmp_path, "chistumer")
        assert holding(tmp_path, "dolpraken")
        assert await opened.files.content("a", kept.id) == b"about fenglowit"
