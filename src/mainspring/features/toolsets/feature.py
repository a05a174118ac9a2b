"""The feature: the sandbox for models' code, and the files that the code writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.agents.sandbox.base import Sandbox, SandboxLimits
from mainspring.feature import Feature, Rooms
from mainspring.features.toolsets.artifact_store import ArtifactStore
from mainspring.features.toolsets.sandboxes import limits, sandbox
from mainspring.features.toolsets.settings import SandboxSettings, ToolSettings


class CodeRoom:
    """The sandbox of the settings, for requests that bring code; a ``CodeRunner``."""

    def __init__(self, rooms: Rooms) -> None:
        self._settings = rooms.settings.section(SandboxSettings)
        self._sandbox: Sandbox | None = None
        self._kept = ArtifactStore(rooms.stores.database, rooms.settings.section(ToolSettings))

    def box(self) -> Sandbox:
        """Created on first use."""
        if self._sandbox is None:
            self._sandbox = sandbox(self._settings)
        return self._sandbox

    def limits(self) -> SandboxLimits:
        return limits(self._settings)

    def kept(self) -> ArtifactStore:
        return self._kept

    async def aclose(self) -> None:
        """End what runs."""
        if self._sandbox is not None:
            await self._sandbox.aclose()


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[CodeRoom]:
    room = CodeRoom(rooms)
    try:
        yield room
    finally:
        await room.aclose()


FEATURE = Feature("toolsets", open=_open)
