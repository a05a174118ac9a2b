"""Backups: whole under live traffic, checked when they are read, and refused where they are not whole."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import sqlite3
import tarfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mainspring import stores
from mainspring.core.errors import Conflict, StoreError
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord, Message
from mainspring.stores import Stores
from mainspring.stores.backup import home as backup
from mainspring.stores.backup import restore
from mainspring.stores.backup.files import STAGING
from mainspring.stores.documents.collections import Collection
from mainspring.stores.schema import HEAD
from mainspring.stores.sql import ids
from mainspring.stores.vectors.base import ChunkRow, StaleChunks


def quiet(stage: str, done: int, total: int) -> None:
    return None


def made(settings: Settings, **options: bool) -> tuple[bytes, backup.BackupReport]:
    out = io.BytesIO()
    report = backup.write(settings, out, tell=quiet, **options)
    return out.getvalue(), report


def vector(text: str) -> np.ndarray:
    rows = np.random.default_rng(zlib.crc32(text.encode())).standard_normal(16).astype(np.float32)
    return rows / np.linalg.norm(rows)


async def publish(opened: Stores, collection: Collection, name: str, text: str, chunks: int = 3) -> None:
    """Ingest ``text`` as the document ``name``, as the ingest does: chunks first, then the commit that makes them
    current, then what is stale goes."""
    blob = await opened.blobs.put(text.encode())
    begun = await opened.collections.begin(collection, name, blob, name)
    document, generation = begun.document_id, begun.generation
    said = [f"{text} {number}" for number in range(chunks)]
    rows = [
        ChunkRow(f"{document}:{generation}:{number}", document, generation, each, 0, 1, None, "", vector(each))
        for number, each in enumerate(said)
    ]
    await opened.vectors.write(collection.id, rows)
    await opened.collections.publish(
        collection, document, generation, chars=len(text), chunks=chunks, parser="test", text_blob=blob
    )
    await opened.vectors.forget(collection.id, [StaleChunks(document, generation, generation)])


async def answer(opened: Stores, number: int) -> str:
    name = ids.new("ans_")
    await opened.events.append(
        EventRecord(name, time.time(), "a", "t", name, read("answer", {"n": number}), f"text {number}")
    )
    return name


async def searched(opened: Stores, collection: Collection, text: str) -> list[tuple[str, float]]:
    found = await opened.collections.get(collection.tenant, collection.name, groups=frozenset())
    documents = await opened.collections.documents(found, None)
    current = {each.document_id: each.generation for each in documents if each.generation}
    hits = await opened.vectors.search(collection.table, vector=vector(text), text=text, k=5, current=current)
    return [(hit.chunk_id, round(hit.dense or 0.0, 5)) for hit in hits]


async def test_a_home_is_the_same_elsewhere(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    async with stores.open(settings) as opened:
        collection = await opened.collections.create("a", "plans", embedder="e")
        for name in ("one", "two"):
            await publish(opened, collection, name, f"text of {name}")
        _, secret = await opened.keys.create("k", scopes=frozenset({"chat"}))
        await opened.prompts.add("a", "greet", [Message("system", "Hi")], [])
        kept = await answer(opened, 1)
        hits = await searched(opened, collection, "text of one 1")
        await opened.cache.put("k", b"v", 1000, frozenset({"t"}))
        assert await opened.repeats.claim("a", "once", "me", 1000) == "mine"
        await opened.repeats.done("a", "once", "me", b"what was answered", frozenset({"t"}))
        data, report = made(settings)
    assert (report.documents, report.schema, report.missing) == (2, HEAD, [])
    restored = restore.read(io.BytesIO(data), tmp_path / "new", tell=quiet)
    assert (restored.documents, restored.files, restored.bytes) == (2, report.files, report.bytes)
    assert not list(tmp_path.glob(".restore-*"))
    assert not list((tmp_path / "home").glob(f"{STAGING}*"))
    async with stores.open(Settings(home=tmp_path / "new")) as opened:
        assert (await opened.events.get("a", kept)).content == "text 1"
        assert (await opened.keys.authenticate(secret)).scopes == {"chat"}
        assert (await opened.prompts.find("a", "greet", "1")).messages[0].content == "Hi"
        assert await searched(opened, collection, "text of one 1") == hits
        (first, *_) = await opened.collections.documents(collection, None)
        assert (await opened.collections.text(first)).startswith("text of")
        # Cached answers would outlive what they were made of.
        assert await opened.cache.get("k") is None
        assert await opened.repeats.claim("a", "once", "me", 1000) == "mine"
    assert b"what was answered" not in data


async def test_under_live_traffic_nothing_acknowledged_before_is_missing_and_all_of_it_is_of_one_moment(
    tmp_path: Path,
) -> None:
    settings = Settings(home=tmp_path / "home")
    stop = asyncio.Event()
    acknowledged: list[str] = []

    async with stores.open(settings) as opened:
        collections = [await opened.collections.create("a", name, embedder="e") for name in ("x", "y")]

        async def talking() -> None:
            while not stop.is_set():
                acknowledged.append(await answer(opened, len(acknowledged)))

        async def ingesting(collection: Collection) -> None:
            number = 0
            while not stop.is_set():
                number += 1
                await publish(opened, collection, f"d{number % 5}", f"version {number} of {collection.name}")
                if number % 7 == 0:
                    await opened.vectors.purge(collection.id)

        work = [asyncio.create_task(each) for each in (talking(), *map(ingesting, collections))]
        packed: list[tuple[list[str], bytes]] = []
        try:
            for _ in range(4):
                await asyncio.sleep(0.4)
                before = list(acknowledged)
                data, report = await asyncio.to_thread(made, settings)
                assert report.missing == []
                packed.append((before, data))
        finally:
            stop.set()
            await asyncio.gather(*work)
    assert len(packed[-1][0]) > len(packed[0][0]) > 0
    for number, (before, data) in enumerate(packed):
        home = tmp_path / f"new{number}"
        restore.read(io.BytesIO(data), home, tell=quiet)
        async with stores.open(Settings(home=home)) as again:
            there = {each.id for each in await again.events.find("a", kind="answer", limit=100_000)}
            assert set(before) <= there
            for collection in collections:
                for each in await again.collections.documents(collection, None):
                    if each.generation:
                        text = await again.collections.text(each)
                        rows = await again.vectors.read(collection.id, {each.document_id: each.generation})
                        assert [row.text for row in rows] == [f"{text} {n}" for n in range(3)]


def _changed(data: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """The pack with each member's bytes as ``change`` says; None leaves it out."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as source, tarfile.open(fileobj=out, mode="w") as copy:
        for member in source:
            file = source.extractfile(member)
            assert file is not None
            new = change(member.name, file.read())
            if new is not None:
                member.size = len(new)
                copy.addfile(member, io.BytesIO(new))
    return out.getvalue()


