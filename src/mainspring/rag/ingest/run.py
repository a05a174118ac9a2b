"""The state of one ingestion into a collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mainspring.rag.connect.base import Source
from mainspring.rag.ingest.publish import IngestReport, Publisher
from mainspring.rag.ingest.recipe import Cutting, Cuttings
from mainspring.rag.parse.title import read_as
from mainspring.stores.documents.catalogue import Document
from mainspring.stores.documents.collections import Collection
from mainspring.stores.documents.records import About

Progress = Callable[[int, int, str], None]
"""Called with (files done, files in all, name of the one that was just done)."""


@dataclass(slots=True)
class IngestRun:
    """One ingestion into a collection: the state before it, and its progress."""

    collection: Collection
    known: dict[str, Document]
    cuttings: Cuttings
    embedder: str
    publisher: Publisher
    source_id: str = ""
    progress: Progress | None = None
    groups: frozenset[str] | None = None
    raising: bool = False
    done: int = 0
    report: IngestReport = field(default_factory=IngestReport)

    def cutting(self, key: str) -> Cutting:
        """How the document of a source key is cut."""
        known = self.known.get(key)
        return self.cuttings.of(known.about.chunking if known else "")

    def current(self, document: Document | None) -> bool:
        """Whether only changed content requires reading a document again."""
        if document is None or document.status != "completed":
            return False
        return document.about.recipe == self.cuttings.of(document.about.chunking).recipe

    def same(self, document: Document, source: Source) -> bool:
        """Whether a source of the same bytes would be read like ``document``."""
        return self.current(document) and read_as(document.name) == read_as(source.name)

    def about(self, source: Source, document: Document | None = None, *, unread: bool = False) -> About:
        """The record of ``source``, which is ``document``. ``unread``: the content has still to be read. Without a
        given access list the document keeps its own: reading again opens nothing."""
        document = document or self.known.get(source.key)
        kept = document.about if document else About()
        groups = kept.groups if self.groups is None else self.groups
        recipe = "" if unread else self.cuttings.of(kept.chunking).recipe
        return replace(source.about(self.source_id or kept.source_id, recipe, groups), chunking=kept.chunking)
