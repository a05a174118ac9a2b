"""Agents that are made over HTTP: versions under a name, of which the newest is served.

Callers see the agents of keys whose groups are among their own. Versions are numbered from 1 and never change.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, NotFound, Outdated, QuotaExceeded
from mainspring.core.types import Principal
from mainspring.features.agents.tables import agent_versions as versions
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice


@dataclass(frozen=True, slots=True)
class KeptAgent:
    """A version of an agent; ``created_at`` is in Unix seconds."""

    tenant: str
    name: str
    version: int
    definition: Mapping[str, Any]
    note: str
    owner: str
    groups: frozenset[str]
    created_at: float


class AgentStore:
    """The agents of all tenants."""

    def __init__(self, database: Database, max_agents: int) -> None:
        self._database = database
        self._max_agents = max_agents

    async def put(
        self,
        principal: Principal,
        name: str,
        definition: Mapping[str, Any],
        *,
        note: str = "",
        new: bool = False,
        seen: int | None = None,
    ) -> KeptAgent:
        """A new version of ``name``, the ``new`` agent's first one. ``seen`` is the version that the caller has read.

        Raises ``Conflict`` for a name that is taken, ``Outdated`` if another version came since, ``QuotaExceeded``.
        """

        def work(connection: sa.Connection) -> KeptAgent:
            row = _newest(connection, principal.tenant, name)
            if row is not None and (new or not _visible(row, principal)):
                raise Conflict(f"there is an agent named {name} already", remedy="Change it, or take another name")
            if row is None and not new:
                raise _missing(name)
            if row is not None and seen is not None and row.version != seen:
                raise Outdated(
                    f"the agent {name} has version {row.version} now", remedy="Read it again, and then change it"
                )
            if new:
                self._check_room(connection, principal.tenant)
            made = KeptAgent(
                principal.tenant,
                name,
                1 if row is None else row.version + 1,
                definition,
                note,
                principal.person,
                principal.groups if row is None else frozenset(rows.load(row.groups)),
                time.time(),
            )
            values = {"tenant": made.tenant, "name": name, "version": made.version, "note": note}
            values |= {"definition": rows.dump(dict(definition)), "owner": made.owner}
            values |= {"groups": rows.names(made.groups), "created_at": made.created_at}
            connection.execute(sa.insert(versions).values(**values))
            return made

        return await self._database.write(work, durable=True)

    async def get(self, principal: Principal, name: str, version: int | None = None) -> KeptAgent:
        """A version; the newest where none is named. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> KeptAgent:
            query = sa.select(versions).where(_of(principal.tenant, name))
            if version is not None:
                query = query.where(versions.c.version == version)
            row = connection.execute(query.order_by(versions.c.version.desc()).limit(1)).one_or_none()
            if row is None or not _visible(row, principal):
                raise _missing(name)
            return _kept(row)

        return await self._database.read(work)

    async def history(self, principal: Principal, name: str) -> list[KeptAgent]:
        """All versions, the newest first. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> list[KeptAgent]:
            query = sa.select(versions).where(_of(principal.tenant, name)).order_by(versions.c.version.desc())
            found = [row for row in connection.execute(query) if _visible(row, principal)]
            if not found:
                raise _missing(name)
            return [_kept(row) for row in found]

        return await self._database.read(work)

    async def page(self, principal: Principal, page: Page) -> Slice[KeptAgent]:
        """The newest version of each, by name."""

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            mine = versions.c.tenant == principal.tenant
            lists = connection.execute(sa.select(versions.c.groups).where(mine).distinct()).scalars()
            visible = [text for text in lists if frozenset(rows.load(text)) <= principal.groups]
            newest = (
                sa.select(versions.c.name, sa.func.max(versions.c.version).label("version"))
                .where(mine)
                .group_by(versions.c.name)
                .subquery()
            )
            joined = sa.and_(versions.c.name == newest.c.name, versions.c.version == newest.c.version)
            query = sa.select(versions).join(newest, joined).where(mine, versions.c.groups.in_(visible))
            return pages.read(connection, query, (versions.c.name,), page, lambda cursor: (cursor,))

        return (await self._database.read(work)).map(_kept)

    async def delete(self, principal: Principal, name: str) -> int:
        """Delete all versions; how many. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> int:
            row = _newest(connection, principal.tenant, name)
            if row is None or not _visible(row, principal):
                raise _missing(name)
            return int(connection.execute(sa.delete(versions).where(_of(principal.tenant, name))).rowcount)

        return await self._database.write(work, durable=True)

    def _check_room(self, connection: sa.Connection, tenant: str) -> None:
        names = sa.select(sa.func.count(sa.distinct(versions.c.name))).where(versions.c.tenant == tenant)
        count = connection.execute(names).scalar_one()
        if count >= self._max_agents:
            raise QuotaExceeded(f"there are {count} agents, the maximum", remedy="Delete some")


def _of(tenant: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(versions.c.tenant == tenant, versions.c.name == name)


def _newest(connection: sa.Connection, tenant: str, name: str) -> sa.Row[Any] | None:
    query = sa.select(versions).where(_of(tenant, name)).order_by(versions.c.version.desc()).limit(1)
    return connection.execute(query).one_or_none()


def _visible(row: sa.Row[Any], principal: Principal) -> bool:
    return frozenset(rows.load(row.groups)) <= principal.groups


def _kept(row: sa.Row[Any]) -> KeptAgent:
    groups = frozenset(rows.load(row.groups))
    definition = rows.load(row.definition)
    return KeptAgent(row.tenant, row.name, row.version, definition, row.note, row.owner, groups, row.created_at)


def _missing(name: str) -> NotFound:
    return NotFound(f"there is no agent {name!r}", remedy="GET /v1/agents lists them", param="name")
