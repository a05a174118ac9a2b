"""Vector stores, their files and batches of files as JSON, in OpenAI's shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.rag.answer.passage_view import PassageView
from mainspring.rag.ingest.intake import Intake
from mainspring.rag.library import Library
from mainspring.stores.documents.collections import Collection, Document, DocumentCounts
from mainspring.stores.documents.file_batches import FileBatch
from mainspring.stores.vectors.base import ChunkRow

STATUSES = ("in_progress", "completed", "failed", "cancelled")
# OpenAI's codes of why a file was not read; any other error is the server's.
_ERRORS = {
    "": "invalid_file",
    "unreadable_document": "invalid_file",
    "missing_extra": "unsupported_file",
    "not_found": "invalid_file",
}


def counted(counts: Mapping[str, int]) -> dict[str, int]:
    """``file_counts``."""
    found = {status: counts.get(status, 0) for status in STATUSES}
    return found | {"total": sum(found.values())}


def store_body(collection: Collection, tally: DocumentCounts) -> dict[str, Any]:
    counts = counted(tally.counts)
    expires = collection.expires_at
    days = collection.expires_days
    return {
        "id": collection.id,
        "object": "vector_store",
        "created_at": int(collection.created_at),
        "name": collection.name,
        "status": "in_progress" if counts["in_progress"] else "completed",
        "file_counts": counts,
        "usage_bytes": tally.chars,
        "groups": sorted(collection.groups),
        "version": collection.version,
        "metadata": dict(collection.metadata),
        "description": collection.description,
        "last_active_at": int(collection.last_active_at),
        "expires_after": None if days is None else {"anchor": "last_active_at", "days": days},
        "expires_at": None if expires is None else int(expires),
    }


def batch_body(batch: FileBatch, found: Sequence[Document]) -> dict[str, Any]:
    counts = {status: sum(each.status == status for each in found) for status in STATUSES}
    counts["failed"] += len(batch.missing)
    return {
        "id": batch.id,
        "object": "vector_store.files_batch",
        "created_at": int(batch.created_at),
        "vector_store_id": batch.collection_id,
        "status": batch.status(found),
        "file_counts": counted(counts),
    }


def missing_file(batch: FileBatch, file_id: str) -> dict[str, Any]:
    """A file of a batch that is not there."""
    return {
        "id": file_id,
        "object": "vector_store.file",
        "created_at": int(batch.created_at),
        "vector_store_id": batch.collection_id,
        "status": "failed",
        "last_error": {"code": "invalid_file", "message": f"there is no file {file_id}"},
        "usage_bytes": 0,
        "attributes": {},
        "chunking_strategy": None,
    }


def passage_body(store_id: str, found: PassageView) -> dict[str, Any]:
    """OpenAI's page of a file's content; from ``file_id`` on these are extensions."""
    document = found.document
    return {
        "object": "vector_store.file_content.page",
        "data": [{"type": "text", "text": found.text}],
        "has_more": found.end < found.length,
        "next_page": None,
        "file_id": document.file_id or document.document_id,
        "document_id": document.document_id,
        "vector_store_id": store_id,
        "filename": document.name,
        "attributes": dict(document.attributes),
        "start": found.start,
        "end": found.end,
        "before": found.before,
        "after": found.after,
        "length": found.length,
    }


def chunk_body(index: int, row: ChunkRow) -> dict[str, Any]:
    parent = None if row.parent_start < 0 else {"start": row.parent_start, "end": row.parent_end}
    return {
        "object": "vector_store.file.chunk",
        "id": row.chunk_id,
        "index": index,
        "text": row.text,
        "start": row.start,
        "end": row.end,
        "page": row.page,
        "heading": row.heading,
        "parent": parent,
    }


def document_body(store_id: str, document: Document, library: Library) -> dict[str, Any]:
    tokens, overlap = library.sizes(document.about.chunking)
    sizes = {"max_chunk_size_tokens": tokens, "chunk_overlap_tokens": overlap}
    return {
        "id": document.file_id or document.document_id,
        "object": "vector_store.file",
        "created_at": int(document.created_at),
        "vector_store_id": store_id,
        "status": document.status,
        "last_error": _error(document),
        "usage_bytes": document.chars,
        "filename": document.name,
        "attributes": dict(document.attributes),
        "chunking_strategy": {"type": "static", "static": sizes},
        "screening": document.screening or None,
        "findings": dict(document.findings),
        "groups": sorted(document.groups),
        "document_id": document.document_id,
        "chunks": document.chunks,
        "pages": document.pages,
        "progress": _progress(document, library.intake),
    }


def _error(document: Document) -> dict[str, str] | None:
    if not document.error:
        return None
    return {"code": _ERRORS.get(document.error_code, "server_error"), "message": document.error}


def _progress(document: Document, intake: Intake) -> dict[str, Any] | None:
    """The progress of a file that this server reads, or the number of files before it."""
    if document.status != "in_progress":
        return None
    if (reading := intake.reading(document.document_id)) is not None:
        return {"stage": reading.stage, "chunks_done": reading.done, "chunks_total": reading.total or None}
    if (ahead := intake.ahead(document.document_id)) is not None:
        return {"stage": "waiting", "files_ahead": ahead}
    return None
