"""Another process of the same home shows what was deleted or closed no more within a second of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mainspring.stores.documents.collections import REFRESH_S
from tests.test_forgotten import check, scripted
from tests.world import EVERYONE, opened

__all__ = ["scripted"]


@pytest.mark.slow
async def test_what_one_process_deletes_or_closes_is_nowhere_in_another_a_second_later(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with opened(home) as here, opened(home, here.keys) as there:
        there.docs = here.docs
        red, _, both, _ = here.keys.values()
        store = await here.store(both, "all")
        kept, deleted, narrowed = [await here.add(both, store, EVERYONE) for _ in range(3)]
        # Everything that a process remembers (answers, graphs, words, attributes) is remembered there now.
        await check(there, docs=[deleted, narrowed])

        await here.call(both, "DELETE", f"/v1/files/{deleted.file_id}")
        deleted.alive = False
        await here.narrow(narrowed, red.groups)
        assert REFRESH_S < 1
        await asyncio.sleep(1)
        await check(there, docs=[deleted, narrowed])
        assert kept.mark in (await there.chat(both, kept)).text
