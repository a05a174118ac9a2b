"""A support check trained on public labels and made statements, against the measure of faithfulness that ships.

    MAINSPRING_DATA=... python benchmarks/support_check.py --keep DIR [--seconds N] [--train PYTHON] [--score]

Trained on ARES over Wikipedia, PAWS and statements made of those passages. Reported on QAGS (CNN/DailyMail, XSum) and
SummEdits, of which nothing was looked at: AUROC of consistent summaries over others; how a summary's sentences are put
together (the mean over them of the best of two windows of the document) was fixed before. Scores are kept: a call that
``--seconds`` ends reports the sets that are whole, and the next one goes on.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from argparse import Namespace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import _reading_sets as sets
import _training
from _judged_sets import qags
from _library import data
from _report import Figure, report
from mainspring.engines.encode.embedder import OpenVinoEmbedder
from mainspring.engines.encode.support_check import SupportCheck
from mainspring.rag.text import terms
from mainspring.rag.text.sentences import split
from mainspring.rag.triad.metrics import Triad, claims
from mainspring.training.encoders.data.statements import Statement, statements

SEED = 11
OPTIONS = {
    "epochs": 3,
    "steps": 1_500,
    "batch": 16,
    "learning_rate": 5e-5,
    "length": 160,
    "freeze": 0,
    "evaluate_every": 50,
    "patience": 0,
    "save_every_s": 120,
}
SUMMEDITS = ("news", "podcast", "sales_call", "sales_email", "scitldr", "ectsum", "qmsumm")
"""All but samsum, whose licence forbids use beyond research."""
EDITED, WINDOWS, WIDE, PASSAGES = 300, 2, 3, 900


def sides() -> dict[str, list[dict[str, Any]]]:
    random = Random(SEED)
    passages = list(dict.fromkeys(each.passage for each in sets.answered(data("."), t0=False)))
    found = list(statements(random.sample(passages, min(len(passages), PASSAGES)), SEED, words=60))
    for row in sets.ares(data("."), "fever"):
        claim, said = row["synthetic_query"].strip(), row["generated_answer"].strip().upper()
        passage = row["document"].strip()
        if row["Context_Relevance_Label"] == "No":
            found.append(Statement(passage, claim, "neutral", passage[:80]))
        elif row["Answer_Faithfulness_Label"] == "Yes" and said in ("SUPPORTS", "REFUTES"):
            label: Any = "entailment" if said == "SUPPORTS" else "contradiction"
            found.append(Statement(passage, claim, label, passage[:80]))
    for first, second, same in sets.paws(data(".")):
        found.append(Statement(first, second, "entailment" if same else "contradiction", first[:80]))
    sources = sorted({each.source for each in found})
    held = set(random.sample(sources, len(sources) // 12))
    both: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for each in found:
        both[each.source in held].append({"premise": each.premise, "hypothesis": each.hypothesis, "label": each.label})
    return {"train": both[0], "validation": both[1][:300]}


def judged() -> dict[str, list[tuple[str, str, bool]]]:
    """Documents, summaries, and whether people find them consistent."""
    found: dict[str, list[tuple[str, str, bool]]] = {}
    for each in qags(data(".")):
        rows = found.setdefault(f"QAGS {each.id.split()[0]}", [])
        rows.append((each.item.passages[0], each.item.answers[0], each.label >= 0.999))
    edited: list[tuple[str, str, bool]] = []
    for part in SUMMEDITS:
        path = data(f"judge/summedits/summedits_{part}.json.gz")
        edited += [
            (row["doc"], row["summary"], bool(row["label"])) for row in json.loads(gzip.decompress(path.read_bytes()))
        ]
    found["SummEdits"] = Random(SEED).sample(edited, EDITED)
    return found


def windows(document: str, claim: str) -> list[str]:
    """The parts of three sentences that share most words with the claim."""
    parts = [document[each.start : each.end] for each in split(document)]
    wide = [" ".join(parts[at : at + WIDE]) for at in range(max(1, len(parts) - WIDE + 1))]
    wanted = terms.content(claim)
    return sorted(wide, key=lambda text: -len(wanted & terms.content(text)))[:WINDOWS]


async def ours_of(check: SupportCheck, document: str, summary: str) -> float:
    said = claims(summary) or [summary]
    best = []
    for claim in said:
        found = await check.chances([(part, claim) for part in windows(document, claim)])
        best.append(float(found[:, 0].max()))
    return float(np.mean(best))


async def theirs_of(triad: Triad, document: str, summary: str) -> float:
    found = [await triad.claim(text, [document]) for text in claims(summary) or [summary]]
    return float(np.mean([each.score for each in found]))


async def score(arguments: Namespace) -> None:
    check = SupportCheck(_training.served(arguments.keep), 2)
    embedder = OpenVinoEmbedder(_training.pulled(_training.EMBEDDER), 2)
    triad = Triad(embedder)
    path: Path = arguments.keep / "scores.json"
    kept: dict[str, list[float]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    found: dict[str, Figure] = {}
    end = time.monotonic() + arguments.seconds
    for name, rows in judged().items():
        for number, (document, summary, _) in enumerate(rows):
            key = f"{name} {number}"
            if key not in kept:
                if time.monotonic() > end:
                    break
                kept[key] = [await ours_of(check, document, summary), await theirs_of(triad, document, summary)]
                if number % 20 == 0:
                    path.write_text(json.dumps(kept), encoding="utf-8")
        path.write_text(json.dumps(kept), encoding="utf-8")
        if f"{name} {len(rows) - 1}" not in kept:
            print(f"{name} is not whole yet: call again", flush=True)
            continue
        scores = np.array([kept[f"{name} {number}"] for number in range(len(rows))])
        wanted, groups = np.array([each[2] for each in rows]), [each[0][:200] for each in rows]
        found |= _training.compared(name, scores, wanted, groups, "summaries")
    size = _training.size_mb(arguments.keep)
    found["Size of the support check"] = Figure(size, "MB", "lower", 35, against="what a small encoder may take")
    report("support_check", found)
    await check.close()
    await embedder.close()


def main() -> None:
    arguments = _training.asked(__doc__)
    if arguments.score:
        asyncio.run(score(arguments))
    else:
        _training.train(arguments, "nli", _training.RERANKER, OPTIONS, SEED, sides)


if __name__ == "__main__":
    main()
