"""The store of artifacts: each belongs to the person who made it, within a tenant, and nobody else finds it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
from mainspring.agents.tools.sources.artifacts import KeptFile, named
from mainspring.core import cards
from mainspring.core.errors import NotFound, QuotaExceeded, TooLarge
from mainspring.core.types import Principal
from mainspring.features.toolsets.settings import ToolSettings
from mainspring.features.toolsets.tables import artifacts
from mainspring.stores.sql.database import Database

PREFIX = "art_"


class ArtifactStore:
    """The artifacts of all tenants."""

    def __init__(self, database: Database, settings: ToolSettings) -> None:
        self._database = database
        self._settings = settings

    async def put(self, principal: Principal, name: str, data: bytes, key: str) -> KeptFile:
        most = self._settings.max_artifact_bytes
        if len(data) > most:
            raise TooLarge(f"an artifact has at most {most} bytes", param="text")
        data, name = cards.scrub_text(data), cards.scrub(named(name))
        once = hashlib.sha256(f"{principal.person}\0{key}".encode()).hexdigest()

        def work(connection: sa.Connection) -> KeptFile:
            mine = _mine(principal)
            there = connection.execute(sa.select(*_COLUMNS).where(mine, artifacts.c.once == once)).one_or_none()
            if there is not None:
                return _artifact(there)
            count = connection.execute(sa.select(sa.func.count()).select_from(artifacts).where(mine)).scalar_one()
            if count >= self._settings.max_artifacts:
                raise QuotaExceeded(f"this key has {count} artifacts, and may have no more")
            made = KeptFile(ids.new(PREFIX), name, len(data), time.time())
            row = {"tenant": principal.tenant, "id": made.id, "owner": principal.person, "once": once, "name": name}
            values = {"data": data, "bytes": made.bytes, "created_at": made.created_at}
            connection.execute(sa.insert(artifacts).values(**row, **values))
            return made

        return await self._database.write(work, durable=True)

    async def get(self, principal: Principal, artifact_id: str) -> tuple[KeptFile, bytes]:
        def work(connection: sa.Connection) -> tuple[KeptFile, bytes]:
            query = sa.select(*_COLUMNS, artifacts.c.data).where(_mine(principal), artifacts.c.id == artifact_id)
            row = connection.execute(query).one_or_none()
            if row is None:
                raise NotFound(f"there is no artifact {artifact_id}", param="id")
            return _artifact(row), bytes(row.data)

        return await self._database.read(work)

    async def every(self, principal: Principal) -> Sequence[KeptFile]:
        def work(connection: sa.Connection) -> list[KeptFile]:
            query = sa.select(*_COLUMNS).where(_mine(principal)).order_by(artifacts.c.created_at.desc()).limit(100)
            return [_artifact(row) for row in connection.execute(query)]

        return await self._database.read(work)


_COLUMNS = (artifacts.c.id, artifacts.c.name, artifacts.c.bytes, artifacts.c.created_at)


def _mine(principal: Principal) -> Any:
    return sa.and_(artifacts.c.tenant == principal.tenant, artifacts.c.owner == principal.person)


def _artifact(row: Any) -> KeptFile:
    return KeptFile(row.id, row.name, row.bytes, row.created_at)
