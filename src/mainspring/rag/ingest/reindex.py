"""Re-indexing: embeds a collection's chunks again with another model, while searches use the old vectors.

The new table is filled from the old one, then follows new publications until none are left; one commit then makes it
current. A process that dies before that commit leaves the old one in service.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence

from mainspring.core.errors import Conflict, NotFound, StoreError
from mainspring.engines.base import Embedder
from mainspring.rag.chunk.chunking import RESERVED_TOKENS
from mainspring.rag.ingest.digests import digest
from mainspring.stores import Stores
from mainspring.stores.documents import table_moves
from mainspring.stores.documents.collections import Collection
from mainspring.stores.vectors.base import ChunkRow

# The number of documents whose chunks are read, embedded and written together.
_BATCH_DOCUMENTS = 32
# Searches that began before the switch may still be reading the old table.
GRACE_S = 5.0

Progress = Callable[[int, int], None]
"""Called with (documents done, documents in all)."""


async def reindex(
    stores: Stores,
    collection: Collection,
    embedder: Embedder,
    progress: Progress | None = None,
    *,
    grace_s: float = GRACE_S,
) -> Collection:
    """Move ``collection`` to vectors of ``embedder``; returns the updated collection. The old table is dropped
    ``grace_s`` later.

    Raises ``Conflict`` when the collection is deleted or another re-index of it begins, ``NotFound`` when it is gone.
    """
    table, left = await table_moves.begin(stores.database, collection)
    if left:
        await stores.vectors.drop(left)
    try:
        return await _move(stores, collection, embedder, table, progress, grace_s)
    except (Conflict, NotFound):
        # A process that deleted or moves the collection now does not know this table.
        await stores.vectors.drop(table)
        raise


async def _move(
    stores: Stores, collection: Collection, embedder: Embedder, table: str, progress: Progress | None, grace_s: float
) -> Collection:
    written: dict[str, tuple[int, int]] = {}
    settled = False
    while True:
        # The version first: later publications are followed in the next round.
        fresh = await stores.collections.get(collection.tenant, collection.id, groups=collection.groups)
        current = await stores.collections.current(fresh, None)
        changed = {name: generation for name, generation in current.items() if written.get(name, (0,))[0] != generation}
        for name in [name for name in written if name in changed or name not in current]:
            await stores.vectors.delete(table, name)
            del written[name]
        names = list(changed)
        for start in range(0, len(names), _BATCH_DOCUMENTS):
            part = {name: changed[name] for name in names[start : start + _BATCH_DOCUMENTS]}
            rows = await reembedded(await stores.vectors.read(fresh.table, part), embedder)
            await stores.vectors.write(table, rows)
            counts = dict.fromkeys(part, 0)
            for row in rows:
                counts[row.document_id] += 1
            written.update({name: (part[name], counts[name]) for name in part})
            if progress:
                progress(len(written), len(current))
        if not settled:
            await stores.vectors.settle(table)
            settled = True
            continue
        await _complete(stores, table, sum(count for _, count in written.values()))
        if await table_moves.switch(stores.database, fresh, table, embedder.name, fresh.version):
            break
    await asyncio.sleep(grace_s)
    await stores.vectors.drop(fresh.table)
    await table_moves.finish(stores.database, fresh, fresh.table)
    return await stores.collections.get(collection.tenant, collection.id, groups=collection.groups)


async def reembedded(rows: Sequence[ChunkRow], embedder: Embedder) -> list[ChunkRow]:
    """The same chunks with vectors of ``embedder``. A heading that does not fit the model beside its text loses its
    outer parts; unlike in new chunks, a table's header is not repeated before its later rows."""
    texts = await asyncio.to_thread(lambda: [_passage(row, embedder) for row in rows])
    vectors = (await embedder.embed(texts)).vectors if texts else []
    return [
        dataclasses.replace(row, vector=vector, digest=digest(embedder.name, text))
        for row, text, vector in zip(rows, texts, vectors, strict=True)
    ]


def _passage(row: ChunkRow, embedder: Embedder) -> str:
    parts = row.heading.split(" > ") if row.heading else []
    while parts:
        text = "\n".join([" > ".join(parts), row.text])
        if embedder.count_tokens([text])[0] <= embedder.max_tokens - RESERVED_TOKENS:
            return text
        parts = parts[1:]
    return row.text


async def _complete(stores: Stores, table: str, expected: int) -> None:
    found = await stores.vectors.count(table)
    if found != expected:
        raise StoreError(
            f"the new table of chunks has {found} rows where {expected} were written",
            remedy="The old one still serves; run the re-index again",
        )
