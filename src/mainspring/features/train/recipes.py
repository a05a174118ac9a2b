"""The recipes that the rooms below define; other features list their own."""

from __future__ import annotations

from mainspring.training.chat import recipe_list as chat
from mainspring.training.encoders import recipe_list as encoders
from mainspring.training.own import recipe_list as own
from mainspring.training.prompts import recipe_list as prompts
from mainspring.training.recipe import Recipe

RECIPES: tuple[Recipe, ...] = (*own.RECIPES, *chat.RECIPES, *encoders.RECIPES, *prompts.RECIPES)
