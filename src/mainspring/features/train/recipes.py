"""The recipes that come with the product."""

from __future__ import annotations

from mainspring.training.encoders import listed as encoders

RECIPES = (*encoders.RECIPES,)
