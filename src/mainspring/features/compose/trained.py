"""The models of mails that a tenant has trained: a request may name one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mainspring.core.errors import NotFound
from mainspring.core.types import Principal
from mainspring.features.compose.model.packed import CONFIG
from mainspring.training.gone import gone
from mainspring.training.ports import Version, Versions

RECIPE = "compose"


class TrainedModels:
    """Found in ``versions``; None: nothing is trained here."""

    def __init__(self) -> None:
        self.versions: Versions | None = None

    async def folder(self, principal: Principal, name: str) -> Path:
        """Of a version (``NAME@NUMBER``), or of the newest of this name. Raises ``NotFound``, also for what a caller's
        groups do not see and for what was withdrawn."""
        found = None if self.versions is None else await self._found(self.versions, principal, name)
        place = None if found is None else await asyncio.to_thread(_place, found)
        if place is None and (told := await gone(self.versions, principal, name)):
            raise NotFound(f"the model {told}", remedy="Name another one", param="model")
        if place is None:
            raise NotFound(
                f"the recipe {RECIPE} has made no model {name:.100}",
                remedy="`mainspring train versions` lists what was trained",
                param="model",
            )
        return place

    async def _found(self, versions: Versions, principal: Principal, name: str) -> Version | None:
        def answers(version: Version) -> bool:
            return version.recipe == RECIPE and not version.withdrawn and version.groups <= principal.groups

        if "@" in name:
            try:
                version = await versions.version(principal.tenant, name)
            except NotFound:
                return None
            return version if answers(version) else None
        async for each in versions.versions(principal.tenant):
            if each.name == name and answers(each):
                return each
        return None


def _place(version: Version) -> Path | None:
    return next((each for each in (version.folder, version.folder / "output") if (each / CONFIG).exists()), None)
