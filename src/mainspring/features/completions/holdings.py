"""The metadata of a data subject's stored completions. Their texts are those of the subject's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.completions.tables import stored_completions
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import AT_ONCE, Subject, SubjectData
from mainspring.stores.sql.database import Database


class TaggedAnswers:
    """Stored completions by a key, in a whole tenant, or among a subject's answers."""

    name = "stored_completions"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self,
        subject: Subject,
        held: SubjectData,
        upto: float,
        groups: frozenset[str] | None,  # noqa: ARG002
    ) -> Sequence[Mapping[str, Any]]:
        """Their metadata."""

        def work(connection: sa.Connection) -> list[sa.Row[Any]]:
            return [
                row
                for mine in _mine(subject, held, upto)
                for row in connection.execute(sa.select(stored_completions).where(mine))
            ]

        return [
            {"type": "stored_completion", "id": row.id, "at": row.at, "metadata": rows.load(row.metadata)}
            for row in await self._database.read(work)
        ]

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Take the marks away; how many. Can be done again."""

        def work(connection: sa.Connection) -> int:
            gone = [sa.delete(stored_completions).where(mine) for mine in _mine(subject, held, upto)]
            return sum(connection.execute(each).rowcount for each in gone)

        return await self._database.write(work, durable=True)


def _mine(subject: Subject, held: SubjectData, upto: float) -> list[sa.ColumnElement[bool]]:
    mine = sa.and_(stored_completions.c.tenant == subject.tenant, stored_completions.c.at <= upto)
    if subject.kind == "tenant":
        return [mine]
    if subject.kind == "key":
        return [sa.and_(mine, stored_completions.c.key_id == subject.id)]
    answers = sorted(held.answers)
    parts = [answers[start : start + AT_ONCE] for start in range(0, len(answers), AT_ONCE)]
    return [sa.and_(mine, stored_completions.c.id.in_(part)) for part in parts]


HOLDINGS = (TaggedAnswers,)
