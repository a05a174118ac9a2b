"""Chunks in Postgres with pgvector: HNSW over half-precision vectors, exact BM25, everything in transactions.

A search shows what was committed when it started. The tables are those of ``pgvector_sql``; vectors of a collection all
have the dimensions of the first that was written.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Collection as AnyCollection
from contextlib import asynccontextmanager
from typing import Any

import mainspring.stores.vectors.pgvector_sql as sql
from mainspring.core.errors import MainspringError, MissingExtra, StoreError
from mainspring.stores.sql.rows import clean
from mainspring.stores.vectors.base import EFFORT, ChunkRow, SearchHit, Stages, StaleChunks
from mainspring.stores.vectors.pgvector_search import find
from mainspring.stores.vectors.pgvector_sql import SCHEMA, Tables

# Up to this many rows, vectors are compared one by one.
HNSW_ROWS = 20_000
_POOL = 8
_TIMEOUT_S = 60.0
# Building an index may take many minutes.
_BUILD_TIMEOUT_S = 6 * 3600.0
# Plans are made for the arrays at hand, which may hold one document or ten thousand.
_SERVER_SETTINGS = {"jit": "off", "plan_cache_mode": "force_custom_plan", "application_name": "mainspring"}


class PostgresVectors:
    """A ``VectorStore`` in the database at ``url`` (postgresql://user:password@host/name)."""

    def __init__(self, url: str) -> None:
        try:
            import asyncpg
            import pgvector  # noqa: F401
        except ImportError as error:
            raise MissingExtra(
                f"vectors in Postgres need the package {error.name}", remedy="Install mainspring[postgres]"
            ) from None
        self._url = url
        self._pool: Any = None
        self._opening = asyncio.Lock()
        self._failures = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

    async def write(self, collection_id: str, rows: Sequence[ChunkRow]) -> None:
        """Add rows; durable when it returns. Raises ``StoreError``."""
        if not rows:
            return
        tables = Tables(collection_id)
        # The last of one id counts, as if they had been written one after the other.
        rows = list({row.chunk_id: row for row in rows}.values())
        async with self._transaction(f"collection {collection_id} cannot be written") as connection:
            await connection.execute(sql.LOCK, f"{SCHEMA}.{collection_id}")
            await self._made(connection, tables, len(rows[0].vector))
            chunk_ids = [row.chunk_id for row in rows]
            gone = await connection.fetchrow(tables.delete("c.chunk_id = ANY($1::text[])"), chunk_ids)
            length = await _insert(connection, tables, rows)
            added = len(rows) - gone["chunks"], length - gone["words"]
            await connection.execute(sql.RESIZE, collection_id, *added)

    async def delete(self, collection_id: str, document_id: str, generations: AnyCollection[int] | None = None) -> None:
        """Forget these generations of a document, all of them with None."""
        if generations is not None and not generations:
            return
        condition = "c.document_id = $1 AND ($2::bigint[] IS NULL OR c.generation = ANY($2::bigint[]))"
        await self._delete(
            collection_id, condition, document_id, None if generations is None else [int(each) for each in generations]
        )

    async def forget(self, collection_id: str, stale: Sequence[StaleChunks]) -> None:
        """Delete the chunks of all ``stale`` in one transaction."""
        if not stale:
            return
        condition = """EXISTS (
            SELECT 1 FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS s(document_id, below, kept)
            WHERE s.document_id = c.document_id AND c.generation < s.below AND c.generation <> s.kept)"""
        names, below, kept = zip(*((each.document_id, each.below, each.kept) for each in stale), strict=True)
        await self._delete(collection_id, condition, names, below, kept)

    async def vectors(self, collection_id: str, digests: AnyCollection[str]) -> dict[str, Any]:
        """A stored vector for each of ``digests`` that some row of the collection has."""
        if not digests:
            return {}
        tables = Tables(collection_id)
        async with self._transaction(f"collection {collection_id} cannot be read") as connection:
            if await self._known(connection, tables) is None:
                return {}
            found = await connection.fetch(tables.by_digest(), sorted(digests))
        return {row["digest"]: row["vector"].to_numpy() for row in found}

    async def read(self, collection_id: str, current: Mapping[str, int]) -> list[ChunkRow]:
        """The rows of these generations, in the order of their places in their documents."""
        tables = Tables(collection_id)
        async with self._transaction(f"collection {collection_id} cannot be read") as connection:
            if not current or await self._known(connection, tables) is None:
                return []
            found = await connection.fetch(tables.read(), list(current), list(current.values()))
        return [ChunkRow(**{**row, "vector": row["vector"].to_numpy()}) for row in map(dict, found)]

    async def search(
        self,
        collection_id: str,
        *,
        vector: Any | None = None,
        text: str | None = None,
        k: int,
        current: Mapping[str, int],
        effort: float = EFFORT,
        stages: Stages | None = None,
    ) -> list[SearchHit]:
        """The best ``k`` chunks by ``vector`` and the best ``k`` by ``text``, merged; see ``VectorStore``."""
        tables = Tables(collection_id)
        if not current or k <= 0:
            return []
        async with self._transaction(f"collection {collection_id} cannot be searched", read=True) as connection:
            known = await self._known(connection, tables)
            if known is None:
                return []
            return await find(
                connection,
                tables,
                known,
                vector=vector,
                text=text,
                k=k,
                current=current,
                effort=effort,
                stages=stages,
            )

    async def settle(self, collection_id: str) -> None:
        """Index new rows and remove deleted ones; searches are correct without it, but slower."""
        tables = Tables(collection_id)
        async with self._connection(f"collection {collection_id} cannot be indexed") as connection:
            known = await self._known(connection, tables)
            if known is None:
                return
            # One process at a time: a second one finds the work done.
            if not await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 1))", collection_id):
                return
            try:
                if known["chunks"] >= HNSW_ROWS:
                    await _index(connection, tables, known["dimensions"])
                for table in (tables.chunks, tables.words):
                    await connection.execute(f"VACUUM (ANALYZE) {table}", timeout=_BUILD_TIMEOUT_S)
            finally:
                await connection.execute("SELECT pg_advisory_unlock(hashtextextended($1, 1))", collection_id)

    async def purge(self, collection_id: str) -> None:
        """Remove deleted rows; the server overwrites its own pages and log."""
        tables = Tables(collection_id)
        async with self._connection(f"collection {collection_id} cannot be swept up") as connection:
            if await self._known(connection, tables) is not None:
                for table in (tables.chunks, tables.words):
                    await connection.execute(f"VACUUM (INDEX_CLEANUP ON) {table}", timeout=_BUILD_TIMEOUT_S)

    async def count(self, collection_id: str) -> int:
        """Rows of all generations."""
        async with self._transaction(f"collection {collection_id} cannot be read") as connection:
            known = await self._known(connection, Tables(collection_id))
        return 0 if known is None else int(known["chunks"])

    async def drop(self, collection_id: str) -> None:
        """Forget a whole collection. An absent one is no error."""
        tables = Tables(collection_id)
        async with self._transaction(f"collection {collection_id} cannot be dropped") as connection:
            await connection.execute(sql.LOCK, f"{SCHEMA}.{collection_id}")
            await connection.execute(tables.drop())
            await connection.execute(sql.UNREGISTER, collection_id)

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def _delete(self, collection_id: str, condition: str, *arguments: Any) -> None:
        tables = Tables(collection_id)
        async with self._transaction(f"collection {collection_id} cannot be written") as connection:
            await connection.execute(sql.LOCK, f"{SCHEMA}.{collection_id}")
            if await self._known(connection, tables) is None:
                return
            gone = await connection.fetchrow(tables.delete(condition), *arguments)
            await connection.execute(sql.RESIZE, collection_id, -gone["chunks"], -gone["words"])

    async def _known(self, connection: Any, tables: Tables) -> Any | None:
        known = await connection.fetchrow(sql.KNOWN, tables.name)
        if known is not None and known["layout"] != sql.LAYOUT:
            raise StoreError(
                f"the vectors of collection {tables.name} have layout {known['layout']}, which this version of "
                f"mainspring ({sql.LAYOUT}) does not know",
                remedy="Upgrade mainspring",
            )
        return known

    async def _made(self, connection: Any, tables: Tables, dimensions: int) -> None:
        known = await self._known(connection, tables)
        if known is None:
            await connection.execute(tables.create(dimensions))
            await connection.execute(sql.REGISTER, tables.name, sql.LAYOUT, dimensions)
        elif known["dimensions"] != dimensions:
            raise StoreError(
                f"collection {tables.name} holds vectors of {known['dimensions']} dimensions, not {dimensions}",
                remedy="Re-index the collection to the other embedding model",
            )

    @asynccontextmanager
    async def _transaction(self, message: str, *, read: bool = False) -> AsyncIterator[Any]:
        # A search is several statements over one state of the tables.
        options = {"isolation": "repeatable_read", "readonly": True} if read else {}
        async with self._connection(message) as connection, connection.transaction(**options):
            yield connection

    @asynccontextmanager
    async def _connection(self, message: str) -> AsyncIterator[Any]:
        try:
            async with (await self._opened()).acquire() as connection:
                yield connection
        except MainspringError:
            raise
        except self._failures as error:
            raise StoreError(f"{message}: {error or type(error).__name__}") from error

    async def _opened(self) -> Any:
        async with self._opening:
            if self._pool is None:
                self._pool = await _open(self._url)
        return self._pool


