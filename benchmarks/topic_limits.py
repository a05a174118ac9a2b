"""How well limits of topics tell what a question is about.

    MAINSPRING_DATA=... python benchmarks/topic_limits.py

A topic is an article of SQuAD, known by ten of its questions. The measure and both thresholds were chosen on eight of
the sixteen articles (by hash): of their other questions 5 % fall below the allowed threshold, and of other articles'
1 % rise above the forbidden one. What is reported are the eight others, and three topics of other kinds, each known by
ten of its questions too: a company's handbook, aerodynamics (Cranfield) and computing (CACM). Off topic are the
questions of the other reported topics and word problems (GSM8K).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from _report import Figure, data_sets, report
from mainspring.core.settings import load
from mainspring.core.settings.guards.limits import TopicLimits
from mainspring.engines import builtin
from mainspring.guards.detect.question_limits import likeness

EXAMPLES, MOST = 10, 120
SAMPLES = Path(__file__).parent.parent / "samples"
Floats = NDArray[np.float64]


def topics(data: Path) -> tuple[dict[str, list[str]], dict[str, list[str]], list[str]]:
    """(topics that were chosen on, topics that are reported, questions about nothing of them)."""
    squad = json.loads((data / "qa/squad/dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    articles = {each["title"]: some(asked(each)) for each in squad}
    names = sorted(articles, key=digest)
    seen = {name: articles[name] for name in names[:8]}
    reported = {f"SQuAD: {name}": articles[name] for name in names[8:]}
    reported["handbook"] = handbook()
    reported["aerodynamics"] = some(re.findall(r"\.W\n(.+?)(?=\n\.I|\Z)", _text(data, "cranfield/cran.qry"), re.S))
    reported["computing"] = some(re.findall(r"\.W\n(.+?)(?=\n\.[A-Z]\n)", _text(data, "cacm/query.text"), re.S))
    lines = (data / "qa/gsm8k/test.jsonl").read_text(encoding="utf-8").splitlines()
    return seen, reported, some(json.loads(line)["question"] for line in lines)


def asked(article: Any) -> list[str]:
    return [each["question"] for part in article["paragraphs"] for each in part["qas"]]


def handbook() -> list[str]:
    """The ten examples are development questions, all others are held out."""
    first, second = (
        [each["question"] for each in yaml.safe_load((SAMPLES / name).read_text(encoding="utf-8"))["questions"]]
        for name in ("questions.yaml", "heldout.yaml")
    )
    return [*some(first)[:EXAMPLES], *some(second)]


def _text(data: Path, name: str) -> str:
    return (data / "retrieval" / name).read_text(encoding="utf-8", errors="replace")


def some(texts: Iterable[str]) -> list[str]:
    return sorted({" ".join(text.split()) for text in texts}, key=digest)[:MOST]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


async def embedded(texts: Sequence[str]) -> dict[str, Floats]:
    embedder = await builtin.embedder(load().settings)
    try:
        rows: list[Any] = []
        for start in range(0, len(texts), 512):
            rows.extend((await embedder.embed(texts[start : start + 512], "query")).vectors)
        return {text: np.asarray(row, np.float64) for text, row in zip(texts, rows, strict=True)}
    finally:
        await embedder.close()


def near(texts: Sequence[str], topic: Sequence[str], known: dict[str, Floats]) -> Floats:
    """How near each of ``texts`` is to a topic, by its first examples."""
    examples = np.array([known[text] for text in topic[:EXAMPLES]])
    return np.array([likeness(known[text], examples) for text in texts])


def sides(found: dict[str, list[str]], rest: Sequence[str], known: dict[str, Floats]) -> tuple[Floats, Floats, Any]:
    """(likeness of on-topic questions, of off-topic ones, (name, on, off) of each topic)."""
    each = []
    for name, texts in found.items():
        off = [text for other, theirs in found.items() if other != name for text in theirs[EXAMPLES:]]
        each.append((name, near(texts[EXAMPLES:], texts, known), near([*off, *rest], texts, known)))
    return np.concatenate([on for _, on, _ in each]), np.concatenate([off for _, _, off in each]), each


def main() -> None:
    root = data_sets()
    seen, reported, rest = topics(root)
    texts = [*rest, *(text for found in (seen, reported) for theirs in found.values() for text in theirs)]
    known = asyncio.run(embedded(list(dict.fromkeys(texts))))
    on, off, _ = sides(seen, [], known)
    limits = TopicLimits()
    low, high = float(np.quantile(on, 0.05)), float(np.quantile(off, 0.99))
    print(f"the articles that were chosen on say {low:.3f} and {high:.3f}; shipped are", end=" ")
    print(limits.allowed_above, limits.forbidden_above)
    on, off, each = sides(reported, rest, known)
    told = f"{len(on)} questions on, {len(off)} off topic, {len(each)} topics"
    figures = {
        "on topic, refused (allowed)": Figure(
            float((on < limits.allowed_above).mean()), "share", "lower", against=told
        ),
        "off topic, let through (allowed)": Figure(float((off >= limits.allowed_above).mean()), "share", "lower"),
        "on topic, refused (forbidden)": Figure(float((on >= limits.forbidden_above).mean()), "share", "higher"),
        "off topic, refused (forbidden)": Figure(float((off >= limits.forbidden_above).mean()), "share", "lower"),
    }
    for name, yes, no in each:
        if name.startswith("SQuAD"):
            continue
        lost, passed = (yes < limits.allowed_above).mean(), (no >= limits.allowed_above).mean()
        found, wrong = (yes >= limits.forbidden_above).mean(), (no >= limits.forbidden_above).mean()
        count = f"{len(yes)} questions"
        figures[f"{name} allowed: on topic, refused"] = Figure(float(lost), "share", "lower", against=count)
        figures[f"{name} allowed: off topic, let through"] = Figure(float(passed), "share", "lower")
        figures[f"{name} forbidden: on topic, refused"] = Figure(float(found), "share", "higher", against=count)
        figures[f"{name} forbidden: off topic, refused"] = Figure(float(wrong), "share", "lower")
    report("topic_limits", figures)


if __name__ == "__main__":
    main()
