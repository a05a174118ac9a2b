"""The toolset ``workspace``: agents search and read the caller's indexed code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.agents.tools.base import Toolset
from mainspring.core.errors import SettingsError
from mainspring.feature import Rooms
from mainspring.features.code.assist.tools import WorkspaceTools
from mainspring.features.code.index.workspaces import Workspaces
from mainspring.features.code.settings import CodeSettings


def _workspace(rooms: Rooms, options: Mapping[str, Any]) -> Toolset:
    """With the option ``name`` it is always that workspace of the caller's."""
    if unknown := set(options) - {"name"}:
        raise SettingsError(f"the toolset workspace has no option {sorted(unknown)[0]!r}", remedy="It takes name")
    workspaces = Workspaces.of(rooms.stores.database, rooms.settings.section(CodeSettings))
    return WorkspaceTools(workspaces, str(options.get("name", "")))


TOOLSETS = {"workspace": _workspace}
