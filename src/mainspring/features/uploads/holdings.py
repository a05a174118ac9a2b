"""Uploads under way of a key or a whole tenant: the names of files, and the parts that are there. Completed ones are
files, which other rooms erase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.documents.blobs as blob_store
import mainspring.stores.sql.rows as rows
from mainspring.features.uploads.tables import upload_parts, uploads
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.sql.database import Database


class UploadsHeld:
    """Uploads by a key, or in a whole tenant."""

    name = "uploads"

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    async def find(
        self,
        subject: Subject,
        held: SubjectData,  # noqa: ARG002
        upto: float,
        groups: frozenset[str] | None,
    ) -> Sequence[Mapping[str, Any]]:
        """The records, for keys whose groups are among ``groups``."""
        if (mine := _mine(subject, upto)) is None:
            return []
        found = await self._database.read(lambda it: it.execute(sa.select(uploads).where(mine)).all())
        return [
            {"type": "upload", "id": row.id, "at": row.created_at, "filename": row.filename, "status": row.status}
            for row in found
            if groups is None or frozenset(rows.load(row.groups)) <= groups
        ]

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:  # noqa: ARG002
        """Delete the records and the parts."""
        if (mine := _mine(subject, upto)) is None:
            return 0

        def work(connection: sa.Connection) -> int:
            gone = connection.execute(sa.delete(uploads).where(mine).returning(uploads.c.id)).scalars().all()
            for upload_id in gone:
                theirs = sa.and_(upload_parts.c.tenant == subject.tenant, upload_parts.c.upload_id == upload_id)
                parts = connection.execute(sa.delete(upload_parts).where(theirs).returning(upload_parts.c.sha256))
                for sha256 in sorted(set(parts.scalars())):
                    blob_store.discard(connection, sha256)
            return len(gone)

        count = await self._database.write(work, frees=True)
        if count:
            await blob_store.sweep(self._database, self._blobs)
        return count


def _mine(subject: Subject, upto: float) -> sa.ColumnElement[bool] | None:
    if subject.kind not in ("key", "tenant"):
        return None
    theirs = [uploads.c.tenant == subject.tenant, uploads.c.created_at <= upto]
    return sa.and_(*theirs, *([uploads.c.key_id == subject.id] if subject.kind == "key" else []))


HOLDINGS = (UploadsHeld,)
