"""``a2a`` as a source of tools: ``{a2a: {agent: NAME}}`` of an agent's definition, or ``{a2a: {url: ...}}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from mainspring.agents.tools.a2a.agent import RemoteAgent
from mainspring.agents.tools.a2a.settings import RemoteAgentSettings
from mainspring.agents.tools.a2a.toolset import A2aToolset
from mainspring.core.errors import SettingsError
from mainspring.core.nearest import nearest
from mainspring.feature import Rooms
from mainspring.features.a2a.settings import A2aSettings

_OPERATORS = ("private_hosts", "trusted")


def made(rooms: Rooms, options: Mapping[str, Any]) -> A2aToolset:
    """The tool that asks an agent of the configuration, or the one at an address. Raises ``SettingsError``."""
    given = dict(options)
    name = given.pop("agent", None)
    if name is not None:
        known = rooms.settings.section(A2aSettings).agents
        if name not in known:
            remedy = nearest(str(name), list(known)) or "Add it under a2a.agents"
            raise SettingsError(f"there is no a2a.agents.{name}", remedy=remedy)
        if given:
            raise SettingsError(f"a2a.{next(iter(given))} belongs to a2a.agents.{name}", remedy="Change it there")
        return A2aToolset(RemoteAgent(str(name), known[name]))
    label = str(given.pop("name", ""))
    try:
        settings = RemoteAgentSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(["a2a", *map(str, first["loc"])])
        raise SettingsError(f"{where}: {first['msg']}", remedy="Give url, or agent: NAME of a2a.agents") from None
    for what in _OPERATORS:
        if getattr(settings, what):
            raise SettingsError(f"a2a.{what} is for agents of the configuration", remedy="Put it under a2a.agents")
    # The author of an agent may not reach into this network.
    host = urlsplit(settings.url).hostname or "agent"
    return A2aToolset(RemoteAgent(label or host, settings, own_host_private=False))


TOOLSETS = {"a2a": made}
