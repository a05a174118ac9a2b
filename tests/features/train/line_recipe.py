"""A recipe without torch, as a plugin brings one: fits a line to rows with ``x`` and ``y`` by steps down the gradient.

It is exact to resume: a checkpoint has the weights and the step, and nothing is drawn.
"""

from __future__ import annotations

import json
import os
import time
from functools import partial
from pathlib import Path

from pydantic import Field

from mainspring.core.errors import InvalidRequest
from mainspring.core.plugins import Registry, hookimpl
from mainspring.training import checkpoints
from mainspring.training.recipe import RECIPE, Interrupted, Made, Recipe, RecipeOptions, Work

FILES = ("line.json",)
taken: list[bytearray] = []


class LineOptions(RecipeOptions):
    """How the line is fitted."""

    steps: int = Field(50, ge=1, le=100_000, description="steps")
    rate: float = Field(0.1, gt=0, le=1, description="of learning")
    pause_s: float = Field(0.0, ge=0, le=10, description="seconds of sleep in each step")
    every: int = Field(5, ge=1, description="steps between two checkpoints")
    fails: str = Field("", description="how it is to fail: crash, full, memory, link, outside")


def fit(work: Work) -> Made:
    """Fit, and measure on the test side."""
    options = work.options
    assert isinstance(options, LineOptions)
    rows = [(float(row["x"]), float(row["y"])) for row in work.rows("train")]
    weights, step = [0.0, 0.0], 0
    found = checkpoints.latest(work.checkpoints)
    if found is not None:
        told = json.loads((found / "line.json").read_text())
        weights, step = told["weights"], told["step"]
    if step == 0:
        work.sample(0, "x = 1", f"{sum(weights):.3f}")
    while step < options.steps:
        if work.stopping():
            _save(work, step, weights)
            raise Interrupted
        if work.finishing():
            break
        gradient = [0.0, 0.0]
        for x, y in rows:
            error = weights[0] * x + weights[1] - y
            gradient[0] += 2 * error * x / len(rows)
            gradient[1] += 2 * error / len(rows)
        weights = [each - options.rate * part for each, part in zip(weights, gradient, strict=True)]
        step += 1
        work.log(step, loss=_loss(rows, weights))
        if step % options.every == 0:
            _save(work, step, weights)
        time.sleep(options.pause_s)
        _fail(options.fails, step)
    work.sample(step, "x = 1", f"{sum(weights):.3f}")
    (work.output / "line.json").write_text(json.dumps({"weights": weights}))
    if options.fails == "link":
        (work.output / "secret").symlink_to("/etc/passwd")
    held = [(float(row["x"]), float(row["y"])) for row in work.rows("test")]
    figures = {"error": _loss(held, weights)} if held else {}
    return Made(
        "answering",
        files=(*FILES, *(["../../job.json"] if options.fails == "outside" else [])),
        figures=figures,
        counted=dict.fromkeys(figures, len(held)),
        before={"error": _loss(held, [0.0, 0.0])} if held else {},
        value={"weights": weights, "steps": step},
        notes=("It is a line.",),
    )


def _save(work: Work, step: int, weights: list[float]) -> None:
    told = json.dumps({"weights": weights, "step": step})

    def write(folder: Path) -> None:
        (folder / "line.json").write_text(told)

    checkpoints.save(work.checkpoints, step, write)


def _fail(how: str, step: int) -> None:
    if how == "crash" and step == 7:
        os._exit(9)
    if how == "full" and step == 7:
        raise OSError(28, os.strerror(28))
    if how == "wrong" and step == 7:
        raise InvalidRequest("the line is crooked", param="train:3")
    if how == "memory" and step == 7:
        taken.append(bytearray(b"x") * 400_000_000)
    if how == "bug" and step == 7:
        raise ValueError("a bug of the recipe")


def _loss(rows: list[tuple[float, float]], weights: list[float]) -> float:
    return sum((weights[0] * x + weights[1] - y) ** 2 for x, y in rows) / len(rows)


LINE = Recipe("line", "Fits a line.", "answering", LineOptions, "line_recipe:fit", ("points",), needs=())
TORCHY = Recipe(
    "torchy", "Needs what is not here.", "chat", LineOptions, "line_recipe:fit", ("sft",), ("no_such_torch",)
)
BASED = Recipe("based", "Starts from a model.", "chat", LineOptions, "line_recipe:fit", ("sft",), (), ("chat",))
CHATS = Recipe("chats", "Reads conversations.", "prompt", LineOptions, "line_recipe:fit", ("sft", "preference"), ())


def _given(recipe: Recipe) -> Recipe:
    return recipe


class TalkOptions(LineOptions):
    """Options of recipes that OpenAI's interface asks for; nothing is learned from the words."""

    epochs: float = Field(1.0, gt=0, description="times that the rows are seen")
    batch: int = Field(4, ge=1, description="rows at once")
    learning_rate: float = Field(0.1, gt=0, le=1, description="as rate")
    beta: float = Field(0.1, gt=0, description="of preferences")


def talk(work: Work) -> Made:
    """Steps that learn nothing, as many as there are epochs."""
    options = work.options
    assert isinstance(options, TalkOptions)
    step = len(checkpoints.every(work.checkpoints)) and checkpoints.step_of(checkpoints.every(work.checkpoints)[-1])
    while step < options.epochs * 5:
        if work.stopping():
            _save(work, step, [0.0, 0.0])
            raise Interrupted
        step += 1
        work.log(step, loss=1 / step, tokens=10.0 * step)
        time.sleep(0.05)
    (work.output / "line.json").write_text("{}")
    return Made("prompt", files=FILES, value={"prompt": f"{work.count('train')} rows, beta {options.beta}"})


SFT = Recipe("sft", "Reads conversations.", "prompt", TalkOptions, "line_recipe:talk", ("sft",), (), ("chat", "prompt"))
DPO = Recipe("dpo", "Reads preferences.", "prompt", TalkOptions, "line_recipe:talk", ("preference",), (), ("chat",))


@hookimpl
def mainspring_register(registry: Registry) -> None:
    for each in (LINE, TORCHY, BASED, CHATS, SFT, DPO):
        registry.add(RECIPE, each.name, partial(_given, each))
