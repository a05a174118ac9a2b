"""A connector lists the current documents of a source, batch by batch.

A batch is applied completely before the next is requested: its vanished documents are removed (or moved, if a new one
has their content), its sources ingested, and then its cursor is stored. A sync that dies is repeated from the last
cursor and finds its earlier work unchanged.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mainspring.stores.documents.records import About, Attributes


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes to ingest: ``key`` names them within the collection; ``load`` reads them when needed.

    ``groups`` is the access list (empty: everyone who sees the collection; None: it is unknown), ``modified_at`` the
    source's own time in Unix seconds. ``mark`` is the source's name for this version (an ETag, a blob's hash): a
    document that has it already is not loaded. Empty: only the content shows changes.
    """

    key: str
    name: str
    load: Callable[[], bytes]
    file_id: str | None = None
    attributes: Attributes = field(default_factory=dict)
    groups: frozenset[str] | None = None
    modified_at: float | None = None
    mark: str = ""

    def about(self, source_id: str, recipe: str, groups: frozenset[str]) -> About:
        """The record of the resulting document; ``groups`` if it has no access list."""
        listed = groups if self.groups is None else self.groups
        return About(dict(self.attributes), listed, self.modified_at, source_id, self.mark, recipe)


@dataclass(frozen=True, slots=True)
class SyncState:
    """The stored knowledge about a source from earlier syncs.

    ``cursor`` belongs to the last applied batch (empty: read everything); ``marks`` maps each document's key to its
    mark, which is empty if the document must be read again.
    """

    cursor: str = ""
    marks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of a source's documents.

    ``kept`` are keys of unchanged documents, ``gone`` keys of removed ones. ``cursor`` (None: stay) is where the next
    sync may begin once this batch is applied. ``problems`` are pairs (name, reason) of unreadable documents, whose
    stored versions stay.
    """

    sources: Sequence[Source] = ()
    kept: Sequence[str] = ()
    gone: Sequence[str] = ()
    cursor: str | None = None
    problems: Sequence[tuple[str, str]] = ()


class Connector(Protocol):
    """Reads one source. ``kind`` names the connector, ``location`` the source among those of its kind."""

    @property
    def kind(self) -> str: ...

    @property
    def location(self) -> str: ...

    def owns(self, key: str) -> bool:
        """Whether a document of this key without a recorded source would belong to this one."""
        ...

    def changes(self, seen: SyncState) -> AsyncIterator[Batch]:
        """The source's contents that may differ from ``seen``.

        Raises ``NotFound`` (no such source), ``UpstreamError`` (it does not answer), ``InvalidRequest`` (its options
        are wrong) or ``MissingExtra``.
        """
        ...


def split(keys: Mapping[str, str], there: set[str]) -> list[str]:
    """The keys that are not in ``there``, in order."""
    return sorted(key for key in keys if key not in there)