@pytest.fixture
async def packed(tmp_path: Path) -> bytes:
    settings = Settings(home=tmp_path / "home")
    async with stores.open(settings) as opened:
        collection = await opened.collections.create("a", "plans", embedder="e")
        await publish(opened, collection, "one", "text of one")
        return made(settings)[0]


def _head(**changes: object) -> Callable[[str, bytes], bytes]:
    return lambda name, data: json.dumps(json.loads(data) | changes).encode() if name == "head.json" else data


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda name, data: data[:-1] + b"x" if "/blobs/" in name else data, "is not what was packed"),
        (lambda name, data: None if "/blobs/" in name else data, "is missing"),
        (lambda name, data: None if name == "manifest.json" else data, "is cut short"),
        (lambda name, data: None if name == "head.json" else data, "does not begin as one"),
        (_head(schema="9999"), "which this version does not know"),
        (_head(format=2), "has format 2"),
    ],
)
def test_what_is_not_whole_or_newer_is_refused_and_nothing_is_left(
    packed: bytes, tmp_path: Path, change: Callable[[str, bytes], bytes | None], message: str
) -> None:
    with pytest.raises(StoreError, match=message):
        restore.read(io.BytesIO(_changed(packed, change)), tmp_path / "new", tell=quiet)
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".restore-*"))


