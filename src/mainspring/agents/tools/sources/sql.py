"""SQL as a tool: the database itself refuses what is not allowed, whatever the text of a statement looks like."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import Field

from mainspring.agents.tools.base import ToolContext, ToolPolicy, ToolResult
from mainspring.agents.tools.sources.options import CallOptions
from mainspring.agents.tools.sources.statements import Access, Statements, shown
from mainspring.core.errors import InvalidRequest, MissingExtra, SettingsError
from mainspring.core.types import Tool

_SCHEMA = {
    "type": "object",
    "properties": {"sql": {"type": "string", "description": "One statement"}},
    "required": ["sql"],
    "additionalProperties": False,
}
_RESULT = {
    "type": "object",
    "properties": {
        "columns": {"type": "array"},
        "rows": {"type": "array"},
        "changed": {"type": "integer"},
        "cut": {"type": "boolean"},
    },
}
_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
_WRITES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_FUNCTIONS = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "zeroblob", "randomblob"})
"""Functions that reach out of the database, or make a great deal of nothing."""
_STEPS = 10_000


class SqlOptions(CallOptions):
    """``database`` is a name in ``tools.databases``. ``tables`` may be read, and written if ``write`` is on and the
    database permits it (none: all). ``rows`` are the most that come back, ``seconds`` the longest that a statement may
    take. ``description`` says to the model what is in there."""

    database: str
    tables: tuple[str, ...] | None = None
    write: bool = False
    rows: int = Field(100, ge=1, le=10_000)
    seconds: float = Field(5.0, gt=0, le=300)
    name: str = Field("sql_query", pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")
    description: str = ""
    examples: tuple[str, ...] = ()


class SqlTool:
    """Runs statements. The tables are part of its description, so that no call is needed to learn them."""

    def __init__(self, options: SqlOptions, database: Statements, access: Access, tables: str) -> None:
        what = "Reads and changes" if access.write else "Reads"
        words = [options.description, f"{what} a database with one SQL statement.", f"Tables:\n{tables}"]
        self.declaration = Tool(options.name, "\n".join(each for each in words if each), _SCHEMA)
        self.policy: ToolPolicy = options.policy(
            effect="unkeyed" if access.write else "none", result=_RESULT, timeout_s=options.seconds + 5
        )
        self.examples = options.examples
        self._database = database
        self._access = access

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:  # noqa: ARG002
        try:
            return ToolResult(await self._database.run(str(arguments["sql"]), self._access))
        except InvalidRequest as error:
            return ToolResult(error=str(error))


def opened(url: str) -> Statements:
    """The database of a URL, ``sqlite:///path`` or ``postgresql://...``. Raises ``SettingsError``."""
    if url.startswith("sqlite:///"):
        return SqliteStatements(Path(url.removeprefix("sqlite:///")))
    if url.startswith(("postgresql://", "postgres://")):
        from mainspring.agents.tools.sources.postgres import PostgresStatements

        try:
            import asyncpg  # noqa: F401
        except ImportError:
            raise MissingExtra("asyncpg is not installed", remedy="pip install 'mainspring[postgres]'") from None
        return PostgresStatements(url)
    raise SettingsError(
        "a database of tools must be sqlite:///path or postgresql://...", remedy="Correct tools.databases"
    )


class SqliteStatements:
    """SQLite: opened read-only, with an authorizer that is asked for each table, function and action of a statement."""

    def __init__(self, path: Path) -> None:
        self._path = path.expanduser()

    async def run(self, sql: str, access: Access) -> dict[str, Any]:
        return await asyncio.to_thread(self._run, sql, access)

    async def describe(self, access: Access) -> str:
        return await asyncio.to_thread(self._describe, access)

    def _connect(self, access: Access) -> sqlite3.Connection:
        if not self._path.exists():
            raise SettingsError(f"there is no database {self._path.name}", remedy="Correct tools.databases")
        mode = "rw" if access.write else "ro"
        connection = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode={mode}", uri=True, timeout=access.seconds, isolation_level=None
        )
        if not access.write:
            connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 2**20)
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, 100_000)
        connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 200)
        return connection

    def _run(self, sql: str, access: Access) -> dict[str, Any]:
        if not sql.strip():
            raise InvalidRequest("there is no statement")
        with closing(self._connect(access)) as connection:
            until = time.monotonic() + access.seconds
            connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
            connection.set_authorizer(_authorizer(access))
            try:
                cursor = connection.execute(sql)
                if cursor.description is None:
                    return {"changed": max(0, cursor.rowcount)}
                found = cursor.fetchmany(access.rows + 1)
            except (sqlite3.Error, sqlite3.Warning, UnicodeError, OverflowError) as error:
                slow = "interrupted" in str(error)
                told = f"the statement took longer than {access.seconds:g} s" if slow else f"the database says: {error}"
                raise InvalidRequest(told) from None
        return shown([each[0] for each in cursor.description], found, access.rows)

    def _describe(self, access: Access) -> str:
        with closing(self._connect(access)) as connection:
            query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
            names = [name for (name,) in connection.execute(f"{query} ORDER BY name")]
            lines = []
            for name in names:
                if access.tables is None or name.lower() in access.tables:
                    quoted = name.replace('"', '""')
                    columns = connection.execute(f'PRAGMA table_info("{quoted}")').fetchall()
                    lines.append(f"{name}({', '.join(f'{each[1]} {each[2]}'.strip() for each in columns)})")
        return "\n".join(lines)[:8_000]


def _authorizer(access: Access) -> Any:
    def permitted(table: str | None, view: str | None) -> bool:
        if access.tables is None:
            return not (table or "").lower().startswith("sqlite_")
        return (table or "").lower() in access.tables or (view or "").lower() in access.tables

    def decide(action: int, first: str | None, second: str | None, _: str | None, view: str | None) -> int:
        if action == sqlite3.SQLITE_READ:
            # A statement over no column of a table (count(*)) reads it under an empty name.
            return sqlite3.SQLITE_OK if permitted(first, view) else sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_FUNCTION:
            return sqlite3.SQLITE_DENY if (second or "").lower() in _FUNCTIONS else sqlite3.SQLITE_OK
        if action in _READS:
            return sqlite3.SQLITE_OK
        if access.write and action in _WRITES and permitted(first, None):
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    return decide
