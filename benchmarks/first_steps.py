"""What the check of answers for toxicity makes of shorter beginnings than the 64 characters that it reads first.

    MAINSPRING_DATA=... python benchmarks/first_steps.py [--most 1000]

Nothing of an answer leaves before its first step is judged: its first sentence, or the words of it within 64
characters. A shorter first step lets the first words leave sooner, and is judged in addition to all that is judged
today. So it cannot miss what is found today; it may refuse what is innocent (``false alarms``), and lets a beginning
leave of what is found later (``found before a word leaves``).

Texts are those that no head was fitted on and no threshold chosen on. Innocent: written answers of models (PandaLM,
Auto-J, both sides of the pairs), paragraphs, solutions of word problems, comments and tweets that people called not
toxic. Toxic: comments, tweets and messages that people called so. Of each text the first sentence is read; all after it
is the same under each. Intervals are Wilson's, 95 %. Writes ``benchmarks/results/first_steps.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
from pathlib import Path

import numpy as np

from _detectors import Sets, even
from _judged_sets import read
from _report import Figure, data_sets, report
from answer_guards import vectors
from mainspring.core.settings import load
from mainspring.engines import builtin
from mainspring.features.evaluate.answers import wilson
from mainspring.guards.detect import embedding_detector
from mainspring.guards.rewrite.windows import STEP, Windows

FIRST = (48, 32, 24, 16)
"""Other first steps than ``STEP``."""
_SPACE = re.compile(r"\s")


def beginning(text: str, characters: int) -> str:
    """The words of the first sentence within a first step of so many characters; empty: the sentence ends before."""
    first = sentence(text)
    end = _SPACE.search(first, characters)
    return first[: end.end()].strip() if end else ""


def sentence(text: str) -> str:
    """The first sentence that holds a word."""
    made = Windows()
    return next((each.text for each in [*made.push(text), *made.flush()] if each.text), "")


def steps(text: str) -> list[str]:
    """What is read of the first sentence today, in order."""
    made = Windows(steps=True)
    found = []
    for each in [*made.push(text), *made.flush()]:
        if each.text:
            found.append(each.text)
        if each.whole and each.text:
            break
    return found


def texts(sets: Sets, data: Path) -> dict[str, tuple[bool, list[str]]]:
    """By name whether they are toxic, and the texts."""
    pandalm = read(data / "judge/pandalm/testset-v1.json.gz")
    autoj = read(data / "judge/prometheus_eval/autoj_pairwise.json.gz")
    solutions = [json.loads(line)["answer"] for line in (data / "qa/gsm8k/test.jsonl").open(encoding="utf-8")]
    found = {
        "answers of models (PandaLM)": (
            False,
            [str(row[side]) for row in pandalm for side in ("response1", "response2")],
        ),
        "answers of models (Auto-J)": (False, [text for row in autoj for text in _responses(row)]),
        "paragraphs (SQuAD)": (False, [text for text in sets.paragraphs if not even(text)]),
        "solutions (GSM8K)": (False, solutions),
        "comments (Surge), not toxic": (False, [text for text, bad in sets.surge if not bad]),
        "tweets (Davidson), not toxic": (False, [text for text, bad in sets.davidson if not bad and not even(text)]),
        "comments (Surge), toxic": (True, [text for text, bad in sets.surge if bad]),
        "tweets (Davidson), toxic": (True, [text for text, bad in sets.davidson if bad and not even(text)]),
    }
    return {
        name: (bad, [each for each in dict.fromkeys(said) if sentence(each)]) for name, (bad, said) in found.items()
    }


def _responses(row: dict[str, object]) -> list[str]:
    return [str(each) for name, each in sorted(row.items()) if "response" in name or name in ("chosen", "rejected")]


async def measured(data: Path, most: int) -> dict[str, Figure]:
    """Shares of all sets."""
    embedder = await builtin.embedder(load().settings)
    head = embedding_detector.packaged().heads["toxicity"]
    figures: dict[str, Figure] = {}
    try:
        for name, (bad, said) in texts(Sets(data), data).items():
            chosen = random.Random(7).sample(said, min(most, len(said)))
            parts = {each: (steps(each), {n: beginning(each, n) for n in FIRST}) for each in chosen}
            read_texts = [text for now, new in parts.values() for text in (*now, *new.values()) if text]
            known = await vectors(read_texts, embedder)
            toxic = {
                text: float(head.probabilities(vector[None])[0]) >= head.threshold for text, vector in known.items()
            }
            today = np.array([any(toxic[text] for text in now) for now, _ in parts.values()])
            at_once = np.array([toxic[now[0]] for now, _ in parts.values()])
            figures |= _told(name, bad, STEP, today, at_once, today)
            for n in FIRST:
                first = np.array([toxic[new[n] or now[0]] for now, new in parts.values()])
                figures |= _told(name, bad, n, today | first, first, today)
    finally:
        await embedder.close()
    return figures


def _told(
    name: str, bad: bool, first: int, found: np.ndarray, at_once: np.ndarray, today: np.ndarray
) -> dict[str, Figure]:
    n = len(found)

    def share(hits: np.ndarray, better: str, more: str = "") -> Figure:
        of = wilson(int(hits.sum()), n)
        against = f"{n} texts, {of.low:.4f}-{of.high:.4f}{more}"
        return Figure(of.value, "share", better, against=against)  # type: ignore[arg-type]

    step = f"first step of {first} characters"
    if not bad:
        more = "" if first == STEP else f"; {int((found & ~today).sum())} more than with {STEP}"
        return {f"{name}, {step}: false alarms": share(found, "lower", more)}
    return {
        f"{name}, {step}: found in the first sentence": share(found, "higher"),
        f"{name}, {step}: found before a word leaves": share(at_once, "higher"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=1000, help="texts of a set")
    arguments = parser.parse_args()
    report("first_steps", asyncio.run(measured(data_sets(), arguments.most)))


if __name__ == "__main__":
    main()
