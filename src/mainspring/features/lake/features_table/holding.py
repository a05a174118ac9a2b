"""Features of data subjects: the changes by their answers go, and what is left is counted again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.lake.features_table.following import forget
from mainspring.features.lake.features_table.tables import (
    lake_feature_changes,
    lake_feature_rows,
    lake_feature_vectors,
)
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.sql.database import Database


class HeldFeatures:
    """Features in all tenants."""

    name = "lake_features"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self,
        subject: Subject,
        held: SubjectData,  # noqa: ARG002
        upto: float,  # noqa: ARG002
        groups: frozenset[str] | None = None,  # noqa: ARG002
    ) -> Sequence[Mapping[str, Any]]:
        """The present features of a user. They are numbers, the same for every reader."""
        if subject.kind != "user":
            return []
        of = lake_feature_rows.c
        query = sa.select(of.features).where(of.tenant == subject.tenant, of.entity == "user", of.id == subject.id)
        found = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        return [{"type": "lake_features", "features": rows.load(each)} for each in found]

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete the changes; returns their number."""

        def work(connection: sa.Connection) -> int:
            if subject.kind == "tenant":
                old = sa.and_(lake_feature_changes.c.tenant == subject.tenant, lake_feature_changes.c.at <= upto)
                names = connection.execute(sa.select(lake_feature_changes.c.answer_id).where(old).distinct())
                return forget(connection, subject.tenant, list(names.scalars()))
            count = forget(connection, subject.tenant, sorted(held.answers))
            if subject.kind == "user":
                of = lake_feature_vectors.c
                theirs = sa.and_(of.tenant == subject.tenant, of.id == subject.id, of.at <= upto)
                connection.execute(sa.delete(lake_feature_vectors).where(theirs))
            return count

        return await self._database.write(work, durable=True, frees=True)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """A document behind these answers is gone."""
        await self._database.write(lambda connection: forget(connection, tenant, answers) and None, durable=True)
