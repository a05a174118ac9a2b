"""Deleted text leaves the files of a Lance table, while searches go on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from mainspring.stores.vectors import lance, lance_index
from mainspring.stores.vectors.base import ChunkRow
from mainspring.stores.vectors.lance import LanceVectors
from tests.stores.decode import lance_texts, leftovers

MARKER = "zebrafinch"


def row(name: str, number: int, text: str) -> ChunkRow:
    vector = np.random.default_rng(number).normal(size=16).astype(np.float32)
    return ChunkRow(f"{name}.1.{number}", name, 1, text, 0, len(text), None, "", vector / np.linalg.norm(vector))


async def test_deleted_rows_leave_every_file_and_searches_go_on(tmp_path: Path) -> None:
    vectors = LanceVectors(tmp_path)
    # One large fragment, of which a tiny part is deleted: compaction alone leaves such a one as it is.
    await vectors.write("c", [row(f"d{n}", n, f"chunk {n} speaks of ships and harbours") for n in range(600)])
    await vectors.write("c", [row("gone", 601, f"the {MARKER} sings"), row("gone", 602, f"a second {MARKER}")])
    await vectors.settle("c")
    current = {f"d{n}": 1 for n in range(600)}
    assert any(MARKER in text for text in await lance_texts(tmp_path))
    assert await leftovers(tmp_path)
    done = asyncio.Event()
    searched = 0

    async def search() -> None:
        nonlocal searched
        while not done.is_set():
            found = await vectors.search("c", vector=np.ones(16, np.float32), text="harbours", k=5, current=current)
            assert len(found) >= 5
            rows = await vectors.read("c", {"d7": 1})
            assert [each.text for each in rows] == ["chunk 7 speaks of ships and harbours"]
            searched += 1

    readers = [asyncio.create_task(search()) for _ in range(2)]
    await vectors.delete("c", "gone")
    for number in range(3):
        await vectors.write("c", [row("d0", 0, "chunk 0 speaks of ships and harbours")])
        await vectors.purge("c")
        assert not [text for text in await lance_texts(tmp_path) if MARKER in text], number
        assert not await leftovers(tmp_path)
    done.set()
    await asyncio.gather(*readers)
    assert searched > 3
    assert await vectors.count("c") == 600
    found = await vectors.search("c", text="harbours", k=5, current=current)
    assert len(found) == 5
    await vectors.close()


async def test_the_index_of_the_vectors_is_made_anew_later_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lance_index, "HNSW_ROWS", 500)
    vectors = LanceVectors(tmp_path)
    await vectors.write("c", [row(f"d{n}", n, f"chunk {n} speaks of ships and harbours") for n in range(600)])
    await vectors.write("c", [row("gone", 601, f"the {MARKER} sings"), row("gone", 602, f"a second {MARKER}")])
    await vectors.settle("c")
    before = await leftovers_of_vectors(tmp_path)
    assert before
    current = {f"d{n}": 1 for n in range(600)}
    await vectors.delete("c", "gone")
    await vectors.purge("c")
    # Neither the words nor the vectors of what is gone are in any file, and what is there is found.
    assert not await leftovers_of_vectors(tmp_path)
    assert not [text for text in await lance_texts(tmp_path) if MARKER in text]
    assert not await leftovers(tmp_path)
    found = await vectors.search("c", vector=row("d9", 9, "").vector, k=3, current=current)
    assert found[0].document_id == "d9"
    # What is ingested meanwhile does not make it; then it is made for all purges together.
    await vectors.write("c", [row("d600", 600, "a late ship")])
    await vectors.settle("c")
    await vectors.delete("c", "d3")
    await vectors.purge("c")
    assert not await leftovers_of_vectors(tmp_path)
    assert len(vectors._later) == 1
    vectors._later["c"].cancel()
    vectors._index_now("c")
    await asyncio.gather(*vectors._tasks.values())
    assert await leftovers_of_vectors(tmp_path)
    del current["d3"]
    found = await vectors.search("c", vector=row("d9", 9, "").vector, k=3, current=current)
    assert found[0].document_id == "d9"
    assert not vectors._later
    await vectors.close()


async def test_a_search_sees_to_an_index_that_nobody_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lance_index, "HNSW_ROWS", 500)
    monkeypatch.setattr(lance, "_LATER_S", 0.01)
    sweeping = LanceVectors(tmp_path)
    await sweeping.write("c", [row(f"d{n}", n, f"chunk {n} speaks of ships") for n in range(600)])
    await sweeping.settle("c")
    await sweeping.delete("c", "d5")
    await sweeping.purge("c")
    # It ends before the time has come, as the command line does.
    await sweeping.close()
    vectors = LanceVectors(tmp_path)
    assert not await leftovers_of_vectors(tmp_path)
    await vectors.search("c", vector=row("d9", 9, "").vector, k=3, current={"d9": 1})
    async with asyncio.timeout(30):
        while not await leftovers_of_vectors(tmp_path):
            await asyncio.sleep(0.02)
    await vectors.close()


async def leftovers_of_vectors(home: Path) -> list[Path]:
    """The index of the vectors, in whatever version."""
    import lancedb

    table = await (await lancedb.connect_async(str(home))).open_table("c")
    names = {each.name for each in await table.list_indices() if "vector" in each.columns}
    return sorted(home.glob("c.lance/_indices/*/auxiliary.idx")) if names else []


async def test_what_lost_all_its_rows_is_gone_and_can_be_written_again(tmp_path: Path) -> None:
    vectors = LanceVectors(tmp_path)
    await vectors.write("c", [row("gone", 1, f"the {MARKER} sings")])
    await vectors.delete("c", "gone")
    await vectors.purge("c")
    assert not await lance_texts(tmp_path)
    await vectors.write("c", [row("new", 2, "another text")])
    assert await vectors.count("c") == 1
    await vectors.close()
