"""LanceDB: generations, freshness, isolation, indexes, several processes."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from mainspring.core.errors import StoreError
from mainspring.stores.vectors import lance as module
from mainspring.stores.vectors import lance_index, lance_search
from mainspring.stores.vectors.base import ChunkRow, SearchHit
from mainspring.stores.vectors.lance import LanceVectors

WORDS = ["alpha", "beta", "gamma", "delta", "running", "quick"]
DIMENSIONS = 16


@pytest.fixture
async def vectors(tmp_path: Path) -> AsyncIterator[LanceVectors]:
    made = LanceVectors(tmp_path / "vectors")
    yield made
    await made.close()


def unit(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS).astype(np.float32)
    return vector / np.linalg.norm(vector)


def row(number: int, text: str, *, document: str = "", generation: int = 1, seed: int | None = None) -> ChunkRow:
    document = document or f"d{number}"
    vector = unit(number if seed is None else seed)
    return ChunkRow(f"{document}.{generation}.{number}", document, generation, text, 0, len(text), 3, "Head", vector)


def texts(hits: list[SearchHit]) -> list[str]:
    return sorted(hit.text for hit in hits)


async def test_a_row_comes_back_as_it_was_written(vectors: LanceVectors) -> None:
    await vectors.write("vs_1", [row(1, 'O\'Brien says "hi"')])
    (hit,) = await vectors.search("vs_1", vector=unit(1), k=5, current={"d1": 1})
    assert (hit.text, hit.page, hit.heading, hit.start, hit.end) == ('O\'Brien says "hi"', 3, "Head", 0, 17)
    assert hit.dense == pytest.approx(1, abs=1e-5)
    assert hit.lexical is None


async def test_a_table_of_an_earlier_version_is_read_and_written(vectors: LanceVectors) -> None:
    connection = await vectors._connect()
    old = module._to_arrow([row(1, "old words")]).drop_columns(["parent_start", "parent_end", "digest"])
    await connection.create_table("vs_1", old)
    current = {"d1": 1, "d2": 1}
    (hit,) = await vectors.search("vs_1", vector=unit(1), text="words", k=5, current=current)
    assert (hit.text, hit.parent_start, hit.parent_end) == ("old words", -1, -1)
    await vectors.write("vs_1", [dataclasses.replace(row(2, "new words"), parent_start=3, parent_end=90)])
    hits = await vectors.search("vs_1", vector=unit(1), text="words", k=5, current=current)
    assert {(hit.text, hit.parent_start, hit.parent_end) for hit in hits} == {
        ("old words", -1, -1),
        ("new words", 3, 90),
    }


async def test_both_halves_are_merged_and_every_hit_has_its_cosine(vectors: LanceVectors) -> None:
    await vectors.write("vs_1", [row(n, f"{WORDS[n % 6]} text") for n in range(30)])
    current = {f"d{n}": 1 for n in range(30)}
    hits = await vectors.search("vs_1", vector=unit(1), text="runs", k=5, current=current)
    assert len(hits) == len({hit.chunk_id for hit in hits})
    by_words = [hit for hit in hits if hit.lexical is not None]
    assert texts(by_words) == ["running text"] * 5
    for hit in hits:
        assert hit.dense == pytest.approx(float(unit(int(hit.document_id[1:])) @ unit(1)), abs=1e-5)


async def test_only_current_generations_are_seen(vectors: LanceVectors) -> None:
    await vectors.write("vs_1", [row(1, "old words", document="d"), row(2, "new words", document="d", generation=2)])
    for current, expected in (({"d": 1}, ["old words"]), ({"d": 2}, ["new words"]), ({"d": 3}, []), ({}, [])):
        assert texts(await vectors.search("vs_1", vector=unit(1), text="words", k=5, current=current)) == expected


@pytest.mark.parametrize("prefiltered", [True, False])
async def test_k_current_rows_are_found_behind_many_that_are_not(
    vectors: LanceVectors, monkeypatch: pytest.MonkeyPatch, prefiltered: bool
) -> None:
    monkeypatch.setattr(lance_search, "EXACT_DOCUMENTS", 0)
    monkeypatch.setattr(lance_search, "CONDITION_DOCUMENTS", 1000 if prefiltered else 0)
    await vectors.write("vs_1", [row(n, "same words", seed=1) for n in range(300)])
    await vectors.write("vs_1", [row(n, "same words", document=f"c{n}") for n in range(5)])
    current = {f"c{n}": 1 for n in range(5)}
    hits = await vectors.search("vs_1", vector=unit(1), text="words", k=5, current=current)
    assert {hit.document_id for hit in hits} == set(current)


async def test_fresh_rows_are_found_by_words_at_once(vectors: LanceVectors) -> None:
    await vectors.write("vs_1", [row(1, "apples")])
    assert texts(await vectors.search("vs_1", text="apples", k=5, current={"d1": 1})) == ["apples"]
    await vectors.write("vs_1", [row(2, "zebra")])
    current = {"d1": 1, "d2": 1}
    assert texts(await vectors.search("vs_1", text="zebra", k=5, current=current)) == ["zebra"]
    await vectors.settle("vs_1")
    assert texts(await vectors.search("vs_1", text="zebra", k=5, current=current)) == ["zebra"]


async def test_words_of_the_heading_count(vectors: LanceVectors) -> None:
    await vectors.write("vs_1", [row(1, "apples")])
    assert texts(await vectors.search("vs_1", text="head", k=5, current={"d1": 1})) == ["apples"]


async def test_writing_again_replaces(vectors: LanceVectors) -> None:
    await vectors.write("vs_1", [row(1, "first")])
    await vectors.write("vs_1", [row(1, "second")])
    assert await vectors.count("vs_1") == 1
    assert texts(await vectors.search("vs_1", vector=unit(1), k=5, current={"d1": 1})) == ["second"]


async def test_delete(vectors: LanceVectors) -> None:
    await vectors.write("vs_1", [row(n, "words", document="d'", generation=n) for n in range(1, 4)] + [row(9, "kept")])
    await vectors.delete("vs_1", "d'", [1, 2])
    assert await vectors.count("vs_1") == 2
    await vectors.delete("vs_1", "d'", [])
    await vectors.delete("vs_1", "absent")
    assert await vectors.count("vs_1") == 2
    await vectors.delete("vs_1", "d'")
    assert await vectors.count("vs_1") == 1


async def test_collections_are_apart(vectors: LanceVectors) -> None:
    await vectors.write("vs_1", [row(1, "mine")])
    await vectors.write("vs_2", [row(1, "yours")])
    assert texts(await vectors.search("vs_1", vector=unit(1), text="yours", k=5, current={"d1": 1})) == ["mine"]
    await vectors.drop("vs_1")
    assert await vectors.search("vs_1", vector=unit(1), k=5, current={"d1": 1}) == []
    assert await vectors.count("vs_2") == 1


async def test_what_is_not_there_is_no_error(vectors: LanceVectors) -> None:
    await vectors.drop("vs_9")
    await vectors.delete("vs_9", "d")
    await vectors.settle("vs_9")
    await vectors.write("vs_9", [])
    assert await vectors.search("vs_9", text="words", k=5, current={"d": 1}) == []


@pytest.mark.parametrize("name", ["../other", "a/b", "", "vs 1"])
async def test_an_id_cannot_leave_the_directory(vectors: LanceVectors, name: str) -> None:
    with pytest.raises(StoreError):
        await vectors.write(name, [row(1, "x")])


async def test_a_large_collection_gets_a_vector_index(vectors: LanceVectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lance_index, "HNSW_ROWS", 500)
    await vectors.write("vs_1", [row(n, f"text {n}") for n in range(600)])
    current = {f"d{n}": 1 for n in range(601)}
    exact = await vectors.search("vs_1", vector=unit(7), k=10, current=current)
    await vectors.settle("vs_1")
    table = await vectors._table("vs_1")
    assert table is not None
    assert ["vector"] in [index.columns for index in await table.list_indices()]
    await vectors.write("vs_1", [row(600, "fresh", seed=7)])
    indexed = await vectors.search("vs_1", vector=unit(7), k=11, current=current)
    assert "d600" in {hit.document_id for hit in indexed}
    assert len({hit.document_id for hit in exact} & {hit.document_id for hit in indexed}) >= 9
    best = {hit.document_id: hit.dense for hit in indexed}
    assert best["d7"] == pytest.approx(1, abs=1e-5)


async def test_concurrent_writes_all_arrive(vectors: LanceVectors) -> None:
    await asyncio.gather(*(vectors.write("vs_1", [row(n, f"text {n}")]) for n in range(8)))
    assert await vectors.count("vs_1") == 8


async def test_another_process_sees_what_was_written_and_is_seen(vectors: LanceVectors, tmp_path: Path) -> None:
    await vectors.write("vs_1", [row(1, "ours")])
    program = f"""
