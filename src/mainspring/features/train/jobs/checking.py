"""What an order names besides its rows: it is found, or refused with its field, before a run or a policy begins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.features.train.jobs import bounds, run_questions
from mainspring.features.train.jobs.fields import about
from mainspring.features.train.settings import TrainSettings
from mainspring.features.train.versions import named
from mainspring.features.train.versions.bases import Base, Bases
from mainspring.serving import Path
from mainspring.training.chat.options import WantedScore
from mainspring.training.recipe import Recipe, RecipeOptions


class Checking:
    """``path`` answers runs that ask what is served; None: nothing does. ``by_hand``: a command of this machine
    orders."""

    def __init__(self, settings: Settings, bases: Bases) -> None:
        self._settings = settings
        self._bases = bases
        self.path: Path | None = None
        self.by_hand = False

    async def found(
        self, principal: Principal, recipe: Recipe, options: RecipeOptions, base: str
    ) -> tuple[Base, named.OptionFolders]:
        """The base, and the folders of what options name. Raises ``InvalidRequest`` naming the option, ``NotFound``,
        ``UnknownModel``, ``ModelNotPulled``, ``Forbidden``."""
        bounds.check(options, self._settings.section(TrainSettings))
        await run_questions.check(self.path, principal, options)
        wanted = list(_scores(options))
        if wanted:
            await asyncio.to_thread(_check_scores, wanted)
        found = await self._bases.find(principal, recipe, base)
        given = await named.given(self._bases, self._settings, principal, options, by_hand=self.by_hand)
        await asyncio.to_thread(options.check_start, found.folder, given.folders)
        return found, given


def _scores(options: RecipeOptions) -> Iterator[tuple[str, WantedScore]]:
    """The scorers that options name, with the name of the option."""
    for name in type(options).model_fields:
        value = getattr(options, name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, WantedScore):
                yield name, each


def _check_scores(wanted: list[tuple[str, WantedScore]]) -> None:
    # Its import takes the scorers of all features.
    from mainspring.training.chat import scoring

    for name, each in wanted:
        with about(f"options.{name}"):
            scoring.make(each)
