"""How often the guards of answers would touch answers that are harmless, to the point and true to their sources.

    MAINSPRING_DATA=... python benchmarks/answer_refusals.py

Answers: the gold answers of SQuAD's questions (the half of the articles that no threshold was chosen on), by themselves
and as the sentence that holds them; replies of assistants in MT-Bench-101, in the half of Taskmaster-4's bookings that
nothing was chosen on, and in SGD's, each with what was said before it; solutions of word problems. Toxicity and
relevancy are judged by sentence as `serving.judge.answer_checks` judges them, at the shipped thresholds. What
relevancy should find are replies out of other dialogues. Support is judged where there are sources, against the
sentences of the paragraph that the question is about, as `document-qa` judges what it writes. What it should find are
sentences of some other paragraph, and sentences one of whose numbers was changed. Writes
``benchmarks/results/answer_refusals.json``.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _detectors import digest
from _public_talks import bookings
from _report import Figure, data_sets, report
from answer_guards import ABOVE, nearest, vectors, windows
from mainspring.core.settings import AnswersSettings, load
from mainspring.core.types import ChatRequest, Message
from mainspring.engines import builtin
from mainspring.engines.base import Embedder
from mainspring.guards.detect import embedding_detector
from mainspring.rag.answer.evidence.support import SUPPORTED, support
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.serving.guard.output import question as question_of

MOST = 400
Pairs = list[tuple[list[str], str]]
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
    rows = [json.loads(line) for line in (data / "qa/gsm8k/test.jsonl").read_text(encoding="utf-8").splitlines()]
    found: dict[str, Pairs] = {
        "gold answers (SQuAD)": [([question], gold) for question, gold, _, _ in asked],
        "sentences with the gold answer (SQuAD)": [([question], sentence) for question, _, sentence, _ in asked],
        "word problems (GSM8K)": [([row["question"]], row["answer"].split("####")[0]) for row in rows][:MOST],
    }
    return found | {name: answered(talks) for name, talks in dialogues(data).items() if talks}


def dialogues(data: Path) -> dict[str, list[list[Message]]]:
    """Dialogues by set, empty where a set is not at hand."""
    path = data / "turns/mtbench101.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    told = [json.loads(line)["history"] for line in lines if line.strip()]
    orders = [
        [Message("user" if turn["speaker"] == "user" else "assistant", turn["text"]) for turn in each["utterances"]]
        for path in sorted((data / "dialogues").glob("*.json"))
        for number, each in enumerate(json.loads(path.read_text(encoding="utf-8")))
        if number // 50 % 2
    ]
    booked = [
        [Message("user" if who == "USER" else "assistant", text) for who, text in each] for each in bookings(data)
    ]
    return {
        "assistant's replies (MT-Bench-101)": [
            [said for turn in each for said in (Message("user", turn["user"]), Message("assistant", turn["bot"]))]
            for each in told
        ],
        "clerks' replies (Taskmaster-4, other half)": orders,
        "services' replies (SGD)": booked,
    }


def answered(talks: Sequence[Sequence[Message]]) -> Pairs:
    """Replies with what was asked, always the same ones."""
    found: Pairs = []
    for talk in talks:
        said = [each for each in talk if each.content.strip()]
        for at in range(1, len(said)):
            if (said[at - 1].role, said[at].role) == ("user", "assistant"):
                asked = question_of(ChatRequest("", tuple(said[:at])))
                found.append((asked, " ".join(said[at].content.split())))
    return sorted(found, key=lambda pair: digest(repr(pair)))[:MOST]


def strangers(sets: dict[str, Pairs]) -> dict[str, Pairs]:
    """What was asked in dialogues, with replies out of dialogues of another set."""
    names = [name for name in sets if "replies" in name]
    found: dict[str, Pairs] = {}
    for name, other in zip(names, [*names[1:], *names[:1]], strict=True):
        pairs = zip(sets[name], sets[other], strict=False)
        found[f"{name}, replies of others"] = [(asked, reply) for (asked, _), (_, reply) in pairs]
    return found


async def judged(pairs: Pairs, embedder: Embedder) -> tuple[Any, Any]:
    """How toxic the worst sentence of each answer is, and which are beside their question."""
    head = embedding_detector.packaged().heads["toxicity"]
    parts = [windows(answer) for _, answer in pairs]
    known = await vectors([text for part in parts for text in part], embedder)
    score = {text: float(head.probabilities(vector[None])[0]) for text, vector in known.items()}
    toxic = np.array([max((score[text] for text in part), default=0.0) for part in parts])
    return toxic, await beside(pairs, embedder)


async def beside(pairs: Pairs, embedder: Embedder) -> Any:
    """Which of the answers are beside their question."""
    return np.array(await nearest(pairs, embedder)) < AnswersSettings().relevancy_below


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
        sets = replies(data)
        for name, pairs in sets.items():
            toxic, far = await judged(pairs, embedder)
            told = f"{len(pairs)} answers"
            shipped = embedding_detector.packaged().heads["toxicity"].threshold
            for above, at in ((shipped, ""), *((each, f" at {each}") for each in ABOVE)):
                share = float((toxic >= above).mean())
                figures[f"toxicity, refused{at}: {name}"] = Figure(share, "share", "lower", 0.05, against=told)
            figures[f"relevancy, refused: {name}"] = Figure(float(far.mean()), "share", "lower", 0.05, against=told)
        for name, pairs in strangers(sets).items():
            share = float((await beside(pairs, embedder)).mean())
            figures[f"relevancy, found: {name}"] = Figure(share, "share", "higher", against=f"{len(pairs)} answers")
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
