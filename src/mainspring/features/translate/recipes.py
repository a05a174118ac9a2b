"""The recipe that makes a translator of pairs."""

from mainspring.features.translate.training.options import TranslateOptions
from mainspring.training.recipe import Recipe

RECIPES = (
    Recipe(
        name="translate",
        summary="an encoder-decoder that translates: span corruption on each language, then pairs of sentences",
        makes="translator",
        options=TranslateOptions,
        run="mainspring.features.translate.training.learn:translate",
        reads=("pairs",),
        needs=("torch", "transformers", "ctranslate2", "sacrebleu"),
        source="Vaswani et al. 2017; Raffel et al. 2020; guide D.4, D.5, F.1 example 5",
    ),
)
