"""The recipe that looks for prompts, as it is listed."""

from __future__ import annotations

from mainspring.training.prompts.options import SearchedPromptOptions
from mainspring.training.recipe import Recipe

RECIPES = (
    Recipe(
        "prompt",
        "A prompt whose answers score better, found by trying and reflecting (GEPA)",
        makes="prompt",
        options=SearchedPromptOptions,
        run="mainspring.training.prompts.searching:run",
        reads=("sft", "preference"),
        needs=("gepa",),
        source="Agrawal et al., 2025 (https://arxiv.org/abs/2507.19457)",
    ),
)
