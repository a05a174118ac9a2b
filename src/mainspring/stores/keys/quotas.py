"""Quotas: the limits of a tenant and its current amounts, counted in the transaction that would add to them.

The amounts come from ``limits`` in the settings, or from the operator's own values for one tenant in the database. A
count far below its limit is remembered for a while; close to the limit, every addition counts again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from cachetools import LRUCache

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import InvalidRequest, QuotaExceeded
from mainspring.core.settings import LimitsSettings
from mainspring.stores.events.audit_log import LOCAL, Actor, Audit, HashedText
from mainspring.stores.schema import (
    batches,
    budgets,
    collections,
    documents,
    events,
    files,
    keys,
    prompt_versions,
    sessions,
    tenant_limits,
)
from mainspring.stores.sql.database import Database

REMEMBERED_S = 3.0
# Seconds for which a count is trusted, while the count and the additions stay below nine tenths of the limit.
COUNTED_S = 30.0
IN_FLIGHT = 100
REMEMBERED = 10_000
_OVER = ("completed", "failed", "expired", "cancelled")


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota: the counted items, and the remedy that makes room."""

    what: str
    remedy: str
    count: Callable[[str, str], sa.Select[Any]]


def _rows(table: sa.Table, *where: sa.ColumnElement[bool]) -> Callable[[str, str], sa.Select[Any]]:
    return lambda tenant, _: sa.select(sa.func.count()).select_from(table).where(table.c.tenant == tenant, *where)


def _sum(column: sa.ColumnElement[int], table: sa.Table) -> Callable[[str, str], sa.Select[Any]]:
    total = sa.func.coalesce(sa.func.sum(column), 0)
    return lambda tenant, _: sa.select(total).where(table.c.tenant == tenant)


def _usable_keys(tenant: str, _: str) -> sa.Select[Any]:
    living = keys.c.expires_at.is_(None) | (keys.c.expires_at > time.time())
    return _rows(keys, keys.c.revoked_at.is_(None), living)(tenant, "")


def _feedback(tenant: str, answer_id: str) -> sa.Select[Any]:
    return _rows(events, events.c.kind == "feedback", events.c.subject == answer_id)(tenant, "")


QUOTAS: Mapping[str, Quota] = {
    "keys": Quota("API keys", "Revoke some", _usable_keys),
    "vector_stores": Quota("vector stores", "Delete some", _rows(collections)),
    "files": Quota("files", "Delete some", _rows(files)),
    "file_bytes": Quota("bytes of files", "Delete some files", _sum(files.c.bytes, files)),
    "chunks": Quota("chunks of documents", "Delete documents", _sum(documents.c.chunks, documents)),
    "sessions": Quota("sessions", "Delete some", _rows(sessions)),
    "batches": Quota(
        "unfinished batches", "Wait for one, or cancel one", _rows(batches, batches.c.status.not_in(_OVER))
    ),
    "prompts": Quota(
        "versions of prompts", "Delete some", _rows(prompt_versions, prompt_versions.c.deleted_at.is_(None))
    ),
    "budgets": Quota("budgets", "Delete some", _rows(budgets)),
    "feedback_per_answer": Quota("pieces of feedback on one answer", "Send no more for it", _feedback),
}
"""The counted items, by the names of the settings."""


