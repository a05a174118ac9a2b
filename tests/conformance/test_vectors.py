"""What every vector store must do: LanceDB always, Postgres with pgvector where one is named."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import math
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import StoreError
from mainspring.stores.vectors import index_recall, lance_index, lance_search, pgvector, pgvector_search
from mainspring.stores.vectors.base import ChunkRow, SearchHit, StaleChunks, VectorStore
from mainspring.stores.vectors.lance import LanceVectors
from mainspring.stores.vectors.pgvector import PostgresVectors
from tests.databases import database

DIMENSIONS = 16
C = "vs_1"


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


def unit(seed: int) -> Any:
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS).astype(np.float32)
    return vector / np.linalg.norm(vector)


def row(number: int, text: str, *, document: str = "", generation: int = 1, **changes: Any) -> ChunkRow:
    document = document or f"d{number}"
    made = ChunkRow(
        f"{document}.{generation}.{number}",
        document,
        generation,
        text,
        0,
        len(text),
        3,
        "Head",
        unit(number),
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )
    return dataclasses.replace(made, **changes)


def names(count: int, generation: int = 1) -> dict[str, int]:
    return {f"d{number}": generation for number in range(count)}


def texts(hits: list[SearchHit]) -> list[str]:
    return sorted(hit.text for hit in hits)


# --- what is written comes back ---------------------------------------------------------------------------------


async def test_a_row_comes_back_as_it_was_written(vectors: VectorStore) -> None:
    written = row(1, 'O\'Brien says "hi"', page=None, parent_start=3, parent_end=90)
    await vectors.write(C, [written])
    (hit,) = await vectors.search(C, vector=unit(1), k=5, current={"d1": 1})
    assert (hit.text, hit.page, hit.heading, hit.start, hit.end) == (written.text, None, "Head", 0, 17)
    assert (hit.parent_start, hit.parent_end) == (3, 90)
    assert hit.dense == pytest.approx(1, abs=1e-5)
    assert hit.lexical is None
    (read,) = await vectors.read(C, {"d1": 1})
    assert dataclasses.replace(read, vector=None) == dataclasses.replace(written, vector=None)
    assert np.array_equal(read.vector, written.vector)


async def test_chunks_of_documents_are_read_in_the_order_of_their_text(vectors: VectorStore) -> None:
    rows = [row(n, f"text {n}", document=f"d{n % 2}", start=100 - n, end=200) for n in range(6)]
    await vectors.write(C, [*rows, row(7, "other", document="d0", generation=2), row(8, "other", document="d9")])
    assert [each.text for each in await vectors.read(C, {"d0": 1, "d1": 1, "absent": 1})] == [
        *("text 4", "text 2", "text 0"),
        *("text 5", "text 3", "text 1"),
    ]


async def test_writing_again_replaces(vectors: VectorStore) -> None:
    await vectors.write(C, [row(1, "first words"), row(2, "kept words")])
    await vectors.write(C, [row(1, "second words")])
    assert await vectors.count(C) == 2
    assert texts(await vectors.search(C, text="words", k=5, current=names(3))) == ["kept words", "second words"]
    assert await vectors.search(C, text="first", k=5, current=names(3)) == []


async def test_unicode_is_kept_and_found(vectors: VectorStore) -> None:
    given = ["Größe der Maßnahme", "日本語のテキスト", "café 😀 naïve", "Ελληνικά κείμενο", "a\0b \ud800 zero"]
    await vectors.write(C, [row(n, text.encode("utf-8", "replace").decode()) for n, text in enumerate(given)])
    current = names(len(given))
    for number, query in ((0, "maßnahme"), (1, "日本語のテキスト"), (2, "cafe"), (3, "κείμενο")):
        assert texts(await vectors.search(C, text=query, k=1, current=current)) == [given[number]]


# --- generations ------------------------------------------------------------------------------------------------


async def test_only_current_generations_are_seen(vectors: VectorStore) -> None:
    await vectors.write(C, [row(1, "old words", document="d"), row(2, "new words", document="d", generation=2)])
    for current, expected in (({"d": 1}, ["old words"]), ({"d": 2}, ["new words"]), ({"d": 3}, []), ({}, [])):
        assert texts(await vectors.search(C, vector=unit(1), text="words", k=5, current=current)) == expected
        assert [each.text for each in await vectors.read(C, current)] == expected


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


async def test_delete_and_forget(vectors: VectorStore) -> None:
    await vectors.write(C, [row(n, "words", document="d'", generation=n) for n in range(1, 6)] + [row(9, "kept")])
    await vectors.delete(C, "d'", [1, 2])
    assert await vectors.count(C) == 4
    await vectors.delete(C, "d'", [])
    await vectors.delete(C, "absent")
    assert await vectors.count(C) == 4
    await vectors.forget(C, [StaleChunks("d'", 5, 4), StaleChunks("absent", 9)])
    assert await vectors.count(C) == 3
    assert await vectors.search(C, text="words", k=5, current={"d'": 3}) == []
    await vectors.forget(C, [StaleChunks("d'", 9), StaleChunks("d9", 1)])
    assert texts(await vectors.search(C, text="words kept", k=5, current={"d'": 5, "d9": 1})) == ["kept"]
    await vectors.delete(C, "d9")
    assert await vectors.count(C) == 0


async def test_collections_are_apart_and_can_be_dropped(vectors: VectorStore) -> None:
    await vectors.write(C, [row(1, "mine")])
    await vectors.write("vs_2", [row(1, "yours", vector=np.ones(8, np.float32) / math.sqrt(8))])
    assert texts(await vectors.search(C, vector=unit(1), text="yours", k=5, current=names(2))) == ["mine"]
    await vectors.drop(C)
    assert await vectors.search(C, vector=unit(1), k=5, current=names(2)) == []
    assert (await vectors.count(C), await vectors.count("vs_2")) == (0, 1)
    await vectors.write(C, [row(2, "again")])
    assert await vectors.count(C) == 1


async def test_what_is_not_there_is_no_error(vectors: VectorStore) -> None:
    await vectors.drop(C)
    await vectors.delete(C, "d")
    await vectors.forget(C, [StaleChunks("d", 3)])
    await vectors.settle(C)
    await vectors.write(C, [])
    assert await vectors.search(C, vector=unit(1), text="words", k=5, current={"d": 1}) == []
    assert await vectors.vectors(C, ["0" * 64]) == {}
    assert await vectors.read(C, {"d": 1}) == []
    assert await vectors.count(C) == 0


async def test_a_known_digest_gives_its_vector(vectors: VectorStore) -> None:
    await vectors.write(C, [row(n, f"text {n % 3}", vector=unit(n % 3)) for n in range(6)])
    digests = [hashlib.sha256(f"text {n}".encode()).hexdigest() for n in (0, 2, 5)]
    found = await vectors.vectors(C, digests)
    assert set(found) == set(digests[:2])
    assert np.array_equal(found[digests[1]], unit(2))
    assert await vectors.vectors(C, []) == {}


@pytest.mark.parametrize("name", ["../other", "a/b", "", "vs 1", 'a"b'])
async def test_an_id_is_no_way_elsewhere(vectors: VectorStore, name: str) -> None:
    with pytest.raises(StoreError):
        await vectors.write(name, [row(1, "x")])


# --- search by words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", " ", "?!", "... --- ...", "'\"*:&|!()<->", "the of and", "\0", "zzzz"])
async def test_a_query_without_words_finds_nothing_by_words(vectors: VectorStore, query: str) -> None:
    await vectors.write(C, [row(n, f"the apples of {n}") for n in range(3)])
    assert await vectors.search(C, text=query, k=5, current=names(3)) == []
    hits = await vectors.search(C, vector=unit(1), text=query, k=5, current=names(3))
    assert [hit.lexical for hit in hits] == [None] * 3


async def test_words_are_stemmed_and_those_of_the_heading_count(vectors: VectorStore) -> None:
    await vectors.write(C, [row(1, "running shoes/boots"), row(2, "apples", heading="Orchards"), row(3, "nothing")])
    for query, expected in (("runs", "running shoes/boots"), ("boot", "running shoes/boots"), ("orchard", "apples")):
        assert texts(await vectors.search(C, text=query, k=5, current=names(4))) == [expected]


async def test_the_score_of_words_is_bm25(vectors: VectorStore) -> None:
    """Robertson and Zaragoza 2009 with k1 1.2 and b 0.75, over all generations; stores may quantise lengths."""
    random = np.random.default_rng(3)
    vocabulary = ["apple", "banana", "cherry", "dragon", "elephant"]
    given = [" ".join(random.choice(vocabulary, size=size)) for size in random.integers(2, 30, size=40)]
    await vectors.write(C, [row(n, text, heading="") for n, text in enumerate(given)])
    await vectors.settle(C)
    hits = await vectors.search(C, text="apple dragons", k=40, current=names(40))
    mean = sum(len(text.split()) for text in given) / len(given)
    expected = {}
    for number, text in enumerate(given):
        words, score = text.split(), 0.0
        for word in ("apple", "dragon"):
            having = sum(word in other.split() for other in given)
            rarity = math.log(1 + (len(given) - having + 0.5) / (having + 0.5))
            count = words.count(word)
            score += rarity * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(words) / mean))
        if score:
            expected[f"d{number}"] = score
    found = {hit.document_id: hit.lexical for hit in hits}
    assert set(found) == set(expected)
    for document, score in expected.items():
        assert found[document] == pytest.approx(score, rel=0.08)


async def test_fresh_rows_are_found_at_once(vectors: VectorStore) -> None:
    await vectors.write(C, [row(1, "apples")])
    assert texts(await vectors.search(C, text="apples", k=5, current=names(3))) == ["apples"]
    await vectors.settle(C)
    await vectors.write(C, [row(2, "zebra")])
    assert texts(await vectors.search(C, text="zebra", k=5, current=names(3))) == ["zebra"]


# --- search by vector -------------------------------------------------------------------------------------------


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


# --- size, concurrency, damage ----------------------------------------------------------------------------------


async def test_five_thousand_documents(vectors: VectorStore) -> None:
    rows = [row(n, f"chunk number {n} of group{n % 50}") for n in range(5_000)]
    for start in range(0, 5_000, 1_000):
        await vectors.write(C, rows[start : start + 1_000])
    await vectors.settle(C)
    everything = names(5_000)
    hits = await vectors.search(C, vector=unit(4_321), text="group7", k=20, current=everything)
    assert "d4321" in {hit.document_id for hit in hits if hit.dense and hit.dense > 0.999}
    assert sum(hit.lexical is not None for hit in hits) == 20
    assert all(re.search(r"group7$", hit.text) for hit in hits if hit.lexical is not None)
    some = dict.fromkeys(list(everything)[::2], 1)
    hits = await vectors.search(C, vector=unit(4_321), text="group7", k=20, current=some)
    assert {hit.document_id for hit in hits} <= set(some)


async def test_concurrent_writes_all_arrive_while_others_search(vectors: VectorStore) -> None:
    await vectors.write(C, [row(999, "words first")])

    async def search() -> None:
        for _ in range(5):
            hits = await vectors.search(C, vector=unit(999), text="words", k=20, current={"d999": 1})
            assert texts(hits) == ["words first"]

    writes = (vectors.write(C, [row(n, f"words {n}"), row(n + 100, f"words {n}")]) for n in range(8))
    await asyncio.gather(*writes, search(), vectors.settle(C), *(vectors.delete(C, f"d{n}") for n in range(200, 204)))
    assert await vectors.count(C) == 17
    hits = await vectors.search(C, text="words", k=50, current=names(1000))
    assert len(hits) == 17


async def test_another_dimension_is_refused(vectors: VectorStore) -> None:
    await vectors.write(C, [row(1, "x")])
    with pytest.raises(StoreError):
        await vectors.write(C, [row(2, "y", vector=np.ones(8, np.float32))])
    assert await vectors.count(C) == 1


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