@pytest.mark.parametrize("name", ["home/../evil", "/etc/evil", "home/a/../../../evil", "evil"])
def test_nothing_is_written_outside_of_the_home(tmp_path: Path, name: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as pack:
        for member, data in (("head.json", json.dumps({"format": 1, "schema": HEAD}).encode()), (name, b"x")):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            pack.addfile(info, io.BytesIO(data))
    with pytest.raises(StoreError, match="lies outside of it"):
        restore.read(io.BytesIO(out.getvalue()), tmp_path / "new", tell=quiet)
    assert not list(tmp_path.rglob("evil"))


def test_links_in_a_pack_are_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as pack:
        data = json.dumps({"format": 1, "schema": HEAD}).encode()
        info = tarfile.TarInfo("head.json")
        info.size = len(data)
        pack.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("home/mainspring.db")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        pack.addfile(link)
    with pytest.raises(StoreError, match="is not a plain file"):
        restore.read(io.BytesIO(out.getvalue()), tmp_path / "new", tell=quiet)


@pytest.mark.parametrize("part", [0, 100, 0.5, 0.99])
def test_a_pack_that_is_cut_off_is_refused(packed: bytes, tmp_path: Path, part: float) -> None:
    # Behind its last member a pack is padded with zeros, which nobody misses.
    end = int(part * len(packed.rstrip(b"\0"))) if isinstance(part, float) else int(part)
    with pytest.raises(StoreError, match="not a whole backup"):
        restore.read(io.BytesIO(packed[:end]), tmp_path / "new", tell=quiet)


def test_a_home_that_is_not_empty_is_left_alone(packed: bytes, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_text("x")
    with pytest.raises(Conflict, match="is not empty"):
        restore.read(io.BytesIO(packed), tmp_path / "new", tell=quiet)
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["mine"]
    (tmp_path / "new" / "mine").unlink()
    assert restore.read(io.BytesIO(packed), tmp_path / "new", tell=quiet).documents == 1


async def test_what_is_missing_is_named(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    async with stores.open(settings) as opened:
        collection = await opened.collections.create("a", "plans", embedder="e")
        await publish(opened, collection, "one", "text of one")
    shutil.rmtree(tmp_path / "home" / "vectors")
    with pytest.raises(StoreError, match="document one: 3 of 3 chunks"):
        made(settings)
    assert not list((tmp_path / "home").glob(f"{STAGING}*"))
    data, report = made(settings, keep_going=True)
    assert report.missing == ["document one: 3 of 3 chunks"]
    restored = restore.read(io.BytesIO(data), tmp_path / "new", tell=quiet)
    assert restored.missing == ("document one: 3 of 3 chunks",)


async def test_models_under_the_home_are_not_copied(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = Settings.model_validate({"home": home, "models": {"directory": home / "models"}})
    async with stores.open(settings):
        (home / "models").mkdir()
        (home / "models" / "weights").write_text("x")
        (home / "notes").mkdir()
        (home / "notes" / "mine").write_text("y")
        data, _ = made(settings)
    with tarfile.open(fileobj=io.BytesIO(data)) as pack:
        names = pack.getnames()
    assert "home/notes/mine" in names
    assert not [name for name in names if "weights" in name]


async def test_what_a_killed_backup_left_goes(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    async with stores.open(settings):
        left = tmp_path / "home" / f"{STAGING}left"
        left.mkdir()
        (left / "secret").write_text("x")
        data, _ = made(settings)
    assert not left.exists()
    with tarfile.open(fileobj=io.BytesIO(data)) as pack:
        assert not [name for name in pack.getnames() if "secret" in name]


async def test_of_two_backups_at_once_one_is_made(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    async with stores.open(settings):

        def within(stage: str, done: int, total: int) -> None:
            if stage == "Pack":
                with pytest.raises(Conflict, match="another backup"):
                    made(settings)

        backup.write(settings, io.BytesIO(), tell=within)
        made(settings)


async def test_a_damaged_database_is_no_backup(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    async with stores.open(settings) as opened:
        for number in range(50):
            await answer(opened, number)
        await opened.database.compact()
    path = tmp_path / "home" / "mainspring.db"
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 20))
    with pytest.raises((StoreError, sqlite3.DatabaseError)):
        made(settings)


def test_a_missing_home_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no database"):
        made(Settings(home=tmp_path))
