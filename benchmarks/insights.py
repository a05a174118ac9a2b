"""Topics, sentiment and outcomes of conversations against labels that people gave.

    MAINSPRING_DATA=... python benchmarks/insights.py [--sentiment FOLDER]

Topics: messages of Banking77 (test) and CLINC150 (test, with those out of scope), clustered without their number;
beside them k-means that is told the number of intents. ``insights.similarity`` was chosen among .45
to .75 with these figures in view.
Sentiment: sentences of Amazon reviews with the mean of people's ratings from -4 to 4 (Hutto and Gilbert 2014, MIT; the
FOLDER of the source distribution of vaderSentiment), which nothing was fitted on; penalty and neutral anchors were
settled with its figures in view. Outcomes: the dialogues of
``_insight_dialogues.yaml``, whose outcomes the author of the rules wrote down before these were run on them.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gzip
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from _report import Figure, data_sets, report
from mainspring.core.settings import load
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.encode.embedder import OpenVinoEmbedder
from mainspring.features.evaluate.answers import wilson
from mainspring.features.insights.analysis import clusters, outcomes, sentiment
from mainspring.features.insights.analysis.clusters import NOISE, Floats
from mainspring.features.insights.analysis.outcomes import Signs
from mainspring.features.insights.settings import InsightsSettings

EMBEDDER = "all-minilm-l6-v2"
TOGETHER = 64
POLAR = 0.8
"""The mean rating from which people call a sentence negative or positive."""
Labels = npt.NDArray[np.str_]


async def embedded(embedder: OpenVinoEmbedder, texts: Sequence[str]) -> Floats:
    """Vectors (n, d) of length 1."""
    order = sorted(range(len(texts)), key=lambda each: len(texts[each]))
    rows = np.zeros((len(texts), embedder.dimensions), np.float32)
    for start in range(0, len(order), TOGETHER):
        part = order[start : start + TOGETHER]
        rows[part] = (await embedder.embed([texts[each] for each in part], "query")).vectors
    unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def banking(folder: Path) -> list[tuple[str, str]]:
    """Messages with their intents."""
    with (folder / "agents/support_dialogue/banking77/test.csv").open(encoding="utf-8", newline="") as file:
        return [(next(iter(row.values())), list(row.values())[1]) for row in csv.DictReader(file)]


def clinc(folder: Path) -> list[tuple[str, str]]:
    """The same, ``oos`` for those out of scope."""
    with gzip.open(folder / "agents/support_dialogue/clinc150/data_full.json.gz", "rt", encoding="utf-8") as file:
        found = json.load(file)
    return [(text, label) for text, label in [*found["test"], *found["oos_test"]]]


def told_k(vectors: Floats, k: int, seed: int) -> npt.NDArray[np.int64]:
    """Labels by spherical k-means with ``k`` centroids."""
    centroids = vectors[np.random.default_rng(seed).choice(len(vectors), k, replace=False)]
    labels = np.zeros(len(vectors), np.int64)
    for _ in range(25):
        labels = (vectors @ centroids.T).argmax(axis=1)
        for each in range(k):
            if (labels == each).any():
                centroids[each] = clusters.mean(vectors[labels == each])
    return labels


def adjusted_mutual_information(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Vinh, Epps and Bailey 2010, with the arithmetic mean of the entropies."""
    table = _table(one, other)
    n, rows, columns = int(table.sum()), table.sum(axis=1), table.sum(axis=0)
    seen = table[table > 0]
    expected_of = np.outer(rows, columns)[table > 0]
    mutual = float((seen / n * np.log(n * seen / expected_of)).sum())
    entropy = sum(float(-(each / n * np.log(each / n)).sum()) for each in (rows, columns)) / 2
    log = np.array([math.lgamma(each + 1) for each in range(n + 1)])
    expected = 0.0
    for a in rows.astype(int):
        for b in columns.astype(int):
            k = np.arange(max(1, a + b - n), min(a, b) + 1)
            chance = log[a] + log[b] + log[n - a] + log[n - b] - log[n]
            chance = chance - log[k] - log[a - k] - log[b - k] - log[n - a - b + k]
            expected += float((k / n * np.log(n * k / (a * b)) * np.exp(chance)).sum())
    return (mutual - expected) / (entropy - expected)


