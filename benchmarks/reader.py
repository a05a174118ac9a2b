"""A reader trained on public questions and made near misses, against the cross-encoder that it starts from.

    MAINSPRING_DATA=... python benchmarks/reader.py --keep DIR [--seconds N] [--train PYTHON] [--pack 16]
    [--score [--rank]]

It trains for N seconds in a process of PYTHON (an environment with the extra ``train``) and goes on from there when it
is called again. ``--pack`` writes what was learned into the package. With ``--score``, what is packaged and the
cross-encoder score the same held-out rows by the engine that serves both, with ``--rank`` also the paragraphs that
BM25 finds first; differences have a paired bootstrap over passages or questions. Trained on ARES over Wikipedia, DuoRC,
Quoref, ROPES and ten articles of SQuAD 2.0 dev. Every fourth article of that, TAT-QA and ARES over news and stories are
reported on alone.
"""

from __future__ import annotations

import asyncio
import json
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import _reading_sets as sets
import _training
import mainspring.engines.catalogue
from _bm25 import Bm25
from _library import data
from _report import Figure, report
from mainspring.engines.encode.reader import PassageReader
from mainspring.engines.encode.reranker import CrossEncoder
from mainspring.training.encoders import figures
from mainspring.training.encoders.data.near_misses import Example, examples, holds

SEED, WORDS = 7, 60
NAME = "near-miss-reader"
PACKAGED = Path(mainspring.engines.catalogue.__file__).parent / "packaged" / f"{NAME}.safetensors"
SHARES = {"answered": 1.0, "value swapped": 1.0, "answer removed": 1.0, "other passage": 0.3}
WINDOWS = 2
"""Each question of SQuAD that is trained on stands in so many windows of its paragraph."""
OPTIONS = {
    "epochs": 1,
    "steps": 1000,
    "batch": 16,
    "learning_rate": 6e-5,
    "length": 256,
    "freeze": 2,
    "evaluate_every": 200,
    "patience": 0,
    "save_every_s": 120,
    "answerability": 0.7,
    "int8": False,
}
REPORTED, RANKED, DEPTH = 250, 60, 8


def row(each: Example) -> dict[str, Any]:
    held = each.answer if each.answer and each.answer in each.passage else None
    return {"question": each.question, "passage": each.passage, "answer": held, "answerable": each.answerable}


