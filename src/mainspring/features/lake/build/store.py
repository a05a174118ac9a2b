"""The builds of a tenant, with their options and their funnels."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound
from mainspring.features.lake.tables import lake_builds
from mainspring.stores.sql.database import Database

RUNNING, DONE, FAILED = "running", "done", "failed"
PREFIX = "lakebuild-"


@dataclass(frozen=True, slots=True)
class Build:
    """A build. Times are Unix seconds; ``report`` is the funnel of one that is done."""

    tenant: str
    id: str
    state: str
    created_at: float
    ended_at: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


class Builds:
    """The builds of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, tenant: str, options: Mapping[str, Any], build_id: str = "") -> Build:
        """A new build. Those that still run have died: the caller has the lease."""
        build = Build(tenant, build_id or ids.new(PREFIX), RUNNING, time.time(), options=options)

        def work(connection: sa.Connection) -> None:
            dead = sa.and_(lake_builds.c.tenant == tenant, lake_builds.c.state == RUNNING)
            values = {"state": FAILED, "error": "its process died", "ended_at": time.time()}
            connection.execute(sa.update(lake_builds).where(dead).values(**values))
            row = {"tenant": tenant, "id": build.id, "state": RUNNING, "created_at": build.created_at}
            connection.execute(sa.insert(lake_builds), {**row, "options": rows.dump(dict(options))})

        await self._database.write(work)
        return build

    @staticmethod
    def finish(connection: sa.Connection, build: Build, report: Mapping[str, Any]) -> None:
        """Within the commit that adds its files."""
        values = {"state": DONE, "report": rows.dump(dict(report)), "ended_at": time.time()}
        connection.execute(sa.update(lake_builds).where(_is(build.tenant, build.id)).values(**values))

    async def failed(self, tenant: str, build_id: str, error: str) -> None:
        """It ended without files."""
        mine = sa.and_(_is(tenant, build_id), lake_builds.c.state == RUNNING)
        values = {"state": FAILED, "error": error[:500], "ended_at": time.time()}
        await self._database.write(
            lambda connection: connection.execute(sa.update(lake_builds).where(mine).values(**values)) and None
        )

    async def get(self, tenant: str, build_id: str) -> Build:
        """Raises ``NotFound``."""
        query = sa.select(lake_builds).where(_is(tenant, build_id))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"there is no build {build_id}", remedy="GET /v1/lake/builds lists them", param="build_id")
        return _build(row)

    async def latest(self, tenant: str, build_id: str = "") -> Build:
        """The build of this id, or the newest one that is done. Raises ``NotFound``."""
        if build_id:
            return await self.get(tenant, build_id)
        found = await self.finished(tenant)
        if not found:
            raise NotFound("there is no build yet", remedy="Run mainspring lake build")
        return found[0]

    async def list(self, tenant: str, limit: int = 50) -> Sequence[Build]:
        """The newest first."""
        query = sa.select(lake_builds).where(lake_builds.c.tenant == tenant)
        query = query.order_by(lake_builds.c.created_at.desc()).limit(limit)
        return [_build(row) for row in await self._database.read(lambda connection: connection.execute(query).all())]

    async def finished(self, tenant: str) -> Sequence[Build]:
        """Those that are done, the newest first."""
        mine = sa.and_(lake_builds.c.tenant == tenant, lake_builds.c.state == DONE)
        query = sa.select(lake_builds).where(mine).order_by(lake_builds.c.created_at.desc())
        return [_build(row) for row in await self._database.read(lambda connection: connection.execute(query).all())]

    async def delete(self, tenant: str, build_id: str) -> None:
        """Forget it; its files are gone."""
        await self._database.write(
            lambda connection: connection.execute(sa.delete(lake_builds).where(_is(tenant, build_id))) and None
        )


def _is(tenant: str, build_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(lake_builds.c.tenant == tenant, lake_builds.c.id == build_id)


def _build(row: sa.Row[Any]) -> Build:
    return Build(
        *(row.tenant, row.id, row.state, row.created_at, row.ended_at),
        *(rows.load(row.options), rows.load(row.report), row.error),
    )
