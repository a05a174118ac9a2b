"""Spans: the timed steps of traces. Telemetry: sampled, expiring, in a file that may be lost.

A span holds neither prompts nor answers, but it names models, and collections are models. So it is stored under the
tenant and the groups of the asking key, and only callers in all of these groups can read it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

import mainspring.stores.sql.rows as rows
from mainspring.stores.sql.sidecar import Sidecar

FILE_NAME = "spans.db"
VERSION = 2

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spans (
    trace_id TEXT, span_id TEXT, parent_id TEXT, name TEXT NOT NULL, start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL, status TEXT NOT NULL, attributes TEXT NOT NULL, tenant TEXT NOT NULL,
    groups TEXT NOT NULL, root INTEGER NOT NULL, PRIMARY KEY (trace_id, span_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spans_end ON spans (end_ns);
CREATE INDEX IF NOT EXISTS spans_roots ON spans (tenant, start_ns) WHERE root;
"""


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A finished span. Times are Unix nanoseconds, ``attributes`` is JSON text. ``tenant`` and ``groups`` (as
    ``rows.names`` writes them) belong to the asking key; ``root``: no span of ours is above it."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    status: str
    attributes: str = "{}"
    tenant: str = ""
    groups: str = "[]"
    root: bool = False


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """Which traces are listed. ``model`` is the requested name; ``least_ns`` is a minimum in nanoseconds;
    ``before_ns``: started before this Unix time in nanoseconds; ``least_nanousd``: minimum total cost; ``answered``:
    whether documents answered; ``traces``: one of these, as JSON. None: any."""

    model: str | None = None
    status: str | None = None
    operation: str | None = None
    least_ns: int | None = None
    since_ns: int | None = None
    before_ns: int | None = None
    least_nanousd: int | None = None
    key_id: str | None = None
    session_id: str | None = None
    answered: bool | None = None
    traces: str | None = None


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A trace in a list: its outermost span, its number of spans, and the total cost of its model calls."""

    root: SpanRow
    spans: int
    cost_nanousd: int


_NAMES = tuple(field.name for field in fields(SpanRow))
_values = attrgetter(*_NAMES)
_COLUMNS = ", ".join(_NAMES)
# In all groups of the key that asked.
_SEEN = "tenant = :tenant AND NOT EXISTS (SELECT 1 FROM json_each(groups) WHERE value NOT IN (SELECT value FROM json_each(:groups)))"  # noqa: E501
_FILTERS = {
    "model": "json_extract(attributes, '$.\"gen_ai.request.model\"') = :model",
    "status": "status = :status",
    "key_id": "json_extract(attributes, '$.\"mainspring.key_id\"') = :key_id",
    "session_id": "json_extract(attributes, '$.\"mainspring.session_id\"') = :session_id",
    "answered": "json_extract(attributes, '$.\"mainspring.answered\"') = :answered",
    "traces": "trace_id IN (SELECT value FROM json_each(:traces))",
    "operation": "COALESCE(json_extract(attributes, '$.\"gen_ai.operation.name\"'), name) = :operation",
    "least_ns": "end_ns - start_ns >= :least_ns",
    "since_ns": "start_ns >= :since_ns",
    "before_ns": "start_ns < :before_ns",
    "least_nanousd": f"""(SELECT COALESCE(SUM(json_extract(attributes, '$."mainspring.cost_nanousd"')), 0)
        FROM spans AS below WHERE below.trace_id = spans.trace_id AND {_SEEN}) >= :least_nanousd""",  # noqa: S608
}


class Spans:
    """The local span store."""

    def __init__(self, path: Path) -> None:
        self._file = Sidecar(path, _SCHEMA, version=VERSION)

    async def write(self, batch: Sequence[SpanRow]) -> None:
        """Keep a batch in one transaction; a span that is kept already is replaced. Raises ``StoreError``."""
        values = [_values(row) for row in batch]
        statement = f"INSERT OR REPLACE INTO spans ({_COLUMNS}) VALUES ({', '.join('?' * len(_NAMES))})"  # noqa: S608

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(statement, values)

        if values:
            await self._file.run(work)

    async def trace(self, trace_id: str) -> list[SpanRow]:
        """The spans of a trace in order of their start, without an access check: for the operator at the machine."""
        query = f"SELECT {_COLUMNS} FROM spans WHERE trace_id = ? ORDER BY start_ns, span_id"  # noqa: S608
        found = await self._file.run(lambda connection: connection.execute(query, (trace_id,)).fetchall())
        return [_row(values) for values in found]

    async def seen(self, tenant: str, groups: frozenset[str], trace_id: str) -> list[SpanRow]:
        """The spans of a trace that a key of ``tenant`` in ``groups`` may see, in the order in which they began.

        A trace id comes from the caller where it sends one: other tenants may have spans under the same.
        """
        query = f"SELECT {_COLUMNS} FROM spans WHERE trace_id = :trace_id AND {_SEEN} ORDER BY start_ns, span_id"  # noqa: S608
        values = {"trace_id": trace_id, **_who(tenant, groups)}
        found = await self._file.run(lambda connection: connection.execute(query, values).fetchall())
        return [_row(each) for each in found]

    async def every_group(self, tenant: str) -> frozenset[str]:
        """The groups that any span of ``tenant`` is kept under: for the operator at the machine."""
        query = "SELECT DISTINCT value FROM spans, json_each(spans.groups) WHERE tenant = ?"
        found = await self._file.run(lambda connection: connection.execute(query, (tenant,)).fetchall())
        return frozenset(name for (name,) in found)

    async def traces(self, tenant: str, groups: frozenset[str], wanted: TraceFilter, limit: int) -> list[TraceRow]:
        """The latest traces that a key of ``tenant`` in ``groups`` may see, newest first, ``limit`` at most."""
        given = {name: getattr(wanted, name) for name in _FILTERS if getattr(wanted, name) is not None}
        where = " AND ".join(["root", _SEEN, *(_FILTERS[name] for name in given)])
        query = f"SELECT {_COLUMNS} FROM spans WHERE {where} ORDER BY start_ns DESC, span_id DESC LIMIT :limit"  # noqa: S608
        sums = f"""SELECT COUNT(*), COALESCE(SUM(json_extract(attributes, '$."mainspring.cost_nanousd"')), 0)
            FROM spans WHERE trace_id = :trace_id AND {_SEEN}"""  # noqa: S608
        who = _who(tenant, groups)

        def work(connection: sqlite3.Connection) -> list[TraceRow]:
            roots = [_row(each) for each in connection.execute(query, {**who, **given, "limit": limit}).fetchall()]
            return [
                TraceRow(root, *connection.execute(sums, {**who, "trace_id": root.trace_id}).fetchone())
                for root in roots
            ]

        return await self._file.run(work)

    async def forget(self, tenant: str, traces: Sequence[str]) -> int:
        """Drop the tenant's spans of these traces, from the file's log too; how many."""

        def work(connection: sqlite3.Connection) -> int:
            statement = "DELETE FROM spans WHERE tenant = ? AND trace_id = ?"
            return connection.executemany(statement, [(tenant, trace) for trace in traces]).rowcount

        return max(0, await self._file.run(work)) if traces else 0

    async def count(self, tenant: str, traces: Sequence[str]) -> int:
        """How many spans of these traces the tenant has."""
        query = "SELECT COUNT(*) FROM spans WHERE tenant = ? AND trace_id = ?"

        def work(connection: sqlite3.Connection) -> int:
            return sum(connection.execute(query, (tenant, trace)).fetchone()[0] for trace in traces)

        return await self._file.run(work)

    async def compact(self) -> None:
        """Drop what deleted spans left behind in the file's log. Raises ``StoreError``."""
        await self._file.run(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)") and None)

    async def expire(self, before: float) -> int:
        """Forget spans that ended before ``before`` (Unix seconds); how many."""
        limit = int(before * 1e9)
        return await self._file.run(
            lambda connection: connection.execute("DELETE FROM spans WHERE end_ns < ?", (limit,)).rowcount
        )

    async def close(self) -> None:
        await self._file.close()


def _who(tenant: str, groups: frozenset[str]) -> dict[str, str]:
    return {"tenant": tenant, "groups": rows.names(groups)}


def _row(values: Sequence[Any]) -> SpanRow:
    named: dict[str, Any] = dict(zip(_NAMES, values, strict=True))
    return SpanRow(**{**named, "root": bool(named["root"])})
