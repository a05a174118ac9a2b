"""The answer cache: bytes under a key for a time, in memory and in a file of its own that may be lost.

``cache_redis.py`` keeps the same in Redis; one conformance suite holds for both.

Entries carry tags; whatever a tag names is dropped at once by ``invalidate``. Reads look into memory, then into
the file; writes reach the file in batches, off the path of the answer.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cachetools import LRUCache

from mainspring.core.errors import MainspringError
from mainspring.stores.sql.sidecar import Sidecar

FILE_NAME = "cache.db"
VERSION = 1
MEMORY_BYTES = 64 * 2**20
FLUSH_S = 0.05
# Writes between two sweeps for expired and excess entries.
PRUNE_EVERY = 1000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, expires_at REAL NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_at ON entries (at);
CREATE TABLE IF NOT EXISTS tags (tag TEXT, key TEXT, PRIMARY KEY (tag, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tags_key ON tags (key);
"""
_log = logging.getLogger(__name__)


def made_for(answer_id: str) -> str:
    """The tag of everything cached from one answer, under any key."""
    return f"answer:{answer_id}"


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes
    expires_at: float
    tags: frozenset[str]


class AnswerStore(Protocol):
    """The interface of both kinds of answer cache. All may raise ``StoreError``; losing everything loses nothing."""

    async def get(self, key: str) -> bytes | None:
        """The value; None if there is none or it has expired."""
        ...

    async def put(self, key: str, value: bytes, ttl_s: float, tags: frozenset[str] = frozenset()) -> None:
        """Keep ``value`` for ``ttl_s`` seconds, under these tags alone."""
        ...

    async def delete(self, key: str) -> bool:
        """Drop one entry; whether there was one."""
        ...

    async def invalidate(self, tag: str) -> int:
        """Drop every entry with this tag; returns their number."""
        ...

    async def count(self, tag: str) -> int:
        """How many entries carry this tag."""
        ...

    async def expire(self) -> int:
        """Drop expired entries; returns their number."""
        ...

    async def compact(self) -> None:
        """Remove deleted data from files and logs."""
        ...

    async def close(self) -> None:
        """Write pending data."""
        ...


class AnswerCache:
    """At most ``entries`` answers (in memory also at most 64 MB). Keys hold the tenant and the fingerprint."""

    def __init__(self, path: Path, entries: int) -> None:
        self._file = Sidecar(path, _SCHEMA, version=VERSION)
        self._limit = entries
        floor = MEMORY_BYTES // entries
        self._memory: LRUCache[str, _Entry] = LRUCache(
            MEMORY_BYTES, getsizeof=lambda entry: max(len(entry.value), floor, 1)
        )
        self._unwritten: dict[str, _Entry] = {}
        self._writer: asyncio.Task[None] | None = None
        self._invalidations = 0
        self._written = 0

    async def get(self, key: str) -> bytes | None:
        """The value; None if there is none or it has expired. A failing file counts as empty."""
        entry = self._memory.get(key) or self._unwritten.get(key)
        if entry is None:
            entry = await self._read(key)
        if entry is None or entry.expires_at <= time.time():
            return None
        return entry.value

    async def put(self, key: str, value: bytes, ttl_s: float, tags: frozenset[str] = frozenset()) -> None:
        """Keep ``value`` for ``ttl_s`` seconds. Values above the whole memory's size are only in the file."""
        entry = _Entry(value, time.time() + ttl_s, tags)
        self._remember(key, entry)
        self._unwritten[key] = entry
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_behind(), name="write cache")

    async def delete(self, key: str) -> bool:
        """Drop one entry, from memory and file; whether there was one. Raises ``StoreError`` when the file fails."""
        self._invalidations += 1
        there = [entries.pop(key, None) for entries in (self._memory, self._unwritten)]
        found = await self._file.run(lambda connection: _drop(connection, {key}))
        return bool(found) or any(there)

    async def invalidate(self, tag: str) -> int:
        """Drop every entry with this tag, from memory and file. Raises ``StoreError`` when the file fails."""
        self._invalidations += 1
        dropped: set[str] = set()
        for entries in (self._memory, self._unwritten):
            for key in [key for key, entry in entries.items() if tag in entry.tags]:
                del entries[key]
                dropped.add(key)
        # The file may hold an older value of such a key, under other tags, which must not come back.
        return await self._file.run(lambda connection: len(_drop_tag(connection, tag, dropped)))

    async def count(self, tag: str) -> int:
        """How many entries carry this tag. Raises ``StoreError`` when the file fails."""
        now = time.time()
        live = {key for key, entry in self._unwritten.items() if tag in entry.tags and entry.expires_at > now}
        return len(live | await self._file.run(lambda connection: _keys(connection, tag, now)))

    async def expire(self) -> int:
        """Drop expired entries from memory and file. Raises ``StoreError``."""
        now = time.time()
        for entries in (self._memory, self._unwritten):
            for key in [key for key, entry in entries.items() if entry.expires_at <= now]:
                del entries[key]
        return await self._file.run(lambda connection: _expire(connection, now))

    async def compact(self) -> None:
        """Drop what deleted entries left behind in the file's log. Raises ``StoreError``."""
        await self._file.run(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)") and None)

    async def close(self) -> None:
        """Write pending data."""
        while self._writer is not None:
            await asyncio.wait([self._writer])
        await self._file.close()

    async def _read(self, key: str) -> _Entry | None:
        before = self._invalidations
        try:
            found = await self._file.run(lambda connection: _select(connection, key))
        except MainspringError as error:
            _log.warning("the answer cache was not read: %s", error)
            return None
        # A value that was read before an invalidation may be one that it dropped.
        if found is None or before != self._invalidations:
            return None
        self._remember(key, found)
        return found

    def _remember(self, key: str, entry: _Entry) -> None:
        if len(entry.value) <= MEMORY_BYTES // 16:
            self._memory[key] = entry
        else:
            self._memory.pop(key, None)

    async def _write_behind(self) -> None:
        try:
            while self._unwritten:
                await asyncio.sleep(FLUSH_S)
                await self._flush()
        finally:
            self._writer = None

    async def _flush(self) -> None:
        batch = dict(self._unwritten)
        self._written += len(batch)
        prune = self._written >= PRUNE_EVERY
        if prune:
            self._written = 0
        limit = self._limit if prune else None
        try:
            # There is no await between the copy and this line: a later invalidation runs after it in the file's
            # thread.
            await self._file.run(lambda connection: _write(connection, batch, limit))
        except MainspringError as error:
            _log.warning("%d answers were not cached: %s", len(batch), error)
        for key, entry in batch.items():
            if self._unwritten.get(key) is entry:
                del self._unwritten[key]


