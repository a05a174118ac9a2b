"""The share of the turns that answer a question about a long conversation which the memory finds among its best ten.

    MAINSPRING_DATA=... python benchmarks/memory_recall.py [--set locomo] [--keep FOLDER] [--seconds 300]

Reported on LoCoMo (Maharana et al. 2024; ten conversations, CC BY-NC: for measuring only), which nothing was chosen
on: the weights of ``agents/context/ranker.py`` were chosen on REALTALK (``--set realtalk``). No large model is used.

"BM25" and "dense" are the yardsticks: words over plain turns, and the embedding model alone. "memory" is the ranker
that ships, "+ late interaction" and "+ cross-encoder" let a reranker read its best 24. "facts by rules" keeps only
what the rules take for facts of a speaker, and looks for those. A question counts with the share of its evidence found;
intervals are 95 %, by drawing whole conversations anew. With ``--keep`` work is resumed after ``--seconds``. Writes
``benchmarks/results/memory_recall.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _bm25 import Bm25
from _long_talks import CATEGORIES, LongTalk, long_talks
from _report import Figure, data_sets, report
from mainspring.agents.context.ranker import Ranker, Statement, merged
from mainspring.core.settings import Settings, load
from mainspring.engines import builtin
from mainspring.engines.base import Embedder, Reranker
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.encode.reranker import CrossEncoder
from mainspring.features.memory.extract import facts_of

BEST, READ = 10, 24
YARDSTICK = "BM25"
CROSS_ENCODER = "ms-marco-minilm-l12-v2-int8"
LATE, CROSS = "late interaction", "cross-encoder"
Found = dict[str, list[list[int]]]
"""By system: for each question the places of the best ten."""
Kept = dict[str, Any]
"""``found``, and for rerankers: for each question the places to ``read`` and their ``scores``."""


async def embedded(embedder: Embedder, texts: Sequence[str], kind: Any = "passage") -> Any:
    rows = [
        (await embedder.embed([text or " " for text in texts[start : start + 64]], kind)).vectors
        for start in range(0, len(texts), 64)
    ]
    return np.concatenate(rows).astype(np.float32)


def best(scores: Any) -> list[int]:
    return [int(place) for place in np.argsort(-np.asarray(scores), kind="stable")[:BEST]]


async def found_in(talk: LongTalk, embedder: Embedder) -> Kept:
    """What each system finds for each question with evidence, and what a reranker is to read."""
    asked = questions_of(talk)
    spoken = [f"{each.speaker}: {each.text}" for each in talk.turns]
    vectors, queries = await embedded(embedder, spoken), await embedded(embedder, asked, "query")
    past = [
        Statement(each.text, str(each.session), each.speaker, vector)
        for each, vector in zip(talk.turns, vectors, strict=True)
    ]
    names = [str(place) for place in range(len(talk.turns))]
    plain = Bm25(dict(zip(names, (each.plain for each in talk.turns), strict=True)))
    captioned = Bm25(dict(zip(names, spoken, strict=True)))
    facts, whence = taken(talk)
    facts = [
        Statement(each.text, each.thread, each.speaker, vector)
        for each, vector in zip(facts, await embedded(embedder, [each.spoken for each in facts]), strict=True)
    ]
    ranker = Ranker()
    kept: Kept = {"found": {}, "read": [], "scores": []}
    for text, vector in zip(asked, queries, strict=True):
        scores = ranker.scores(text, vector, past)
        told = {
            YARDSTICK: [int(each) for each in plain.search(text, BEST)],
            "BM25 with speakers and captions": [int(each) for each in captioned.search(text, BEST)],
            "dense": best(vectors @ vector),
            "memory": best(scores),
            "facts by rules": [whence[place] for place in best(ranker.scores(text, vector, facts))],
        }
        for name, places in told.items():
            kept["found"].setdefault(name, []).append(places)
        order = [int(place) for place in np.argsort(-scores, kind="stable")[:READ]]
        kept["read"].append(order)
        kept["scores"].append([float(scores[place]) for place in order])
    return kept


async def reread(talk: LongTalk, kept: Kept, name: str, reranker: Reranker) -> None:
    """Add what is found once ``reranker`` has read the memory's best."""
    spoken = [f"{each.speaker}: {each.text}" for each in talk.turns]
    found = []
    for text, order, scores in zip(questions_of(talk), kept["read"], kept["scores"], strict=True):
        read = await reranker.rerank(text, [spoken[place] for place in order])
        mixed = merged(np.asarray(scores, dtype=np.float32), range(len(order)), read.scores)
        found.append([order[place] for place in best(mixed)])
    kept["found"][f"memory + {name}"] = found


def questions_of(talk: LongTalk) -> list[str]:
    return [each.text for each in talk.questions if each.evidence]


def taken(talk: LongTalk) -> tuple[list[Statement], list[int]]:
    """What the rules keep of the conversation, and the turn of each fact."""
    facts, whence = [], []
    for place, each in enumerate(talk.turns):
        for fact in facts_of(each.plain):
            facts.append(Statement(fact.text, str(each.session), each.speaker))
            whence.append(place)
    return facts, whence


