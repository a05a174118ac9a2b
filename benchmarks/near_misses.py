"""Near misses that the whole answer path refuses, and questions that it refuses wrongly, with and without the reader.

    MAINSPRING_DATA=... python benchmarks/near_misses.py [--limit N] [--keep FOLDER] [--dev]

Each question is asked once, verbatim, with the trained reader asked and not heeded; what it said is recorded with the
retrieval. Without it the answer is as it was, with it what lies below `rag.read_below` is refused: the same as another
run with `models.near_misses`. Reported: every fourth article of SQuAD 2.0 dev, of which nothing was trained or chosen
on. `--only` asks other sets, `--dev` the other half. Differences have a paired bootstrap over questions.
"""

from __future__ import annotations

import argparse
import asyncio
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from _library import data
from _report import Figure, report, skip, table
from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import RagSettings, Settings, load
from mainspring.features.evaluate.answers import ScoredAnswer, wilson
from mainspring.features.evaluate.commands.answers import asked
from mainspring.features.evaluate.sets import loading
from mainspring.features.evaluate.sets.collections import JudgedCollection
from mainspring.system import open_rooms
from mainspring.terminal.pulling import without_chat
from mainspring.training.encoders import figures

SAMPLES = Path(__file__).parent.parent / "samples"
NAMES, OTHERS = ("squad-articles",), ("tatqa", "handbook")
READER, MODEL, UNHEEDED = "near-miss-reader", "qwen2.5-coder-1.5b-instruct", 1e-9
TOLD = {"reader": "answers", "model": "confirmed"}
PIECE = 25
"""Questions that are asked and kept at once."""


def settings(by: str) -> Settings:
    """The defaults, with the reader or the chat model, which is asked and refuses nothing."""
    found = load().settings
    if by == "model":
        rag = {"mode": "extractive", "confirm": "always", "confirm_below": UNHEEDED, "confirm_within_s": 600.0}
        models = found.models.model_copy(update={"chat": (MODEL,)})
        return found.model_copy(update={"rag": found.rag.model_copy(update=rag), "models": models})
    rag = {"mode": "extractive", "read_below": UNHEEDED}
    models = found.models.model_copy(update={"near_misses": READER})
    return without_chat(found.model_copy(update={"rag": found.rag.model_copy(update=rag), "models": models}))


def answers(judged: JudgedCollection, keep: Path | None, by: str) -> list[ScoredAnswer]:
    """The answers, with what was said of the passages as their evidence; those of earlier runs from ``keep``."""
    found: list[ScoredAnswer] = []
    for start in range(0, len(judged.queries), PIECE):
        part = judged.queries[start : start + PIECE]
        path = keep and keep / f"{judged.name}-{part[0].id}-{len(part)}.pickle"
        if path and path.exists():
            found += pickle.loads(path.read_bytes())
            continue
        home = keep and keep / "home" / judged.name
        told = asyncio.run(asked(open_rooms, settings(by), replace(judged, queries=part), home, TOLD[by]))
        if path:
            path.write_bytes(pickle.dumps(told))
        found += told
    return found


def shares(name: str, found: Sequence[ScoredAnswer], by: str) -> dict[str, Figure]:
    """What is refused without and with the reading, by kind of question."""
    below = RagSettings().confirm_below if by == "model" else RagSettings().read_below
    measured: dict[str, Figure] = {}
    labels = {"near_miss": "near misses refused", "answerable": "refused wrongly", "off_topic": "off topic refused"}
    for kind, label in labels.items():
        rows = [each for each in found if each.query.kind == kind]
        if not rows:
            continue
        before = np.array([each.shown.refused for each in rows])
        low = np.array([each.shown.evidence is not None and each.shown.evidence < below for each in rows])
        better = "lower" if kind == "answerable" else "higher"
        for side, refused in ((f"without the {by}", before), ("with it", before | low)):
            share = wilson(int(refused.sum()), len(rows))
            text = f"{int(refused.sum())} of {len(rows)}, [{share.low:.3f}, {share.high:.3f}]"
            measured[f"{name}: {label}, {side}"] = Figure(share.value, "share", better, against=text)  # type: ignore[arg-type]
        value, least, most = figures.paired(
            lambda at, after=before | low: float(after[at].mean()),  # type: ignore[misc]
            lambda at, first=before: float(first[at].mean()),  # type: ignore[misc]
            [each.query.id for each in rows],
        )
        text = f"paired [{least:.3f}, {most:.3f}]"
        measured[f"{name}: {label}, difference"] = Figure(value, "", better, against=text)  # type: ignore[arg-type]
        if kind == "answerable":
            lost = sum(
                bool(new and each.contained and not old) for each, new, old in zip(rows, low, before, strict=True)
            )
            measured[f"{name}: answers that held what is right, refused now"] = Figure(
                lost, "answers", "lower", 0, against=f"of {sum(each.contained for each in rows)}"
            )
    return measured | separation(name, found, by)


def separation(name: str, found: Sequence[ScoredAnswer], by: str) -> dict[str, Figure]:
    """AUROC of what was said, of the questions that it was asked about."""
    known = [
        each for each in found if each.shown.evidence is not None and each.query.kind in ("answerable", "near_miss")
    ]
    wanted = np.array([each.query.kind == "answerable" for each in known])
    if not len(wanted) or wanted.all() or not wanted.any():
        return {}
    scores = np.array([each.shown.evidence for each in known], float)
    low, high = figures.interval(lambda at: figures.auroc(scores[at], wanted[at]), [each.query.id for each in known])
    value = figures.auroc(scores, wanted)
    text = f"[{low:.3f}, {high:.3f}]; {len(known)} questions"
    return {f"{name}: AUROC of what the {by} said in the answer path": Figure(value, "AUROC", "higher", against=text)}


def main(given: argparse.Namespace, by: str = "reader") -> None:
    measured: dict[str, Figure] = {}
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    for name in [given.only] if given.only else NAMES:
        judged = loading.load(name, SAMPLES if name == "handbook" else data(""))
        if name != "handbook":
            judged = judged.part("development" if given.dev else "reported", given.limit)
        try:
            measured |= shares(name, answers(judged, given.keep, by), by)
        except ModelNotPulled as error:
            skip(str(error))
    if given.dev or given.only:
        print(table(measured))
    else:
        report("near_misses" if by == "reader" else "confirmed_passages", measured)


def arguments(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", choices=(*NAMES, *OTHERS))
    parser.add_argument("--dev", action="store_true", help="the questions on which things are chosen")
    parser.add_argument("--limit", type=int, default=200, help="at most so many questions of each, evenly spaced")
    parser.add_argument("--keep", type=Path, help="folder of the answers of earlier runs")
    return parser.parse_args()


if __name__ == "__main__":
    main(arguments("Near misses, with and without the reader"))
