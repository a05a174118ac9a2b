"""Other servers: connections with their tokens, and toolsets with their approvals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from mainspring.agents.tools.mcp.connection import Connection
from mainspring.agents.tools.mcp.oauth import provider
from mainspring.agents.tools.mcp.settings import McpServerSettings
from mainspring.agents.tools.mcp.toolset import McpToolset, options_digest
from mainspring.core.errors import SettingsError
from mainspring.core.nearest import nearest
from mainspring.core.settings import Settings
from mainspring.feature import Rooms
from mainspring.features.mcp.approvals import StoredPins
from mainspring.features.mcp.settings import McpSettings
from mainspring.features.mcp.tokens import StoredTokens
from mainspring.stores import Stores


def configured(settings: Settings, name: str) -> McpServerSettings:
    """The server of this name. Raises ``SettingsError``."""
    servers = settings.section(McpSettings).servers
    if name not in servers:
        remedy = nearest(name, list(servers)) or "Add it under mcp.servers"
        raise SettingsError(f"there is no mcp.servers.{name}", remedy=remedy)
    return servers[name]


def toolset(rooms: Rooms, options: Mapping[str, Any]) -> McpToolset:
    """The tools that ``options`` of an agent's definition name. Raises ``SettingsError``."""
    given = dict(options)
    name = given.pop("server", None)
    if name is not None:
        settings = configured(rooms.settings, str(name))
        allowed = given.pop("tools", None)
        if given:
            raise SettingsError(f"mcp.{next(iter(given))} belongs to mcp.servers.{name}", remedy="Change it there")
        if allowed is not None:
            only = tuple(map(str, allowed))
            settings = settings.model_copy(
                update={"tools": tuple(each for each in only if not settings.tools or each in settings.tools)}
            )
            if not settings.tools:
                raise SettingsError(f"mcp.servers.{name} offers none of the tools {', '.join(only)}")
        return opened(rooms.stores, str(name), settings)
    if "command" in given:
        raise SettingsError(
            "an agent's definition cannot start programs",
            remedy="Put the command under mcp.servers of the configuration, and name that: {mcp: {server: NAME}}",
        )
    try:
        settings = McpServerSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(["mcp", *map(str, first["loc"])])
        raise SettingsError(f"{where}: {first['msg']}", remedy="Give url, or server: NAME of mcp.servers") from None
    for what in ("private_hosts", "trust_hints", "trusted", "oauth"):
        if getattr(settings, what):
            raise SettingsError(f"mcp.{what} is for servers of the configuration", remedy="Put it under mcp.servers")
    label = str(options.get("prefix") or f"url-{options_digest({'url': settings.url})}")
    return McpToolset(
        label,
        settings.model_copy(update={"prefix": settings.prefix or label}),
        Connection(label, settings, own_host_private=False),
        StoredPins(rooms.stores.database),
    )


def opened(stores: Stores, name: str, settings: McpServerSettings) -> McpToolset:
    """The toolset of a server of the configuration."""
    auth = None
    if settings.oauth is not None:
        auth = provider(name, settings.url, settings.oauth, StoredTokens(stores.credentials, name))
    return McpToolset(name, settings, Connection(name, settings, auth=auth), StoredPins(stores.database))