def shares(talk: LongTalk, places: Sequence[Sequence[int]]) -> list[tuple[int, float]]:
    """The category of each question, and the share of its evidence found."""
    asked = [each for each in talk.questions if each.evidence]
    return [
        (each.category, len(set(each.evidence) & set(found)) / len(each.evidence))
        for each, found in zip(asked, places, strict=True)
    ]


def interval(talks: Sequence[Sequence[float]], draws: int = 5000) -> tuple[float, float]:
    """Of the mean over questions, 95 %, by drawing conversations."""
    random = np.random.default_rng(7)
    sums, counts = np.array([sum(each) for each in talks]), np.array([len(each) for each in talks])
    drawn = random.integers(len(talks), size=(draws, len(talks)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def figures_of(talks: Sequence[LongTalk], found: Sequence[Found], reported: bool) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    of = {name: [shares(talk, each[name]) for talk, each in zip(talks, found, strict=True)] for name in found[0]}
    for name, told in of.items():
        values = [[share for _, share in talk] for talk in told]
        flat = [share for talk in values for share in talk]
        low, high = interval(values)
        said = f"{len(flat)} questions, {len(talks)} conversations, {low:.3f} to {high:.3f}"
        floor = 0.65 if reported and name.startswith("memory") else None
        figures[f"recall@{BEST}: {name}"] = Figure(float(np.mean(flat)), "share", "higher", floor, against=said)
        if name.startswith("memory") or name == YARDSTICK:
            whole = [[float(share == 1) for share in talk] for talk in values]
            low, high = interval(whole)
            mean = float(np.mean([share for talk in whole for share in talk]))
            said = f"questions whose whole evidence is found, {low:.3f} to {high:.3f}"
            figures[f"all of it: {name}"] = Figure(mean, "share", "higher", against=said)
            gains = [
                [a - b for (_, a), (_, b) in zip(*pair, strict=True)] for pair in zip(told, of[YARDSTICK], strict=True)
            ]
            if name != YARDSTICK:
                low, high = interval(gains)
                mean = float(np.mean([gain for talk in gains for gain in talk]))
                told_gain = f"paired with {YARDSTICK}, {low:.3f} to {high:.3f}"
                figures[f"gain: {name}"] = Figure(mean, "share", "higher", against=told_gain)
    for name in (YARDSTICK, *[each for each in of if each.startswith("memory")]):
        for category, words in CATEGORIES.items():
            chosen = [share for talk in of[name] for kind, share in talk if kind == category]
            if chosen:
                said = f"{len(chosen)} questions"
                figures[f"{words}: {name}"] = Figure(float(np.mean(chosen)), "share", "higher", against=said)
    kept = [whence for talk in talks for whence in (set(taken(talk)[1]),)]
    evidence = [
        place in have
        for talk, have in zip(talks, kept, strict=True)
        for each in talk.questions
        for place in each.evidence
    ]
    turns = sum(map(len, kept)) / sum(len(talk.turns) for talk in talks)
    figures["facts by rules: turns with a fact"] = Figure(turns, "share", "lower", against="of all turns")
    figures["facts by rules: evidence kept"] = Figure(
        float(np.mean(evidence)), "share", "higher", against="of all evidence"
    )
    return figures


async def run(talks: Sequence[LongTalk], options: Any) -> list[Kept] | None:
    """What is found in each conversation; None if time was up before the last."""
    settings = load().settings
    embedder = await builtin.embedder(settings)
    began, done = time.monotonic(), True
    kept = [_read(options.keep, talk) for talk in talks]
    for name in ("", *options.rerankers):
        reranker = _reranker(name, settings) if name else None
        for talk, each in zip(talks, kept, strict=True):
            if (each and f"memory + {name}" in each["found"]) or (each and not name):
                continue
            if time.monotonic() - began > options.seconds:
                done = False
                break
            if reranker is None:
                each.update(await found_in(talk, embedder))
            else:
                await reread(talk, each, name, reranker)
            print(f"{talk.name}: {len(talk.turns)} turns, {len(talk.questions)} questions {name}", flush=True)
            if options.keep is not None:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{talk.name}.json").write_text(json.dumps(each), encoding="utf-8")
    return kept if done else None


def _read(keep: Path | None, talk: LongTalk) -> Kept:
    file = None if keep is None else keep / f"{talk.name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file is not None and file.exists() else {}


def _reranker(name: str, settings: Settings) -> Reranker:
    if name == LATE:
        return builtin.words(settings)
    return CrossEncoder(Puller(settings).local(CROSS_ENCODER), settings.engines.threads)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="locomo", choices=("locomo", "realtalk"))
    parser.add_argument("--keep", type=Path, help="folder of what was found so far")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after about so many")
    parser.add_argument("--rerankers", nargs="*", default=[LATE, CROSS], choices=(LATE, CROSS))
    options = parser.parse_args()
    talks = long_talks(data_sets(), options.set)
    kept = asyncio.run(run(talks, options))
    if kept is None:
        print("time is up: the same command goes on")
        return
    names = {name for each in kept for name in each["found"]}
    whole = [name for name in kept[0]["found"] if name in names and all(name in each["found"] for each in kept)]
    found = [{name: each["found"][name] for name in whole} for each in kept]
    reported = options.set == "locomo"
    report("memory_recall" if reported else "memory_recall_development", figures_of(talks, found, reported))


if __name__ == "__main__":
    main()
