"""A home whose database is a Postgres: a dump of the moment in which its files got their second names.

The moment is a snapshot that one transaction holds and ``pg_dump`` reads. No process can discard a blob while files get
their second names: the table of discarded blobs is locked for some hundredths of a second. Other writers continue.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import mainspring.stores.backup.check as check
import mainspring.stores.backup.files as files
import mainspring.stores.backup.postgres_tools as postgres_tools
import mainspring.stores.sql.database as sql
from mainspring.core.errors import Conflict, MissingExtra, StoreError
from mainspring.stores.backup.files import DUMP_NAME
from mainspring.stores.backup.sqlite import copy_others
from mainspring.stores.vectors.pgvector_sql import Tables

# Seconds that a backup waits for earlier writers, and that later writers wait for it.
_WAIT = "15s"
# Versions of collections are part of what cached answers are found by. A restored home continues with commit numbers
# that the lost time cannot have used, so that a surviving Redis holds nothing under them.
_AGES = 1 << 32
_TABLES = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
"""


def freeze(place: files.BackupScope, url: sa.URL, staged: Path, *, vectors: bool) -> check.FrozenState | None:
    """Second names for all files and a dump, of one moment. None if a collection was dropped in the meantime: start
    again. ``vectors``: the database also holds the chunks.

    Raises ``StoreError`` and ``MissingExtra``.
    """
    moment = asyncio.run(_freeze(place, url, staged, vectors))
    if moment is not None:
        copy_others(place, staged)
    return moment


def restore(url: sa.URL, dump: Path) -> None:
    """Fill the empty database at ``url``, completely or not at all. Raises ``Conflict`` if it is not empty, and
    ``StoreError``."""
    asyncio.run(_restore(url, dump))


async def _freeze(place: files.BackupScope, url: sa.URL, staged: Path, vectors: bool) -> check.FrozenState | None:
    async with (
        _connected(url) as reader,
        _connected(url) as holder,
        # The transaction's snapshot is that of its first read.
        reader.transaction(isolation="repeatable_read", readonly=True),
    ):
        await reader.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        async with holder.transaction():
            await holder.execute(f"SET LOCAL lock_timeout = '{_WAIT}'")
            await holder.execute("LOCK TABLE discarded IN SHARE MODE")
            began = time.perf_counter()
            snapshot = await reader.fetchval("SELECT pg_export_snapshot()")
            blobs = {str(row[0]) for row in await reader.fetch(check.BLOBS)}
            # Not in a thread: the lock excludes conflicting work.
            files.link_files(place, staged, blobs)
            held_s = time.perf_counter() - began
        schema = str(await reader.fetchval(check.SCHEMA_VERSION))
        read, uploads = await reader.fetch(check.READ), await reader.fetch(check.UPLOADS)
        counted: Any = functools.partial(check.counted_in_files, staged)
        if vectors:
            counted = await _counted(url, snapshot, {row[0] for row in read})
        if counted is None:
            return None
        unkept = [f"--exclude-table-data={table}" for table in sql.UNKEPT]
        options = (f"--snapshot={snapshot}", "--format=custom", "--no-comments", f"--file={staged / DUMP_NAME}")
        try:
            await _run("pg_dump", reader, url, *options, *unkept, folder=staged)
        except StoreError as error:
            # A collection was dropped before the dump reached its tables.
            if "does not exist" in str(error):
                return None
            raise
    return check.FrozenState(schema, read, uploads, counted, held_s)


async def _counted(url: sa.URL, snapshot: str, names: set[str]) -> Any:
    """The chunks of each table at the moment of ``snapshot``; None if one table was dropped in the meantime.

    This runs in a separate transaction, which ends before the dump starts. The tables that were read stay locked until
    then: otherwise dropping a collection would wait for this transaction, and the dump, for which it waits, would queue
    behind the drop.
    """
    from asyncpg.exceptions import UndefinedTableError

    counts: dict[str, check.Counts] = {}
    async with (
        _connected(url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        for name in names:
            tables = Tables(name)
            if await connection.fetchval("SELECT to_regclass($1)", tables.chunks) is None:
                continue
            query = f"SELECT document_id, generation, count(*) FROM {tables.chunks} GROUP BY 1, 2"  # noqa: S608
            try:
                counts[name] = {(row[0], row[1]): row[2] for row in await connection.fetch(query)}
            except UndefinedTableError:
                return None
    return lambda table: counts.get(table, {})


async def _restore(url: sa.URL, dump: Path) -> None:
    async with _connected(url) as connection:
        if await connection.fetchval(_TABLES):
            raise Conflict(
                f"the database {postgres_tools.address(url)} is not empty",
                remedy="Make a new one with createdb and name it in stores.database",
            )
        options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", str(dump))
        await _run("pg_restore", connection, url, *options, folder=dump.parent)
        await connection.execute(f"UPDATE collections SET version = version + {_AGES}")  # noqa: S608


async def _run(name: str, connection: Any, url: sa.URL, *options: str, folder: Path) -> None:
    version = int(connection.get_server_version().major)
    await asyncio.to_thread(postgres_tools.run, name, version, url, *options, folder=folder)


@asynccontextmanager
async def _connected(url: sa.URL) -> AsyncIterator[Any]:
    try:
        import asyncpg
    except ImportError:
        raise MissingExtra("Postgres needs the package asyncpg", remedy="Install mainspring[postgres]") from None
    name = postgres_tools.address(url)
    try:
        connection = await asyncpg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
        try:
            yield connection
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise StoreError(
            f"the database {name} failed: {error or type(error).__name__}",
            remedy="Check that the database is reachable and stores.database is right",
        ) from error