class Quotas:
    """The limits of all tenants."""

    def __init__(self, database: Database, settings: LimitsSettings | None = None, audit: Audit | None = None) -> None:
        self._database = database
        self._settings = settings or LimitsSettings()
        self._audit = audit or Audit(database)
        self._set: dict[str, dict[str, int]] = {}
        self._also: dict[str, list[Callable[[str, str], sa.Select[Any]]]] = {}
        self._read_at: float | None = None
        self._counted: LRUCache[tuple[str, str, str], tuple[int, float]] = LRUCache(REMEMBERED)

    def also(self, name: str, column: sa.ColumnElement[int], table: sa.Table) -> None:
        """Let the sum of ``column`` in a feature's ``table`` count for the quota ``name``, too."""
        self._also.setdefault(name, []).append(_sum(column, table))

    async def limits(self, tenant: str) -> dict[str, int]:
        """The limits of a tenant by their names; 0: none. Another process's change takes effect within seconds."""
        if self._read_at is None or time.monotonic() - self._read_at > REMEMBERED_S:
            read_at = time.monotonic()
            found = await self._database.read(lambda connection: connection.execute(sa.select(tenant_limits)).all())
            self._set = {}
            for row in found:
                self._set.setdefault(row.tenant, {})[row.name] = row.amount
            self._read_at = read_at
        return self._settings.of(tenant) | self._set.get(tenant, {})

    async def used(self, tenant: str) -> dict[str, int]:
        """A tenant's usage of limits per tenant."""
        whole = [name for name in QUOTAS if name != "feedback_per_answer"]

        def work(connection: sa.Connection) -> dict[str, int]:
            return {name: self._count(connection, tenant, name, "") for name in whole}

        return await self._database.read(work)

    async def change(self, tenant: str, changes: Mapping[str, int | None], *, by: Actor = LOCAL) -> None:
        """Set the limits of one tenant; None returns to the settings. Raises ``InvalidRequest`` naming the field."""
        for name, amount in changes.items():
            if name not in self._settings.tenant.model_fields_set | set(type(self._settings.tenant).model_fields):
                raise InvalidRequest(
                    f"there is no limit {name!r}", remedy=f"There are: {', '.join(self._settings.of(''))}", param=name
                )
            if amount is not None and not 0 <= amount <= 2**53:
                raise InvalidRequest(f"{name} must be a whole number, 0 for no limit", param=name)

        def work(connection: sa.Connection) -> None:
            for name, amount in changes.items():
                mine = sa.and_(tenant_limits.c.tenant == tenant, tenant_limits.c.name == name)
                connection.execute(sa.delete(tenant_limits).where(mine))
                if amount is not None:
                    row = {"tenant": tenant, "name": name, "amount": amount, "at": time.time()}
                    connection.execute(sa.insert(tenant_limits), row)
            told = {"tenant": HashedText(tenant), **changes}
            self._audit.append(connection, tenant, "limits.changed", by, object="limits", details=told)

        await self._database.write(work, durable=True)
        self._read_at = None

    async def check(self, tenant: str, name: str, of: str = "", *, adding: int = 1) -> None:
        """Raises ``QuotaExceeded`` if the amount cannot be added; for additions that happen elsewhere."""

        def work(connection: sa.Connection) -> None:
            if limit := self._limit(connection, tenant, name):
                self._refuse(name, self._count(connection, tenant, name, of), adding, limit)

        await self._database.read(work)

    def hold(self, connection: sa.Connection, tenant: str, name: str, adding: int = 1, *, of: str = "") -> None:
        """Count in a transaction that adds this amount. Raises ``QuotaExceeded``, which must roll it back."""
        limit = self._limit(connection, tenant, name)
        if not limit:
            return
        key, now = (tenant, name, of), time.monotonic()
        known = self._counted.get(key)
        # A count does not see concurrent additions: there must be room for many additions.
        near = limit - limit // 10
        roomy = IN_FLIGHT * adding <= limit // 10 and known is not None and known[0] + adding < near
        if known is not None and roomy and now - known[1] < COUNTED_S:
            self._counted[key] = known[0] + adding, known[1]
            return
        # Two that count at the same time would both find room for the last one.
        sql.lock(connection, f"quota {tenant} {name} {of}")
        there = self._count(connection, tenant, name, of)
        self._refuse(name, there, adding, limit)
        self._counted[key] = there + adding, now

    def _count(self, connection: sa.Connection, tenant: str, name: str, of: str) -> int:
        counts = (QUOTAS[name].count, *self._also.get(name, ()))
        return sum(int(connection.execute(each(tenant, of)).scalar_one()) for each in counts)

    @staticmethod
    def _refuse(name: str, there: int, adding: int, limit: int) -> None:
        quota = QUOTAS[name]
        if there + adding > limit:
            more = "" if adding == 1 else f", and {adding} more are asked for"
            raise QuotaExceeded(
                f"this tenant has {there} of {limit} {quota.what}{more}",
                remedy=f"{quota.remedy}, or ask whoever operates the server to raise limits.tenant.{name}",
                param=name,
            )

    def _limit(self, connection: sa.Connection, tenant: str, name: str) -> int:
        mine = sa.and_(tenant_limits.c.tenant == tenant, tenant_limits.c.name == rows.clean(name))
        found = connection.execute(sa.select(tenant_limits.c.amount).where(mine)).scalar_one_or_none()
        return self._settings.of(tenant)[name] if found is None else int(found)
