"""Chunks in LanceDB: one table a collection, exact or HNSW vector search and BM25 over stemmed words.

A table is named after its collection's id, so that no query can reach another tenant's rows. Several processes may
read and write the same directory: every read looks for the newest version first.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection as AnyCollection
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from mainspring.errors import StoreError
from mainspring.stores.vectors import ChunkRow, SearchHit

# Exact search of this many 384-dimensional rows takes a few milliseconds; beyond, HNSW is needed.
HNSW_ROWS = 20_000
# Rows outside an index are searched exactly, which is right and slower; they are indexed when they are this many.
_FRESH_ROWS = 2_000
# A mapping ``current`` this small is pushed into the search; a larger one is joined afterwards.
_PREFILTER_DOCUMENTS = 200
_COLUMNS = ["chunk_id", "document_id", "generation", "text", "start", "end", "page", "heading", "vector"]
_KEEP_VERSIONS = timedelta(minutes=10)


class LanceVectors:
    """A ``VectorStore`` in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._connection: Any = None
        self._opening = asyncio.Lock()
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def write(self, collection_id: str, rows: Sequence[ChunkRow]) -> None:
        """Add rows; durable when it returns. Raises ``StoreError``."""
        if not rows:
            return
        batch = await asyncio.to_thread(_to_arrow, rows)
        async with self._lock(collection_id), _Errors(f"collection {collection_id} cannot be written"):
            table = await self._table(collection_id)
            if table is None:
                table = await (await self._connect()).create_table(
                    _table_name(collection_id), schema=batch.schema, exist_ok=True
                )
            await table.merge_insert("chunk_id").when_matched_update_all().when_not_matched_insert_all().execute(batch)

    async def delete(self, collection_id: str, document_id: str, generations: AnyCollection[int] | None = None) -> None:
        """Forget these generations of a document, all of them with None."""
        condition = f"document_id = {_quoted(document_id)}"
        if generations is not None:
            if not generations:
                return
            condition += f" AND generation IN ({', '.join(str(int(number)) for number in generations)})"
        async with self._lock(collection_id), _Errors(f"collection {collection_id} cannot be written"):
            table = await self._table(collection_id)
            if table is not None:
                await table.delete(condition)

    async def search(
        self,
        collection_id: str,
        *,
        vector: Any | None = None,
        text: str | None = None,
        k: int,
        current: Mapping[str, int],
    ) -> list[SearchHit]:
        """The best ``k`` chunks by ``vector`` and the best ``k`` by ``text``, merged; see ``VectorStore``."""
        if not current or k <= 0:
            return []
        async with _Errors(f"collection {collection_id} cannot be searched"):
            table = await self._table(collection_id)
            if table is None:
                return []
            dense, lexical = await asyncio.gather(
                self._dense(table, vector, k, current), self._lexical(table, text, k, current)
            )
        return _merge(dense, lexical, vector)

    async def settle(self, collection_id: str) -> None:
        """Index what was written, compact and forget old versions; searches are right without it, and slower."""
        async with self._lock(collection_id), _Errors(f"collection {collection_id} cannot be indexed"):
            table = await self._table(collection_id)
            if table is not None:
                await _index(table)

    def settle_soon(self, collection_id: str) -> None:
        """``settle`` in the background; one at a time for each collection."""
        running = self._tasks.get(collection_id)
        if running is None or running.done():
            self._tasks[collection_id] = asyncio.create_task(self.settle(collection_id))

    async def count(self, collection_id: str) -> int:
        """Rows of all generations."""
        async with _Errors(f"collection {collection_id} cannot be read"):
            table = await self._table(collection_id)
            return 0 if table is None else int(await table.count_rows())

    async def drop(self, collection_id: str) -> None:
        """Forget a whole collection. An absent one is no error."""
        async with self._lock(collection_id), _Errors(f"collection {collection_id} cannot be dropped"):
            if await self._table(collection_id) is not None:
                await (await self._connect()).drop_table(_table_name(collection_id))

    async def close(self) -> None:
        """Wait for indexing that runs, then let go of the files."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _lock(self, collection_id: str) -> asyncio.Lock:
        return self._locks.setdefault(collection_id, asyncio.Lock())

    async def _connect(self) -> Any:
        async with self._opening:
            if self._connection is None:
                # lancedb takes over a second to import: only who stores or searches pays for it.
                lancedb = await asyncio.to_thread(__import__, "lancedb")
                self._directory.mkdir(parents=True, exist_ok=True)
                self._connection = await lancedb.connect_async(
                    str(self._directory), read_consistency_interval=timedelta(0)
                )
        return self._connection

    async def _table(self, collection_id: str) -> Any | None:
        connection = await self._connect()
        name = _table_name(collection_id)
        try:
            return await connection.open_table(name)
        except ValueError as error:
            # The error for "absent" has no class of its own; a damaged table must not pass for an empty one.
            if not (self._directory / f"{name}.lance").exists():
                return None
            raise StoreError(f"the vectors of collection {collection_id} are damaged: {error}") from error

    async def _dense(self, table: Any, vector: Any, k: int, current: Mapping[str, int]) -> list[dict[str, Any]]:
        if vector is None:
            return []

        def query(limit: int) -> Any:
            search = table.vector_search(vector).distance_type("cosine").ef(max(100, 2 * limit)).refine_factor(2)
            return search.limit(limit).select([*_COLUMNS, "_distance"])

        return await _current_rows(query, k, current)

    async def _lexical(self, table: Any, text: str | None, k: int, current: Mapping[str, int]) -> list[dict[str, Any]]:
        if text is None or not re.search(r"\w", text):
            return []
        if not any(index.columns == ["indexed"] for index in await table.list_indices()):
            await _index_text(table)
        from lancedb import query as lance_query

        match: Any = lance_query.MatchQuery

        def query(limit: int) -> Any:
            search = table.query().nearest_to_text(match(text, "indexed"))
            return search.limit(limit).select([*_COLUMNS, "_score"])

        return await _current_rows(query, k, current)


class _Errors:
    """Turns what LanceDB raises into ``StoreError``; ours pass."""

    def __init__(self, message: str) -> None:
        self._message = message

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, RuntimeError | ValueError | OSError):
            raise StoreError(f"{self._message}: {error}") from error


async def _current_rows(query: Any, k: int, current: Mapping[str, int]) -> list[dict[str, Any]]:
    """The first ``k`` rows of ``query(limit)`` whose generation is current, asking for more until there are."""
    condition = None
    if len(current) <= _PREFILTER_DOCUMENTS:
        condition = f"document_id IN ({', '.join(_quoted(name) for name in current)})"
    limit = k
    while True:
        search = query(limit)
        if condition:
            search = search.where(condition)
        rows: list[dict[str, Any]] = (await search.to_arrow()).to_pylist()
        kept = [row for row in rows if current.get(row["document_id"]) == row["generation"]]
        if len(kept) >= k or len(rows) < limit:
            return kept[:k]
        limit *= 4


def _merge(dense: list[dict[str, Any]], lexical: list[dict[str, Any]], vector: Any | None) -> list[SearchHit]:
    rows = {row["chunk_id"]: row for row in dense + lexical}
    # HNSW distances are of quantised vectors, and rows found by words alone have none: both from the vectors.
    cosines: dict[str, float] = {}
    if vector is not None and rows:
        import numpy

        matrix = numpy.array([row["vector"] for row in rows.values()], dtype=numpy.float32)
        cosines = dict(zip(rows, (matrix @ numpy.asarray(vector, dtype=numpy.float32)).tolist(), strict=True))
    scores = {row["chunk_id"]: float(row["_score"]) for row in lexical}
    return [
        SearchHit(
            chunk_id=chunk_id,
            document_id=row["document_id"],
            generation=row["generation"],
            text=row["text"],
            start=row["start"],
            end=row["end"],
            page=row["page"],
            heading=row["heading"],
            dense=cosines.get(chunk_id),
            lexical=scores.get(chunk_id),
        )
        for chunk_id, row in rows.items()
    ]


async def _index(table: Any) -> None:
    rows = await table.count_rows()
    indices = {tuple(index.columns): index.name for index in await table.list_indices()}
    if ("indexed",) not in indices:
        await _index_text(table)
    if ("vector",) not in indices and rows >= HNSW_ROWS:
        from lancedb.index import HnswSq

        await table.create_index("vector", config=HnswSq(distance_type="cosine", num_partitions=1, m=20))
    await table.optimize(cleanup_older_than=_KEEP_VERSIONS)


async def _index_text(table: Any) -> None:
    from lancedb.index import FTS

    await table.create_index("indexed", config=FTS(language="English", stem=True, remove_stop_words=True))


def _to_arrow(rows: Sequence[ChunkRow]) -> Any:
    import numpy
    import pyarrow as pa

    matrix = numpy.ascontiguousarray(numpy.stack([row.vector for row in rows]), dtype=numpy.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), matrix.shape[1])
    return pa.table(
        {
            "chunk_id": pa.array([row.chunk_id for row in rows], pa.string()),
            "document_id": pa.array([row.document_id for row in rows], pa.string()),
            "generation": pa.array([row.generation for row in rows], pa.int64()),
            "text": pa.array([row.text for row in rows], pa.string()),
            "start": pa.array([row.start for row in rows], pa.int64()),
            "end": pa.array([row.end for row in rows], pa.int64()),
            "page": pa.array([row.page for row in rows], pa.int64()),
            "heading": pa.array([row.heading for row in rows], pa.string()),
            "indexed": pa.array([f"{row.heading}\n{row.text}" for row in rows], pa.string()),
            "vector": vectors,
        }
    )


def _table_name(collection_id: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", collection_id):
        raise StoreError(f"{collection_id!r} is no collection id")
    return collection_id


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
