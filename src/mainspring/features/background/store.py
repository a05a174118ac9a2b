"""The states of responses in the background: what another process, or this one after a crash, knows of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from mainspring.core.errors import RateLimited
from mainspring.core.types import Principal
from mainspring.features.background.tables import background_responses as table
from mainspring.stores.sql.database import Database

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
OPEN = ("queued", "in_progress")
BEAT_S = 5.0
"""Seconds between two signs of life of the process that makes a response."""
LOST_S = 30.0
"""Seconds without a sign of life after which it is taken for dead."""
_KEPT_S = 30 * 86_400.0
# Seconds that the row of a response stays: nothing else records one that failed before it had an answer.
INTERRUPTED = "interrupted"
"""The code of a response whose process ended before it did."""


@dataclass(frozen=True, slots=True)
class BackgroundState:
    """A response in the background; times are Unix seconds."""

    tenant: str
    id: str
    key_id: str
    model: str
    status: str
    code: str
    cancelled: bool
    created_at: float
    beat_at: float

    @property
    def is_open(self) -> bool:
        """Whether it is still being made."""
        return self.status in OPEN

    @property
    def is_lost(self) -> bool:
        """Whether nobody makes it any more, though it did not come to its end."""
        return self.code == INTERRUPTED or (self.is_open and time.time() - self.beat_at > 2 * BEAT_S)

    @property
    def seen(self) -> BackgroundState:
        """As it is now: an open one whose process is dead has failed."""
        if self.status not in OPEN or time.time() - self.beat_at < LOST_S:
            return self
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return BackgroundState(**{**values, "status": "failed", "code": INTERRUPTED})


class BackgroundStates:
    """The responses in the background of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, principal: Principal, answer_id: str, model: str, most: int) -> None:
        """Note a new one; durable when it returns. Raises ``RateLimited`` if ``most`` of the tenant are open."""

        def work(connection: sa.Connection) -> None:
            now = time.time()
            connection.execute(sa.delete(table).where(table.c.created_at < now - _KEPT_S))
            alive = sa.and_(table.c.status.in_(OPEN), table.c.beat_at > now - LOST_S)
            mine = sa.select(sa.func.count()).where(table.c.tenant == principal.tenant, alive)
            if connection.execute(mine).scalar_one() >= most:
                raise RateLimited(
                    f"{most} responses are in progress in the background, and a tenant may have no more",
                    remedy="Wait for one of them, or cancel it",
                    param="background",
                    retry_after=BEAT_S,
                )
            row = {"tenant": principal.tenant, "id": answer_id, "key_id": principal.key_id, "model": model}
            connection.execute(sa.insert(table).values(**row, status="queued", created_at=now, beat_at=now))

        await self._database.write(work, durable=True)

    async def find(self, principal: Principal, answer_id: str) -> BackgroundState | None:
        """The response if this key asked for it."""
        query = sa.select(table).where(
            _one(principal.tenant, answer_id), table.c.key_id.in_(sorted(principal.own_keys))
        )
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else BackgroundState(**row._mapping)

    async def move(self, tenant: str, answer_id: str, status: Status, code: str = "") -> None:
        """Note another state of an open response; durable when it returns."""
        await self._change(tenant, answer_id, {"status": status, "code": code, "beat_at": time.time()})

    async def beat(self, tenant: str, answer_id: str) -> bool:
        """Say that it is still being made; whether somebody wants it cancelled."""

        def work(connection: sa.Connection) -> bool:
            mine = sa.update(table).where(_one(tenant, answer_id)).values(beat_at=time.time())
            row = connection.execute(mine.returning(table.c.cancelled)).one_or_none()
            return row is not None and bool(row.cancelled)

        return await self._database.write(work, durable=False)

    async def cancel(self, tenant: str, answer_id: str) -> None:
        """Ask the process that makes it to stop; one whose process is dead is cancelled at once."""
        await self._change(tenant, answer_id, {"cancelled": True})
        late = sa.and_(_one(tenant, answer_id), table.c.status.in_(OPEN), table.c.beat_at < time.time() - LOST_S)
        await self._database.write(
            lambda connection: connection.execute(sa.update(table).where(late).values(status="cancelled")) and None,
            durable=True,
        )

    async def forget(self, tenant: str, answer_id: str) -> None:
        """Delete the row."""
        gone = sa.delete(table).where(_one(tenant, answer_id))
        await self._database.write(lambda connection: connection.execute(gone) and None, durable=True)

    async def _change(self, tenant: str, answer_id: str, values: dict[str, Any]) -> None:
        mine = sa.update(table).where(_one(tenant, answer_id), table.c.status.in_(OPEN)).values(**values)
        await self._database.write(lambda connection: connection.execute(mine) and None, durable=True)


def _one(tenant: str, answer_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.tenant == tenant, table.c.id == answer_id)
