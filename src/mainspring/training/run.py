"""A run within its process: what the function of a recipe works with."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import ValidationError

from mainspring.core.errors import InvalidRequest
from mainspring.training.board import Board
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.recipe import Made, Recipe, RecipeOptions, Side
from mainspring.training.several import rank


class Run:
    """A ``training.recipe.Work`` over a folder. Raises ``InvalidRequest`` naming the option at fault."""

    def __init__(self, recipe: Recipe, folder: Folder, asked: RunRequest) -> None:
        self.recipe = recipe
        self.folder = folder
        self.options = options_of(recipe, asked.options)
        self.seed = asked.seed
        self.tenant = asked.tenant
        self.base = Path(asked.base) if asked.base else None
        self.main = rank() == 0
        self.given = {name: Path(folder) for name, folder in asked.given.items()}
        self.outside = asked.outside
        self._until = asked.until
        self._finish = asked.finish
        self._terminated = False
        self._counts: dict[Side, int] | None = None
        self._board = Board(folder.path / "tensorboard") if self.main else None

    @property
    def output(self) -> Path:
        return self.folder.output

    @property
    def checkpoints(self) -> Path:
        return self.folder.checkpoints

    def rows(self, side: Side) -> Iterator[Mapping[str, Any]]:
        return self.folder.rows(side)

    def count(self, side: Side) -> int:
        if self._counts is None:
            self._counts = self.folder.counts()
        return self._counts.get(side, 0)

    def log(self, step: int, **figures: float) -> None:
        if self.main:
            told = {name: float(value) for name, value in figures.items()}
            self.folder.log(step, told)
            if self._board is not None:
                self._board.add(step, told)

    def sample(self, step: int, prompt: str, text: str) -> None:
        if self.main:
            self.folder.sample(step, prompt, text)

    def stopping(self) -> bool:
        return self._terminated or self.folder.stopped or (self._until is not None and time.time() >= self._until)

    def finishing(self) -> bool:
        return self._finish is not None and time.time() >= self._finish

    def on_terminate(self) -> None:
        """Have SIGTERM ask the run to stop after a checkpoint."""
        signal.signal(signal.SIGTERM, self._terminate)

    def _terminate(self, _signal: int, _frame: FrameType | None) -> None:
        self._terminated = True

    def do(self) -> Made:
        """Raises what the function of the recipe raises."""
        return self.recipe.function()(self)


def options_of(recipe: Recipe, given: Mapping[str, Any]) -> RecipeOptions:
    """The options, checked. Raises ``InvalidRequest`` naming the first one at fault."""
    try:
        return recipe.options.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        known = ", ".join(recipe.options.model_fields)
        raise InvalidRequest(
            f"the recipe {recipe.name}: {name}: {first['msg']}",
            remedy=f"Its options are {known}",
            param=f"options.{name}",
        ) from None
    except InvalidRequest as error:
        # Options that are right by themselves and do not go together.
        raise InvalidRequest(error.message, remedy=error.remedy, param=f"options.{error.param}") from None
