"""What a run starts from: a pulled model of the catalogue, or a version that was trained before."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mainspring.core.errors import InvalidRequest, MainspringError, NotFound
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.engines.catalogue.entries import Catalogue
from mainspring.engines.catalogue.pull import Puller
from mainspring.features.train.jobs import orders
from mainspring.features.train.jobs.fields import about
from mainspring.features.train.settings import TrainSettings
from mainspring.features.train.versions.keeping import Places
from mainspring.features.train.versions.store import VersionStore
from mainspring.stores.sql import rows
from mainspring.training.recipe import Recipe

_KINDS: Mapping[str, str] = {"adapter": "chat"}
"""What a version is to recipes that start from it, where that is not what it makes."""
_MOST, _TOLD = 100, 10


@dataclass(frozen=True, slots=True)
class Base:
    """``folder`` has its files; None: the run starts from nothing. ``groups`` are needed to see it."""

    folder: Path | None = None
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BaseChoice:
    """What a run can start from, by its name. ``kind`` is what it is to recipes."""

    name: str
    kind: str
    source: Literal["model", "version", "package"]


class Bases:
    """Finds them."""

    def __init__(self, settings: Settings, versions: VersionStore, places: Places) -> None:
        self._settings = settings
        self._versions = versions
        self._places = places

    async def find(self, principal: Principal, recipe: Recipe, name: str) -> Base:
        """Raises ``InvalidRequest`` if the recipe does not start from it, ``UnknownModel``, ``ModelNotPulled``,
        ``NotFound``."""
        if not recipe.bases:
            if name:
                raise InvalidRequest(
                    f"the recipe {recipe.name} starts from nothing", remedy="Leave the base out", param="base"
                )
            return Base()
        if not name:
            kinds = " or ".join(recipe.bases)
            raise InvalidRequest(
                f"the recipe {recipe.name} starts from a model of the kind {kinds}",
                remedy=f"Name it. {await self.choice(principal, recipe.bases)}",
                param="base",
            )
        return await self.of(principal, name, recipe.bases, "base")

    async def of(self, principal: Principal, name: str, kinds: Sequence[str], param: str) -> Base:
        """A version that the principal sees, or a pulled model of the catalogue: none that was trained, for these are
        those of all tenants. Raises ``InvalidRequest`` for one of no such kind, ``UnknownModel``, ``ModelNotPulled``,
        ``NotFound``, all of them about ``param``."""
        with about(param):
            try:
                return await self._of(principal, name, kinds, param)
            except NotFound as error:
                choice = await self.choice(principal, kinds)
                sign = "" if error.remedy.endswith(("?", ".")) else "."
                raise type(error)(error.message, remedy=f"{error.remedy}{sign} {choice}") from None

    async def choices(
        self, principal: Principal, kinds: Sequence[str], *, models: bool = True
    ) -> tuple[list[BaseChoice], bool]:
        """What a run can start from, of these kinds: pulled ``models`` of the catalogue, then the newest versions that
        the principal sees; and whether there are more, older ones."""
        found = []
        if models:
            pulled = await asyncio.to_thread(lambda: Puller(self._settings, self._catalogue()).list())
            found = [
                BaseChoice(each.entry.name, each.entry.kind, "model") for each in pulled if each.entry.kind in kinds
            ]
        makes = [*kinds, *(made for made, kind in _KINDS.items() if kind in kinds)]
        newest = await self._versions.of_kinds(
            principal.tenant, makes, principal.groups, _MOST + 1, stale=not self._refuses_stale
        )
        found += [
            BaseChoice(f"{row.name}@{row.number}", _KINDS.get(row.makes, row.makes), "version")
            for row in newest[:_MOST]
        ]
        return found, len(newest) > _MOST

    async def choice(self, principal: Principal, kinds: Sequence[str]) -> str:
        """The same as a sentence."""
        found, _ = await self.choices(principal, kinds)
        kind = " or ".join(kinds)
        if not found:
            return (
                f"There is none of the kind {kind} yet: `mainspring models pull NAME` or a run of training brings one"
            )
        more = ", ..." if len(found) > _TOLD else ""
        return f"Of the kind {kind} there are: {', '.join(each.name for each in found[:_TOLD])}{more}"

    @property
    def _refuses_stale(self) -> bool:
        """What is made from a stale version would be withdrawn at once."""
        return self._settings.section(TrainSettings).on_erasure == "withdraw"

    async def _of(self, principal: Principal, name: str, kinds: Sequence[str], param: str) -> Base:
        if orders.usable(name):
            row = await self._versions.find(principal.tenant, name, principal.groups)
            if row.stale and self._refuses_stale:
                raise InvalidRequest(f"{name} is stale: {row.stale}", remedy="Name another version", param=param)
            found, groups = _KINDS.get(row.makes, row.makes), frozenset(rows.load(row.groups))
            folder = self._places.version(row.tenant, row.name, row.number)
            if row.makes == "adapter":
                # Its own files are not a model: the merged one is.
                folder = await asyncio.to_thread(self._pulled, row.served, name, param)
        else:
            puller = Puller(self._settings, await asyncio.to_thread(self._catalogue))
            pulled = await asyncio.to_thread(puller.local, name)
            found, groups, folder = pulled.entry.kind, frozenset[str](), pulled.directory
        if found not in kinds:
            raise InvalidRequest(
                f"{name} is of the kind {found}, and not {' or '.join(kinds)}",
                remedy=await self.choice(principal, kinds),
                param=param,
            )
        return Base(folder, groups)

    def _pulled(self, served: str, label: str, param: str) -> Path:
        if not served:
            raise InvalidRequest(f"{label} is an adapter that is not merged", remedy="Serve it first", param=param)
        return Puller(self._settings).local(served).directory

    def _catalogue(self) -> Catalogue:
        return Catalogue.load(self._settings, trained=False)

    async def licence(self, tenant: str, name: str) -> str:
        """That of a model of the catalogue, or of the one that a version was made from in the end; empty: unknown."""
        with contextlib.suppress(MainspringError):
            while orders.usable(name):
                version, number = orders.label_of(name)
                name = str((await self._versions.row(tenant, version, number or 0)).base)
            if name:
                return (await asyncio.to_thread(self._catalogue)).get(name).license
        return ""
