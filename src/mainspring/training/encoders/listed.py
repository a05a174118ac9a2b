"""The encoders' recipes, as they are listed. Importing this needs no torch."""

from __future__ import annotations

from mainspring.training.encoders import options
from mainspring.training.recipe import Recipe

_HERE = "mainspring.training.encoders"
_BASES = ("reranker", "embedding")

RECIPES = (
    Recipe(
        "reranker",
        "A cross-encoder that scores how well a passage answers a query",
        makes="reranker",
        options=options.RerankerOptions,
        run=f"{_HERE}.reranker:run",
        reads=("rerank",),
        needs=("torch", "transformers"),
        bases=_BASES,
        source="Nogueira and Cho, 2019 (https://arxiv.org/abs/1901.04085)",
    ),
)
