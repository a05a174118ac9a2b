"""Rows of a query: what changed, what vanished, and that nothing but reading is possible."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, MissingExtra, UpstreamError
from mainspring.rag.connect.base import SyncState
from mainspring.rag.connect.sql import Sql
from mainspring.rag.ingest.pipeline import IngestReport
from tests.rag.conftest import Room

QUERY = "SELECT id, title, body, author, at FROM articles WHERE title <> ':x'"


@pytest.fixture
def database(tmp_path: Path) -> sqlite3.Connection:
    made = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    made.execute("CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT, body TEXT, author TEXT, at TEXT)")
    for n in range(3):
        put(made, n, f"Apples of kind {n} are red.", f"2024-01-0{n + 1}T00:00:00+00:00")
    return made


def put(database: sqlite3.Connection, n: int, body: str, at: str | None) -> None:
    database.execute("INSERT OR REPLACE INTO articles VALUES (?, ?, ?, 'Ann', ?)", (n, f"Title {n}", body, at))


def rows(tmp_path: Path, **options: Any) -> Sql:
    chosen: dict[str, Any] = {"query": QUERY, "id": "id", "text": ["title", "body"], "changed": "at"} | options
    return Sql(f"sqlite:///{tmp_path / 'shop.db'}", **chosen)


async def sync(room: Room, connector: Sql, cursor: str = "") -> tuple[IngestReport, str]:
    cursors = [cursor]

    async def advance(value: str) -> None:
        cursors.append(value)

    report = await room.ingestor.follow(room.collection, connector, cursor=cursor, advance=advance)
    return report, cursors[-1]


async def test_rows_are_followed_by_the_column_that_changes(
    room: Room, database: sqlite3.Connection, tmp_path: Path
) -> None:
    report, cursor = await sync(room, rows(tmp_path))
    assert (len(report.added), report.failed) == (3, [])
    documents = {each.name: each for each in await room.stores.collections.documents(room.collection, None)}
    first = documents["id 0.txt"]
    assert (first.attributes, first.modified_at) == ({"id": 0, "author": "Ann"}, 1704067200.0)
    assert await room.stores.collections.text(first) == "title: Title 0\n\nbody: Apples of kind 0 are red."

    put(database, 1, "Pears are green.", "2024-02-01T00:00:00+00:00")
    # Of the same instant as the last that was seen, and later written.
    put(database, 7, "Quinces are yellow.", "2024-01-03T00:00:00+00:00")
    put(database, 8, "Plums have no time.", None)
    # Before the cursor: not looked at.
    put(database, 0, "Unseen.", "2023-01-01T00:00:00+00:00")
    database.execute("DELETE FROM articles WHERE id = 2")
    report, cursor = await sync(room, rows(tmp_path), cursor)
    assert (report.updated, sorted(report.added), report.removed) == (
        ["id 1.txt"],
        ["id 7.txt", "id 8.txt"],
        ["id 2.txt"],
    )
    # Without a cursor all rows are compared.
    report, _ = await sync(room, rows(tmp_path))
    assert (report.updated, len(report.unchanged)) == (["id 0.txt"], 3)


async def test_without_a_changing_column_rows_are_compared(
    room: Room, database: sqlite3.Connection, tmp_path: Path
) -> None:
    connector = rows(tmp_path, changed="")
    _, cursor = await sync(room, connector)
    put(database, 1, "Pears are green.", "2024-01-02T00:00:00+00:00")
    report, _ = await sync(room, connector, cursor)
    assert (report.updated, len(report.unchanged)) == (["id 1.txt"], 2)


async def test_a_sync_that_ends_early_begins_where_it_stopped(database: sqlite3.Connection, tmp_path: Path) -> None:
    for n in range(3, 1203):
        put(database, n, "Apples.", f"2025-01-01T00:{n // 60:02d}:{n % 60:02d}")
    batches = rows(tmp_path).changes(SyncState())
    cursor = (await anext(batches)).cursor
    await batches.aclose()  # type: ignore[attr-defined]
    assert cursor
    rest = [source.key async for batch in rows(tmp_path).changes(SyncState(cursor)) for source in batch.sources]
    assert len(rest) == 1203 - 500 + 1


@pytest.mark.parametrize(
    "query", ["DELETE FROM articles", "SELECT 1; DELETE FROM articles", "", "PRAGMA writable_schema=1"]
)
def test_only_a_select_is_accepted(query: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="SELECT"):
        rows(tmp_path, query=query)


async def test_nothing_is_written_even_by_a_query_that_could(database: sqlite3.Connection, tmp_path: Path) -> None:
    hidden = "WITH x AS (SELECT 1) INSERT INTO articles (id) SELECT 99"
    with pytest.raises(UpstreamError):
        _ = [each async for each in rows(tmp_path, query=hidden).changes(SyncState())]
    assert database.execute("SELECT count(*) FROM articles").fetchone() == (3,)
    absent = Sql(f"sqlite:///{tmp_path / 'absent.db'}", query="SELECT 1 AS id", id="id", text=["id"])
    with pytest.raises(UpstreamError):
        _ = [each async for each in absent.changes(SyncState())]
    assert not (tmp_path / "absent.db").exists()


async def test_what_is_wrong_is_named(database: sqlite3.Connection, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="summary"):
        _ = [each async for each in rows(tmp_path, text=["summary"]).changes(SyncState())]
    with pytest.raises(InvalidRequest, match="column name"):
        rows(tmp_path, id="id; DROP TABLE articles")
    with pytest.raises(MissingExtra):
        _ = [each async for each in Sql("oracle://x/y", query="SELECT 1", id="a", text=["b"]).changes(SyncState())]


def test_secrets_in_the_query_of_a_url_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="password in the query") as caught:
        Sql("postgresql://db.example/shop?user=ann&password=hush", query="SELECT 1", id="a", text=["b"])
    assert "hush" not in str(caught.value)


def test_passwords_are_not_kept() -> None:
    made = Sql("postgresql://ann:secret@db.example/shop", query="SELECT 1", id="a", text=["b"])
    assert made.address == "sql+postgresql://ann@db.example/shop"
    assert "secret" not in made.location
