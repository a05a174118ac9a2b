"""How often the guards of answers would touch answers that are harmless, to the point and true to their sources.

    MAINSPRING_DATA=... python benchmarks/answer_refusals.py

Answers: the gold answers of SQuAD's questions (the half of the articles that no threshold was chosen on), by themselves
and as the sentence that holds them; replies of assistants in MT-Bench-101 and in Taskmaster-4's bookings; solutions of
word problems. Toxicity and relevancy are judged by sentence as `serving.checked` judges them, at the shipped
thresholds. Support is judged where there are sources, against the sentences of the paragraph that the question is
about, as `document-qa` judges what it writes. What it should find are sentences of some other paragraph, and sentences
one of whose numbers was changed. Writes ``benchmarks/results/answer_refusals.json``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _detectors import digest
from _report import Figure, data_sets, report
from answer_guards import _least, vectors, windows
from mainspring.engines import builtin
from mainspring.engines.base import Embedder
from mainspring.guards import detector
from mainspring.rag.extract import Passage
from mainspring.rag.support import SUPPORTED, support
from mainspring.settings import AnswersSettings, load

MOST = 400
Pairs = list[tuple[str, str]]
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_NUMBER = re.compile(r"\d+")


def questions(data: Path) -> list[tuple[str, str, str, str]]:
    """(question, gold answer, the sentence that holds it, its paragraph), and always the same ones."""
    articles = json.loads((data / "qa/squad/dev-v2.0.json").read_text(encoding="utf-8"))["data"][1::2]
    found = []
    for part in (part for article in articles for part in article["paragraphs"]):
        for asked in part["qas"]:
            if asked.get("is_impossible") or not asked["answers"]:
                continue
            gold, at = asked["answers"][0]["text"], asked["answers"][0]["answer_start"]
            begin = 0
            for sentence in _SENTENCE.split(part["context"]):
                place = part["context"].index(sentence, begin)
                begin = place + len(sentence)
                if place <= at < begin:
                    found.append((asked["question"], gold, sentence, part["context"]))
    return sorted(found, key=lambda each: digest(each[0]))[:MOST]


def replies(data: Path) -> dict[str, Pairs]:
    """(what was asked, the answer) by set."""
    asked = questions(data)
    found = {
        "gold answers (SQuAD)": [(question, gold) for question, gold, _, _ in asked],
        "sentences with the gold answer (SQuAD)": [(question, sentence) for question, _, sentence, _ in asked],
    }
    rows = [json.loads(line) for line in (data / "qa/gsm8k/test.jsonl").read_text(encoding="utf-8").splitlines()]
    found["word problems (GSM8K)"] = [(row["question"], row["answer"].split("####")[0]) for row in rows][:MOST]
    path = data / "turns/mtbench101.jsonl"
    if path.exists():
        lines = [json.loads(line)["history"] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        pairs = [(turn["user"], turn["bot"]) for line in lines for turn in line]
        found["assistant's replies (MT-Bench-101)"] = sorted(pairs, key=lambda pair: digest(repr(pair)))[:MOST]
    pairs = []
    for path in sorted((data / "dialogues").glob("*.json")):
        for each in json.loads(path.read_text(encoding="utf-8")):
            said = [(turn["speaker"], " ".join(turn["text"].split())) for turn in each["utterances"]]
            pairs += [
                (one, other)
                for (speaker, one), (replying, other) in itertools.pairwise(said)
                if (speaker, replying) == ("user", "assistant") and one and other
            ]
    if pairs:
        found["clerks' replies (Taskmaster-4)"] = sorted(pairs, key=lambda pair: digest(repr(pair)))[:MOST]
    return found


async def judged(pairs: Pairs, embedder: Embedder) -> tuple[Any, Any]:
    """Which of the answers are toxic, and which beside their question."""
    head = detector.packaged().heads["toxicity"]
    parts = [windows(answer) for _, answer in pairs]
    known = await vectors([text for part in parts for text in part], embedder)
    score = {text: float(head.probabilities(vector[None])[0]) for text, vector in known.items()}
    toxic = np.array([max((score[text] for text in part), default=0.0) >= head.threshold for part in parts])
    return toxic, np.array(await _least(pairs, embedder)) < AnswersSettings().relevancy_below


def passages(paragraph: str) -> list[Passage]:
    """Its sentences as an answer's sources."""
    found: Any = [Passage(None, text, 0, 0, "sentence", "", 0.0, 0.0) for text in _SENTENCE.split(paragraph)]  # type: ignore[arg-type]
    return list(found)


async def unsupported(said: Sequence[tuple[str, str]], embedder: Embedder) -> float:
    """The share of sentences that their paragraphs do not support."""
    marked = 0
    for sentence, paragraph in said:
        found = await support(sentence, passages(paragraph), embedder)
        marked += found is None or found.score < SUPPORTED
    return marked / len(said)


async def measured(data: Path) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    embedder = await builtin.embedder(load().settings)
    try:
        for name, pairs in replies(data).items():
            toxic, beside = await judged(pairs, embedder)
            told = f"{len(pairs)} answers"
            figures[f"toxicity, refused: {name}"] = Figure(float(toxic.mean()), "share", "lower", 0.05, against=told)
            figures[f"relevancy, refused: {name}"] = Figure(float(beside.mean()), "share", "lower", 0.05, against=told)
        asked = questions(data)
        others = {question: asked[(at + 1) % len(asked)][3] for at, (question, *_) in enumerate(asked)}
        changed = [
            (_NUMBER.sub(lambda found: str(int(found[0]) + 7), sentence, count=1), paragraph)
            for _, _, sentence, paragraph in asked
            if _NUMBER.search(sentence)
        ]
        for label, said, better in (
            ("left out: gold answers (SQuAD)", [(gold, paragraph) for _, gold, _, paragraph in asked], "lower"),
            (
                "left out: question and gold answer as a sentence (SQuAD)",
                [(f"{question.rstrip('?')}: {gold}.", paragraph) for question, gold, _, paragraph in asked],
                "lower",
            ),
            ("found: sentences of another paragraph", [(each[2], others[each[0]]) for each in asked], "higher"),
            ("found: sentences with another number", changed, "higher"),
        ):
            share = await unsupported(said, embedder)
            floor = 0.05 if better == "lower" else None
            figures[f"support, {label}"] = Figure(share, "share", better, floor, against=f"{len(said)} answers")  # type: ignore[arg-type]
    finally:
        await embedder.close()
    return figures


def main() -> None:
    root = data_sets()
    report("answer_refusals", asyncio.run(measured(root)))


if __name__ == "__main__":
    main()
