"""The contract of recipes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.recipe import Interrupted, Made, Makes, Recipe
from mainspring.training.run import Run, options_of

NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")


class StoppedRun(Run):
    """A run that is asked to stop after ``steps`` looks."""

    looks = 0
    steps = 2

    def stopping(self) -> bool:
        self.looks += 1
        return self.looks > self.steps


class RecipeSuite:
    """A subclass has a fixture ``recipe``, and ``sides`` of data from which it makes something with the options
    ``given``. Recipes that save checkpoints set ``resumes``: they stop after a step when asked, and go on later.

    Runs need the modules that ``Recipe.needs`` names, and start from nothing.
    """

    sides: Mapping[str, Sequence[Mapping[str, Any]]] = {}
    given: Mapping[str, Any] = {}
    resumes = False

    def ran(self, recipe: Recipe, path: Path, made: type[Run] = Run) -> Made:
        folder = Folder(path)
        if not (path / "job.json").exists():
            folder.create(RunRequest(recipe.name, options=dict(self.given)))
            for side, rows in self.sides.items():
                (folder.data / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return made(recipe, folder, folder.asked).do()

    def test_it_says_what_it_is(self, recipe: Recipe) -> None:
        assert NAME.fullmatch(recipe.name)
        assert recipe.summary.strip()
        assert recipe.makes in get_args(Makes)
        assert recipe.reads
        assert recipe.run.count(":") == 1

    def test_every_option_has_a_description(self, recipe: Recipe) -> None:
        assert options_of(recipe, self.given) is not None
        bare = [name for name, field in recipe.options.model_fields.items() if not field.description]
        assert bare == []

    def test_an_unknown_option_is_named(self, recipe: Recipe) -> None:
        with pytest.raises(InvalidRequest, match="no_such_option"):
            options_of(recipe, {"no_such_option": 1})

    def test_what_it_makes_lies_in_its_output(self, recipe: Recipe, tmp_path: Path) -> None:
        made = self.ran(recipe, tmp_path / "run")
        output = Folder(tmp_path / "run").output
        assert made.makes == recipe.makes
        assert made.files or made.value
        for name in made.files:
            assert (output / name).resolve().is_relative_to(output.resolve())
            assert (output / name).is_file()
        json.dumps(dict(made.value))

    def test_figures_are_counted(self, recipe: Recipe, tmp_path: Path) -> None:
        made = self.ran(recipe, tmp_path / "run")
        assert all(isinstance(value, (int, float)) for value in made.figures.values())
        assert set(made.counted) <= set(made.figures) | set(made.before)
        assert all(count > 0 for count in made.counted.values())
        assert all(low <= high for low, high in made.intervals.values())

    def test_the_same_seed_makes_the_same(self, recipe: Recipe, tmp_path: Path) -> None:
        one, other = [self.ran(recipe, tmp_path / name) for name in ("one", "other")]
        assert one.value == other.value
        assert one.figures == other.figures

    def test_it_stops_when_asked_and_goes_on_later(self, recipe: Recipe, tmp_path: Path) -> None:
        """For recipes that save checkpoints."""
        if not self.resumes:
            return
        whole = self.ran(recipe, tmp_path / "whole")
        with pytest.raises(Interrupted):
            self.ran(recipe, tmp_path / "stopped", StoppedRun)
        resumed = self.ran(recipe, tmp_path / "stopped")
        assert resumed.value == whole.value
        assert resumed.figures == whole.figures
