"""Backups of a Postgres and the home beside it: of one moment under live traffic, restored wholly or not at all."""

from __future__ import annotations

import asyncio
import io
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import Conflict, SettingsError, StoreError
from mainspring.core.settings import Settings, StoresSettings
from mainspring.stores.backup import home as backup
from mainspring.stores.backup import postgres, postgres_tools, restore
from mainspring.stores.documents.collections import Collection
from tests.postgres_server import databases, query
from tests.stores.backup.test_home import answer, made, publish, quiet, searched


@pytest.fixture
def urls() -> Iterator[list[str]]:
    """Two empty databases: one to be copied, one to be filled."""
    with databases(2, vectors=True) as made:
        yield made


def settings_of(home: Path, url: str, vectors: str) -> Settings:
    return Settings.model_validate({"home": home, "stores": {"database": url, "vectors": vectors}})


@pytest.mark.parametrize("vectors", ["postgres", "lance"])
async def test_under_live_traffic_all_of_it_is_of_one_moment(tmp_path: Path, urls: list[str], vectors: str) -> None:
    settings = settings_of(tmp_path / "home", urls[0], vectors)
    stop, acknowledged, ingested = asyncio.Event(), list[str](), list[str]()
    async with stores.open(settings) as opened:
        collection = await opened.collections.create("a", "plans", embedder="e")
        files = [await opened.files.add("a", f"{n}.txt", f"file {n}".encode(), "assistants") for n in range(3)]

        async def talking() -> None:
            while not stop.is_set():
                acknowledged.append(await answer(opened, len(acknowledged)))

        async def ingesting() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                await publish(opened, collection, f"d{number % 5}", f"version {number}")
                ingested.append(f"version {number}")

        async def dropping() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                other = await opened.collections.create("a", f"brief {number}", embedder="e")
                await publish(opened, other, "one", f"brief {number}")
                await opened.collections.delete("a", other.id)
                await opened.vectors.drop(other.table)
                file = await opened.files.add("a", f"f{number}", f"f{number}".encode(), "assistants")
                await opened.files.delete("a", file.id)

        work = [asyncio.create_task(each) for each in (talking(), ingesting(), dropping())]
        try:
            while len(acknowledged) < 20 or len(ingested) < 7:
                await asyncio.sleep(0.1)
            before = list(acknowledged)
            data, report = await asyncio.to_thread(made, settings)
            await asyncio.sleep(0.3)
        finally:
            stop.set()
            await asyncio.gather(*work)
        versions = opened.collections.versions("a")
    assert report.missing == []
    assert not list((tmp_path / "home").glob(".backup-*"))
    await put_back(data, tmp_path / "new", sa.make_url(urls[1]))
    async with stores.open(settings_of(tmp_path / "new", urls[1], vectors)) as again:
        there = {each.id for each in await again.events.find("a", kind="answer", limit=100_000)}
        assert set(before) <= there
        assert len(there) < len(acknowledged)
        for file in files:
            assert await again.files.content("a", file.id) == f"file {file.name[0]}".encode()
        for each in await again.collections.list("a"):
            # What is cached elsewhere under a version of the time that was lost is not met again.
            assert again.collections.version(each) > max(versions.values()) + 1_000_000
            await has_its_chunks(again, each)
        same = await again.collections.get("a", "plans", groups=frozenset())
        assert await searched(again, same, "version 1 1")
        # And it goes on: ids of chunks do not begin anew, versions grow.
        await publish(again, same, "new", "written after it")
        assert "written after it" in str(await text_of(again, same, "new"))


async def test_a_collection_may_be_dropped_between_its_counting_and_the_dump(
    tmp_path: Path, urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path / "home", urls[0], "postgres")
    loop, real = asyncio.get_running_loop(), postgres._run
    async with stores.open(settings) as opened:
        kept = await opened.collections.create("a", "plans", embedder="e")
        await publish(opened, kept, "one", "version 1")
        brief = await opened.collections.create("a", "brief", embedder="e")
        await publish(opened, brief, "one", "brief 1")
        began: list[str] = []

        async def drop() -> None:
            await opened.collections.delete("a", brief.id)
            await opened.vectors.drop(brief.table)

        async def dropped_first(name: str, *given: Any, **named: Any) -> None:
            began.append(name)
            if len(began) == 1:
                # It waits for nobody: what has been counted is locked no more.
                await asyncio.wait_for(asyncio.wrap_future(asyncio.run_coroutine_threadsafe(drop(), loop)), 30)
            await real(name, *given, **named)

        monkeypatch.setattr(postgres, "_run", dropped_first)
        _, report = await asyncio.to_thread(made, settings)
    assert began == ["pg_dump", "pg_dump"]
    assert report.missing == []


