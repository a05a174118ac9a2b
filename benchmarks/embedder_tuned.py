"""An embedder fine-tuned on the judgements of half of Cranfield's queries, against itself before, on the other half.

    MAINSPRING_DATA=... python benchmarks/embedder_tuned.py --keep DIR [--seconds N] [--train PYTHON] [--score]

Triplets are a query, a document that is judged relevant, and one that the base ranks high and that is not. nDCG@10 over
all 1,400 documents, the difference paired by query.
"""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import numpy as np

import _training
from _library import data
from _report import Figure, report
from mainspring.engines.encode.embedder import OpenVinoEmbedder
from mainspring.features.evaluate.sets import public
from mainspring.features.evaluate.sets.collections import Split
from mainspring.training.encoders import figures

SEED, DEPTH, MOST = 3, 30, 3
OPTIONS = {
    "epochs": 1,
    "batch": 16,
    "learning_rate": 2e-5,
    "length": 128,
    "freeze": 2,
    "evaluate_every": 15,
    "patience": 3,
}


def collection(split: Split) -> tuple[dict[str, str], list[tuple[str, Mapping[str, int]]]]:
    """Documents by id, and the queries of a half with their gains."""
    judged = public.cranfield(data("."))
    documents = {each.id: each.read().decode() for each in judged.documents}
    return documents, [(each.text, each.gains) for each in judged.part(split).queries]


async def similarities(embedder: Any, documents: dict[str, str], queries: list[str]) -> Any:
    """Cosines (queries, documents)."""
    found = await embedder.embed(list(documents.values()))
    asked = await embedder.embed(queries, "query")
    return asked.vectors @ found.vectors.T


def sides() -> dict[str, list[dict[str, Any]]]:
    documents, first = collection("development")

    async def scored() -> Any:
        embedder = OpenVinoEmbedder(_training.pulled(_training.EMBEDDER), 2)
        try:
            return await similarities(embedder, documents, [text for text, _ in first])
        finally:
            await embedder.close()

    scores, names = asyncio.run(scored()), list(documents)
    found: dict[str, list[dict[str, Any]]] = {"train": [], "validation": []}
    for number, (text, gains) in enumerate(first):
        ranked = [names[place] for place in np.argsort(-scores[number]) if names[place] not in gains]
        side = "validation" if number % 8 == 0 else "train"
        best = sorted((each for each in gains if gains[each] > 0 and each in documents), key=lambda each: -gains[each])
        for place, name in enumerate(best[:MOST]):
            negative = documents[ranked[5 + place % DEPTH]]
            found[side].append({"anchor": text, "positive": documents[name], "negative": negative})
    return found


async def score(arguments: Namespace) -> None:
    documents, other = collection("reported")
    names = list(documents)
    per = []
    for pulled in (_training.served(arguments.keep), _training.pulled(_training.EMBEDDER)):
        embedder = OpenVinoEmbedder(pulled, 2)
        scores = await similarities(embedder, documents, [text for text, _ in other])
        await embedder.close()
        gains = np.array([[float(each[1].get(name, 0)) for name in names] for each in other])
        per.append([figures.ndcg(scores[at].astype(np.float64), gains[at]) for at in range(len(other))])
    table = np.array(per)
    usable = ~np.isnan(table).any(0)
    table = table[:, usable]
    keys = [str(number) for number in range(table.shape[1])]
    found: dict[str, Figure] = {}
    for place, label in enumerate(("fine-tuned", "before")):
        low, high = figures.interval(lambda at, place=place: float(table[place, at].mean()), keys)  # type: ignore[misc]
        text = f"[{low:.3f}, {high:.3f}]; {len(keys)} queries of the other half"
        found[f"Cranfield: nDCG@10, {label}"] = Figure(float(table[place].mean()), "", "higher", against=text)
    value, low, high = figures.paired(
        lambda at: float(table[0, at].mean()), lambda at: float(table[1, at].mean()), keys
    )
    found["Cranfield: nDCG@10, gain"] = Figure(value, "", "higher", 0.0, against=f"paired [{low:.3f}, {high:.3f}]")
    report("embedder_tuned", found)


def main() -> None:
    arguments = _training.asked(__doc__)
    if arguments.score:
        asyncio.run(score(arguments))
    else:
        _training.train(arguments, "embedder", _training.EMBEDDER, OPTIONS, SEED, sides)


if __name__ == "__main__":
    main()
