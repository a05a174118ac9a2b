"""Access lists of what connectors read: the source's, each row's own, and what a change of either does."""

from __future__ import annotations

import datetime
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.rag.connect import storage
from mainspring.rag.connect.registry import Spec
from mainspring.rag.connect.sql import Sql
from mainspring.rag.connect.sync import Syncer
from tests.rag.conftest import Room

RED, BLUE, NOBODY = frozenset({"red"}), frozenset({"blue"}), frozenset[str]()


async def found(room: Room, query: str, groups: frozenset[str]) -> set[str]:
    return {hit.source for hit in await room.retriever.search(room.collection, query, groups=groups)}


@pytest.fixture
def syncer(room: Room, tmp_path: Path) -> Syncer:
    return Syncer(room.ingestor, room.stores.sources, tmp_path / "sources")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "docs"
    made.mkdir()
    (made / "one.txt").write_text("Apples are red.")
    return made


async def test_what_a_source_has_is_for_its_groups(room: Room, syncer: Syncer, folder: Path) -> None:
    await syncer.add(room.collection, Spec(str(folder), {"groups": ["red"]}))
    assert await found(room, "apples", RED) == {"one.txt"}
    assert await found(room, "apples", BLUE) == set()
    (folder / "two.txt").write_text("Apples are round.")
    (folder / "one.txt").rename(folder / "moved.txt")
    (row,) = await syncer.sources(room.collection)
    await syncer.sync(room.collection, row)
    assert await found(room, "apples", RED) == {"moved.txt", "two.txt"}
    assert await found(room, "apples", NOBODY) == set()


async def test_giving_a_source_again_opens_nothing_unless_it_is_said(room: Room, syncer: Syncer, folder: Path) -> None:
    await syncer.add(room.collection, Spec(str(folder), {"groups": ["red"]}))
    await syncer.add(room.collection, Spec(str(folder)))
    await room.ingestor.sync(room.collection, [folder])
    assert await found(room, "apples", BLUE) == set()
    (row,) = await syncer.sources(room.collection)
    await room.stores.sources.remove(room.collection, row.id)
    await syncer.add(room.collection, Spec(str(folder)))
    assert await found(room, "apples", BLUE) == set()
    report = await syncer.add(room.collection, Spec(str(folder), {"groups": ["blue"]}))
    # The text is what it was: nothing is read or embedded again.
    assert (report.described, report.embedded) == (["one.txt"], 0)
    assert (await found(room, "apples", RED), await found(room, "apples", BLUE)) == (set(), {"one.txt"})
    await syncer.add(room.collection, Spec(str(folder), {"groups": []}))
    assert await found(room, "apples", NOBODY) == {"one.txt"}


async def test_what_a_connector_does_not_look_at_again_is_closed_too(
    room: Room, syncer: Syncer, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = pytest.importorskip("fsspec", reason="install mainspring[connectors]").filesystem("memory")
    memory.store.clear()
    memory.pipe("/closing/a.txt", b"Apples are red.")
    memory.store["/closing/a.txt"].created = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    await syncer.add(room.collection, Spec("memory://closing"))
    monkeypatch.setattr(storage, "_read", unread)
    report = await syncer.add(room.collection, Spec("memory://closing", {"groups": ["red"]}))
    assert (report.described, report.failed) == (["a.txt"], [])
    assert (await found(room, "apples", RED), await found(room, "apples", BLUE)) == ({"a.txt"}, set())
    memory.store.clear()


def unread(*_: Any) -> bytes:
    raise AssertionError("it was read again")


def rows(tmp_path: Path, *lists: Any, **options: Any) -> Sql:
    with sqlite3.connect(tmp_path / "shop.db", isolation_level=None) as made:
        made.execute("DROP TABLE IF EXISTS articles")
        made.execute("CREATE TABLE articles (id INTEGER PRIMARY KEY, body TEXT, readers TEXT)")
        made.executemany(
            "INSERT INTO articles VALUES (?, ?, ?)",
            [(n, f"Apples of kind {n} are red.", each) for n, each in enumerate(lists)],
        )
    made.close()
    chosen: dict[str, Any] = {"query": "SELECT * FROM articles", "id": "id", "text": ["body"]}
    return Sql(f"sqlite:///{tmp_path / 'shop.db'}", **chosen, groups_column="readers", **options)


async def test_each_row_has_its_own_list(room: Room, tmp_path: Path) -> None:
    connector = rows(tmp_path, "red", "red, blue", json.dumps(["blue"]), None, "", 7)
    await room.ingestor.follow(room.collection, connector, groups=frozenset({"green"}))
    open_to_all = {"id 3.txt", "id 4.txt"}
    assert await found(room, "apples", RED) == {"id 0.txt", "id 1.txt"} | open_to_all
    assert await found(room, "apples", BLUE) == {"id 1.txt", "id 2.txt"} | open_to_all
    assert await found(room, "apples", frozenset({"7"})) == {"id 5.txt"} | open_to_all
    (document,) = [each for each in await room.stores.collections.documents(room.collection, None) if "0" in each.name]
    assert document.attributes == {"id": 0}

    report = await room.ingestor.follow(room.collection, rows(tmp_path, "blue", "red, blue", '["blue"]', None, "", 7))
    assert (report.described, report.embedded) == (["id 0.txt"], 0)
    assert "id 0.txt" not in await found(room, "apples", RED)
    assert "id 0.txt" in await found(room, "apples", BLUE)


@pytest.mark.parametrize("value", ["[red", '[{"a": 1}]', '[["red"]]', b"red"])
async def test_a_value_that_is_no_list_opens_nothing(room: Room, tmp_path: Path, value: Any) -> None:
    with pytest.raises(InvalidRequest, match="readers has a value that is not a list of groups"):
        await room.ingestor.follow(room.collection, rows(tmp_path, value))
    assert await room.documents() == {}
