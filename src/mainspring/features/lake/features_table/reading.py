"""Reads features: the present ones by key, and those of any time before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import InvalidRequest
from mainspring.features.lake.features_table.changes import ENTITIES, folded
from mainspring.features.lake.features_table.tables import (
    lake_feature_changes,
    lake_feature_rows,
    lake_feature_vectors,
)
from mainspring.stores.sql.database import Database

EMBEDDED = "embedded"
"""In a row of present values: of how many questions its vector is the sum."""
Vector = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Features:
    """The features of an entity by name, and the mean of the vectors of ``embedded`` questions (None: there are none).
    Empty ones are of an entity that nothing is known of."""

    features: dict[str, float] = field(default_factory=dict)
    embedding: Vector | None = None
    embedded: int = 0
    embedder: str = ""


@dataclass(frozen=True, slots=True)
class FeatureKey:
    """An entity, and the time (Unix seconds) as of which its features are read: what happened at that time or later
    does not count. None: now."""

    entity: str
    id: str
    as_of: float | None = None

    def __post_init__(self) -> None:
        if self.entity not in ENTITIES:
            known = ", ".join(ENTITIES)
            raise InvalidRequest(f"there is no entity {self.entity!r}", remedy=f"Use {known}", param="entity")


class FeatureTable:
    """Features of users and documents of each tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self, tenant: str, entity: str, name: str) -> Features:
        """The present features: one read by key, for serving."""
        return (await self.read(tenant, [FeatureKey(entity, name)]))[0]

    async def read(self, tenant: str, keys: Sequence[FeatureKey]) -> list[Features]:
        """The features of each key, in their order; those of a time for training."""

        def work(connection: sa.Connection) -> list[Features]:
            return [
                _now(connection, tenant, key.entity, key.id)
                if key.as_of is None
                else as_of(connection, tenant, key.entity, key.id, key.as_of)
                for key in keys
            ]

        return await self._database.read(work)


# Made once: building it takes longer than running it.
_NOW = sa.select(lake_feature_rows.c.features, lake_feature_rows.c.embedder, lake_feature_rows.c.vector).where(
    lake_feature_rows.c.tenant == sa.bindparam("tenant"),
    lake_feature_rows.c.entity == sa.bindparam("entity"),
    lake_feature_rows.c.id == sa.bindparam("id"),
)


def _now(connection: sa.Connection, tenant: str, entity: str, name: str) -> Features:
    row = connection.execute(_NOW, {"tenant": tenant, "entity": entity, "id": name}).one_or_none()
    if row is None:
        return Features()
    found = rows.load(row.features)
    embedded = int(found.pop(EMBEDDED, 0))
    if row.vector is None or not embedded:
        return Features(found)
    return Features(found, np.frombuffer(row.vector, np.float32) / np.float32(embedded), embedded, row.embedder)


def as_of(
    connection: sa.Connection, tenant: str, entity: str, name: str, at: float | None, embedder: str = ""
) -> Features:
    """The features before ``at`` (None: all), from the changes."""
    of = lake_feature_changes.c
    mine = sa.and_(of.tenant == tenant, of.entity == entity, of.id == name)
    mine = mine if at is None else sa.and_(mine, of.at < at)
    query = sa.select(of.name, sa.func.sum(of.value), sa.func.max(of.at)).where(mine).group_by(of.name)
    found = [(row[0], float(row[1]), float(row[2])) for row in connection.execute(query)]
    if entity != "user":
        return Features(folded(entity, found))
    vectors = lake_feature_vectors.c
    theirs = sa.and_(vectors.tenant == tenant, vectors.id == name)
    theirs = theirs if at is None else sa.and_(theirs, vectors.at < at)
    newest = sa.select(vectors.embedder).where(theirs).order_by(vectors.at.desc()).limit(1)
    embedder = embedder or connection.execute(newest).scalar_one_or_none() or ""
    total: Vector | None = None
    count = 0
    same = sa.select(vectors.vector).where(theirs, vectors.embedder == embedder).order_by(vectors.at)
    for row in connection.execute(same).yield_per(500):
        vector = np.frombuffer(row.vector, np.float32)
        total, count = vector if total is None else total + vector, count + 1
    if total is None:
        return Features(folded(entity, found))
    return Features(folded(entity, found), np.asarray(total / count, np.float32), count, embedder)
