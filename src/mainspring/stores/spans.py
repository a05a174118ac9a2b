"""Spans: the timed steps of traces, for the operator. Telemetry: sampled, expiring, in a file that may be lost.

What a tenant may see of a trace are its events; spans hold neither prompts nor answers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from mainspring.stores.sidecar import Sidecar

FILE_NAME = "spans.db"
VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spans (
    trace_id TEXT, span_id TEXT, parent_id TEXT, name TEXT NOT NULL, start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL, status TEXT NOT NULL, attributes TEXT NOT NULL, PRIMARY KEY (trace_id, span_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spans_end ON spans (end_ns);
"""


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A finished span. Times are Unix nanoseconds, ``attributes`` is JSON text."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    status: str
    attributes: str = "{}"


_NAMES = tuple(field.name for field in fields(SpanRow))
_COLUMNS = ", ".join(_NAMES)


class Spans:
    """The local span store."""

    def __init__(self, path: Path) -> None:
        self._file = Sidecar(path, _SCHEMA, version=VERSION)

    async def write(self, batch: Sequence[SpanRow]) -> None:
        """Keep a batch in one transaction; a span that is kept already is replaced. Raises ``StoreError``."""
        values = [tuple(getattr(row, name) for name in _NAMES) for row in batch]
        statement = f"INSERT OR REPLACE INTO spans ({_COLUMNS}) VALUES ({', '.join('?' * len(_NAMES))})"  # noqa: S608

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(statement, values)

        if values:
            await self._file.run(work)

    async def trace(self, trace_id: str) -> list[SpanRow]:
        """The spans of a trace in the order in which they began."""
        query = f"SELECT {_COLUMNS} FROM spans WHERE trace_id = ? ORDER BY start_ns, span_id"  # noqa: S608
        found = await self._file.run(lambda connection: connection.execute(query, (trace_id,)).fetchall())
        return [SpanRow(*row) for row in found]

    async def expire(self, before: float) -> int:
        """Forget spans that ended before ``before`` (Unix seconds); how many."""
        limit = int(before * 1e9)
        return await self._file.run(
            lambda connection: connection.execute("DELETE FROM spans WHERE end_ns < ?", (limit,)).rowcount
        )

    async def close(self) -> None:
        await self._file.close()