def _select(connection: sqlite3.Connection, key: str) -> _Entry | None:
    row = connection.execute("SELECT value, expires_at FROM entries WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    tags = connection.execute("SELECT tag FROM tags WHERE key = ?", (key,))
    return _Entry(row[0], row[1], frozenset(tag for (tag,) in tags))


def _write(connection: sqlite3.Connection, batch: dict[str, _Entry], limit: int | None) -> None:
    now = time.time()
    connection.executemany("DELETE FROM tags WHERE key = ?", [(key,) for key in batch])
    connection.executemany(
        "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)",
        [(key, entry.value, entry.expires_at, now) for key, entry in batch.items()],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO tags VALUES (?, ?)",
        [(tag, key) for key, entry in batch.items() for tag in entry.tags],
    )
    if limit is not None:
        connection.execute("DELETE FROM entries WHERE expires_at <= ?", (now,))
        connection.execute(
            "DELETE FROM entries WHERE key IN (SELECT key FROM entries ORDER BY at DESC LIMIT -1 OFFSET ?)",
            (limit,),
        )
        connection.execute("DELETE FROM tags WHERE key NOT IN (SELECT key FROM entries)")


def _expire(connection: sqlite3.Connection, now: float) -> int:
    gone = connection.execute("DELETE FROM entries WHERE expires_at <= ?", (now,)).rowcount
    connection.execute("DELETE FROM tags WHERE key NOT IN (SELECT key FROM entries)")
    return gone


def _drop_tag(connection: sqlite3.Connection, tag: str, keys: set[str]) -> set[str]:
    keys = keys | {key for (key,) in connection.execute("SELECT key FROM tags WHERE tag = ?", (tag,))}
    _drop(connection, keys)
    return keys


def _drop(connection: sqlite3.Connection, keys: Iterable[str]) -> int:
    names = [(key,) for key in keys]
    gone = connection.executemany("DELETE FROM entries WHERE key = ?", names).rowcount
    connection.executemany("DELETE FROM tags WHERE key = ?", names)
    return gone


def _keys(connection: sqlite3.Connection, tag: str, now: float) -> set[str]:
    query = "SELECT key FROM tags JOIN entries USING (key) WHERE tag = ? AND expires_at > ?"
    return {key for (key,) in connection.execute(query, (tag, now))}
