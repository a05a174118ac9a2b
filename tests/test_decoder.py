"""The decoder finds a marker that is planted in each format, and finds it nowhere else."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import sqlite3
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

from mainspring.stores.vectors.base import ChunkRow
from mainspring.stores.vectors.lance import LanceVectors
from tests.databases import MISSING, named
from tests.decoder import holding, postgres_places, redis_places

MARKER = "quinzelbrand"
# So varied that compressing it does not leave it as it is.
WORDS = "".join(random.Random(7).choices("etaoinshrdlu     ", k=6000))
TEXT = f"{WORDS[:3000]} {MARKER} {WORDS[3000:]}"


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue().to_pybytes())


def zipped(data: bytes) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner/file.txt", data)
    return whole.getvalue()


def tarred(data: bytes) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        member = tarfile.TarInfo("file.txt")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return whole.getvalue()


def table() -> pa.Table:
    return pa.table({"number": [1, 2], "text": [TEXT, "nothing"], "nested": [[{"a": "b"}], []]})


def parquet(compression: str) -> bytes:
    whole = io.BytesIO()
    pyarrow.parquet.write_table(table(), whole, compression=compression)
    return whole.getvalue()


def arrow(*, stream: bool) -> bytes:
    whole = io.BytesIO()
    options = pyarrow.ipc.IpcWriteOptions(compression="zstd")
    make = pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file
    with make(whole, table().schema, options=options) as writer:
        writer.write_table(table())
    return whole.getvalue()


PLAIN = TEXT.encode()
FILES: dict[str, Callable[[], bytes]] = {
    "plain": lambda: b"\0\1" + PLAIN,
    "utf-16": lambda: TEXT.encode("utf-16-le"),
    "gzip": lambda: gzip.compress(PLAIN),
    "zlib": lambda: zlib.compress(PLAIN),
    "zstd": lambda: zstd(PLAIN),
    "bzip2": lambda: bz2.compress(PLAIN),
    "xz": lambda: lzma.compress(PLAIN),
    "zip": lambda: zipped(PLAIN),
    "tar.gz": lambda: tarred(PLAIN),
    "gzip in zip": lambda: zipped(gzip.compress(PLAIN)),
    "json": lambda: json.dumps({"text": f"\n{MARKER}"}).encode(),
    "parquet": lambda: parquet("zstd"),
    "parquet snappy": lambda: parquet("snappy"),
    "arrow": lambda: arrow(stream=False),
    "arrow stream": lambda: arrow(stream=True),
}
# Those in which the bytes alone do not show it: the plant proves that decoding is what finds it.
HIDDEN = ("gzip", "zlib", "zstd", "bzip2", "xz", "zip", "tar.gz", "gzip in zip", "parquet", "arrow", "arrow stream")


@pytest.mark.parametrize("name", FILES)
async def test_files(tmp_path: Path, name: str) -> None:
    (tmp_path / "other.bin").write_bytes(gzip.compress(b"innocent"))
    assert not await holding(tmp_path, MARKER)
    data = FILES[name]()
    if name in HIDDEN:
        assert MARKER.encode() not in data
    (tmp_path / "planted.bin").write_bytes(data)
    found = await holding(tmp_path, MARKER)
    assert found
    assert all(each.startswith("planted.bin") for each in found)


def database(path: Path, *, secure: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA secure_delete={'ON' if secure else 'OFF'}")
    connection.execute("CREATE TABLE told (id INTEGER PRIMARY KEY, text, data BLOB)")
    return connection


async def test_rows_of_sqlite_and_what_deleted_ones_leave_behind(tmp_path: Path) -> None:
    connection = database(tmp_path / "some.db")
    connection.execute("INSERT INTO told VALUES (1, ?, NULL)", (TEXT,))
    assert any(each.startswith("some.db-wal") for each in await holding(tmp_path, MARKER))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert "some.db!told" in await holding(tmp_path, MARKER)
    connection.execute("DELETE FROM told")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    # No row shows it any more, and its bytes are there.
    assert await holding(tmp_path, MARKER) == ["some.db", "some.db!pages"]
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert await holding(tmp_path, MARKER) == []
    connection.close()


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, zstd], ids=["gzip", "zlib", "zstd"])
async def test_compressed_values_of_sqlite(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    connection = database(tmp_path / "some.db", secure=True)
    connection.execute("INSERT INTO told VALUES (1, NULL, ?)", (pack(PLAIN),))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert await holding(tmp_path, MARKER) == ["some.db!told"]
    connection.execute("DELETE FROM told")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert await holding(tmp_path, MARKER) == []
    connection.close()


async def test_a_marker_that_goes_over_the_end_of_a_page(tmp_path: Path) -> None:
    """A long text goes on in the next page, behind the number of the one after that."""
    split = 0
    for offset in range(4900, 4940, 4):
        folder = tmp_path / str(offset)
        folder.mkdir()
        connection = database(folder / "some.db")
        connection.execute("INSERT INTO told (text) VALUES (?)", ("x" * offset + MARKER + "x" * (9000 - offset),))
        connection.execute("DELETE FROM told")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        split += MARKER.encode() not in (folder / "some.db").read_bytes()
        assert "some.db!pages" in await holding(folder, MARKER)
        connection.close()
    assert split


def row(name: str, text: str) -> ChunkRow:
    vector = np.ones(16, np.float32) / 4
    return ChunkRow(f"{name}.1.0", name, 1, text, 0, len(text), None, "", vector)


async def test_lance_tables_in_all_their_versions(tmp_path: Path) -> None:
    vectors = LanceVectors(tmp_path / "vectors")
    await vectors.write("c", [row("kept", "a story of something else")] * 1)
    await vectors.write("c", [row("gone", TEXT)])
    assert any("version" in each for each in await holding(tmp_path, MARKER))
    await vectors.delete("c", "gone")
    # An older version has it.
    assert any("version" in each for each in await holding(tmp_path, MARKER))
    await vectors.purge("c")
    assert await holding(tmp_path, MARKER) == []
    assert await holding(tmp_path, "something else")
    await vectors.close()


async def test_redis(redis_url: str) -> None:
    import redis.asyncio as client

    server = client.Redis.from_url(redis_url)
    try:
        await server.set("decoder:a", gzip.compress(PLAIN))
        await server.hset("decoder:b", mapping={"text": TEXT})
        await server.sadd("decoder:c", TEXT)
        await server.zadd("decoder:d", {TEXT: 1.0})
        await server.rpush("decoder:e", TEXT)
        await server.set(f"decoder:{MARKER}", "x")
        found = [where async for where, data in redis_places(redis_url) if MARKER.encode() in data]
        assert sorted(found) == sorted([*(f"redis!decoder:{each}" for each in "abcde"), f"redis!decoder:{MARKER}"])
    finally:
        for key in [each async for each in server.scan_iter("decoder:*")]:
            await server.delete(key)
        await server.aclose()


async def test_postgres() -> None:
    if not (url := named()):
        pytest.skip(MISSING)
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TABLE decoder_test (text text, data bytea)")
        await connection.execute("INSERT INTO decoder_test VALUES ('', $1)", gzip.compress(PLAIN))
        assert [where async for where, data in postgres_places(url) if MARKER.encode() in data] == [
            "postgres!decoder_test"
        ]
    finally:
        await connection.execute("DROP TABLE decoder_test")
        await connection.close()
