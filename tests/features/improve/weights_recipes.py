"""Recipes without torch, as a plugin: they write a file of weights that engines of tests take for a model's."""

from __future__ import annotations

from functools import partial

from mainspring.core.plugins import Registry, hookimpl
from mainspring.training.recipe import RECIPE, Made, Makes, Recipe, RecipeOptions, Work


def write(work: Work, makes: Makes) -> Made:
    """A file with the number of rows."""
    count = sum(1 for _ in work.rows("train"))
    (work.output / "weights.bin").write_text(str(count))
    return Made(makes, files=("weights.bin",), figures={"rows": float(count)}, entry={"kind": makes})


def chat(work: Work) -> Made:
    return write(work, "chat")


def reranker(work: Work) -> Made:
    return write(work, "reranker")


def reader(work: Work) -> Made:
    return write(work, "reader")


KINDS: tuple[Makes, ...] = ("chat", "reranker", "reader")
ALL = tuple(
    Recipe(f"weights-{makes}", "Writes.", makes, RecipeOptions, f"weights_recipes:{makes}", ("sft",), (), ())
    for makes in KINDS
)


def _given(recipe: Recipe) -> Recipe:
    return recipe


@hookimpl
def mainspring_register(registry: Registry) -> None:
    for each in ALL:
        registry.add(RECIPE, each.name, partial(_given, each))
