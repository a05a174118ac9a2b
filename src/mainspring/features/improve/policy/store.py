"""Policies in the database: each change is a new version."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound, QuotaExceeded
from mainspring.core.types import Principal
from mainspring.features.improve.policy.policy import Policy, first_problem
from mainspring.features.improve.settings import ImproveSettings
from mainspring.features.improve.tables import improve_policies, improve_watched
from mainspring.stores.events.audit_log import Actor, Audit
from mainspring.stores.sql.database import Database

_log = logging.getLogger(__name__)
_p, _w = improve_policies.c, improve_watched.c


@dataclass(frozen=True, slots=True)
class Policed:
    """A policy as it is recorded. Campaigns act as ``key_id``."""

    tenant: str
    application: str
    version: int
    policy: Policy
    enabled: bool
    key_id: str
    groups: frozenset[str]
    created_at: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What is counted of an application. ``fresh`` is the feedback since the last campaign began."""

    feedback: int = 0
    begun: int = 0
    begun_at: float = 0.0
    rest_until: float = 0.0
    due: str = ""

    @property
    def fresh(self) -> int:
        return max(0, self.feedback - self.begun)


class PolicyStore:
    """The policies of all tenants."""

    def __init__(self, database: Database, audit: Audit, settings: ImproveSettings) -> None:
        self._database = database
        self._audit = audit
        self._settings = settings

    async def put(self, principal: Principal, application: str, policy: Policy, by: Actor, *, enabled: bool) -> Policed:
        """Set a policy; the same one again is no new version. Raises ``QuotaExceeded``."""
        tenant, now = principal.tenant, time.time()
        text = rows.dump(policy.model_dump(mode="json"))

        def work(connection: sa.Connection) -> Policed:
            sql.lock(connection, f"improve {tenant}")
            found = self._versions(connection, tenant, application)
            if not found:
                count = sa.select(sa.func.count(_p.application.distinct())).where(_p.tenant == tenant)
                if connection.execute(count).scalar_one() >= self._settings.policies:
                    raise QuotaExceeded(
                        f"{self._settings.policies} applications have policies, the maximum",
                        remedy="Delete one of them",
                    )
            if found and (found[0].policy, found[0].enabled, found[0].key_id) == (text, enabled, principal.key_id):
                return _policed(found[0])
            number = found[0].version + 1 if found else 1
            values: dict[str, Any] = {"policy": text, "enabled": enabled, "key_id": principal.key_id}
            values |= {"groups": rows.names(principal.groups), "created_at": now}
            place = {"tenant": tenant, "application": application}
            connection.execute(sa.insert(improve_policies).values(**place, version=number, **values))
            old = sa.and_(_p.tenant == tenant, _p.application == application)
            gone = sa.delete(improve_policies).where(old, _p.version <= number - self._settings.versions)
            connection.execute(gone)
            fresh = {**place, "begun_at": now, "rest_until": 0.0}
            connection.execute(rows.insert_new(connection, improve_watched).values(**fresh))
            details = {"application": application, "version": number, "enabled": enabled}
            self._audit.append(connection, tenant, "improve.policy", by, object=application, details=details)
            return _policed(self._versions(connection, tenant, application)[0])

        return await self._database.write(work, durable=True)

    async def remove(self, tenant: str, application: str, by: Actor) -> None:
        """Delete a policy with all versions; campaigns under way go on. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            mine = sa.and_(_p.tenant == tenant, _p.application == application)
            if not connection.execute(sa.delete(improve_policies).where(mine)).rowcount:
                raise _unknown(application)
            watched = sa.and_(_w.tenant == tenant, _w.application == application)
            connection.execute(sa.delete(improve_watched).where(watched))
            self._audit.append(connection, tenant, "improve.policy.deleted", by, object=application)

        await self._database.write(work, durable=True)

    async def get(self, principal: Principal, application: str, version: int | None = None) -> Policed:
        """The one in force, or an earlier version. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> Policed | None:
            found = self._versions(connection, principal.tenant, application)
            return next((_policed(row) for row in found if version in (None, row.version)), None)

        found = await self._database.read(work)
        if found is None or not found.groups <= principal.groups:
            raise _unknown(application)
        return found

    async def versions(self, principal: Principal, application: str) -> list[Policed]:
        """All versions, the newest first. Raises ``NotFound``."""
        await self.get(principal, application)
        found = await self._database.read(lambda each: self._versions(each, principal.tenant, application))
        return [_policed(row) for row in found]

    async def all(self, tenant: str | None = None) -> list[Policed]:
        """Those in force, of a tenant or of all, by tenant and application. One that cannot be read is left out."""
        latest = sa.select(_p.tenant, _p.application, sa.func.max(_p.version).label("version"))
        latest = latest if tenant is None else latest.where(_p.tenant == tenant)
        newest = latest.group_by(_p.tenant, _p.application).subquery()
        same = sa.and_(*(getattr(newest.c, name) == getattr(_p, name) for name in ("tenant", "application", "version")))
        query = sa.select(improve_policies).join(newest, same).order_by(_p.tenant, _p.application)
        read: list[Policed] = []
        for row in await self._database.read(lambda connection: connection.execute(query).all()):
            try:
                read.append(_policed(row))
            except ValidationError as error:
                # Of another version of this program: the others' go on.
                problem = first_problem(error)
                _log.warning("the policy of %s of %s cannot be read: %s", row.application, row.tenant, problem)
        return read

    async def watched(self, tenant: str, application: str) -> Watched:
        query = sa.select(improve_watched).where(_w.tenant == tenant, _w.application == application)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return Watched()
        return Watched(row.feedback, row.begun, row.begun_at, row.rest_until, row.due)

    @staticmethod
    def _versions(connection: sa.Connection, tenant: str, application: str) -> Sequence[sa.Row[Any]]:
        mine = sa.select(improve_policies).where(_p.tenant == tenant, _p.application == application)
        return connection.execute(mine.order_by(_p.version.desc())).all()


def _unknown(application: str) -> NotFound:
    return NotFound(
        f"there is no policy for {application:.100}",
        remedy="PUT /v1/improve/policies/{application} sets one",
        param="application",
    )


def _policed(row: sa.Row[Any]) -> Policed:
    return Policed(
        row.tenant,
        row.application,
        row.version,
        Policy.model_validate(rows.load(row.policy)),
        bool(row.enabled),
        row.key_id,
        frozenset(rows.load(row.groups)),
        row.created_at,
    )
