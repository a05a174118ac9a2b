"""The monitor's data of a person: which key silenced or acknowledged an alert, and its comments. Counts of the traffic
identify no person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from mainspring.features.monitor.tables import alerts, silences
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.sql.database import Database

ERASED = "erased"
"""The placeholder for an erased acknowledger: the alert stays acknowledged."""


class Silenced:
    """Silences and acknowledgements by a key, or in a whole tenant."""

    name = "silences"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self,
        subject: Subject,
        held: SubjectData,  # noqa: ARG002
        upto: float,
        groups: frozenset[str] | None,  # noqa: ARG002
    ) -> Sequence[Mapping[str, Any]]:
        """Silences, whose comments a person wrote."""
        if (mine := _silences(subject, upto)) is None:
            return []
        found = await self._database.read(lambda it: it.execute(sa.select(silences).where(mine)).all())
        return [
            {"type": "silence", "id": row.id, "at": row.created_at, "created_by": row.created_by, "text": row.comment}
            for row in found
        ]

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:  # noqa: ARG002
        """Clear comments and authors; silences and acknowledgements stay in force."""
        if (mine := _silences(subject, upto)) is None:
            return 0

        def work(connection: sa.Connection) -> int:
            said = sa.or_(silences.c.comment != "", silences.c.created_by != "")
            emptied = connection.execute(sa.update(silences).where(mine, said).values(comment="", created_by=""))
            seen = sa.and_(alerts.c.tenant == subject.tenant, alerts.c.acknowledged_at <= upto)
            if subject.kind == "key":
                seen = sa.and_(seen, alerts.c.acknowledged_by == subject.id)
            connection.execute(sa.update(alerts).where(seen).values(acknowledged_by=ERASED))
            return emptied.rowcount

        return await self._database.write(work, durable=True)


def _silences(subject: Subject, upto: float) -> sa.ColumnElement[bool] | None:
    mine = sa.and_(silences.c.tenant == subject.tenant, silences.c.created_at <= upto)
    match subject.kind:
        case "tenant":
            return mine
        case "key":
            return sa.and_(mine, silences.c.created_by == subject.id)
        case _:
            return None


HOLDINGS = (Silenced,)
