"""The stores of vectors keep the contract of ``mainspring.testing``, and that of our own stores: LanceDB always,
Postgres with pgvector if one is named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import StoreError
from mainspring.stores.vectors import index_recall, lance_index, lance_search, pgvector, pgvector_search
from mainspring.stores.vectors.base import SearchHit, VectorStore
from mainspring.stores.vectors.lance import LanceVectors
from mainspring.stores.vectors.pgvector import PostgresVectors
from mainspring.testing import VectorStoreSuite
from mainspring.testing.vectors import C, names, row, unit
from tests.databases import database


class TestVectors(VectorStoreSuite):
    """Over the fixture ``vectors`` of this module."""


@pytest.fixture(params=["lance", "postgres"])
async def vectors(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VectorStore]:
    """A store that is empty."""
    if request.param == "lance":
        lance = LanceVectors(tmp_path / "vectors")
        yield lance
        await lance.close()
        return
    async with database(vectors=True) as url:
        postgres = PostgresVectors(url)
        yield postgres
        await postgres.close()


@pytest.fixture
def small_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes from some hundred rows on, and searches that use them for some documents already."""
    monkeypatch.setattr(lance_index, "HNSW_ROWS", 500)
    monkeypatch.setattr(lance_index, "_KEY_ROWS", 500)
    monkeypatch.setattr(pgvector, "HNSW_ROWS", 500)
    for module in (lance_search, pgvector_search):
        monkeypatch.setattr(module, "EXACT_DOCUMENTS", 10)
        monkeypatch.setattr(module, "EXACT_ROWS", 50)


@pytest.mark.parametrize("condition", [10, 1_000])
async def test_k_current_rows_are_found_behind_many_that_are_not(
    vectors: VectorStore, monkeypatch: pytest.MonkeyPatch, small_indexes: None, condition: int
) -> None:
    for module in (lance_search, pgvector_search):
        monkeypatch.setattr(module, "CONDITION_DOCUMENTS", condition)
    # The old generations are all nearer, and as good by words.
    old = [row(n, "same words", vector=unit(1)) for n in range(600)]
    await vectors.write(C, old + [row(n, "same words", generation=2, vector=unit(n + 2)) for n in range(30)])
    await vectors.settle(C)
    current = names(30, 2)
    hits = await vectors.search(C, vector=unit(1), text="words", k=20, current=current)
    assert {hit.generation for hit in hits} == {2}
    exact = sorted(range(30), key=lambda n: -float(unit(n + 2) @ unit(1)))[:20]
    assert {f"d{n}" for n in exact} <= {hit.document_id for hit in hits}
    assert sum(hit.lexical is not None for hit in hits) == 20


async def test_every_hit_has_its_exact_cosine(vectors: VectorStore, small_indexes: None) -> None:
    rows = [row(n, f"text {n % 7}") for n in range(700)]
    await vectors.write(C, rows)
    await vectors.settle(C)
    hits = await vectors.search(C, vector=unit(900), text="3", k=20, current=names(700))
    assert len(hits) == len({hit.chunk_id for hit in hits})
    assert sum(hit.lexical is not None for hit in hits) == 20
    for hit in hits:
        assert hit.dense == pytest.approx(float(unit(int(hit.document_id[1:])) @ unit(900)), abs=1e-5)


async def test_the_nearest_are_found_however_many_documents_are_asked_for(
    vectors: VectorStore, small_indexes: None
) -> None:
    matrix = np.stack([unit(n) for n in range(700)])
    await vectors.write(C, [row(n, f"text {n}") for n in range(700)])
    await vectors.settle(C)
    for share in (5, 100, 350, 700):
        chosen = np.random.default_rng(share).permutation(700)[:share]
        current = {f"d{n}": 1 for n in chosen}
        for effort in (0.5, 1.0):
            recalls = []
            for seed in range(900, 910):
                hits = await vectors.search(C, vector=unit(seed), k=20, current=current, effort=effort)
                assert len(hits) == min(20, share)
                exact = chosen[np.argsort(-(matrix[chosen] @ unit(seed)))[:20]]
                recalls.append(len({f"d{n}" for n in exact} & {hit.document_id for hit in hits}) / min(20, share))
            assert np.mean(recalls) >= (1 if effort == 1 else 0.99), (share, effort)


async def test_the_recall_report_compares_with_exact_search(vectors: VectorStore, small_indexes: None) -> None:
    assert await index_recall.measure(vectors, C, {}) == []
    await vectors.write(C, [row(n, f"text {n}") for n in range(600)])
    await vectors.settle(C)
    found = await index_recall.measure(vectors, C, names(600), k=10, queries=8, efforts=(0.5, 1.0))
    assert [each.effort for each in found] == [0.5, 1.0]
    assert found[0].recall >= 0.95
    assert found[1].recall == 1
    assert all(0 < each.p50_ms <= each.p95_ms for each in found)
    (alone,) = await index_recall.measure(vectors, C, names(1), k=10, queries=8, efforts=(0.5,))
    assert alone.recall == 1


async def test_the_recall_report_does_not_count_that_a_chunk_finds_itself(
    vectors: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await vectors.write(C, [row(n, f"text {n}") for n in range(30)])
    search = vectors.search

    async def blind(collection_id: str, *, k: int, effort: float = 0.5, **asked: Any) -> list[SearchHit]:
        """Finds all with all effort, and else the chunk itself alone."""
        return await search(collection_id, k=k if effort == 1 else 1, effort=effort, **asked)

    monkeypatch.setattr(vectors, "search", blind)
    (found,) = await index_recall.measure(vectors, C, names(30), k=5, queries=8, efforts=(0.5,))
    assert found.recall == 0


async def test_rows_written_after_the_index_are_found(vectors: VectorStore, small_indexes: None) -> None:
    await vectors.write(C, [row(n, f"text {n}") for n in range(600)])
    await vectors.settle(C)
    await vectors.write(C, [row(600, "fresh", vector=unit(7))])
    hits = await vectors.search(C, vector=unit(7), k=2, current=names(601))
    assert {hit.document_id for hit in hits} == {"d7", "d600"}
    await vectors.delete(C, "d7")
    await vectors.settle(C)
    hits = await vectors.search(C, vector=unit(7), k=2, current=names(601))
    assert "d600" in {hit.document_id for hit in hits}
    assert "d7" not in {hit.document_id for hit in hits}


async def test_damage_is_an_error_and_not_emptiness(vectors: VectorStore, tmp_path: Path) -> None:
    await vectors.write(C, [row(1, "x")])
    if isinstance(vectors, PostgresVectors):
        async with vectors._connection("") as connection:
            await connection.execute(f'DROP TABLE mainspring_vectors."{C}"')
    else:
        await vectors.close()
        for manifest in (tmp_path / "vectors" / f"{C}.lance" / "_versions").iterdir():
            manifest.write_bytes(b"damaged")
    with pytest.raises(StoreError, match=C):
        await vectors.search(C, vector=unit(1), text="x", k=5, current={"d1": 1})
