"""The translators that there are: of the settings' folder, of the package, and those that a tenant has trained."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from mainspring.core.errors import InvalidRequest, ModelError, NotFound
from mainspring.core.fair.threads import FairThreads
from mainspring.core.nearest import nearest
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.features.translate.engine import card
from mainspring.features.translate.engine.trained import TrainedTranslators
from mainspring.features.translate.engine.translator import Translator
from mainspring.features.translate.settings import TranslateSettings
from mainspring.training.gone import gone


class Translators:
    """Those by name, which work in one thread; they are opened when they are first needed, and the least used ones are
    closed."""

    def __init__(self, settings: Settings, own: TranslateSettings) -> None:
        self._own = own
        self._home = Path(own.folder).expanduser() if own.folder else settings.home / "translators"
        self._open: OrderedDict[Path, Translator] = OrderedDict()
        self._lock = asyncio.Lock()
        self._turns = FairThreads(1, "translate")
        self.trained = TrainedTranslators()

    def folders(self) -> dict[str, Path]:
        """By name: those that the settings bring."""
        if (self._home / card.FILE).exists():
            return {self._home.name: self._home}
        found = sorted(self._home.glob("*/")) if self._home.is_dir() else []
        return {each.name: each for each in found if (each / card.FILE).exists()}

    def packaged(self) -> dict[str, card.Card]:
        """What the package brings, if it is to translate and what runs it is installed."""
        return {} if self.lacks_extra() else self._brought()

    def lacks_extra(self) -> bool:
        """Whether the package's translators only lack what runs them."""
        return bool(self._brought()) and find_spec("ctranslate2") is None

    def _brought(self) -> dict[str, card.Card]:
        return _cards({each.name: each for each in card.brought()}) if self._own.packaged else {}

    async def of_package(self, source: str, target: str) -> tuple[str, Translator] | None:
        """The first of the package that knows the pair, with its name. Raises ``MissingExtra``."""
        for name, found in (await asyncio.to_thread(self.packaged)).items():
            if f"{source}-{target}" in found.pairs:
                return name, await self._opened(card.PACKAGED / name)
        return None

    async def visible(self, principal: Principal) -> dict[str, card.Card]:
        """All that the caller may name but what the package brings: those of folders, then what the tenant has trained,
        by its labels."""
        known = await asyncio.to_thread(lambda: _cards(self.folders()))
        for each in await self.trained.of(principal):
            known.setdefault(each.label, each.card)
        return known

    async def of(
        self, principal: Principal, name: str, source: str, target: str, preferred: str = ""
    ) -> tuple[str, Translator] | None:
        """The one of this name with its name or label. Without a name the first that knows the pair: the version
        ``preferred``, folders, and what the tenant has trained, but none of the package; None: none knows it.

        Raises ``NotFound`` for a name that is not there, or that the caller's groups do not see, ``InvalidRequest``
        naming the pairs of one that does not know this pair.
        """
        pair = f"{source}-{target}"
        if not name:
            first = await self.trained.named(principal, preferred) if preferred else None
            if first is not None:
                translator = await self._opened(first[1])
                if pair in translator.card.pairs:
                    return first[0], translator
            folders = await asyncio.to_thread(self.folders)
            for each, found in (await asyncio.to_thread(_cards, folders)).items():
                if pair in found.pairs:
                    return each, await self._opened(folders[each])
            for own in await self.trained.of(principal):
                if pair in own.card.pairs:
                    return own.label, await self._opened(own.folder)
            return None
        label, folder = await self._named(principal, name)
        translator = await self._opened(folder)
        if pair not in translator.card.pairs:
            raise InvalidRequest(
                f"{name} does not translate {pair}",
                remedy=f"It knows {', '.join(translator.card.pairs)}",
                param="target",
            )
        return label, translator

    async def _named(self, principal: Principal, name: str) -> tuple[str, Path]:
        packaged = {each: card.PACKAGED / each for each in await asyncio.to_thread(self._brought)}
        folders = packaged | await asyncio.to_thread(self.folders)
        if name in folders:
            return name, folders[name]
        found = await self.trained.named(principal, name)
        if found is not None:
            return found
        if told := await gone(self.trained.versions, principal, name):
            raise NotFound(f"the translator {told}", remedy="Name another one", param="model")
        known = [*folders, *(each.label for each in await self.trained.of(principal))]
        close = nearest(name, known)
        hint = f"Did you mean {close}?" if close else f"There are: {', '.join(known) or 'none'}"
        raise NotFound(f"there is no translator {name!r}", remedy=hint, param="model")

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


def _cards(folders: Mapping[str, Path]) -> dict[str, card.Card]:
    """Of those that can be read."""
    made: dict[str, card.Card] = {}
    for name, folder in folders.items():
        try:
            made[name] = card.read(folder)
        except ModelError:
            continue
    return made
