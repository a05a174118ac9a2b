"""Records of collections and their documents, and their conversion from and to columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.types import confinement

Status = Literal["in_progress", "completed", "failed", "cancelled"]
Screening = Literal["", "clean", "flagged", "quarantined", "released"]
"""Empty: not screened yet. Searches do not find ``quarantined`` documents."""
DAY_S = 86_400.0
Attributes = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Collection:
    """A set of documents that is searched as one. ``groups`` empty: the whole tenant may see it.

    ``version`` grows with every change of the searchable content. ``embedder`` names the embedding model. ``stored_in``
    is the table of its chunks (empty: the one of its id) and ``building`` another that is filled or to be dropped
    (empty: none). It expires ``expires_days`` after it was last active (None: never).
    """

    id: str
    tenant: str
    name: str
    groups: frozenset[str]
    embedder: str
    version: int
    created_at: float
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    description: str = ""
    stored_in: str = ""
    building: str = ""
    expires_days: int | None = None
    active_at: float | None = None

    @property
    def last_active_at(self) -> float:
        """Unix seconds of the last search, answer, or change; at most a minute late."""
        return self.created_at if self.active_at is None else self.active_at

    @property
    def expires_at(self) -> float | None:
        """Unix seconds; None: never."""
        return None if self.expires_days is None else self.last_active_at + self.expires_days * DAY_S

    @property
    def table(self) -> str:
        """The vector store's name for this collection's chunks."""
        return self.stored_in or self.id

    def visible_to(self, groups: frozenset[str]) -> bool:
        only = confinement(groups)
        return (not self.groups or bool(self.groups & groups)) and (not only or bool(only & {self.name, self.id}))


@dataclass(frozen=True, slots=True)
class About:
    """A source's description of a document besides its content.

    ``groups`` is its access list (empty: everyone who sees the collection), ``modified_at`` the source's own time in
    Unix seconds. ``mark`` is the source's name of this version (an ETag, a commit's blob), ``recipe`` the digest of the
    settings that the content is read with, ``source_id`` the source that it came from (empty: none that is kept),
    ``chunking`` how to cut it (empty: by the settings).
    """

    attributes: Attributes = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    modified_at: float | None = None
    source_id: str = ""
    mark: str = ""
    recipe: str = ""
    chunking: str = ""


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """A generation that an ingest has started. ``current`` is the generation that readers see meanwhile (0: none)."""

    document_id: str
    generation: int
    current: int


@dataclass(frozen=True, slots=True)
class Publication:
    """The data to publish for a document: see ``Documents.publish``.

    With ``text``, its blob is written again if the removal of another document deleted it in the meantime. ``graph`` is
    the document's serialised graph (empty: unknown).
    """

    document_id: str
    generation: int
    chars: int
    chunks: int
    parser: str
    text_blob: str
    pages: int | None = None
    text: str = ""
    graph: str = ""
    screening: Screening = ""
    findings: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a collection.

    ``source_key`` names it within its collection (a path, a file id). ``status``, ``error``, ``sha256``, ``name``,
    ``file_id`` and ``about`` describe the latest ingestion. ``generation`` (0: none yet), ``chars``, ``chunks``,
    ``pages``, ``parser`` and ``text_blob`` describe what readers see, which stays if a later ingestion fails. ``begun``
    is the generation of the latest ingestion. So a source is unchanged when sha256 and recipe are these and the status
    is ``completed``.
    """

    document_id: str
    source_key: str
    name: str
    sha256: str
    generation: int
    status: Status
    error: str
    chars: int
    chunks: int
    pages: int | None
    parser: str
    text_blob: str
    file_id: str | None
    created_at: float
    updated_at: float
    about: About = field(default_factory=About)
    begun: int = 0
    screening: Screening = ""
    findings: Mapping[str, int] = field(default_factory=dict)
    error_code: str = ""

    @property
    def attributes(self) -> Attributes:
        return self.about.attributes

    @property
    def groups(self) -> frozenset[str]:
        return self.about.groups

    @property
    def modified_at(self) -> float | None:
        return self.about.modified_at


def columns_of(about: About) -> dict[str, Any]:
    """Columns of ``documents``."""
    return {
        "attributes": rows.dump(dict(about.attributes)),
        "groups": rows.names(about.groups),
        "modified_at": about.modified_at,
        "source_id": about.source_id,
        "mark": about.mark,
        "recipe": about.recipe,
        "chunking": about.chunking,
    }


def document_of(row: sa.Row[Any]) -> Document:
    """A row of ``documents``."""
    return Document(
        document_id=row.id,
        source_key=row.source_key,
        name=row.name,
        sha256=row.sha256,
        generation=row.generation,
        status=cast(Status, row.status),
        error=row.error,
        chars=row.chars,
        chunks=row.chunks,
        pages=row.pages,
        parser=row.parser,
        text_blob=row.text_blob,
        file_id=row.file_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        about=About(
            attributes=rows.load(row.attributes),
            groups=frozenset(rows.load(row.groups)),
            modified_at=row.modified_at,
            source_id=row.source_id,
            mark=row.mark,
            recipe=row.recipe,
            chunking=row.chunking,
        ),
        begun=row.begun,
        screening=cast(Screening, row.screening),
        findings=rows.load(row.findings),
        error_code=row.error_code,
    )
