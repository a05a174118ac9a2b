"""Fits the weights of ``features/insights/analysis/sentiment.json``: a linear model of ratings over embeddings.

    MAINSPRING_DATA=... python benchmarks/fit_sentiment.py FOLDER

FOLDER is ``hutto_ICWSM_2014`` of the source distribution of vaderSentiment (MIT): tweets and sentences of film reviews
with the mean of people's ratings from -4 to 4. Half of CLINC150's test messages stand beside them with the rating 0:
what a customer wants is no mood. Ratings are divided by 2.5. Sentences of Amazon reviews are left for
``benchmarks/insights.py``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from importlib import resources
from pathlib import Path

import numpy as np

from _report import data_sets
from insights import EMBEDDER, clinc, embedded
from mainspring.core.settings import load
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.encode.embedder import OpenVinoEmbedder

MODELS = (EMBEDDER, "bge-small-en-v1.5-int8")
PENALTY, SCALE = 3.0, 2.5
FILMS, NEUTRAL = 3000, 2750


def sentences(folder: Path, name: str, most: int) -> list[tuple[str, float]]:
    """Sentences with their ratings, drawn in a fixed order."""
    lines = (folder / f"{name}_GroundTruth.txt").read_text(encoding="latin-1").splitlines()
    found = [(each.split("\t")[2], float(each.split("\t")[1])) for each in lines if each.count("\t") >= 2]
    random.Random(1).shuffle(found)
    return found[:most]


async def fitted(name: str, rows: list[tuple[str, float]]) -> list[float]:
    """Ridge regression; the last weight is the constant, which is not penalised."""
    embedder = OpenVinoEmbedder(Puller(load().settings).local(name))
    vectors = await embedded(embedder, [text for text, _ in rows])
    await embedder.close()
    inputs = np.c_[vectors, np.ones(len(vectors))]
    penalty = PENALTY * np.eye(inputs.shape[1])
    penalty[-1, -1] = 0
    ratings = np.array([rating for _, rating in rows]) / SCALE
    weights = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ ratings)
    return [round(float(each), 4) for each in weights]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    rows = sentences(folder, "tweets", 9999) + sentences(folder, "movieReviewSnippets", FILMS)
    rows += [(text, 0.0) for text, _ in clinc(data_sets())[::2]][:NEUTRAL]
    made = {name: await fitted(name, rows) for name in MODELS}
    place = resources.files("mainspring.features.insights.analysis").joinpath("sentiment.json")
    Path(str(place)).write_text(json.dumps({"weights": made}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
