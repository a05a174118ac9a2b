"""The translators that a tenant has trained, as far as a caller may see them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cachetools import TTLCache

from mainspring.core.errors import ModelError, NotFound
from mainspring.core.types import Principal
from mainspring.features.translate.engine import card
from mainspring.training.ports import Version, Versions

_TENANTS, _SECONDS = 1_000, 5.0


@dataclass(frozen=True, slots=True)
class TrainedTranslator:
    """A version with its translator; ``label`` is ``NAME@NUMBER``."""

    label: str
    name: str
    groups: frozenset[str]
    folder: Path
    card: card.Card


class TrainedTranslators:
    """Found in ``versions`` (None: nothing is trained here). What there is is looked for again after some seconds."""

    def __init__(self) -> None:
        self.versions: Versions | None = None
        self._known: TTLCache[str, list[TrainedTranslator]] = TTLCache(_TENANTS, _SECONDS)

    async def of(self, principal: Principal) -> list[TrainedTranslator]:
        """The newest of each name that the caller sees, the newest first. What was withdrawn, made of rows that are
        erased, or made to be compared first, is not among them."""
        if self.versions is None:
            return []
        found = self._known.get(principal.tenant)
        if found is None:
            every = [each async for each in self.versions.versions(principal.tenant) if _is_translator(each)]
            usable = [each for each in every if not each.withdrawn and not each.stale and not each.candidate]
            found = self._known[principal.tenant] = await asyncio.to_thread(_read, usable)
        newest: dict[str, TrainedTranslator] = {}
        for each in found:
            if each.groups <= principal.groups:
                newest.setdefault(each.name, each)
        return list(newest.values())

    async def named(self, principal: Principal, name: str) -> tuple[str, Path] | None:
        """The label and folder of a version, or of the newest of this name that was not made to be compared first. What
        the caller's groups do not see, and what was withdrawn, is as if it were not there."""
        if self.versions is None:
            return None
        try:
            version = await self.versions.version(principal.tenant, name)
        except NotFound:
            return None
        by_name = "@" not in name
        found = version if _answers(version, principal) and not (by_name and version.candidate) else None
        if found is None and by_name:
            async for each in self.versions.versions(principal.tenant):
                if each.name == name and _answers(each, principal) and not each.candidate:
                    found = each
                    break
        folder = None if found is None else await asyncio.to_thread(_folder, found)
        return None if found is None or folder is None else (found.label, folder)


def _is_translator(version: Version) -> bool:
    return version.makes == "translator"


def _answers(version: Version, principal: Principal) -> bool:
    return _is_translator(version) and not version.withdrawn and version.groups <= principal.groups


def _folder(version: Version) -> Path | None:
    folders = (each / "translator" for each in (version.folder, version.folder / "output"))
    return next((each for each in folders if (each / card.FILE).exists()), None)


def _read(versions: Iterable[Version]) -> list[TrainedTranslator]:
    """Those whose files can be read."""
    made = []
    for each in versions:
        folder = _folder(each)
        try:
            own = None if folder is None else card.read(folder)
        except ModelError:
            continue
        if folder is not None and own is not None:
            made.append(TrainedTranslator(each.label, each.name, each.groups, folder, own))
    return made