def sides() -> dict[str, list[dict[str, Any]]]:
    """Rows to train on, and those of a twelfth of the passages for validation."""
    random = Random(SEED)
    made = [
        each for each in examples(sets.answered(data(".")), SEED, words=WORDS) if random.random() < SHARES[each.kind]
    ]
    for number in range(WINDOWS):
        made += sets.squad_trained(data("."), SEED + number, WORDS)
    away = random.sample(list(sets.off_topic(data("."))), 400)
    sources = sorted({each.source for each in [*made, *away]})
    held = set(random.sample(sources, len(sources) // 12))
    both: tuple[list[Example], list[Example]] = ([], [])
    for each in [*made, *away]:
        both[each.source in held].append(each)
    return {
        "train": [row(each) for each in both[0]],
        "validation": [row(each) for each in random.sample(both[1], min(200, len(both[1])))],
    }


def reported() -> dict[str, list[Example]]:
    """The sets of questions with and without an answer that are reported on."""
    found = {
        "SQuAD near misses": sets.squad(data("."), SEED, REPORTED),
        "TAT-QA other reports": sets.tatqa(data("."), 150),
    }
    for name in sets.ARES_REPORTED:
        rows = sets.ares(data("."), name)
        good = [each for each in rows if each["Context_Relevance_Label"] == each["Answer_Faithfulness_Label"] == "Yes"]
        made: list[Example] = []
        for kind, part in (
            ("answered", good),
            ("off topic", [r for r in rows if r["Context_Relevance_Label"] == "No"]),
        ):
            for each in Random(SEED).sample(part, 100):
                made.append(Example(each["synthetic_query"], each["document"], "", kind, each["document"][:80]))  # type: ignore[arg-type]
        found[f"ARES {name} off topic"] = made
    return found


def rankings() -> list[tuple[str, str, list[str]]]:
    """Answerable questions of SQuAD with their answer and the paragraphs that BM25 finds first."""
    squad = [each for each in sets.squad(data("."), SEED + 1, RANKED) if each.answerable]
    every = sets.squad(data("."), SEED, 10**9)
    texts = {str(number): text for number, text in enumerate(dict.fromkeys(each.passage for each in every))}
    index = Bm25(texts)
    return [
        (each.question, each.answer, [texts[name] for name in index.search(each.question, DEPTH)]) for each in squad
    ]


class Both:
    """The scores of the trained reader and of the cross-encoder that ships, kept in files as they come."""

    def __init__(self, keep: Path, *, trained: bool) -> None:
        self.theirs = CrossEncoder(_training.pulled(_training.RERANKER), 1)
        self.ours = PassageReader(_training.pulled(NAME), 1) if trained else None
        name = f"ours-{self.ours.fingerprint[:12]}.json" if self.ours else "ours.json"
        self.places = (keep / name, keep / "theirs.json")
        self.kept: list[dict[str, Any]] = [
            json.loads(path.read_text(encoding="utf-8")) if path.exists() else {} for path in self.places
        ]

    async def of(self, question: str, passages: Sequence[str]) -> list[tuple[float, float, str]]:
        """Each passage's logits by both, and the words that the reader points at."""
        ours, theirs = self.kept
        keys = [f"{question}\n{passage}" for passage in passages]
        if any(key not in theirs for key in keys):
            scores = (await self.theirs.score(question, passages)).scores.tolist()
            theirs.update(zip(keys, scores, strict=True))
            if len(theirs) % 40 == 0:
                self.save()
        if self.ours is None:
            return [(0.0, theirs[key], "") for key in keys]
        if any(key not in ours for key in keys):
            read = await self.ours.read(question, passages)
            for key, passage, each in zip(keys, passages, read, strict=True):
                ours[key] = (each.score, passage[each.start : each.end])
            if len(ours) % 40 == 0:
                self.save()
        return [(ours[key][0], theirs[key], ours[key][1]) for key in keys]

    def save(self) -> None:
        for path, kept in zip(self.places, self.kept, strict=True):
            path.write_text(json.dumps(kept), encoding="utf-8")

    async def close(self) -> None:
        self.save()
        await self.theirs.close()
        if self.ours is not None:
            await self.ours.close()


async def baseline(arguments: Namespace) -> None:
    """Keep the scores of what ships: they are the same for every try."""
    both = Both(arguments.keep, trained=False)
    for rows in reported().values():
        for each in rows:
            await both.of(each.question, [each.passage])
    for question, _, passages in rankings():
        await both.of(question, passages)
    await both.close()


async def ranked(both: Both) -> dict[str, Figure]:
    """How often the paragraph that is put first holds the answer."""
    found: dict[str, Figure] = {}
    hits = []
    for question, answer, passages in rankings():
        scores = np.array([each[:2] for each in await both.of(question, passages)])
        best = [passages[place] for place in (int(scores[:, 0].argmax()), int(scores[:, 1].argmax()), 0)]
        hits.append([holds(passage, answer) for passage in best])
    both.save()
    table = np.array(hits, float)
    names = [str(number) for number in range(len(table))]
    value, low, high = figures.paired(
        lambda at: float(table[at, 0].mean()), lambda at: float(table[at, 1].mean()), names
    )
    for place, side in enumerate(("trained", "as it ships", "BM25")):
        low_, high_ = figures.interval(lambda at, place=place: float(table[at, place].mean()), names)  # type: ignore[misc]
        text = f"[{low_:.3f}, {high_:.3f}]; {len(table)} questions, best {DEPTH} of BM25"
        found[f"SQuAD: answer in the first paragraph, {side}"] = Figure(
            float(table[:, place].mean()), "", "higher", against=text
        )
    found["SQuAD: answer in the first paragraph, gain"] = Figure(
        value, "", "higher", against=f"paired [{low:.3f}, {high:.3f}]"
    )
    return found


async def score(arguments: Namespace) -> None:
    both = Both(arguments.keep, trained=True)
    found: dict[str, Figure] = {}
    for name, rows in reported().items():
        scores = np.array([(await both.of(each.question, [each.passage]))[0][:2] for each in rows])
        both.save()
        wanted = np.array([each.answerable for each in rows])
        found |= _training.compared(name, scores, wanted, [each.passage for each in rows], "questions")
        if name.startswith("SQuAD"):
            spans = [(await both.of(each.question, [each.passage]))[0][2] for each in rows if each.answerable]
            answers = [each.answer for each in rows if each.answerable]
            right = [
                holds(span, answer) and len(span) < 3 * len(answer) + 20
                for span, answer in zip(spans, answers, strict=True)
            ]
            found["SQuAD: span holds the answer"] = Figure(
                float(np.mean(right)), "", "higher", against=f"{len(right)} questions"
            )
    if arguments.rank:
        found |= await ranked(both)
    found["Size of what is packaged"] = Figure(
        PACKAGED.stat().st_size / 1e6, "MB", "lower", 12, against="what an adapter may take"
    )
    report("reader", found)
    await both.close()


def main() -> None:
    arguments = _training.asked(__doc__)
    if arguments.pack:
        _training.pack(arguments.keep, _training.RERANKER, PACKAGED, arguments.pack)
    elif arguments.score and not PACKAGED.exists():
        asyncio.run(baseline(arguments))
    elif arguments.score:
        asyncio.run(score(arguments))
    else:
        _training.train(arguments, "reader", _training.RERANKER, OPTIONS, SEED, sides)


if __name__ == "__main__":
    main()
