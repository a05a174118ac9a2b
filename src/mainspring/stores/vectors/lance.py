"""Chunks in LanceDB, one table a collection. ``lance_search`` searches the tables and ``lance_index`` indexes them.

A table is named after its collection's id, so that no query can reach another tenant's rows. Several processes may
read and write the same directory: every read looks for the newest version first.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Collection as AnyCollection
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from mainspring.core import private_files
from mainspring.core.errors import StoreError
from mainspring.stores.vectors.base import EFFORT, ChunkRow, SearchHit, Stages, StaleChunks
from mainspring.stores.vectors.lance_index import index, index_text, kinds, rewrite, waits
from mainspring.stores.vectors.lance_search import find, quoted
from mainspring.stores.vectors.lance_sync import sync_since
from mainspring.stores.vectors.lance_view import Views
from mainspring.stores.vectors.segmentation import segmented

# Columns that tables made by earlier versions lack, with the SQL of what their rows have there.
_LATER_COLUMNS = {
    "parent_start": "CAST(-1 AS BIGINT)",
    "parent_end": "CAST(-1 AS BIGINT)",
    "digest": "CAST('' AS STRING)",
}
_FORGET_AT_ONCE = 200
# Seconds after a purge until the vector index is built again, once for all purges until then.
_LATER_S = 600.0
_ATTEMPTS = 5

T = TypeVar("T")


class LanceVectors:
    """A ``VectorStore`` in a directory. If ``durable``, written rows survive a power loss."""

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self._directory = directory
        self._durable = durable
        self._connection: Any = None
        self._opening = asyncio.Lock()
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._views = Views()
        self._purged: dict[str, int] = {}
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._swept: set[str] = set()
        self.failing: dict[str, str] = {}
        """Collections whose files failed when they were last used, and how."""

    async def write(self, collection_id: str, rows: Sequence[ChunkRow]) -> None:
        """Add rows; durable when it returns. Raises ``StoreError``."""
        if not rows:
            return
        batch = await asyncio.to_thread(_to_arrow, rows)
        async with self._lock(collection_id), self._errors(collection_id, "written"):
            connection = await self._connect()
            before = await asyncio.to_thread(_now_ns, self._directory)
            table = await self._table(collection_id)
            if table is None:
                table = await connection.create_table(_table_name(collection_id), schema=batch.schema, exist_ok=True)
            await _add_later_columns(table)
            await table.merge_insert("chunk_id").when_matched_update_all().when_not_matched_insert_all().execute(batch)
            if self._durable:
                await asyncio.to_thread(sync_since, self._directory / f"{table.name}.lance", before)

    async def delete(self, collection_id: str, document_id: str, generations: AnyCollection[int] | None = None) -> None:
        """Forget these generations of a document, all of them with None."""
        condition = f"document_id = {quoted(document_id)}"
        if generations is not None:
            if not generations:
                return
            condition += f" AND generation IN ({', '.join(str(int(number)) for number in generations)})"
        async with self._lock(collection_id), self._errors(collection_id, "written"):
            table = await self._table(collection_id)
            if table is not None:
                await table.delete(condition)

    async def forget(self, collection_id: str, stale: Sequence[StaleChunks]) -> None:
        """Delete the chunks of all ``stale``, some hundred documents a statement."""
        async with self._lock(collection_id), self._errors(collection_id, "written"):
            table = await self._table(collection_id)
            if table is None:
                return
            for start in range(0, len(stale), _FORGET_AT_ONCE):
                await table.delete(" OR ".join(map(_condition, stale[start : start + _FORGET_AT_ONCE])))

    async def vectors(self, collection_id: str, digests: AnyCollection[str]) -> dict[str, Any]:
        """A stored vector for each of ``digests`` that some row of the collection has."""
        if not digests:
            return {}
        return await _again(lambda: self._vectors(collection_id, digests))

    async def _vectors(self, collection_id: str, digests: AnyCollection[str]) -> dict[str, Any]:
        async with self._errors(collection_id, "read"):
            table = await self._table(collection_id)
            if table is None or "digest" not in (await table.schema()).names:
                return {}
            condition = f"digest IN ({', '.join(quoted(digest) for digest in sorted(digests))})"
            found = await table.query().where(condition).select(["digest", "vector"]).to_arrow()
        return await asyncio.to_thread(_by_digest, found)

    async def look(self, collection_id: str) -> None:
        """Open a table and read a column of each of its files. Raises ``StoreError`` if one is damaged or missing."""
        async with self._errors(collection_id, "read"):
            table = await self._table(collection_id)
            if table is not None:
                async for _ in await table.query().select(["chunk_id"]).to_batches():
                    pass

    async def read(self, collection_id: str, current: Mapping[str, int]) -> list[ChunkRow]:
        """The rows of these generations, in the order of their places in their documents."""
        return await _again(lambda: self._read(collection_id, current)) if current else []

    async def _read(self, collection_id: str, current: Mapping[str, int]) -> list[ChunkRow]:
        async with self._errors(collection_id, "read"):
            table = await self._table(collection_id)
            if table is None:
                return []
            found = await table.query().where(f"document_id IN ({', '.join(map(quoted, current))})").to_arrow()
        return await asyncio.to_thread(_rows, found, current)

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
        if not current or k <= 0:
            return []
        asked = text if text is not None and re.search(r"\w", text) else None
        return await _again(lambda: self._search(collection_id, vector, asked, k, current, effort, stages))

    async def _search(
        self,
        collection_id: str,
        vector: Any | None,
        asked: str | None,
        k: int,
        current: Mapping[str, int],
        effort: float,
        stages: Stages | None,
    ) -> list[SearchHit]:
        async with self._errors(collection_id, "searched"):
            try:
                return await self._find(collection_id, vector, asked, k, current, effort, stages)
            except (RuntimeError, ValueError, OSError):
                # Another process may have created this table again.
                if not self._views.forget(collection_id):
                    raise
            return await self._find(collection_id, vector, asked, k, current, effort, stages)

    async def _find(
        self,
        collection_id: str,
        vector: Any | None,
        text: str | None,
        k: int,
        current: Mapping[str, int],
        effort: float,
        stages: Stages | None,
    ) -> list[SearchHit]:
        table = await self._table(collection_id)
        if table is None:
            self._views.forget(collection_id)
            return []
        view = await self._views.of(collection_id, table)
        if vector is not None and waits(view.kinds, len(view.rows.numbers)):
            # The process that swept it up may be gone.
            self._index_later(collection_id)
        if text is not None and "indexed" not in view.kinds:
            async with self._lock(collection_id):
                table = await self._table(collection_id)
                # Searches come side by side, and only one of them may make the index.
                if table is not None and "indexed" not in await kinds(table):
                    await index_text(table)
            view = await self._views.of(collection_id, table)
        return await find(
            self._views, view, vector=vector, text=text, k=k, current=current, effort=effort, stages=stages
        )

    async def settle(self, collection_id: str) -> None:
        """Index new rows, compact and delete old versions; searches are correct without it, but slower."""
        async with self._lock(collection_id), self._errors(collection_id, "indexed"):
            table = await self._table(collection_id)
            if table is not None:
                await index(table, vectors=collection_id not in self._swept)

    async def purge(self, collection_id: str) -> None:
        """Remove deleted rows from the files: writes the table and its indexes again and deletes older versions. Does
        nothing if nothing was written since the last call. The index of the vectors may come later."""
        async with self._lock(collection_id), self._errors(collection_id, "swept up"):
            table = await self._table(collection_id)
            if table is None or await table.version() == self._purged.get(collection_id):
                return
            if not await table.count_rows():
                await (await self._connect()).drop_table(_table_name(collection_id))
                self._views.forget(collection_id)
                return
            await _add_later_columns(table)
            await rewrite(table)
            if waits(await kinds(table), await table.count_rows()):
                # No ingest makes the index before the time has come.
                self._swept.add(collection_id)
                self._index_later(collection_id)
            # Its rows have other numbers now.
            self._views.forget(collection_id)
            self._purged[collection_id] = await table.version()

    def settle_soon(self, collection_id: str) -> None:
        """``settle`` in the background; one at a time for each collection."""
        running = self._tasks.get(collection_id)
        if running is None or running.done():
            self._tasks[collection_id] = asyncio.create_task(self.settle(collection_id))

    def _index_later(self, collection_id: str) -> None:
        """Make the index of the vectors in a while."""
        if collection_id not in self._later:
            loop = asyncio.get_running_loop()
            self._later[collection_id] = loop.call_later(_LATER_S, self._index_now, collection_id)

    def _index_now(self, collection_id: str) -> None:
        self._later.pop(collection_id, None)
        self._swept.discard(collection_id)
        self.settle_soon(collection_id)

    async def count(self, collection_id: str) -> int:
        """Rows of all generations."""
        async with self._errors(collection_id, "read"):
            table = await self._table(collection_id)
            return 0 if table is None else int(await table.count_rows())

    async def drop(self, collection_id: str) -> None:
        """Forget a whole collection. An absent one is no error."""
        async with self._lock(collection_id), self._errors(collection_id, "dropped"):
            if await self._table(collection_id) is not None:
                await (await self._connect()).drop_table(_table_name(collection_id))
            self._views.forget(collection_id)

    async def close(self) -> None:
        """Wait for indexing that runs, then release the files."""
        for timer in self._later.values():
            timer.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _lock(self, collection_id: str) -> asyncio.Lock:
        return self._locks.setdefault(collection_id, asyncio.Lock())

    def _errors(self, collection_id: str, done: str) -> _Errors:
        return _Errors(self.failing, collection_id, done)

    async def _connect(self) -> Any:
        async with self._opening:
            if self._connection is None:
                # lancedb takes over a second to import: only who stores or searches pays for it.
                lancedb = await asyncio.to_thread(__import__, "lancedb")
                private_files.folder(self._directory)
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


class _Errors:
    """Turns what LanceDB raises into ``StoreError``; ours pass. ``failing`` says which collections fail for now."""

    def __init__(self, failing: dict[str, str], collection_id: str, done: str) -> None:
        self._failing = failing
        self._collection = collection_id
        self._done = done

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None:
            self._failing.pop(self._collection, None)
        elif isinstance(error, StoreError):
            self._failing[self._collection] = error.told
        elif isinstance(error, RuntimeError | ValueError | OSError):
            told = StoreError(f"collection {self._collection} cannot be {self._done}: {error}")
            self._failing[self._collection] = told.told
            raise told from error


async def _again(work: Callable[[], Awaitable[T]]) -> T:
    """``work``, repeated once if the version that it read was deleted in the meantime."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await work()
        except StoreError as error:
            if not re.search(r"not found|no such file|does not exist", str(error.__cause__), re.IGNORECASE):
                raise
    return await work()


