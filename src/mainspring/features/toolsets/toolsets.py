"""The sources of tools by their names in definitions of agents."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.agents.sandbox.base import Sandbox
from mainspring.agents.tools.base import BaseTool, FixedToolset, Toolset
from mainspring.agents.tools.sources import openapi
from mainspring.agents.tools.sources.artifacts import ArtifactOptions, artifact_tools
from mainspring.agents.tools.sources.code import CodeOptions, CodeTool
from mainspring.agents.tools.sources.data_store import DataStoreOptions, DataStoreTool
from mainspring.agents.tools.sources.http import HttpOptions, HttpToolset, host_of, http_tool
from mainspring.agents.tools.sources.openapi import OpenApiOptions
from mainspring.agents.tools.sources.outgoing import Outgoing, Secret
from mainspring.agents.tools.sources.sql import SqlOptions, SqlTool, opened
from mainspring.agents.tools.sources.statements import Access, Statements
from mainspring.agents.tools.sources.web_search import WebSearchOptions, WebSearchTool
from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.feature import Rooms
from mainspring.features.toolsets.artifact_store import ArtifactStore
from mainspring.features.toolsets.sandboxes import limits, sandbox
from mainspring.features.toolsets.settings import SandboxSettings, ToolSettings


def http(rooms: Rooms, options: Mapping[str, Any]) -> Toolset:
    """One templated request. Raises ``InvalidRequest`` naming the option."""
    asked = HttpOptions.read(options)
    names = [asked.auth.secret] if asked.auth else []
    outgoing = _outgoing(rooms, frozenset({host_of(asked.url)}), names)
    return HttpToolset(asked.name, (http_tool(asked, outgoing),), outgoing)


def open_api(rooms: Rooms, options: Mapping[str, Any]) -> Toolset:
    """The operations of a document. Raises ``InvalidRequest`` naming the option."""
    asked = OpenApiOptions.read(options)
    document = openapi.read(asked)
    names = [asked.auth.secret] if asked.auth else []
    outgoing = _outgoing(rooms, openapi.hosts(openapi.server_of(asked, document)), names)
    return HttpToolset(asked.name, openapi.tools(asked, document, outgoing), outgoing)


def sql(rooms: Rooms, options: Mapping[str, Any]) -> Toolset:
    """Statements on a database of the settings. Raises ``InvalidRequest`` naming the option."""
    asked = SqlOptions.read(options)
    known = rooms.settings.section(ToolSettings).databases
    found = known.get(asked.database)
    if found is None:
        there = ", ".join(known) or "none"
        raise InvalidRequest(
            f"database: there is no {asked.database}", remedy=f"tools.databases has {there}", param="database"
        )
    if asked.write and not found.write:
        raise InvalidRequest(
            f"write: {asked.database} is read-only for tools",
            remedy=f"Set tools.databases.{asked.database}.write",
            param="write",
        )
    tables = None if asked.tables is None else frozenset(each.lower() for each in asked.tables)
    access = Access(tables, asked.write, asked.rows, asked.seconds)
    return SqlToolset(asked, opened(found.url), access)


def collection(rooms: Rooms, options: Mapping[str, Any]) -> Toolset:
    """A search over one collection. Raises ``InvalidRequest`` naming the option."""
    asked = DataStoreOptions.read(options)
    return FixedToolset(asked.collection, (DataStoreTool(asked, rooms.library.search),))


def artifacts(rooms: Rooms, options: Mapping[str, Any]) -> Toolset:
    """Files by handle. Raises ``InvalidRequest`` naming the option."""
    return FixedToolset("artifacts", artifact_tools(ArtifactOptions.read(options), _artifacts(rooms)))


def code(rooms: Rooms, options: Mapping[str, Any]) -> Toolset:
    """Python in the sandbox of the settings. Raises ``InvalidRequest`` naming the option."""
    asked = CodeOptions.read(options)
    settings = rooms.settings.section(SandboxSettings)
    box = sandbox(settings)
    return CodeToolset(CodeTool(asked, box, limits(settings, asked.seconds), _artifacts(rooms)), box)


def web_search(rooms: Rooms, options: Mapping[str, Any]) -> Toolset:
    """A search of the web. Raises ``InvalidRequest`` naming the option, ``Unsupported`` without an endpoint."""
    asked = WebSearchOptions.read(options)
    rooms.library.web.check("web_search")
    return FixedToolset(asked.name, (WebSearchTool(asked, rooms.library.web),))


class SqlToolset:
    """The tool over one database, whose tables are looked up on first use."""

    def __init__(self, options: SqlOptions, database: Statements, access: Access) -> None:
        self.name = options.database
        self._options = options
        self._database = database
        self._access = access
        self._tool: SqlTool | None = None
        self._looking = asyncio.Lock()

    async def tools(self, context: Context) -> Sequence[BaseTool]:  # noqa: ARG002
        async with self._looking:
            if self._tool is None:
                tables = await self._database.describe(self._access)
                self._tool = SqlTool(self._options, self._database, self._access, tables)
        return (self._tool,)

    async def aclose(self) -> None:
        """Each statement has a connection of its own."""


class CodeToolset:
    """The tool over one sandbox, which is closed with it."""

    def __init__(self, tool: CodeTool, box: Sandbox) -> None:
        self.name = tool.declaration.name
        self._tool = tool
        self._box = box

    async def tools(self, context: Context) -> Sequence[BaseTool]:  # noqa: ARG002
        return (self._tool,)

    async def aclose(self) -> None:
        await self._box.aclose()


def _outgoing(rooms: Rooms, hosts: frozenset[str], names: Sequence[str]) -> Outgoing:
    settings = rooms.settings.section(ToolSettings)
    missing = [name for name in names if name not in settings.secrets]
    if missing:
        raise InvalidRequest(
            f"auth.secret: there is no secret {missing[0]}", remedy="Add it to tools.secrets", param="auth.secret"
        )
    secrets = {
        name: Secret(settings.secrets[name].value, frozenset(each.lower() for each in settings.secrets[name].hosts))
        for name in names
    }
    return Outgoing(hosts, secrets, private_hosts=settings.private_hosts, max_bytes=settings.max_bytes)


def _artifacts(rooms: Rooms) -> ArtifactStore:
    return ArtifactStore(rooms.stores.database, rooms.settings.section(ToolSettings))


TOOLSETS = {
    "http": http,
    "openapi": open_api,
    "sql": sql,
    "collection": collection,
    "artifacts": artifacts,
    "code_interpreter": code,
    "web_search": web_search,
}
