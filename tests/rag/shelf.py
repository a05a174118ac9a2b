"""Puts documents into a collection without parsing and chunking: a chunk for each paragraph, all of it current."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mainspring.stores.documents.catalogue import About
from mainspring.stores.documents.collections import Collection
from mainspring.stores.vectors.base import ChunkRow
from tests.rag.conftest import Room


async def put(
    room: Room,
    name: str,
    text: str,
    *,
    groups: frozenset[str] = frozenset(),
    attributes: Mapping[str, Any] | None = None,
    modified_at: float | None = None,
    collection: Collection | None = None,
) -> str:
    """Publish ``text`` as the document ``name``; its id."""
    collection = collection or room.collection
    collections = room.stores.collections
    about = About(dict(attributes or {}), groups, modified_at)
    blob = await room.stores.blobs.put(text.encode())
    version = await collections.begin(collection, name, blob, name, about=about)
    paragraphs = list(re.finditer(r"[^\n].*?(?=\n\n|\Z)", text, re.DOTALL))
    vectors = (await room.embedder.embed([match.group() for match in paragraphs])).vectors
    rows = [
        ChunkRow(
            chunk_id=f"{version.document_id}:{version.generation}:{number}",
            document_id=version.document_id,
            generation=version.generation,
            text=match.group(),
            start=match.start(),
            end=match.end(),
            page=None,
            heading="",
            vector=vectors[number],
        )
        for number, match in enumerate(paragraphs)
    ]
    await room.stores.vectors.write(collection.id, rows)
    await collections.publish(
        collection,
        version.document_id,
        version.generation,
        chars=len(text),
        chunks=len(rows),
        parser="test",
        text_blob=blob,
    )
    return version.document_id
