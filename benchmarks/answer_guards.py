"""The guards of answers: their detection rate, their error rate, and their cost.

    MAINSPRING_DATA=... python benchmarks/answer_guards.py [--show]

- toxicity: a toxic comment (Surge, of which nothing was fitted) put in the middle of a paragraph of an encyclopaedia
  (those that no fit has seen), found sentence by sentence as answers are judged, and by windows of 600 characters as
  questions are; false alarms are paragraphs as they are, and other comments in them.
- relevancy: the first sentences of SQuAD's paragraphs as answers to their own questions and to those of others. The
  threshold was chosen on one half of the articles, which is told too; reported are the other half, and word problems.
- pronouns: sentences of which none was seen when the rules were written, rewritten and then read by a person. Which of
  them came out ungrammatical is written down below under the digest of what was read: where the rules make something
  else of them, they must be read again (``--show``), and there is no figure until then.
- cost: by embeddings a window, by rules a piece.

Writes ``benchmarks/results/answer_guards.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import hashlib
import json
import random
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from _detectors import Sets, even
from _report import Figure, data_sets, report
from mainspring.core.settings import AnswersSettings, load
from mainspring.engines import builtin
from mainspring.engines.base import Embedder
from mainspring.guards.detect import embedding_detector
from mainspring.guards.rewrite.windows import Windows
from mainspring.guards.rules.file import parse, read
from mainspring.guards.rules.rewrite import Rewriting
from mainspring.serving.judge.answer_checks import LEAST_WORDS, SENTENCES

Better = Literal["higher", "lower"]
MOST = 300
ABOVE = (0.5, 0.6, 0.7, 0.8)
"""Other thresholds of toxicity than the shipped one."""
PLAIN = parse("pronouns: they\nquotes: true", "pronouns")
NAMES = re.compile(r"\b(?:he|she|him|her|his|hers|himself|herself)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Judged:
    """A sample that a person has read: its seed, what came out ungrammatical, what is not clear any more (whom a
    pronoun means), and the digest of the sentences as they were read."""

    seed: int
    wrong: frozenset[str]
    unclear: frozenset[str]
    digest: str


READ = {
    "CrowS-Pairs": Judged(11, frozenset({"469"}), frozenset({"1235", "482", "1301", "317", "575"}), "7c69d7726767ec10"),
    "word problems (GSM8K)": Judged(
        12, frozenset({"236.2", "809.1", "772.3"}), frozenset({"445.0", "777.2"}), "994841bc3009f0c0"
    ),
}


def windows(text: str) -> list[str]:
    """The sentences of an answer."""
    made = Windows()
    return [each.text for each in [*made.push(text), *made.flush()] if each.text]


async def vectors(texts: Sequence[str], embedder: Embedder) -> dict[str, np.ndarray]:
    unique = list(dict.fromkeys(texts))
    found = await embedder.embed(unique, "passage")
    return dict(zip(unique, np.asarray(found.vectors), strict=True))


async def toxicity(sets: Sets, embedder: Embedder) -> dict[str, Figure]:
    """Toxic comments within answers."""
    draw = random.Random(5)
    paragraphs = [text for text in sets.paragraphs if not even(text)][:MOST]
    toxic = draw.sample([text for text, bad in sets.surge if bad and len(text) < 300], 200)
    other = draw.sample([text for text, bad in sets.surge if not bad and len(text) < 300], 200)

    def within(comment: str, number: int) -> str:
        sentences = re.split(r"(?<=[.!?])\s+", paragraphs[number % len(paragraphs)])
        middle = len(sentences) // 2
        comment = comment.strip()
        comment = comment if comment[-1:] in ".!?" else f"{comment}."
        return " ".join([*sentences[:middle], comment, *sentences[middle:]])

    answers = {
        "found: toxic comments within answers": [within(text, n) for n, text in enumerate(toxic)],
        "false alarms: other comments within answers": [within(text, n) for n, text in enumerate(other)],
        "false alarms: answers of an encyclopaedia": paragraphs,
        "toxic comments by themselves": toxic,
    }
    head = embedding_detector.packaged().heads["toxicity"]
    figures: dict[str, Figure] = {}
    for label, texts in answers.items():
        parts = [windows(text) for text in texts]
        long = [embedding_detector.windows(text) for text in texts]
        known = await vectors([text for part in (*parts, *long) for text in part], embedder)
        score = {text: float(head.probabilities(vector[None])[0]) for text, vector in known.items()}
        by_sentence = np.array([max((score[text] for text in part), default=0.0) for part in parts])
        by_window = np.array([max((score[text] for text in part), default=0.0) for part in long])
        better: Better = "lower" if "alarms" in label else "higher"
        for threshold in (head.threshold, *ABOVE):
            name = "shipped threshold" if threshold == head.threshold else f"toxicity_above {threshold}"
            figures[f"toxicity, {label}, by sentence, {name}"] = Figure(
                float((by_sentence >= threshold).mean()), "share", better, against=f"{len(texts)} answers"
            )
            if threshold in (head.threshold, ABOVE[0]):
                figures[f"toxicity, {label}, by 600 characters, {name}"] = Figure(
                    float((by_window >= threshold).mean()), "share", better, against=f"{len(texts)} answers"
                )
    return figures


async def relevancy(data: Path, embedder: Embedder) -> dict[str, Figure]:
    """Answers to their own questions and to others'."""
    articles = json.loads((data / "qa/squad/dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    draw = random.Random(6)
    figures: dict[str, Figure] = {}
    below = AnswersSettings().relevancy_below
    halves = {"chosen on": articles[::2], "reported": articles[1::2]}
    for half, chosen in halves.items():
        own: list[tuple[str, str]] = []
        others: list[tuple[str, str]] = []
        for number, article in enumerate(chosen):
            foreign = chosen[(number + 1) % len(chosen)]
            for part in draw.sample(article["paragraphs"], min(20, len(article["paragraphs"]))):
                asked = [each["question"] for each in part["qas"] if not each.get("is_impossible")]
                if asked:
                    own.append((draw.choice(asked), part["context"]))
                    others.append((draw.choice(asked), draw.choice(foreign["paragraphs"])["context"]))
        sides: list[tuple[str, list[tuple[str, str]], Better]] = [
            ("false alarms", own, "lower"),
            ("found", others, "higher"),
        ]
        for label, pairs, better in sides:
            least = np.array(await nearest([([question], answer) for question, answer in pairs], embedder))
            figures[f"relevancy, {label}: SQuAD, the half it was {half}"] = Figure(
                float((least < below).mean()), "share", better, against=f"{len(pairs)} answers, below {below}"
            )
    rows = [json.loads(line) for line in (data / "qa/gsm8k/test.jsonl").open(encoding="utf-8")][:MOST]
    solved = [([row["question"]], row["answer"].split("####")[0]) for row in rows]
    least = np.array(await nearest(solved, embedder))
    figures["relevancy, false alarms: word problems (GSM8K)"] = Figure(
        float((least < below).mean()), "share", "lower", against=f"{len(rows)} solutions, below {below}"
    )
    return figures


async def nearest(pairs: Sequence[tuple[Sequence[str], str]], embedder: Embedder) -> list[float]:
    """How near the first sentences of each answer come to what was asked (each of some texts, of which the nearest
    counts), as ``serving.judge.answer_checks`` judges it; 1 for answers that are too short to be judged."""
    texts = list(dict.fromkeys(text for asked, _ in pairs for text in asked))
    read = dict(zip(texts, np.asarray((await embedder.embed(texts, "query")).vectors), strict=True))
    parts = [windows(answer)[:SENTENCES] for _, answer in pairs]
    known = await vectors([text for part in parts for text in part], embedder)
    found = []
    for (asked, _), part in zip(pairs, parts, strict=True):
        questions, near = np.array([read[text] for text in asked]), [-1.0]
        for at in range(len(part)):
            together = np.sum([known[text] for text in part[: at + 1]], axis=0)
            together /= np.linalg.norm(together)
            near += [float((questions @ vector).max()) for vector in (known[part[at]], together)]
        found.append(max(near) if sum(len(text.split()) for text in part) >= LEAST_WORDS else 1.0)
    return found


def samples(data: Path) -> dict[str, list[tuple[str, str]]]:
    """(id, sentence) of what a person reads."""
    with (data / "bias/crows_pairs_anonymized.csv").open(encoding="utf-8") as file:
        pairs = [(str(int(row[""])), row["sent_more"]) for row in csv.DictReader(file)]
    problems = [
        (f"{number}.{place}", sentence)
        for number, line in enumerate((data / "qa/gsm8k/test.jsonl").open(encoding="utf-8"))
        for place, sentence in enumerate(re.split(r"(?<=[.!?])\s+", json.loads(line)["question"]))
        if re.search(r"\b(?:he|she)\b", sentence, re.IGNORECASE) and len(sentence) < 220
    ]
    found = {"CrowS-Pairs": [each for each in pairs if NAMES.search(each[1])], "word problems (GSM8K)": problems}
    for name, sentences in found.items():
        random.Random(READ[name].seed).shuffle(sentences)
    return {name: sentences[:100] for name, sentences in found.items()}


def pronouns(data: Path, *, show: bool) -> dict[str, Figure]:
    """How many of the sentences that a person has read are wrong."""
    ready, figures = Rewriting(PLAIN), {}
    for name, sentences in samples(data).items():
        said = []
        for key, sentence in sentences:
            part = ready.part()
            said.append((key, part.push(sentence) + part.flush()))
        digest = hashlib.sha256(repr(said).encode()).hexdigest()[:16]
        if show:
            print(f"{name}: {digest}", *(f"  {key}: {text}" for key, text in said), sep="\n")
        judged = READ[name]
        if digest != judged.digest:
            print(f"{name}: the rules make other sentences ({digest}) than those that were read: read them again")
            continue
        figures[f"pronouns, ungrammatical: {name}"] = Figure(
            len(judged.wrong) / len(said), "share", "lower", against=f"{len(said)} sentences, read by a person"
        )
        figures[f"pronouns, no longer clear who is meant: {name}"] = Figure(
            len(judged.unclear) / len(said), "share", "lower", against=f"{len(said)} sentences, read by a person"
        )
    return figures


async def cost(sets: Sets, embedder: Embedder) -> dict[str, Figure]:
    """Medians."""
    text = "\n".join(sets.paragraphs)[:4000]
    pieces = [text[at : at + 4] for at in range(0, len(text), 4)]
    makers: dict[str, Callable[[], object]] = {
        "rules of the package": Rewriting(read("default")).part,
        "windows": lambda: Windows(steps=True),
    }
    figures: dict[str, Figure] = {}
    for label, make in makers.items():
        times = []
        for _ in range(9):
            part = make()
            begin = time.perf_counter()
            for piece in pieces:
                part.push(piece)  # type: ignore[attr-defined]
            times.append(time.perf_counter() - begin)
        figures[f"streamed: {label}"] = Figure(
            statistics.median(times) * 1e6 / len(pieces), "us/piece of 4 characters", "lower"
        )
    said = windows(text)
    for batch in (1, 8):
        times = []
        for turn in range(40):
            texts = [f"{turn} {said[(turn + at) % len(said)]}" for at in range(batch)]
            begin = time.perf_counter()
            await embedder.embed(texts, "passage")
            times.append((time.perf_counter() - begin) * 1e3)
        figures[f"added p50, a window of an answer, {batch} at once"] = Figure(
            statistics.median(times), "ms", "lower", against="off the event loop, 40 turns"
        )
    return figures


async def measured(data: Path) -> dict[str, Figure]:
    sets = Sets(data)
    embedder = await builtin.embedder(load().settings)
    try:
        return {
            **await toxicity(sets, embedder),
            **await relevancy(data, embedder),
            **await cost(sets, embedder),
        }
    finally:
        await embedder.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print the sentences that a person is to read")
    show = parser.parse_args().show
    root = data_sets()
    data = root
    found = pronouns(data, show=show)
    if show:
        return
    report("answer_guards", {**asyncio.run(measured(data)), **found})


if __name__ == "__main__":
    main()
