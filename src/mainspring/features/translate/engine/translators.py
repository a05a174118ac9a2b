"""The translators that there are: of the settings' folder, of the package, and those that a tenant has trained."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path

from mainspring.core.errors import InvalidRequest, ModelError, NotFound
from mainspring.core.fair.threads import FairThreads
from mainspring.core.nearest import nearest
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.features.translate.engine import card
from mainspring.features.translate.engine.translator import Translator
from mainspring.features.translate.settings import TranslateSettings
from mainspring.training.ports import Version, Versions

PACKAGED = Path(__file__).parents[1] / "weights"
"""What the package brings, if it brings any."""


class Translators:
    """Those by name, which work in one thread; they are opened when they are first needed, and the least used ones are
    closed."""

    def __init__(self, settings: Settings, own: TranslateSettings) -> None:
        self._own = own
        self._home = Path(own.folder).expanduser() if own.folder else settings.home / "translators"
        self._open: OrderedDict[Path, Translator] = OrderedDict()
        self._lock = asyncio.Lock()
        self._turns = FairThreads(1, "translate")
        self.trained: Versions | None = None

    def folders(self) -> dict[str, Path]:
        """By name: of the settings first."""
        found: dict[str, Path] = {}
        for place in (self._home, PACKAGED):
            folders = [place] if (place / card.FILE).exists() else sorted(place.glob("*/")) if place.is_dir() else []
            for each in folders:
                if (each / card.FILE).exists():
                    found.setdefault(each.name, each)
        return found

    def cards(self) -> dict[str, card.Card]:
        """Of those that can be read."""
        made: dict[str, card.Card] = {}
        for name, folder in self.folders().items():
            try:
                made[name] = card.read(folder)
            except ModelError:
                continue
        return made

    async def of(self, principal: Principal, name: str, source: str, target: str) -> Translator | None:
        """The one of this name, or the first that knows the pair; None: none knows it.

        Raises ``NotFound`` for a name that is not there, or that the caller's groups do not see, ``InvalidRequest``
        naming the pairs of one that does not know this pair.
        """
        pair = f"{source}-{target}"
        if not name:
            for each, found in (await asyncio.to_thread(self.cards)).items():
                if pair in found.pairs:
                    return await self._opened(self.folders()[each])
            return None
        translator = await self._opened(await self._folder(principal, name))
        if pair not in translator.card.pairs:
            raise InvalidRequest(
                f"{name} does not translate {pair}",
                remedy=f"It knows {', '.join(translator.card.pairs)}",
                param="target",
            )
        return translator

    async def _folder(self, principal: Principal, name: str) -> Path:
        folders = await asyncio.to_thread(self.folders)
        if name in folders:
            return folders[name]
        version = await self._version(principal, name)
        if version is not None:
            for each in (version.folder, version.folder / "output"):
                if (each / "translator" / card.FILE).exists():
                    return each / "translator"
        close = nearest(name, folders)
        hint = f"Did you mean {close}?" if close else f"There are: {', '.join(folders) or 'none'}"
        raise NotFound(f"there is no translator {name!r}", remedy=hint, param="model")

    async def _version(self, principal: Principal, name: str) -> Version | None:
        """What the tenant has trained under this label, or the newest of this name. What the caller's groups do not
        see, and what was withdrawn, is as if it were not there."""

        def answers(version: Version) -> bool:
            return version.makes == "translator" and not version.withdrawn and version.groups <= principal.groups

        if self.trained is None:
            return None
        try:
            newest = await self.trained.version(principal.tenant, name)
        except NotFound:
            return None
        if answers(newest) or "@" in name:
            return newest if answers(newest) else None
        async for each in self.trained.versions(principal.tenant):
            if each.name == name and answers(each):
                return each
        return None

    async def _opened(self, folder: Path) -> Translator:
        async with self._lock:
            found = self._open.get(folder)
            if found is None:
                own = self._own
                found = await asyncio.to_thread(
                    Translator, folder, threads=own.threads, beams=own.beams, turns=self._turns
                )
                self._open[folder] = found
                while len(self._open) > own.opened:
                    # Running translations continue: it is closed as soon as nobody holds it.
                    self._open.popitem(last=False)
            self._open.move_to_end(folder)
            return found

    def close(self) -> None:
        self._turns.shutdown(wait=False, cancel_futures=True)
        self._open.clear()
