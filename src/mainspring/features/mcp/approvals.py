"""The approvals of tools, in the database."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.agents.tools.mcp.pins import SeenTool
from mainspring.core.errors import NotFound
from mainspring.features.mcp.tables import mcp_tools
from mainspring.stores.sql.database import Database


class StoredPins:
    """The approvals of this installation. They belong to no tenant, like the configuration that names the servers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def approved(self, server: str) -> Mapping[str, str]:
        query = sa.select(mcp_tools.c.tool, mcp_tools.c.approved).where(
            mcp_tools.c.server == server, mcp_tools.c.approved != ""
        )
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return {row.tool: row.approved for row in found}

    async def approve(self, server: str, tools: tuple[SeenTool, ...], *, first: bool) -> None:
        def work(connection: sa.Connection) -> None:
            mine = mcp_tools.c.server == server
            known = sa.and_(mine, mcp_tools.c.approved != "")
            if first and connection.execute(sa.select(mcp_tools.c.tool).where(known).limit(1)).first():
                return
            for each in tools:
                _put(connection, server, each.name, approved=each.digest, waiting="", description=each.description)

        if tools and not (first and await self.approved(server)):
            await self._database.write(work, durable=True)

    async def waiting(self, server: str, tools: tuple[SeenTool, ...]) -> None:
        seen = {each.name: each for each in tools}

        def work(connection: sa.Connection) -> None:
            mine = sa.and_(mcp_tools.c.server == server, mcp_tools.c.waiting != "")
            connection.execute(sa.update(mcp_tools).where(mine, mcp_tools.c.tool.not_in(seen)).values(waiting=""))
            for each in tools:
                _put(connection, server, each.name, waiting=each.digest, description=each.description)

        told = await self.told(server)
        if {row["tool"]: row["waiting"] for row in told if row["waiting"]} != {
            each.name: each.digest for each in tools
        }:
            await self._database.write(work)

    async def told(self, server: str) -> list[dict[str, Any]]:
        """All that is known of a server's tools."""
        query = sa.select(mcp_tools).where(mcp_tools.c.server == server).order_by(mcp_tools.c.tool)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [dict(row._mapping) for row in found]

    async def accept(self, server: str, tools: frozenset[str]) -> list[str]:
        """Approve what waits (of ``tools``; none: all of it), by a person. Raises ``NotFound``."""
        waiting = [row for row in await self.told(server) if row["waiting"] and (not tools or row["tool"] in tools)]
        missing = sorted(tools - {row["tool"] for row in waiting})
        if missing or not waiting:
            what = f"no tool {missing[0]} of {server} waits" if missing else f"no tool of {server} waits"
            raise NotFound(f"{what} for approval", remedy=f"`mainspring mcp tools {server}` shows them")
        found = tuple(SeenTool(row["tool"], row["waiting"], row["description"]) for row in waiting)
        await self.approve(server, found, first=False)
        return [each.name for each in found]


def _put(connection: sa.Connection, server: str, tool: str, **values: str) -> None:
    new = {"server": server, "tool": tool, "at": time.time()}
    connection.execute(rows.insert_new(connection, mcp_tools), new)
    one = sa.and_(mcp_tools.c.server == server, mcp_tools.c.tool == tool)
    connection.execute(sa.update(mcp_tools).where(one).values(at=time.time(), **values))