async def _add_later_columns(table: Any) -> None:
    present = set((await table.schema()).names)
    absent = {name: value for name, value in _LATER_COLUMNS.items() if name not in present}
    if absent:
        await table.add_columns(absent)


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
            "indexed": pa.array([segmented(f"{row.heading}\n{row.text}") for row in rows], pa.string()),
            "vector": vectors,
            "parent_start": pa.array([row.parent_start for row in rows], pa.int64()),
            "parent_end": pa.array([row.parent_end for row in rows], pa.int64()),
            "digest": pa.array([row.digest for row in rows], pa.string()),
        }
    )


def _rows(found: Any, current: Mapping[str, int]) -> list[ChunkRow]:
    import numpy

    fields = ChunkRow.__dataclass_fields__
    known = [name for name in found.column_names if name in fields and name != "vector"]
    vectors: Any = numpy.stack(found["vector"].to_numpy(zero_copy_only=False)) if found.num_rows else []
    rows = [
        ChunkRow(**row, vector=vector)
        for row, vector in zip(found.select(known).to_pylist(), vectors, strict=True)
        if current.get(row["document_id"]) == row["generation"]
    ]
    return sorted(rows, key=lambda row: (row.document_id, row.start, row.end, row.chunk_id))


def _by_digest(found: Any) -> dict[str, Any]:
    import numpy

    if not found.num_rows:
        return {}
    rows = found.combine_chunks()
    matrix = numpy.stack(rows["vector"].to_numpy(zero_copy_only=False)).astype(numpy.float32, copy=False)
    return dict(zip(rows["digest"].to_pylist(), matrix, strict=True))


def _condition(stale: StaleChunks) -> str:
    condition = f"document_id = {quoted(stale.document_id)} AND generation < {int(stale.below)}"
    return f"({condition} AND generation <> {int(stale.kept)})" if stale.kept else f"({condition})"


def _now_ns(directory: Path) -> int:
    """The time that the file system of ``directory`` would give a file now: its clock may be coarser than ours."""
    with tempfile.TemporaryFile(dir=directory) as file:
        return os.fstat(file.fileno()).st_mtime_ns


def _table_name(collection_id: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", collection_id):
        raise StoreError(f"{collection_id!r} is not a collection id")
    return collection_id
