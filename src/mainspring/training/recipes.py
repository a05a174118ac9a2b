"""All recipes of the features and of plugins, by name."""

from __future__ import annotations

from mainspring.core import plugins, slices
from mainspring.core.errors import NotFound
from mainspring.core.nearest import nearest
from mainspring.training.recipe import RECIPE, Recipe


def every() -> dict[str, Recipe]:
    """By name, sorted. Importing them needs no torch."""
    found = {each.name: each for _, recipes in slices.declared("recipes", "RECIPES") for each in recipes}
    found |= {made.name: made for _, made in plugins.registry().made(RECIPE)}
    return dict(sorted(found.items()))


def find(name: str) -> Recipe:
    """Raises ``NotFound`` naming the nearest one."""
    found = every()
    if name in found:
        return found[name]
    close = nearest(name, found)
    hint = f"Did you mean {close}?" if close else f"There are: {', '.join(found) or 'none'}"
    raise NotFound(f"there is no recipe {name!r}", remedy=hint, param="recipe")