async def put_back(data: bytes, home: Path, url: sa.URL) -> None:
    restored = await asyncio.to_thread(restore.read, io.BytesIO(data), home, tell=quiet, database=lambda: url)
    assert url.password
    assert url.password not in restored.database
    assert url.database
    assert url.database in restored.database
    assert not (home / "postgres.dump").exists()


async def has_its_chunks(opened: stores.Stores, collection: Collection) -> None:
    for document in await opened.collections.documents(collection, None):
        if document.generation:
            text = await opened.collections.text(document)
            rows = await opened.vectors.read(collection.table, {document.document_id: document.generation})
            assert [row.text for row in rows] == [f"{text} {n}" for n in range(3)]


async def text_of(opened: stores.Stores, collection: Collection, name: str) -> list[str]:
    documents = await opened.collections.documents(collection, None)
    (found,) = [each for each in documents if each.name == name]
    rows = await opened.vectors.read(collection.table, {found.document_id: found.generation})
    return [row.text for row in rows]


async def test_a_database_that_is_not_empty_is_left_alone(tmp_path: Path, urls: list[str]) -> None:
    settings = settings_of(tmp_path / "home", urls[0], "postgres")
    async with stores.open(settings) as opened:
        await answer(opened, 1)
        data, _ = await asyncio.to_thread(made, settings)
    await asyncio.to_thread(query, urls[1], "CREATE TABLE mine (n int)")
    into = sa.make_url(urls[1])

    def read(database: sa.URL | None) -> restore.Restored:
        return restore.read(io.BytesIO(data), tmp_path / "new", tell=quiet, database=lambda: database)

    with pytest.raises(Conflict, match="is not empty"):
        await asyncio.to_thread(read, into)
    with pytest.raises(SettingsError, match=r"stores\.database names none"):
        await asyncio.to_thread(read, None)
    assert not (tmp_path / "new").exists()
    await asyncio.to_thread(query, urls[1], "DROP TABLE mine")
    assert (await asyncio.to_thread(read, into)).schema


async def test_what_fails_in_the_middle_leaves_an_empty_database(tmp_path: Path, urls: list[str]) -> None:
    settings = settings_of(tmp_path / "home", urls[0], "postgres")
    async with stores.open(settings) as opened:
        for number in range(300):
            await answer(opened, number)
        data, _ = await asyncio.to_thread(made, settings)
    with tarfile.open(fileobj=io.BytesIO(data)) as pack:
        dump = pack.extractfile("home/postgres.dump")
        assert dump is not None
        (tmp_path / "cut").write_bytes(dump.read()[:-2000])
    with pytest.raises(StoreError, match="pg_restore failed"):
        await asyncio.to_thread(postgres.restore, sa.make_url(urls[1]), tmp_path / "cut")
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'mainspring_vectors')"
    assert await asyncio.to_thread(query, urls[1], tables) == 0


async def test_the_password_is_in_no_argument(tmp_path: Path, urls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    url = sa.make_url(urls[0])
    assert url.password
    settings = settings_of(tmp_path / "home", urls[0], "postgres")
    seen: list[str] = []
    plain = subprocess.run

    def spied(command: list[str], **options: Any) -> object:
        seen.extend(command)
        for word in command:
            if "passfile=" in word:
                path = Path(unquote(word.split("passfile=")[1]))
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
        return plain(command, **options)

    async with stores.open(settings):
        monkeypatch.setattr(subprocess, "run", spied)
        data, _ = await asyncio.to_thread(made, settings)
    assert any("--snapshot=" in word for word in seen)
    assert not any(url.password in word for word in seen)
    with tarfile.open(fileobj=io.BytesIO(data)) as pack:
        assert not [name for name in pack.getnames() if "pgpass" in name]


def test_a_server_that_is_away_and_programs_that_are_missing_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    settings = Settings(home=tmp_path / "home", stores=StoresSettings(database="postgresql://u:secret@127.0.0.1:1/d"))
    with pytest.raises(StoreError, match="failed") as raised:
        backup.write(settings, io.BytesIO(), tell=quiet)
    assert "secret" not in str(raised.value)
    monkeypatch.setattr(postgres_tools, "_PLACES", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(StoreError, match="there is no pg_dump of Postgres 17"):
        postgres_tools.run("pg_dump", 17, sa.make_url("postgresql://u@h/d"), folder=tmp_path)
