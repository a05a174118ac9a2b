"""A run within its process."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pydantic import Field

from mainspring.core.errors import InvalidRequest, MissingExtra, NotFound
from mainspring.training import child, recipes
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.recipe import Interrupted, Made, Recipe, RecipeOptions, Work
from mainspring.training.run import Run, options_of


class _Options(RecipeOptions):
    steps: int = Field(3, ge=1)


def _count(work: Work) -> Made:
    options = work.options
    assert isinstance(options, _Options)
    for step in range(1, options.steps + 1):
        if work.stopping():
            raise Interrupted
        work.log(step, loss=1 / step)
    if work.count("train") == 0:
        raise InvalidRequest("there are no rows", param="train")
    return Made("prompt", figures={"rows": work.count("train")})


RECIPE = Recipe("count", "Counts rows", "prompt", _Options, f"{__name__}:_count", ("text",), needs=())


@pytest.fixture(autouse=True)
def _recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    def function(self: Recipe) -> object:
        return _count

    monkeypatch.setattr(recipes, "every", lambda: {"count": RECIPE})
    monkeypatch.setattr(Recipe, "function", function)
    monkeypatch.setattr(Run, "on_terminate", lambda self: None)


def _folder(path: Path, asked: RunRequest, rows: int = 2) -> Folder:
    folder = Folder(path)
    folder.create(asked)
    (folder.data / "train.jsonl").write_text('{"text": "a"}\n' * rows)
    return folder


def test_a_run_tells_what_it_made(tmp_path: Path) -> None:
    folder = _folder(tmp_path, RunRequest("count"))

    assert child.main(str(tmp_path)) == child.MADE
    assert folder.made == Made("prompt", figures={"rows": 2})
    assert [each["step"] for each in folder.metrics()] == [1, 2, 3]


@pytest.mark.parametrize("stop", ["file", "time"])
def test_a_run_that_is_asked_to_stop_can_go_on(tmp_path: Path, stop: str) -> None:
    folder = _folder(tmp_path, RunRequest("count", until=time.time() - 1 if stop == "time" else None))
    if stop == "file":
        folder.stop()

    assert child.main(str(tmp_path)) == child.STOPPED
    assert folder.made is None
    folder.create(RunRequest("count"))
    assert child.main(str(tmp_path)) == child.MADE


def test_a_failure_is_reported_with_its_field(tmp_path: Path) -> None:
    folder = _folder(tmp_path, RunRequest("count"), rows=0)

    assert child.main(str(tmp_path)) == child.FAILED
    assert folder.error is not None
    assert folder.error["param"] == "train"


def test_an_option_at_fault_is_named() -> None:
    with pytest.raises(InvalidRequest, match="steps") as caught:
        options_of(RECIPE, {"steps": 0})
    assert caught.value.param == "options.steps"
    with pytest.raises(InvalidRequest, match="stepz"):
        options_of(RECIPE, {"stepz": 1})


def test_an_unknown_recipe_is_told_its_nearest() -> None:
    with pytest.raises(NotFound, match="Did you mean count"):
        recipes.find("cuont")


def test_a_missing_module_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    recipe = Recipe("x", "", "prompt", _Options, "a_module_that_is_not_installed:run", ())
    with pytest.raises(MissingExtra, match=r"mainspring\[train\]"):
        recipe.function()
