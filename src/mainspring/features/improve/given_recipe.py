"""The run of the recipe ``given``: what somebody wrote."""

from __future__ import annotations

from typing import cast

from mainspring.features.improve.recipes import GivenOptions
from mainspring.training.recipe import Made, Work


def made(work: Work) -> Made:
    """The value of the order."""
    return Made("given", value=dict(cast("GivenOptions", work.options).value))
