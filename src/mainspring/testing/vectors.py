"""The contract of vector stores."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import math
import re
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import StoreError
from mainspring.stores.vectors.base import ChunkRow, SearchHit, StaleChunks, VectorStore

DIMENSIONS = 16
C = "vs_1"


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


@pytest.mark.asyncio
class VectorStoreSuite:
    """A subclass, or its module, has a fixture ``vectors``, which gives a store that is empty."""

    async def test_a_row_comes_back_as_it_was_written(self, vectors: VectorStore) -> None:
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

    async def test_chunks_of_documents_are_read_in_the_order_of_their_text(self, vectors: VectorStore) -> None:
        rows = [row(n, f"text {n}", document=f"d{n % 2}", start=100 - n, end=200) for n in range(6)]
        await vectors.write(C, [*rows, row(7, "other", document="d0", generation=2), row(8, "other", document="d9")])
        assert [each.text for each in await vectors.read(C, {"d0": 1, "d1": 1, "absent": 1})] == [
            *("text 4", "text 2", "text 0"),
            *("text 5", "text 3", "text 1"),
        ]

    async def test_writing_again_replaces(self, vectors: VectorStore) -> None:
        await vectors.write(C, [row(1, "first words"), row(2, "kept words")])
        await vectors.write(C, [row(1, "second words")])
        assert await vectors.count(C) == 2
        assert texts(await vectors.search(C, text="words", k=5, current=names(3))) == ["kept words", "second words"]
        assert await vectors.search(C, text="first", k=5, current=names(3)) == []

    async def test_unicode_is_kept_and_found(self, vectors: VectorStore) -> None:
        given = ["Größe der Maßnahme", "日本語のテキスト", "café 😀 naïve", "Ελληνικά κείμενο", "a\0b \ud800 zero"]
        await vectors.write(C, [row(n, text.encode("utf-8", "replace").decode()) for n, text in enumerate(given)])
        current = names(len(given))
        for number, query in ((0, "maßnahme"), (1, "日本語のテキスト"), (2, "cafe"), (3, "κείμενο")):
            assert texts(await vectors.search(C, text=query, k=1, current=current)) == [given[number]]

    async def test_only_current_generations_are_seen(self, vectors: VectorStore) -> None:
        await vectors.write(C, [row(1, "old words", document="d"), row(2, "new words", document="d", generation=2)])
        for current, expected in (({"d": 1}, ["old words"]), ({"d": 2}, ["new words"]), ({"d": 3}, []), ({}, [])):
            assert texts(await vectors.search(C, vector=unit(1), text="words", k=5, current=current)) == expected
            assert [each.text for each in await vectors.read(C, current)] == expected

    async def test_delete_and_forget(self, vectors: VectorStore) -> None:
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

    async def test_collections_are_apart_and_can_be_dropped(self, vectors: VectorStore) -> None:
        await vectors.write(C, [row(1, "mine")])
        await vectors.write("vs_2", [row(1, "yours", vector=np.ones(8, np.float32) / math.sqrt(8))])
        assert texts(await vectors.search(C, vector=unit(1), text="yours", k=5, current=names(2))) == ["mine"]
        await vectors.drop(C)
        assert await vectors.search(C, vector=unit(1), k=5, current=names(2)) == []
        assert (await vectors.count(C), await vectors.count("vs_2")) == (0, 1)
        await vectors.write(C, [row(2, "again")])
        assert await vectors.count(C) == 1

    async def test_what_is_not_there_is_no_error(self, vectors: VectorStore) -> None:
        await vectors.drop(C)
        await vectors.delete(C, "d")
        await vectors.forget(C, [StaleChunks("d", 3)])
        await vectors.settle(C)
        await vectors.write(C, [])
        assert await vectors.search(C, vector=unit(1), text="words", k=5, current={"d": 1}) == []
        assert await vectors.vectors(C, ["0" * 64]) == {}
        assert await vectors.read(C, {"d": 1}) == []
        assert await vectors.count(C) == 0

    async def test_a_known_digest_gives_its_vector(self, vectors: VectorStore) -> None:
        await vectors.write(C, [row(n, f"text {n % 3}", vector=unit(n % 3)) for n in range(6)])
        digests = [hashlib.sha256(f"text {n}".encode()).hexdigest() for n in (0, 2, 5)]
        found = await vectors.vectors(C, digests)
        assert set(found) == set(digests[:2])
        assert np.array_equal(found[digests[1]], unit(2))
        assert await vectors.vectors(C, []) == {}

    @pytest.mark.parametrize("name", ["../other", "a/b", "", "vs 1", 'a"b'])
    async def test_an_id_is_no_way_elsewhere(self, vectors: VectorStore, name: str) -> None:
        with pytest.raises(StoreError):
            await vectors.write(name, [row(1, "x")])

    @pytest.mark.parametrize("query", ["", " ", "?!", "... --- ...", "'\"*:&|!()<->", "the of and", "\0", "zzzz"])
    async def test_a_query_without_words_finds_nothing_by_words(self, vectors: VectorStore, query: str) -> None:
        await vectors.write(C, [row(n, f"the apples of {n}") for n in range(3)])
        assert await vectors.search(C, text=query, k=5, current=names(3)) == []
        hits = await vectors.search(C, vector=unit(1), text=query, k=5, current=names(3))
        assert [hit.lexical for hit in hits] == [None] * 3

    async def test_words_are_stemmed_and_those_of_the_heading_count(self, vectors: VectorStore) -> None:
        await vectors.write(C, [row(1, "running shoes/boots"), row(2, "apples", heading="Orchards"), row(3, "nothing")])
        for query, expected in (
            ("runs", "running shoes/boots"),
            ("boot", "running shoes/boots"),
            ("orchard", "apples"),
        ):
            assert texts(await vectors.search(C, text=query, k=5, current=names(4))) == [expected]

    async def test_the_score_of_words_is_bm25(self, vectors: VectorStore) -> None:
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

    async def test_fresh_rows_are_found_at_once(self, vectors: VectorStore) -> None:
        await vectors.write(C, [row(1, "apples")])
        assert texts(await vectors.search(C, text="apples", k=5, current=names(3))) == ["apples"]
        await vectors.settle(C)
        await vectors.write(C, [row(2, "zebra")])
        assert texts(await vectors.search(C, text="zebra", k=5, current=names(3))) == ["zebra"]

    async def test_five_thousand_documents(self, vectors: VectorStore) -> None:
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

    async def test_concurrent_writes_all_arrive_while_others_search(self, vectors: VectorStore) -> None:
        await vectors.write(C, [row(999, "words first")])

        async def search() -> None:
            for _ in range(5):
                hits = await vectors.search(C, vector=unit(999), text="words", k=20, current={"d999": 1})
                assert texts(hits) == ["words first"]

        writes = (vectors.write(C, [row(n, f"words {n}"), row(n + 100, f"words {n}")]) for n in range(8))
        await asyncio.gather(
            *writes, search(), vectors.settle(C), *(vectors.delete(C, f"d{n}") for n in range(200, 204))
        )
        assert await vectors.count(C) == 17
        hits = await vectors.search(C, text="words", k=50, current=names(1000))
        assert len(hits) == 17

    async def test_another_dimension_is_refused(self, vectors: VectorStore) -> None:
        await vectors.write(C, [row(1, "x")])
        with pytest.raises(StoreError):
            await vectors.write(C, [row(2, "y", vector=np.ones(8, np.float32))])
        assert await vectors.count(C) == 1
