"""Searches for a text in everything that a store may have written, in any format, compression and age.

``places(home)`` gives each thing that a file holds, decoded, with where it was found; ``holding`` those with a marker.
Of SQLite files that is their bytes (free pages and slack among them), their write-ahead log, pages joined where a long
text goes on in the next, and every value of every row, compressed ones opened; of Lance tables every column of every
version and the bytes of their files; Parquet and Arrow files, archives and compressed files, each opened.
``test_decoder.py`` plants a marker in each of these and finds it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import shutil
import sqlite3
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

SQLITE = b"SQLite format 3\0"
_WAL = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_DEEPEST = 4


async def holding(home: Path, marker: str) -> list[str]:
    """Where below ``home`` the marker is."""
    wanted = forms(marker)
    return [where async for where, data in places(home) if any(form in data for form in wanted)]


async def matching(home: Path, pattern: re.Pattern[bytes]) -> list[str]:
    """Where below ``home`` something is that has this shape."""
    return [where async for where, data in places(home) if pattern.search(data)]


def forms(marker: str) -> set[bytes]:
    """How a text may be written."""
    plain = {marker, marker.lower(), marker.upper(), marker.title()}
    return {form.encode(coding) for form in plain for coding in ("utf-8", "utf-16-le", "utf-16-be")} | {
        json.dumps(form)[1:-1].encode() for form in plain
    }


async def places(home: Path) -> Any:
    """Everything below ``home``: where, and the bytes of it, or of what it decodes to."""
    for path in sorted(each for each in home.rglob("*") if each.is_file()):
        where = str(path.relative_to(home))
        if path.suffix in ("-shm",) or path.name.endswith("-shm"):
            continue
        for inner, data in unfolded(path.read_bytes()):
            yield f"{where}{inner}", data
        if path.read_bytes()[:16] == SQLITE:
            for inner, data in sqlite_rows(path):
                yield f"{where}{inner}", data
    for folder in sorted({each.parent for each in home.rglob("*.lance") if each.is_dir()}):
        async for inner, data in lance_rows(folder):
            yield f"{folder.relative_to(home)}/{inner}", data


def unfolded(data: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """``data``, and what it holds where it is an archive, compressed, or a table."""
    yield "", data
    if depth >= _DEEPEST:
        return
    for name, inner in (*_opened(data), *_pages(data)):
        for further, found in unfolded(inner, depth + 1):
            yield f"!{name}{further}", found


def _opened(data: bytes) -> Iterator[tuple[str, bytes]]:
    readers = (_gzip, _zlib, _zstd, _bzip2, _xz, _zip, _tar, _parquet, _arrow)
    for reader in readers:
        yield from reader(data)


def _gzip(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:2] == b"\x1f\x8b":
        yield "gzip", gzip.decompress(data)


def _zlib(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:1] == b"\x78" and data[1:2] in (b"\x01", b"\x5e", b"\x9c", b"\xda"):
        try:
            yield "zlib", zlib.decompressobj().decompress(data)
        except zlib.error:
            return


def _zstd(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:4] == b"\x28\xb5\x2f\xfd":
        with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
            yield "zstd", stream.read()


def _bzip2(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:3] == b"BZh":
        yield "bzip2", bz2.decompress(data)


def _xz(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:6] == b"\xfd7zXZ\0":
        yield "xz", lzma.decompress(data)


def _zip(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield name, archive.read(name)


def _tar(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive.getmembers():
                if file := archive.extractfile(member):
                    yield member.name, file.read()


def _parquet(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:4] == b"PAR1":
        yield "parquet", _table(pyarrow.parquet.read_table(io.BytesIO(data)))


def _arrow(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:6] == b"ARROW1":
        yield "arrow", _table(pyarrow.ipc.open_file(io.BytesIO(data)).read_all())
    elif data[:4] == b"\xff\xff\xff\xff":
        try:
            yield "arrow stream", _table(pyarrow.ipc.open_stream(io.BytesIO(data)).read_all())
        except pa.ArrowException:
            return


def _pages(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Pages of a database or of its log one after the other, without what stands between the parts of a long text."""
    if data[:16] == SQLITE:
        size = int.from_bytes(data[16:18]) or 65536
        size = 65536 if size == 1 else size
        pages = [data[start : start + size] for start in range(0, len(data), size)]
    elif data[:4] in _WAL and len(data) > 32:
        size = int.from_bytes(data[8:12])
        pages = [data[start + 24 : start + 24 + size] for start in range(32, len(data), size + 24)]
    else:
        return
    # A page of an overflow chain begins with the number of the next one.
    yield "pages", b"".join(page[4:] for page in pages)


def _table(table: pa.Table) -> bytes:
    return _values(table.to_pylist())


def _values(rows: list[Any]) -> bytes:
    parts: list[bytes] = []

    def collect(value: Any) -> None:
        if isinstance(value, bytes):
            parts.extend(data for _, data in unfolded(value, 1))
        elif isinstance(value, dict):
            for each in value.values():
                collect(each)
        elif isinstance(value, list | tuple):
            if len(value) < 64 or not isinstance(value[0], float):
                for each in value:
                    collect(each)
        elif value is not None:
            parts.append(str(value).encode("utf-8", "replace"))

    collect(rows)
    return b"\n".join(parts)


def sqlite_rows(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every value of every row, the log applied."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        for suffix in ("", "-wal"):
            if Path(f"{path}{suffix}").exists():
                shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
        connection = sqlite3.connect(copy)
        connection.text_factory = bytes
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in tables:
            table = name.decode()
            rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
            yield f"!{table}", _values([list(row) for row in rows])
        connection.close()


async def lance_rows(folder: Path) -> Any:
    """Every value of every version of every table in ``folder``."""
    import lancedb

    connection = await lancedb.connect_async(str(folder))
    for home in sorted(folder.glob("*.lance")):
        table: Any = await connection.open_table(home.stem)
        for version in await table.list_versions():
            try:
                await table.checkout(version["version"])
                found = await table.query().to_arrow()
            except (RuntimeError, ValueError, OSError):
                # It was let go of between the list and the look.
                continue
            yield f"{home.name}!version {version['version']}", _table(found)
    connection.close()  # type: ignore[no-untyped-call]


async def redis_places(url: str) -> Any:
    """Every key of a Redis server and all that is under it."""
    import redis.asyncio as client

    server: Any = client.Redis.from_url(url)
    try:
        async for key in server.scan_iter():
            kind = (await server.type(key)).decode()
            match kind:
                case "string":
                    value: Any = await server.get(key)
                case "hash":
                    value = list((await server.hgetall(key)).items())
                case "set":
                    value = list(await server.smembers(key))
                case "zset":
                    value = [name for name, _ in await server.zrange(key, 0, -1, withscores=True)]
                case "list":
                    value = await server.lrange(key, 0, -1)
                case _:
                    value = await server.execute_command("DUMP", key)
            yield f"redis!{key.decode('utf-8', 'replace')}", key + b"\n" + _values([value])
    finally:
        await server.aclose()


async def postgres_places(url: str) -> Any:
    """Every value of every row that a Postgres shows."""
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for table in tables:
            rows = await connection.fetch(f'SELECT * FROM "{table["tablename"]}"')
            yield f"postgres!{table['tablename']}", _values([list(row.values()) for row in rows])
    finally:
        await connection.close()
