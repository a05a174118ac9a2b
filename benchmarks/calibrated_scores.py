"""What a judge's scores add to some people's labels: coverage and width of prediction-powered intervals.

    MAINSPRING_DATA=... python benchmarks/calibrated_scores.py [--resamples 10000] [--keep FOLDER] [--dry]

People's labels are QAGS' (which share of a machine's summary an article supports; both parts, pooled, as UniEval
publishes them), the judge is the triad's faithfulness of its sentences, which saw none of them. Each resample draws 100
summaries whose labels are used and 1,000 of which only the judge's score is, with replacement from all; the truth is
the mean label of all.
Intervals should cover it in 94 to 96 % of the resamples, and be narrower than those of the 100 labels alone.

A second judge combines that faithfulness with measures of the wording (``features/judges``, kind ``combined``): a
logistic model, fitted on the summaries of half of the articles. Its figures are of the summaries of the other half, on
which nothing was fitted. With ``--more FOLDER`` it also has what ``_judging_runs.py`` kept there of the judge
``entailed`` (the cross-encoder), and what ``_likelihoods.py`` kept, of the summaries that were scored there.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import math
import zlib
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

import _judged_sets as sets
import _judging_runs as runs
from _library import data
from _report import Figure, report, skip, table
from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import load as load_settings
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.encode.embedder import OpenVinoEmbedder
from mainspring.features.judges.figures.calibration import Floats, logistic
from mainspring.features.judges.figures.published import correlation
from mainspring.features.judges.judging import wording
from mainspring.rag.text import sentences
from mainspring.rag.triad.metrics import Triad
from mainspring.statistics.prediction_powered import mean

LABELLED, JUDGED = 100, 1000
LIKELIHOODS = ("likelihood", "gain in likelihood", "least likely words")
PARTS = ("qags_cnndm.json.gz", "qags_xsum.json.gz")


def summaries(path: Path) -> list[dict[str, Any]]:
    """The rows of a part; none where its file is absent."""
    if not path.exists():
        return []
    found: list[dict[str, Any]] = json.loads(gzip.decompress(path.read_bytes()))
    return found


async def scores(keep: Path | None) -> tuple[list[float], list[float]]:
    """The label and the judge's score of each summary; those of an earlier run from ``keep``."""
    path = keep / "calibrated-scores.json" if keep is not None else None
    if path is not None and path.exists():
        labels, judged = json.loads(path.read_text())
        return labels, judged
    settings = load_settings().settings
    rows = [row for part in PARTS for row in summaries(data("").resolve() / "judge" / "unieval" / "fact" / part)]
    if not rows:
        skip("there are no files of QAGS")
    try:
        pulled = Puller(settings).local(settings.models.embedding)
    except ModelNotPulled as error:
        skip(str(error))
    embedder = OpenVinoEmbedder(pulled, settings.engines.threads)
    try:
        triad = Triad(embedder)
        judged = []
        for row in rows:
            text = row["system_output"]
            said = [text[each.start : each.end] for each in sentences.split(text)]
            judged.append(fmean([(await triad.claim(each, [row["source"]])).score for each in said]))
    finally:
        await embedder.close()
    labels = [row["scores"]["consistency"] for row in rows]
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([labels, judged]))
    return labels, judged


def resampled(labels: Floats, judged: Floats, resamples: int) -> tuple[float, float, float, float]:
    """Coverage with the judge and with labels alone, the mean gain, and the bias."""
    truth = float(labels.mean())
    draw = np.random.default_rng(17)
    covered, alone, gains, values = [], [], [], []
    for _ in range(resamples):
        own, others = draw.integers(0, len(labels), LABELLED), draw.integers(0, len(labels), JUDGED)
        found = mean(labels[own], judged[own], judged[others])
        covered.append(found.estimate.low <= truth <= found.estimate.high)
        alone.append(found.labels_alone.low <= truth <= found.labels_alone.high)
        gains.append(found.gain)
        values.append(found.estimate.value)
    return float(np.mean(covered)), float(np.mean(alone)), float(np.mean(gains)), float(np.mean(values)) - truth