def purity(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """The share of messages whose cluster is mostly of their intent."""
    table = _table(one, other)
    return float(table.max(axis=1).sum() / table.sum())


def _table(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    rows, left = np.unique(np.asarray(one), return_inverse=True)
    columns, right = np.unique(np.asarray(other), return_inverse=True)
    table = np.zeros((len(rows), len(columns)))
    np.add.at(table, (left, right), 1)
    return table


def by_chance(vectors: npt.NDArray[np.int64], labels: Labels, draws: int = 20) -> tuple[float, float]:
    """The interval of the agreement over halves of the messages: mean and twice the standard deviation of it."""
    draw = np.random.default_rng(5)
    found = []
    for _ in range(draws):
        part = draw.choice(len(labels), len(labels) // 2, replace=False)
        found.append(adjusted_mutual_information(vectors[part], labels[part]))
    # Halves vary by chance as the whole does, times the root of two.
    return float(np.mean(found)), float(2 * np.std(found) / math.sqrt(2))


def topic_figures(name: str, vectors: Floats, labels: Labels) -> dict[str, Figure]:
    """How found topics agree with intents."""
    inside = labels != "oos"
    found = clusters.found(vectors, InsightsSettings().similarity, InsightsSettings().topic_turns)
    assigned = (found.labels != NOISE) & inside
    k = len(set(labels[inside]))
    told = told_k(vectors, k, 0)
    _, spread = by_chance(found.labels[inside], labels[inside])
    said = f"{inside.sum()} messages, {k} intents, {len(found.centroids)} topics; +- {spread:.3f}"
    ours = adjusted_mutual_information(found.labels[inside], labels[inside])
    made = {
        f"{name}: agreement of topics": Figure(ours, "AMI", "higher", against=said),
        f"{name}: agreement of k-means that is told the number": Figure(
            adjusted_mutual_information(told[inside], labels[inside]), "AMI", "higher", against=said
        ),
        f"{name}: purity of topics": Figure(purity(found.labels[assigned], labels[assigned]), "", "higher"),
        f"{name}: purity of k-means that is told": Figure(purity(told[inside], labels[inside]), "", "higher"),
        f"{name}: messages with a topic": Figure(float(assigned.sum() / inside.sum()), "share", "higher"),
    }
    if not inside.all():
        apart = int((found.labels[~inside] == NOISE).sum())
        of = f"{(~inside).sum()} messages, {_interval(apart, int((~inside).sum()))}"
        made[f"{name}: out of scope put aside"] = Figure(apart / int((~inside).sum()), "share", "higher", against=of)
    return made


def _interval(right: int, n: int) -> str:
    found = wilson(right, n)
    return f"{found.low:.3f} to {found.high:.3f}"


def rated(folder: Path) -> list[tuple[str, float]]:
    """Sentences of Amazon reviews with the mean of people's ratings."""
    lines = (folder / "amazonReviewSnippets_GroundTruth.txt").read_text(encoding="latin-1").splitlines()
    return [(each.split("\t")[2], float(each.split("\t")[1])) for each in lines if each.count("\t") >= 2]


def area(scores: Sequence[float], positive: npt.NDArray[np.bool_]) -> float:
    """The area under the ROC curve."""
    order = np.argsort(np.argsort(np.asarray(scores), kind="stable")) + 1
    n, m = int(positive.sum()), int((~positive).sum())
    return float((order[positive].sum() - n * (n + 1) / 2) / (n * m))


async def sentiment_figures(folder: Path) -> dict[str, Figure]:
    """For both embedders with weights."""
    sentences = rated(folder)
    ratings = np.array([each for _, each in sentences])
    polar = np.abs(ratings) >= POLAR
    made = {}
    for name in (EMBEDDER, "bge-small-en-v1.5-int8"):
        embedder = OpenVinoEmbedder(Puller(load().settings).local(name))
        found = sentiment.scores(await embedded(embedder, [text for text, _ in sentences]), name)
        await embedder.close()
        assert found is not None
        scores = np.array(found)
        right = area(list(scores[polar]), ratings[polar] > 0)
        error = math.sqrt(right * (1 - right) / min((ratings[polar] > 0).sum(), (ratings[polar] < 0).sum()))
        of = f"{polar.sum()} sentences of reviews, +- {2 * error:.3f}; VADER .845"
        made[f"sentiment, {name}: negative below positive"] = Figure(right, "AUROC", "higher", against=of)
        made[f"sentiment, {name}: correlation with ratings"] = Figure(
            float(np.corrcoef(scores, ratings)[0, 1]), "", "higher", against=f"{len(sentences)} sentences; VADER .590"
        )
    return made


async def outcome_figures(embedder: OpenVinoEmbedder) -> dict[str, Figure]:
    """How often the rules give the outcome that was written down."""
    rows = yaml.safe_load(Path(__file__).with_name("_insight_dialogues.yaml").read_text(encoding="utf-8"))
    right, missed = 0, []
    for wanted, said in rows:
        moods = sentiment.scores(await embedded(embedder, [turn[0] for turn in said]), EMBEDDER) or []
        signs = [signs_of(turn, mood) for turn, mood in zip(said, moods, strict=True)]
        again = any(turn[2].get("again") for turn in said if len(turn) > 2)
        came = outcomes.ended(signs, over=True, again=again)
        right += came.outcome == wanted
        missed += [] if came.outcome == wanted else [f"{said[0][0]}: {wanted}, told {came.outcome} ({came.why})"]
    print("\n".join(missed))
    of = f"{len(rows)} dialogues, {_interval(right, len(rows))}"
    return {"outcomes told right": Figure(right / len(rows), "share", "higher", against=of)}


def signs_of(turn: Sequence[object], mood: float) -> Signs:
    """What a turn of the file shows, as the reader of events sees it."""
    text, answer = str(turn[0]), str(turn[1])
    facts = turn[2] if len(turn) > 2 and isinstance(turn[2], dict) else {}
    return Signs(
        refused=bool(facts.get("refused")),
        grounded=bool(facts.get("grounded")),
        rating=str(facts.get("thumb", "")),
        thanks=outcomes.thanked(text),
        asks_back=outcomes.asks_back(answer),
        escalated=outcomes.handed_over(answer),
        tools_ok=int(facts.get("tool") == "ok"),
        tools_failed=int(facts.get("tool") == "failed"),
        sentiment=mood,
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentiment", type=Path, help="the folder hutto_ICWSM_2014")
    arguments = parser.parse_args()
    embedder = OpenVinoEmbedder(Puller(load().settings).local(EMBEDDER))
    figures = await outcome_figures(embedder)
    for name, rows in (("Banking77", banking(data_sets())), ("CLINC150", clinc(data_sets()))):
        vectors = await embedded(embedder, [text for text, _ in rows])
        figures |= topic_figures(name, vectors, np.array([label for _, label in rows]))
    await embedder.close()
    if arguments.sentiment is not None:
        figures |= await sentiment_figures(arguments.sentiment)
    report("insights", figures)


if __name__ == "__main__":
    asyncio.run(main())
