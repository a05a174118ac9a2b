"""Changes of a collection: its version grows, and each document stores the version of its last change.

A reader that knows the collection at one version therefore reads only later changes, unless a document was removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound
from mainspring.stores.documents.records import About, Collection, DocumentVersion, columns_of
from mainspring.stores.documents.visibility import Generations
from mainspring.stores.schema import collections, documents

PREFIX = "doc_"
# A document before its first ingestion.
_NEW = {"status": "in_progress", "error": "", "parser": "", "text_blob": ""}


@dataclass(frozen=True, slots=True)
class Beginning:
    """A document to ingest: its key within the collection, the digest of its bytes, and its name."""

    source_key: str
    sha256: str
    name: str
    file_id: str | None = None


def require(connection: sa.Connection, collection: Collection, *, hold: bool = False) -> int:
    """The collection's version. ``hold``: locks the row until this transaction ends. Raises ``NotFound`` when it is
    gone."""
    query = sa.select(collections.c.version).where(_row_of(collection))
    if hold:
        query = query.with_for_update()
    version = connection.execute(query).scalar_one_or_none()
    if version is None:
        raise _gone(collection)
    return int(version)


def bump(connection: sa.Connection, collection: Collection, *, removing: bool = False) -> int:
    """The collection's next version, at which a document is removed or not. Raises ``NotFound`` when it is gone."""
    following = collections.c.version + 1
    values = {"version": following, "removed": following} if removing else {"version": following}
    bumped = sa.update(collections).where(_row_of(collection)).values(values).returning(collections.c.version)
    version = connection.execute(bumped).scalar_one_or_none()
    if version is None:
        raise _gone(collection)
    return int(version)


def begin(
    connection: sa.Connection, collection: Collection, wanted: Beginning, about: About, now: float
) -> tuple[DocumentVersion, int]:
    """Start a generation of a document, which is created if it is new, and the collection's version: see
    ``Documents.begin``."""
    version = require(connection, collection, hold=True)
    new = {
        "tenant": collection.tenant,
        "collection_id": collection.id,
        "id": ids.new(PREFIX),
        "source_key": wanted.source_key,
        "name": wanted.name,
        "sha256": wanted.sha256,
        "created_at": now,
        **_NEW,
        "updated_at": now,
        **columns_of(about),
    }
    connection.execute(rows.insert_new(connection, documents), new)
    one = sa.and_(within(collection), documents.c.source_key == wanted.source_key)
    before = connection.execute(sa.select(documents.c.groups, documents.c.generation).where(one)).one()
    values = {
        "begun": documents.c.begun + 1,
        "sha256": wanted.sha256,
        "name": wanted.name,
        "file_id": wanted.file_id,
        "status": "in_progress",
        "error": "",
        "error_code": "",
        "updated_at": now,
        "changed": version + 1,
        **columns_of(about),
    }
    changed = sa.update(documents).where(one).values(values)
    begun = changed.returning(documents.c.id, documents.c.begun, documents.c.generation)
    begun_version = DocumentVersion(*connection.execute(begun).one())
    if before.generation and before.groups != rows.names(about.groups):
        version = bump(connection, collection)
    return begun_version, version


def generations(connection: sa.Connection, collection: Collection, known: Generations | None) -> Generations:
    """The generations that are read now. Raises ``NotFound`` when the collection is gone."""
    # The version first: rows that are read after it are at least as new, and are read again next time.
    version = require(connection, collection)
    if known is not None and known.version == version:
        return known
    seen = ("id", "generation", "groups", "read_groups", "screening")
    query = sa.select(*(documents.c[name] for name in seen)).where(within(collection), documents.c.generation > 0)
    if known is None or known.version > version or _removed(connection, collection, known.version):
        return Generations.of(version, connection.execute(query))
    return known.follow(version, connection.execute(query.where(documents.c.changed > known.version)))


def since(connection: sa.Connection, collection: Collection, version: int) -> Sequence[sa.Row[Any]] | None:
    """The rows of documents that changed after ``version``; None: some were removed since."""
    if _removed(connection, collection, version):
        return None
    query = sa.select(documents).where(within(collection), documents.c.changed > version)
    return connection.execute(query).all()


def _removed(connection: sa.Connection, collection: Collection, version: int) -> bool:
    query = sa.select(collections.c.removed).where(_row_of(collection))
    removed = connection.execute(query).scalar_one_or_none()
    return removed is None or removed > version


def _row_of(collection: Collection) -> sa.ColumnElement[bool]:
    return sa.and_(collections.c.tenant == collection.tenant, collections.c.id == collection.id)


def within(collection: Collection) -> sa.ColumnElement[bool]:
    """The documents of a collection."""
    return sa.and_(documents.c.tenant == collection.tenant, documents.c.collection_id == collection.id)


def _gone(collection: Collection) -> NotFound:
    return NotFound(f"the collection {collection.name} was deleted")
