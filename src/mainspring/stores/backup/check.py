"""Checks that the copy contains everything that the backup's database names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.stores.backup.files import blob

BLOBS = "SELECT sha256 FROM files UNION SELECT text_blob FROM documents WHERE text_blob <> ''"
SCHEMA_VERSION = "SELECT version_num FROM alembic_version"
READ = (
    "SELECT CASE c.stored_in WHEN '' THEN c.id ELSE c.stored_in END, d.id, d.name, d.generation, d.chunks, d.text_blob"
    " FROM documents d JOIN collections c ON c.tenant = d.tenant AND c.id = d.collection_id WHERE d.generation > 0"
)
UPLOADS = "SELECT name, sha256 FROM files"

Counts = Mapping[tuple[str, int], int]
"""Chunks by document and generation."""


@dataclass(frozen=True, slots=True)
class FrozenState:
    """The frozen state: rows of ``READ`` and of ``UPLOADS``, and ``counted`` of a table. ``held_s`` is for how long
    writers of the database waited."""

    schema: str
    read: Sequence[Sequence[Any]]
    uploads: Sequence[Sequence[Any]]
    counted: Callable[[str], Counts]
    held_s: float


def missing(staged: Path, moment: FrozenState) -> list[str]:
    """The documents that are read and whose text or chunks are not in the copy."""
    found = [f"file {name}: its bytes" for name, sha256 in moment.uploads if not (staged / blob(sha256)).is_file()]
    tables: dict[str, list[tuple[str, str, int, int]]] = {}
    for table, document, name, generation, chunks, text in moment.read:
        if text and not (staged / blob(text)).is_file():
            found.append(f"document {name}: its text")
        if chunks:
            tables.setdefault(table, []).append((document, name, generation, chunks))
    for table, documents in tables.items():
        counted = moment.counted(table)
        found += [
            f"document {name}: {chunks - counted.get((document, generation), 0)} of {chunks} chunks"
            for document, name, generation, chunks in documents
            if counted.get((document, generation), 0) < chunks
        ]
    return found


def counted_in_files(staged: Path, table: str) -> Counts:
    """Rows by document and generation in the copy's table; none if it cannot be read."""
    import lancedb

    counts: dict[tuple[str, int], int] = {}
    try:
        opened = lancedb.connect(str(staged / "vectors")).open_table(table)
        found = opened.search().select(["document_id", "generation"]).limit(None).to_arrow()
    except (ValueError, RuntimeError, OSError):
        return counts
    for place in zip(found["document_id"].to_pylist(), found["generation"].to_pylist(), strict=True):
        counts[place] = counts.get(place, 0) + 1
    return counts