async def _open(url: str) -> Any:
    import asyncpg
    from pgvector.asyncpg import register_vector

    connection = await asyncpg.connect(url, timeout=_TIMEOUT_S)
    try:
        async with connection.transaction():
            await connection.execute(sql.LOCK, SCHEMA)
            await connection.execute(sql.PREPARE)
    except (asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError) as error:
        raise StoreError(
            f"this Postgres has no pgvector: {error}",
            remedy="Install it on the server (Debian: postgresql-17-pgvector), or set stores.vectors to lance",
        ) from error
    finally:
        await connection.close()
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=_POOL,
        init=register_vector,
        command_timeout=_TIMEOUT_S,
        server_settings=_SERVER_SETTINGS,
    )


async def _insert(connection: Any, tables: Tables, rows: Sequence[ChunkRow]) -> int:
    """Copy rows and their words into the tables; returns the number of words."""
    texts = [sql.spaced(f"{row.heading}\n{row.text}") for row in rows]
    counts: list[dict[str, int]] = [{} for _ in rows]
    for number, word, count in await connection.fetch(sql.COUNT_WORDS, texts):
        counts[number - 1][word] = count
    numbers = [record[0] for record in await connection.fetch(sql.TAKE_IDS, len(rows))]
    lengths = [sum(each.values()) for each in counts]
    chunks = (
        (number, *_fields(row), list(counted), length)
        for number, row, counted, length in zip(numbers, rows, counts, lengths, strict=True)
    )
    words = (
        (word, number, count, length)
        for number, counted, length in zip(numbers, counts, lengths, strict=True)
        for word, count in counted.items()
    )
    await connection.copy_records_to_table(tables.name, schema_name=SCHEMA, columns=sql.CHUNK_COLUMNS, records=chunks)
    await connection.copy_records_to_table(f"{tables.name} words", schema_name=SCHEMA, records=words)
    return sum(lengths)


def _fields(row: ChunkRow) -> list[Any]:
    # Postgres holds no NUL and no lone surrogate in text.
    values = (getattr(row, name) for name in (*sql.FIELDS, *sql.LATER_FIELDS))
    return [clean(value) if isinstance(value, str) else value for value in values]


async def _index(connection: Any, tables: Tables, dimensions: int) -> None:
    valid = await connection.fetchval(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", f'{SCHEMA}."{tables.index_name}"'
    )
    if valid:
        return
    if valid is not None:
        # The leftovers of an interrupted build.
        await connection.execute(tables.drop_index(), timeout=_BUILD_TIMEOUT_S)
    await connection.execute("SET maintenance_work_mem = '1GB'")
    await connection.execute(tables.index(dimensions), timeout=_BUILD_TIMEOUT_S)
    await connection.execute("RESET maintenance_work_mem")
