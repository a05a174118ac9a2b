"""What is kept in memory of a LanceDB table: it follows every change, and never decides alone what is shown."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from mainspring.stores.vectors import lance_search, lance_view
from mainspring.stores.vectors.base import ChunkRow, CurrentGenerations, StaleChunks
from mainspring.stores.vectors.lance import LanceVectors
from mainspring.stores.vectors.lance_rows import halves

C = "vs_1"


@pytest.fixture
async def vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LanceVectors]:
    # Vectors in memory from the first search on.
    monkeypatch.setattr(lance_search, "EXACT_DOCUMENTS", 0)
    made = LanceVectors(tmp_path / "vectors")
    yield made
    await made.close()


def unit(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=16).astype(np.float32)
    return vector / np.linalg.norm(vector)


def row(document: int, generation: int = 1) -> ChunkRow:
    name, seed = f"d{document}", document * 1000 + generation
    text = f"text {seed}"
    return ChunkRow(f"{name}.{generation}.0", name, generation, text, 0, len(text), None, "", unit(seed))


async def nearest(vectors: LanceVectors, current: CurrentGenerations, seed: int, k: int = 5) -> list[str]:
    hits = await vectors.search(C, vector=unit(seed), k=k, current=current)
    return [hit.chunk_id for hit in sorted(hits, key=lambda hit: -(hit.dense or 0))]


def expected(current: CurrentGenerations, seed: int, k: int = 5) -> list[str]:
    chunks = [row(int(name[1:]), generation) for name, generation in current.items()]
    return [each.chunk_id for each in sorted(chunks, key=lambda each: -float(each.vector @ unit(seed)))[:k]]


async def test_it_follows_writes_deletions_and_compaction(vectors: LanceVectors) -> None:
    draw = random.Random(5)
    generations: dict[str, int] = {}
    for step in range(24):
        changed = draw.sample(range(60), 6)
        rows = [row(document, generations.get(f"d{document}", 0) + 1) for document in changed]
        await vectors.write(C, rows)
        generations |= {each.document_id: each.generation for each in rows}
        if step % 3 == 1:
            await vectors.forget(C, [StaleChunks(name, generation) for name, generation in generations.items()])
        if step % 5 == 2:
            gone = draw.choice(sorted(generations))
            del generations[gone]
            await vectors.delete(C, gone)
        if step % 7 == 6:
            await vectors.settle(C)
        current = CurrentGenerations(generations)
        assert await nearest(vectors, current, step) == expected(current, step)
        some = CurrentGenerations({name: generations[name] for name in draw.sample(sorted(generations), 5)})
        assert await nearest(vectors, some, step) == expected(some, step)
    view = vectors._views._views[C]
    assert view.rows.compared
    assert len(view.rows.numbers) == await vectors.count(C)


async def test_another_writer_is_followed(vectors: LanceVectors, tmp_path: Path) -> None:
    other = LanceVectors(tmp_path / "vectors")
    current = CurrentGenerations({f"d{n}": 1 for n in range(20)})
    await vectors.write(C, [row(n) for n in range(10)])
    assert len(await nearest(vectors, current, 1, 20)) == 10
    await other.write(C, [row(n) for n in range(10, 20)])
    await other.delete(C, "d3")
    await other.settle(C)
    assert sorted(await nearest(vectors, current, 1, 20)) == sorted(f"d{n}.1.0" for n in range(20) if n != 3)
    await other.drop(C)
    assert await nearest(vectors, current, 1) == []
    await other.write(C, [row(7)])
    assert await nearest(vectors, current, 1) == ["d7.1.0"]
    await other.close()


async def test_a_table_under_the_same_name_is_not_taken_for_the_old_one(vectors: LanceVectors, tmp_path: Path) -> None:
    other = LanceVectors(tmp_path / "vectors")
    await vectors.write(C, [row(1), row(2)])
    current = CurrentGenerations({"d1": 1, "d2": 1, "d3": 1})
    assert sorted(await nearest(vectors, current, 1)) == ["d1.1.0", "d2.1.0"]
    await other.drop(C)
    # As many rows under the same numbers, of other documents: the one that may not be seen is not shown.
    await other.write(C, [row(3), row(4)])
    assert "d4.1.0" not in await nearest(vectors, current, 1)
    await other.close()


async def test_vectors_that_do_not_fit_in_memory_are_compared_on_disk(
    vectors: LanceVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lance_view, "VECTOR_BYTES", 100)
    await vectors.write(C, [row(n) for n in range(30)])
    current = CurrentGenerations({f"d{n}": 1 for n in range(0, 30, 2)})
    assert await nearest(vectors, current, 3) == expected(current, 3)
    assert vectors._views._views[C].rows.matrix is None


async def test_memory_goes_to_the_tables_that_were_used_last(
    vectors: LanceVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lance_view, "VECTOR_BYTES", 30 * 16 * 2 + 10)
    current = CurrentGenerations({f"d{n}": 1 for n in range(20)})
    for table in ("vs_a", "vs_b"):
        await vectors.write(table, [row(n) for n in range(20)])
        await vectors.search(table, vector=unit(1), k=5, current=current)
    views = vectors._views._views
    assert views["vs_a"].rows.matrix is None
    assert views["vs_b"].rows.compared


def test_a_current_is_not_to_be_changed() -> None:
    current = CurrentGenerations({"d1": 1})
    assert (current["d1"], dict(current), current | {"d2": 2}) == (1, {"d1": 1}, {"d1": 1, "d2": 2})
    changes: list[Callable[[], object]] = [
        lambda: current.update(d2=1),
        lambda: current.__setitem__("d1", 2),
        lambda: current.pop("d1"),
        lambda: current.setdefault("d3", 1),
        lambda: current.clear(),
    ]
    for change in changes:
        with pytest.raises(TypeError):
            change()


def test_half_of_the_bytes_keep_three_digits() -> None:
    given = np.stack([unit(n) for n in range(50)])
    wide = (halves(given).astype(np.uint32) << 16).view(np.float32)
    assert np.abs(wide - given).max() <= np.abs(given).max() / 256
    assert np.abs(np.sum(wide * given, axis=1) - 1).max() < 2e-3
