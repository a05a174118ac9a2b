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
    Recipe(
        "reader",
        "Says whether a passage answers a question, and where",
        makes="reader",
        options=options.ReaderOptions,
        run=f"{_HERE}.reader:run",
        reads=("reader",),
        needs=("torch", "transformers"),
        # What was learned before is kept: another reader, such as the one that ships, is a base, too.
        bases=("reader", *_BASES),
        source="Devlin et al., 2019; Rajpurkar et al., 2018 (https://arxiv.org/abs/1806.03822)",
    ),
    Recipe(
        "nli",
        "Says whether a text supports a statement, is silent on it, or contradicts it",
        makes="nli",
        options=options.NliOptions,
        run=f"{_HERE}.nli:run",
        reads=("nli",),
        needs=("torch", "transformers"),
        bases=_BASES,
        source="Bowman et al., 2015 (https://arxiv.org/abs/1508.05326)",
    ),
    Recipe(
        "classifier",
        "Sorts texts into classes, and tells those that belong to none",
        makes="classifier",
        options=options.ClassifierOptions,
        run=f"{_HERE}.classifier:run",
        reads=("classification",),
        needs=("torch", "transformers"),
        bases=_BASES,
        source="Liu et al., 2020 (https://arxiv.org/abs/2010.03759)",
    ),
    Recipe(
        "embedder",
        "Vectors in which questions lie near the passages that answer them",
        makes="embedding",
        options=options.EmbedderOptions,
        run=f"{_HERE}.embedder:run",
        reads=("triplets",),
        needs=("torch", "transformers"),
        bases=_BASES,
        source="Henderson et al., 2017 (https://arxiv.org/abs/1705.00652)",
    ),
)
