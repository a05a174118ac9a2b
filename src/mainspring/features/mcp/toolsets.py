"""``mcp`` as a source of tools: ``{mcp: {server: NAME}}`` of an agent's definition, or ``{mcp: {url: ...}}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.agents.tools.base import Toolset
from mainspring.feature import Rooms


def make_toolset(rooms: Rooms, options: Mapping[str, Any]) -> Toolset:
    """The tools of a configured server, or of the one at an address. Raises ``SettingsError``."""
    from mainspring.features.mcp.servers import toolset

    return toolset(rooms, options)


TOOLSETS = {"mcp": make_toolset}
