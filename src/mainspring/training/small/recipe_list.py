"""The recipes that need no torch, as they are listed."""

from __future__ import annotations

from mainspring.training.recipe import Recipe
from mainspring.training.small import options

_HERE = "mainspring.training.small"

RECIPES = (
    Recipe(
        "answering",
        "When documents are taken to answer a question, and by which sentences",
        makes="answering",
        options=options.AnsweringOptions,
        run=f"{_HERE}.answering:run",
        reads=("raft",),
        needs=("numpy",),
        source="Joachims, 2002 (https://doi.org/10.1145/775047.775067)",
    ),
    Recipe(
        "examples",
        "Approved answers that a model is shown before a question",
        makes="examples",
        options=options.ExamplesOptions,
        run=f"{_HERE}.examples:run",
        reads=("sft",),
        needs=("numpy",),
        source="Liu et al., 2022 (https://arxiv.org/abs/2101.06804)",
    ),
)