import asyncio, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from pathlib import Path
from mainspring.stores.vectors.lance import LanceVectors
from tests.stores.vectors.test_lance import row
async def main():
    vectors = LanceVectors(Path({str(tmp_path / "vectors")!r}))
    assert await vectors.count("vs_1") == 1
    await vectors.write("vs_1", [row(2, "zebra")])
    await vectors.close()
asyncio.run(main())
"""
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], check=True, timeout=120)
    assert texts(await vectors.search("vs_1", text="zebra", k=5, current={"d1": 1, "d2": 1})) == ["zebra"]


async def test_a_damaged_table_is_an_error_and_not_empty(tmp_path: Path) -> None:
    vectors = LanceVectors(tmp_path / "vectors")
    await vectors.write("vs_1", [row(1, "x")])
    await vectors.close()
    for manifest in (tmp_path / "vectors" / "vs_1.lance" / "_versions").iterdir():
        manifest.write_bytes(b"damaged")
    vectors = LanceVectors(tmp_path / "vectors")
    with pytest.raises(StoreError):
        await vectors.search("vs_1", vector=unit(1), k=5, current={"d1": 1})
    await vectors.close()


@pytest.mark.parametrize("kind", ["IvfSq", "IvfPq"])
async def test_a_collection_that_grows_gets_the_index_of_its_size(
    vectors: LanceVectors, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(lance_index, "HNSW_ROWS", 300)
    monkeypatch.setattr(lance_search, "EXACT_ROWS", 10)
    await vectors.write("vs_1", [row(n, f"text {n}") for n in range(600)])
    await vectors.settle("vs_1")
    monkeypatch.setattr(lance_index, "IVF_ROWS", 500)
    if kind == "IvfPq":
        monkeypatch.setattr(lance_index, "PQ_ROWS", 500)
    await vectors.settle("vs_1")
    table = await vectors._table("vs_1")
    assert (await lance_index.kinds(table))["vector"] == kind
    matrix = np.stack([unit(n) for n in range(600)])
    current = {f"d{n}": 1 for n in range(600)}
    shares = []
    for seed in range(700, 710):
        hits = await vectors.search("vs_1", vector=unit(seed), k=10, current=current)
        exact = {f"d{n}" for n in np.argsort(-(matrix @ unit(seed)))[:10]}
        shares.append(len(exact & {hit.document_id for hit in hits}) / 10)
    assert np.mean(shares) >= 0.95
