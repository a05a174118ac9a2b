"""Statements on Postgres: in a read-only transaction, with the rights of the role that the URL names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mainspring.agents.tools.sources.statements import Access, shown
from mainspring.core.errors import InvalidRequest, SettingsError, UpstreamError

if TYPE_CHECKING:
    import asyncpg

_OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'"
_READABLE = f"""
    SELECT n.nspname AS schema, c.relname AS name,
           has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') AS written
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND {_OURS}
      AND has_schema_privilege(n.oid, 'USAGE') AND (has_table_privilege(c.oid, 'SELECT')
        OR has_any_column_privilege(c.oid, 'SELECT')
        OR has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))
    ORDER BY 1, 2
"""  # noqa: S608 - of constants
_COLUMNS = """
    SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, ordinal_position
"""


class PostgresStatements:
    """Each statement has a connection and a transaction of its own. The extended protocol takes one statement alone."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def run(self, sql: str, access: Access) -> dict[str, Any]:
        import asyncpg

        connection = await self._connect(access)
        try:
            await self._permitted(connection, access)
            async with connection.transaction(readonly=not access.write):
                statement = await connection.prepare(sql)
                columns = [each.name for each in statement.get_attributes()]
                if not columns:
                    await statement.fetch()
                    tag = str(statement.get_statusmsg()).rsplit(" ", 1)[-1]
                    return {"changed": int(tag) if tag.isdigit() else 0}
                cursor = await statement.cursor()
                found = await cursor.fetch(access.rows + 1)
            return shown(columns, [tuple(each) for each in found], access.rows)
        except asyncpg.QueryCanceledError:
            raise InvalidRequest(f"the statement took longer than {access.seconds:g} s") from None
        except asyncpg.PostgresError as error:
            raise InvalidRequest(f"the database says: {error}") from None
        finally:
            await connection.close(timeout=2)

    async def describe(self, access: Access) -> str:
        connection = await self._connect(access)
        try:
            await self._permitted(connection, access)
            tables: dict[str, list[str]] = {}
            for row in await connection.fetch(_COLUMNS):
                name = row["table_name"] if row["table_schema"] == "public" else f"{row[0]}.{row[1]}"
                if access.tables is None or name.lower() in access.tables:
                    tables.setdefault(name, []).append(f"{row['column_name']} {row['data_type']}")
        finally:
            await connection.close(timeout=2)
        return "\n".join(f"{name}({', '.join(columns)})" for name, columns in tables.items())[:8_000]

    async def _connect(self, access: Access) -> asyncpg.Connection:
        import asyncpg

        milliseconds = str(int(access.seconds * 1000))
        settings = {
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
            "idle_in_transaction_session_timeout": "10000",
            "default_transaction_read_only": "off" if access.write else "on",
        }
        try:
            return await asyncpg.connect(
                self._url, server_settings=settings, timeout=10, command_timeout=access.seconds + 3
            )
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise UpstreamError(f"the database of the tool is not reached: {type(error).__name__}") from error

    async def _permitted(self, connection: asyncpg.Connection, access: Access) -> None:
        """Raises ``SettingsError`` if the role may do more than the tool: it is the role that the database enforces."""
        role = await connection.fetchrow("SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user")
        if role["rolsuper"]:
            raise SettingsError(
                f"the role {role['rolname']} of a tool is a superuser",
                remedy="Make one that may read the tables alone: CREATE ROLE agent LOGIN; GRANT SELECT ON ... TO agent",
            )
        if access.tables is None:
            return
        for row in await connection.fetch(_READABLE):
            name = row["name"] if row["schema"] == "public" else f"{row['schema']}.{row['name']}"
            if name.lower() not in access.tables:
                raise SettingsError(
                    f"the role {role['rolname']} may use the table {name}, which is not among the tool's tables",
                    remedy=f"REVOKE ALL ON {name} FROM {role['rolname']}, or list it",
                )
