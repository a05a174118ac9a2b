"""Pending deletions: recorded in the commit that deletes a document or a collection, and executed after it.

Nothing that was deleted is found from that commit on. The remaining work concerns bytes: chunks in the vector store,
answers made from the document, and data derived from those. A process that dies leaves its notes behind, and the next
to start acts on them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.stores.documents.records import Collection
from mainspring.stores.schema import documents, events, files, forgetting
from mainspring.stores.sql.database import Database

# Ids that one look through the events asks for.
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Forgetting:
    """A document of a collection, or a whole collection (``document_id`` empty) with the tables of its chunks.

    ``at`` is when it was deleted, in Unix seconds.
    """

    tenant: str
    collection_id: str
    document_id: str
    tables: tuple[str, ...]
    at: float


def note(connection: sa.Connection, collection: Collection, gone: Sequence[sa.Row[Any]]) -> None:
    """Note documents, in the transaction that deletes their rows; ``gone`` are those."""
    for row in gone:
        _note(connection, collection, row.id)
    _narrow_files(connection, gone, collection.groups)


def note_all(connection: sa.Connection, collection: Collection, gone: Sequence[sa.Row[Any]]) -> None:
    """Note a collection, in the transaction that deletes its row and the rows of its documents, ``gone``."""
    _note(connection, collection, "", filter(None, (collection.id, collection.table, collection.building)))
    _narrow_files(connection, gone, collection.groups)


def _note(connection: sa.Connection, collection: Collection, document_id: str, tables: Iterable[str] = ()) -> None:
    entry = {
        "tenant": collection.tenant,
        "collection_id": collection.id,
        "document_id": document_id,
        "tables": rows.names(set(tables)),
        "at": time.time(),
    }
    connection.execute(rows.insert_new(connection, forgetting), entry)


def _narrow_files(connection: sa.Connection, gone: Sequence[sa.Row[Any]], groups: frozenset[str]) -> None:
    """Uploaded files from which no document is made any more stay visible to those who could read the last one.

    ``gone`` are rows of deleted documents, ``groups`` their collection's list. Otherwise the file would be open to all
    of its uploader's groups as soon as the restricted document is deleted.
    """
    for row in gone:
        if row.file_id is None:
            continue
        mine = sa.and_(files.c.tenant == row.tenant, files.c.id == row.file_id)
        used = sa.exists().where(documents.c.tenant == row.tenant, documents.c.file_id == row.file_id)
        theirs = connection.execute(sa.select(files.c.groups).where(mine, ~used)).scalar_one_or_none()
        if theirs is None:
            continue
        lists = [groups, *(frozenset(rows.load(each)) for each in (row.groups, row.read_groups, theirs))]
        narrowed: frozenset[str] = frozenset()
        for each in lists:
            # If two lists have no common group, the document's own list is used.
            narrowed = (narrowed & each or each) if narrowed and each else narrowed or each
        connection.execute(sa.update(files).where(mine).values(groups=rows.names(narrowed)))


class PendingErasure:
    """The notes, and the answers that they concern."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_all(self) -> Sequence[Forgetting]:
        """All notes, oldest first."""
        query = sa.select(forgetting).order_by(forgetting.c.at, forgetting.c.collection_id, forgetting.c.document_id)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [
            Forgetting(row.tenant, row.collection_id, row.document_id, tuple(rows.load(row.tables)), row.at)
            for row in found
        ]

    async def done(self, notes: Sequence[Forgetting]) -> None:
        """Delete notes that were acted on."""
        gone = sa.delete(forgetting).where(
            forgetting.c.tenant == sa.bindparam("a"),
            forgetting.c.collection_id == sa.bindparam("b"),
            forgetting.c.document_id == sa.bindparam("c"),
        )
        values = [{"a": each.tenant, "b": each.collection_id, "c": each.document_id} for each in notes]
        if values:
            await self._database.write(lambda connection: connection.execute(gone, values) and None, durable=False)

    async def answers(self, tenant: str, notes: Sequence[Forgetting]) -> list[str]:
        """The ids of answers that repeat, or were written over, what the notes of this tenant name."""
        names = {each.document_id or each.collection_id for each in notes}
        found: dict[str, None] = {}
        for start in range(0, len(names), _AT_ONCE):
            part = sorted(names)[start : start + _AT_ONCE]
            query = sa.select(events.c.subject, events.c.facts).where(
                events.c.tenant == tenant,
                events.c.kind == "retrieval",
                events.c.subject != "",
                sa.or_(*(events.c.facts.contains(name, autoescape=True) for name in part)),
            )
            for row in await self._select(query):
                if names & _made_of_row(row.facts, names):
                    found[row.subject] = None
        return list(found)

    async def _select(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        return await self._database.read(lambda connection: connection.execute(query).all())


def _made_of_row(facts: str, names: set[str]) -> set[str]:
    """As ``_made_of``. Facts that cannot be read name some of ``names``: their answer is forgotten, too."""
    try:
        return _made_of(RetrievalFacts.from_json(rows.load(facts)))
    except (ValueError, TypeError, AttributeError):
        return names


def _made_of(facts: RetrievalFacts) -> set[str]:
    """The documents (and their collections) whose text an answer may have."""
    made_of = {each.document_id for each in facts.cited}
    if facts.mode != "extractive":
        made_of |= {each.document_id for each in facts.hits}
    return made_of | set(facts.collections) if made_of else made_of
