"""The recipes whose makes come in by this door and need no torch."""

from __future__ import annotations

from mainspring.training.small.recipe_list import RECIPES as _RECIPES

RECIPES = _RECIPES
