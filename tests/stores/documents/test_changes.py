"""Who knows a collection at one version reads what changed since, and then knows what a newcomer reads."""

from __future__ import annotations

import random
from pathlib import Path

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.rag.search.filters import Comparison
from mainspring.rag.search.scope import Scopes
from mainspring.stores.documents.catalogue import Documents
from mainspring.stores.documents.records import About

GROUPS = (None, frozenset[str](), frozenset({"a"}), frozenset({"a", "b"}))


async def test_what_changed_makes_the_old_view_the_new_one(tmp_path: Path) -> None:
    draw = random.Random(11)
    async with stores.open(Settings(home=tmp_path)) as opened, stores.open(Settings(home=tmp_path)) as other:
        collection = await opened.collections.create("t", "c", embedder="e")
        scopes = Scopes(other.collections)
        tree = Comparison("eq", "x", 1)
        for step in range(60):
            key = f"k{draw.randrange(12)}"
            about = About(
                attributes={"x": draw.randrange(3)},
                groups=frozenset(draw.sample(["a", "b"], draw.randrange(2))),
            )
            there = {each.source_key: each for each in await opened.collections.documents(collection, None)}
            action = draw.random()
            if key in there and action < 0.15:
                await opened.collections.remove(collection, there[key].document_id)
            elif key in there and action < 0.4 and there[key].begun == there[key].generation:
                await opened.collections.describe(collection, there[key].document_id, key, key, about)
            else:
                begun = await opened.collections.begin(collection, key, f"{step}", key, about=about)
                if action < 0.9:
                    blob = await opened.blobs.put(f"text {step}".encode())
                    await opened.collections.publish(
                        collection, begun.document_id, begun.generation, chars=1, chunks=1, parser="", text_blob=blob
                    )
            if step % 3 == 2:
                continue
            newcomer = Documents(other.database, other.blobs)
            for groups in GROUPS:
                expected = await newcomer.current(collection, groups)
                assert await other.collections.current(collection, groups) == expected
                known = await scopes.of(collection, groups, tree)
                there = {each.document_id: each for each in await newcomer.documents(collection, None)}
                kept = {name: number for name, number in expected.items() if there[name].attributes["x"] == 1}
                assert known.current == kept


async def test_only_what_changed_is_read_again(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        collection = await opened.collections.create("t", "c", embedder="e")
        blob = await opened.blobs.put(b"text")
        for number in range(5):
            begun = await opened.collections.begin(collection, f"k{number}", "s", "n")
            await opened.collections.publish(
                collection, begun.document_id, 1, chars=1, chunks=1, parser="", text_blob=blob
            )
        version = opened.collections.version(collection)
        assert await opened.collections.since(collection, version) == []
        changed = await opened.collections.since(collection, version - 2)
        assert changed is not None
        assert [each.source_key for each in changed] == ["k3", "k4"]
        await opened.collections.remove(collection, changed[0].document_id)
        assert await opened.collections.since(collection, version) is None
        assert await opened.collections.since(collection, version + 1) == []
