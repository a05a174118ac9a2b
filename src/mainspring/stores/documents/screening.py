"""The findings of screening for documents, and whether searches may find them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

import mainspring.stores.documents.changes as changes
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict
from mainspring.stores.documents.records import Collection, Document, Publication, Screening
from mainspring.stores.schema import documents


def columns(old: sa.Row[Any], wanted: Publication) -> dict[str, Any]:
    """Columns of a document that is published. A released document stays released while its findings are the same."""
    released = old.screening == "released" and old.text_blob == wanted.text_blob and bool(wanted.findings)
    screening: Screening = "released" if released else wanted.screening
    return {"screening": screening, "findings": rows.dump(dict(wanted.findings))}


def note(
    connection: sa.Connection,
    collection: Collection,
    document: Document,
    screening: Screening,
    findings: Mapping[str, int],
) -> int:
    """Record the findings in the current text; returns the collection's new version. Raises ``NotFound``, and
    ``Conflict`` if the document is gone, or another text of it is read by now."""
    version = changes.bump(connection, collection)
    same = sa.and_(
        documents.c.tenant == collection.tenant,
        documents.c.collection_id == collection.id,
        documents.c.id == document.document_id,
        documents.c.generation == document.generation,
    )
    values = {"screening": screening, "findings": rows.dump(dict(findings)), "changed": version}
    if not connection.execute(sa.update(documents).where(same).values(values)).rowcount:
        raise Conflict(f"{document.name} was changed meanwhile", remedy="Look at it again")
    return version