def columns(judged: Floats, more: Path | None) -> dict[str, Floats]:
    """What the combined judge is made of, by name, a value a summary."""
    rows = sets.qags(data("").resolve())
    found = {"faithfulness": judged}
    for name, measure in wording.MEASURES.items():
        found[name] = np.array([measure(each.item.answer, each.item.passages) for each in rows], np.float64)
    if more is None:
        return found
    entailed = runs.kept(more, "entailed", "qags")
    if entailed:
        told = [entailed[each.id].values[0] if each.id in entailed else math.nan for each in rows]
        found["entailed"] = np.array(told, np.float64)
    likely = likelihood_rows(more)
    if likely:
        for place, name in enumerate(LIKELIHOODS):
            found[name] = np.array([likely[each.id][place] if each.id in likely else math.nan for each in rows])
    return found


def likelihood_rows(more: Path) -> dict[str, list[float]]:
    """Likelihoods that ``_likelihoods.py`` kept, as mean after the article, gain by it, and mean of the least three."""
    path = more / "likelihood.qags.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {
        row["id"]: [fmean(row["cond"]), fmean(row["cond"]) - fmean(row["free"]), fmean(sorted(row["cond"])[:3])]
        for row in rows
    }


def combined(labels: Floats, features: Floats) -> tuple[Floats, Floats]:
    """Labels and the combined judge's scores of the half that it was not fitted on."""
    rows = sets.qags(data("").resolve())
    # All summaries of an article are in one half.
    first = np.array([zlib.crc32(each.item.passages[0].encode()) % 2 == 0 for each in rows])
    # Of a judge that has not seen all of them, those that it has seen.
    there = np.isfinite(features).all(axis=1)
    labels, features, first = labels[there], features[there], first[there]
    scaled = (features - features[first].mean(axis=0)) / (features[first].std(axis=0) + 1e-9)
    fit = logistic(scaled[first], labels[first])
    return labels[~first], 1 / (1 + np.exp(-(scaled[~first] @ fit[:-1] + fit[-1])))


def of_combined(what: str, labels: Floats, features: Floats, resamples: int) -> dict[str, Figure]:
    """Its figures."""
    rest, by_all = combined(labels, features)
    coverage, _, gain, bias = resampled(rest, by_all, resamples)
    found = correlation(by_all, rest)
    against = f"{resamples:,} resamples of {len(rest)} summaries that it was not fitted on"
    told = "" if found is None else f"r {found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}], n {found['n']}"
    return {
        f"{what}: coverage": Figure(coverage, "share", "higher", 0.94, against=against),
        f"{what}: narrower than labels alone": Figure(gain, "share", "higher", 0.15, against=told),
        f"{what}: bias of the estimate": Figure(bias, "share", "lower", against=against),
    }


def main(arguments: argparse.Namespace) -> None:
    labels, judged = map(np.asarray, asyncio.run(scores(arguments.keep)))
    coverage, alone, gain, bias = resampled(labels, judged, arguments.resamples)
    truth = float(labels.mean())
    against = f"{arguments.resamples:,} resamples of {len(labels)} summaries; {truth:.3f} supported"
    agreement = float(np.corrcoef(labels, judged)[0, 1])
    told = f"the judge correlates with labels by {agreement:.2f}"
    figures = {
        "coverage of 95 % intervals": Figure(coverage, "share", "higher", 0.94, against=against),
        "coverage of 95 % intervals, labels alone": Figure(alone, "share", "higher", against=against),
        "narrower than labels alone": Figure(gain, "share", "higher", 0.15, against=told),
        "bias of the estimate": Figure(bias, "share", "lower", against=against),
        "bias of the judge alone": Figure(float(judged.mean()) - truth, "share", "lower", against=against),
    }
    found = columns(judged, arguments.more)
    cheap = ["faithfulness", *wording.MEASURES]
    for what, names in (
        ("combined judge", cheap),
        ("combined judge with the cross-encoder", [*cheap, "entailed"]),
        ("combined judge with likelihoods", [*cheap, *LIKELIHOODS]),
    ):
        if set(names) <= set(found):
            figures |= of_combined(what, labels, np.column_stack([found[each] for each in names]), arguments.resamples)
    if arguments.dry:
        print(table(figures))
    else:
        report("calibrated_scores", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Prediction-powered intervals on people's labels")
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--more", type=Path, help="folder of _judging_runs.py and _likelihoods.py")
    parser.add_argument("--dry", action="store_true", help="write no result")
    main(parser.parse_args())
