"""Questions that were answered, by their vectors: in memory, and in a file of its own that may be lost.

An entry names the cached answer that it leads to and holds none itself. Entries are separated by ``scope``, which says
for whom and under which conditions an answer may be reused. A search never crosses scopes. ``similar_redis.py`` keeps
the same in Redis; one conformance suite holds for both.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import StoreError
from mainspring.stores.sql.sidecar import Sidecar

FILE_NAME = "similar.db"
VERSION = 1
Floats = NDArray[np.float32]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS questions (
    id TEXT PRIMARY KEY, scope TEXT NOT NULL, tenant TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL,
    vector BLOB NOT NULL, expires_at REAL NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS questions_at ON questions (at);
CREATE TABLE IF NOT EXISTS question_tags (tag TEXT, id TEXT, PRIMARY KEY (tag, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS question_tags_id ON question_tags (id);
CREATE TABLE IF NOT EXISTS wrong (tenant TEXT, at REAL);
"""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """A question under ``id``. ``answer`` is its key in the answer cache, ``vector`` (dimensions,) of unit length;
    times are Unix seconds."""

    id: str
    scope: str
    tenant: str
    question: str
    answer: str
    vector: Floats
    expires_at: float
    at: float
    tags: frozenset[str] = frozenset()


class SimilarStore(Protocol):
    """The interface of both kinds of index. All may raise ``StoreError``; losing everything loses nothing."""

    async def add(self, question: Question) -> None:
        """Keep it until its time is over, in place of the same question of its scope."""
        ...

    async def nearest(self, scope: str, vector: Floats, limit: int) -> list[tuple[Question, float]]:
        """The most similar questions of ``scope`` with their cosines, best first."""
        ...

    async def remove(self, tenant: str, entry_id: str) -> bool:
        """Drop one; whether the tenant had it."""
        ...

    async def invalidate(self, tag: str) -> int:
        """Drop all entries with this tag; returns their number."""
        ...

    async def count(self, tag: str) -> int:
        """How many carry this tag."""
        ...

    async def note_wrong(self, tenant: str) -> None:
        """Note that an answer was given for a question that it does not answer."""
        ...

    async def wrong_since(self, tenant: str, since: float) -> int:
        """How often that was, from ``since`` (Unix seconds) on."""
        ...

    async def expire(self) -> int:
        """Drop expired entries; returns their number."""
        ...

    async def compact(self) -> None:
        """Remove deleted data from files and logs."""
        ...

    async def close(self) -> None: ...


class _Scope:
    """The questions of one scope with their vectors in one array, whose first ``len(ids)`` rows count."""

    def __init__(self, dimensions: int) -> None:
        self.ids: list[str] = []
        self._at: dict[str, int] = {}
        self._rows: Floats = np.empty((4, dimensions), np.float32)

    def add(self, entry_id: str, vector: Floats) -> None:
        if len(self.ids) == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[len(self.ids)] = vector
        self._at[entry_id] = len(self.ids)
        self.ids.append(entry_id)

    def remove(self, entry_id: str) -> None:
        at, last = self._at.pop(entry_id), self.ids.pop()
        if last != entry_id:
            self.ids[at] = last
            self._at[last] = at
            self._rows[at] = self._rows[len(self.ids)]

    def nearest(self, vector: Floats, limit: int) -> list[tuple[str, float]]:
        if vector.shape != self._rows.shape[1:]:
            # Embedded with another model: nothing compares.
            return []
        cosines = self._rows[: len(self.ids)] @ vector
        best = np.argsort(-cosines)[:limit]
        return [(self.ids[index], float(cosines[index])) for index in best]


