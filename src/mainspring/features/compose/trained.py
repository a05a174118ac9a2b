"""The models of mails that a tenant has trained: a request may name one, and one may serve in place of the server's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from mainspring.core.errors import NotFound
from mainspring.core.types import Principal
from mainspring.features.compose.model.packed import CONFIG
from mainspring.training.gone import gone
from mainspring.training.ports import Version, Versions

RECIPE, MAKES = "compose", "composer"


class TrainedModels:
    """Found in ``versions``; None: nothing is trained here."""

    def __init__(self) -> None:
        self.versions: Versions | None = None

    async def folder(self, principal: Principal, name: str) -> tuple[str, Path]:
        """The label and folder of ``name``. Raises ``NotFound``, also for what a caller's groups do not see and for
        what was withdrawn."""
        found = await self.named(principal, name)
        if found is None and (told := await gone(self.versions, principal, name)):
            raise NotFound(f"the model {told}", remedy="Name another one", param="model")
        if found is None:
            raise NotFound(
                f"the recipe {RECIPE} has made no model {name:.100}",
                remedy="GET /v1/compose/models lists what your tenant has trained (`mainspring compose models`)",
                param="model",
            )
        return found

    async def named(self, principal: Principal, name: str) -> tuple[str, Path] | None:
        """The label and folder of a version (``NAME@NUMBER``), or of the newest of this name that was not made to be
        compared first. What the caller's groups do not see, and what was withdrawn, is as if it were not there."""
        if self.versions is None:
            return None
        if "@" not in name:
            first = next((each for each in await self.of(principal) if each.name == name), None)
        else:
            try:
                version = await self.versions.version(principal.tenant, name)
            except NotFound:
                return None
            first = version if _answers(version, principal) else None
        place = None if first is None else await asyncio.to_thread(_place, first)
        return None if first is None or place is None else (first.label, place)

    async def of(self, principal: Principal) -> list[Version]:
        """Those that the caller sees and that were not made to be compared first, the newest first."""
        if self.versions is None:
            return []
        found = [each async for each in self.versions.versions(principal.tenant) if _answers(each, principal)]
        return await asyncio.to_thread(_there, [each for each in found if not each.candidate])


def _answers(version: Version, principal: Principal) -> bool:
    ours = version.makes == MAKES or version.recipe == RECIPE
    return ours and not version.withdrawn and version.groups <= principal.groups


def _there(versions: Iterable[Version]) -> list[Version]:
    return [each for each in versions if _place(each) is not None]


def _place(version: Version) -> Path | None:
    return next((each for each in (version.folder, version.folder / "output") if (each / CONFIG).exists()), None)
