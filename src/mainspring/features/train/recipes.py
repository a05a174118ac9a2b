"""The recipes that the rooms below define; other features list their own."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from mainspring.training.recipe import Recipe

_LISTS = tuple(f"mainspring.training.{name}.listed" for name in ("own", "chat", "encoders", "prompts"))


def _listed() -> tuple[Recipe, ...]:
    found: list[Recipe] = []
    for name in _LISTS:
        if find_spec(name.rpartition(".")[0]) is not None and find_spec(name) is not None:
            found += import_module(name).RECIPES
    return tuple(found)


RECIPES = _listed()