class SimilarQuestions:
    """At most ``entries`` questions; those not asked for the longest time leave first."""

    def __init__(self, path: Path, entries: int) -> None:
        self._file = Sidecar(path, _SCHEMA, version=VERSION)
        self._limit = entries
        self._entries: OrderedDict[str, Question] = OrderedDict()
        self._scopes: dict[str, _Scope] = {}
        self._same: dict[tuple[str, str], str] = {}
        self._loading = asyncio.Lock()
        self._loaded = False

    async def add(self, question: Question) -> None:
        await self._load()
        gone = self._put(question)
        await self._file.run(lambda connection: _write(connection, question, gone))

    async def nearest(self, scope: str, vector: Floats, limit: int) -> list[tuple[Question, float]]:
        await self._load()
        found = self._scopes.get(scope)
        now = time.time()
        near = [(self._entries[each], cosine) for each, cosine in found.nearest(vector, limit)] if found else []
        for question, _ in near:
            self._entries.move_to_end(question.id)
        return [(question, cosine) for question, cosine in near if question.expires_at > now]

    async def remove(self, tenant: str, entry_id: str) -> bool:
        await self._load()
        question = self._entries.get(entry_id)
        if question is None or question.tenant != tenant:
            return False
        self._drop([entry_id])
        await self._file.run(lambda connection: _delete(connection, [entry_id]))
        return True

    async def invalidate(self, tag: str) -> int:
        await self._load()
        gone = [question.id for question in self._entries.values() if tag in question.tags]
        self._drop(gone)
        # The file may contain entries that were evicted from this memory, or that another process wrote.
        return await self._file.run(lambda connection: _delete_tag(connection, tag, gone))

    async def count(self, tag: str) -> int:
        await self._load()
        now = time.time()
        return sum(tag in each.tags and each.expires_at > now for each in self._entries.values())

    async def note_wrong(self, tenant: str) -> None:
        values = (tenant, time.time())
        await self._file.run(lambda connection: connection.execute("INSERT INTO wrong VALUES (?, ?)", values) and None)

    async def wrong_since(self, tenant: str, since: float) -> int:
        query = "SELECT COUNT(*) FROM wrong WHERE tenant = ? AND at >= ?"
        return await self._file.run(lambda connection: int(connection.execute(query, (tenant, since)).fetchone()[0]))

    async def expire(self) -> int:
        """Raises ``StoreError``."""
        await self._load()
        now = time.time()
        self._drop([each.id for each in self._entries.values() if each.expires_at <= now])

        def work(connection: sqlite3.Connection) -> int:
            gone = connection.execute("DELETE FROM questions WHERE expires_at <= ?", (now,)).rowcount
            connection.execute("DELETE FROM question_tags WHERE id NOT IN (SELECT id FROM questions)")
            return gone

        return await self._file.run(work)

    async def compact(self) -> None:
        """Raises ``StoreError``."""
        await self._file.run(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)") and None)

    async def close(self) -> None:
        """Idempotent."""
        await self._file.close()

    async def _load(self) -> None:
        if self._loaded:
            return
        async with self._loading:
            if self._loaded:
                return
            try:
                for question in await self._file.run(lambda connection: _read(connection, self._limit)):
                    self._put(question)
            except StoreError as error:
                _log.warning("the index of questions was not read: %s", error)
            self._loaded = True

    def _put(self, question: Question) -> list[str]:
        """Add the entry; returns the ids of entries that it displaces."""
        gone = [earlier] if (earlier := self._same.get((question.scope, question.question))) else []
        self._drop(gone)
        if len(self._entries) >= self._limit:
            oldest = next(iter(self._entries))
            gone.append(oldest)
            self._drop([oldest])
        scope = self._scopes.setdefault(question.scope, _Scope(len(question.vector)))
        self._entries[question.id] = question
        self._same[question.scope, question.question] = question.id
        scope.add(question.id, question.vector)
        return gone

    def _drop(self, ids: Iterable[str]) -> None:
        for each in ids:
            question = self._entries.pop(each)
            del self._same[question.scope, question.question]
            scope = self._scopes[question.scope]
            scope.remove(each)
            if not scope.ids:
                del self._scopes[question.scope]


def _read(connection: sqlite3.Connection, limit: int) -> list[Question]:
    now = time.time()
    connection.execute("DELETE FROM questions WHERE expires_at <= ?", (now,))
    connection.execute("DELETE FROM question_tags WHERE id NOT IN (SELECT id FROM questions)")
    tags: dict[str, set[str]] = {}
    for tag, entry_id in connection.execute("SELECT tag, id FROM question_tags"):
        tags.setdefault(entry_id, set()).add(tag)
    query = "SELECT id, scope, tenant, question, answer, vector, expires_at, at FROM questions ORDER BY at DESC LIMIT ?"
    rows: list[Any] = connection.execute(query, (limit,)).fetchall()
    return [
        Question(
            name,
            scope,
            tenant,
            question,
            answer,
            np.frombuffer(vector, np.float32),
            end,
            at,
            frozenset(tags.get(name, ())),
        )
        for name, scope, tenant, question, answer, vector, end, at in reversed(rows)
    ]


def _write(connection: sqlite3.Connection, question: Question, gone: list[str]) -> None:
    _delete(connection, gone)
    row = (question.id, question.scope, question.tenant, question.question, question.answer)
    connection.execute(
        "INSERT OR REPLACE INTO questions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*row, question.vector.tobytes(), question.expires_at, question.at),
    )
    tags = [(tag, question.id) for tag in question.tags]
    connection.executemany("INSERT OR IGNORE INTO question_tags VALUES (?, ?)", tags)


def _delete(connection: sqlite3.Connection, ids: Iterable[str]) -> None:
    names = [(each,) for each in ids]
    connection.executemany("DELETE FROM questions WHERE id = ?", names)
    connection.executemany("DELETE FROM question_tags WHERE id = ?", names)


def _delete_tag(connection: sqlite3.Connection, tag: str, ids: list[str]) -> int:
    found = {each for (each,) in connection.execute("SELECT id FROM question_tags WHERE tag = ?", (tag,))} | set(ids)
    _delete(connection, found)
    return len(found)
