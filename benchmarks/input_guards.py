"""The input guards on pasted texts: detection rate, error rate, and cost.

    MAINSPRING_DATA=... python benchmarks/input_guards.py

A text is pasted behind a question about it, as people do. Attacks are BIPIA's test instructions in its test e-mails;
harmless are those e-mails without, and paragraphs of an encyclopaedia. The rules and the detector `indirect` read them;
its fit and its threshold saw none of these texts. Latencies are medians, of one message of that length.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path

from _detectors import Sets, even, insert, some
from _report import Figure, data_sets, report
from mainspring.core.settings import load
from mainspring.core.settings.guards.limits import TopicLimits
from mainspring.core.settings.guards.tools import ToolRule, ToolsSettings
from mainspring.core.types import Tool
from mainspring.engines import builtin
from mainspring.guards.detect import embedding_detector, injection, pii, quoted_text
from mainspring.guards.detect.question_limits import Examples, topic
from mainspring.guards.policy import tools
from mainspring.guards.rewrite.placeholders import PlaceholderReturn, Placeholders
from mainspring.serving.judge import language

QUESTION = "What does the following text say?\n\n"
SCHEMA = {"type": "object", "properties": {"to": {"type": "string"}, "url": {"type": "string"}}, "required": ["to"]}


async def embedded(data: Path) -> dict[str, Figure]:
    """What needs embeddings: what is found in pasted texts, and what judging topics costs."""
    sets = Sets(data)
    emails = sets.emails_test
    poisoned = [insert(text, emails, number) for number, text in enumerate(sets.bipia_test)]
    paragraphs = some([text for text in sets.paragraphs if not even(text)], 200)
    embedder = await builtin.embedder(load().settings)
    figures: dict[str, Figure] = {}
    try:
        for label, texts, attack in (
            ("e-mails with an instruction (BIPIA test)", poisoned, True),
            ("e-mails (BIPIA test)", emails, False),
            ("encyclopaedia", paragraphs, False),
        ):
            messages = [QUESTION + text for text in texts]
            parts = [[text[start:end] for start, end in quoted_text.spans(text)] for text in messages]
            kind, better = ("found", "higher") if attack else ("false alarms", "lower")
            told = f"{len(texts)} texts"
            seen = sum(bool(part) for part in parts) / len(parts)
            ruled = [any(injection.scan(part) for part in each) for each in parts]
            scored = await scores(parts, embedder)
            both = sum(one or other for one, other in zip(ruled, scored, strict=True)) / len(parts)
            figures[f"pasted, {label}: told to be pasted"] = Figure(seen, "share", "higher", against=told)
            figures[f"pasted, {label}: {kind}, rules"] = Figure(sum(ruled) / len(parts), "share", better, against=told)  # type: ignore[arg-type]
            figures[f"pasted, {label}: {kind}, rules and detector"] = Figure(both, "share", better, against=told)  # type: ignore[arg-type]
        examples = Examples({"a": (await embedder.embed(paragraphs[:10], "query")).vectors}, {})
        times = []
        for number in range(60):
            begin = time.perf_counter()
            text = f"{number} {sets.questions[number]}"
            vectors = (await embedder.embed([text], "query")).vectors
            topic(text, list(vectors), examples, TopicLimits())
            times.append((time.perf_counter() - begin) * 1e3)
        figures["added p50, topics, a question"] = Figure(statistics.median(times), "ms", "lower", against="60 turns")
    finally:
        await embedder.close()
    return figures | latencies("\n".join(sets.paragraphs)[:4000])


async def scores(parts: Sequence[Sequence[str]], embedder: object) -> list[bool]:
    heads = embedding_detector.packaged()
    flat = [part for each in parts for part in each]
    found = await embedding_detector.score(flat, heads, ["indirect"], embedder, embedding_detector.pieces)  # type: ignore[arg-type]
    hits = [each["indirect"] >= heads.heads["indirect"].threshold for each in found.scores]
    ends = list(accumulate(map(len, parts)))
    return [any(hits[end - len(each) : end]) for end, each in zip(ends, parts, strict=True)]


def latencies(long: str) -> dict[str, Figure]:
    """What needs none."""
    held = f"Write to ana@example.org and bob@example.org. {long}"[:4000]
    call = json.dumps({"to": "ana", "url": "https://example.org/a/b?c=d"})
    tool = Tool("send", parameters=SCHEMA)
    rules = ToolsSettings(rules={"*": ToolRule(hosts=("example.org",), forbidden=("(?i)drop table",))})
    work: dict[str, Callable[[], object]] = {
        "personal data redacted": lambda: pii.redact(held),
        "personal data tokenised": lambda: Placeholders().hide(held),
        "pasted texts told": lambda: quoted_text.spans(QUESTION + long),
        "language": lambda: language.detect(long),
    }
    figures = {
        f"added p50, {name}, 4,000 characters": Figure(median(each), "ms", "lower") for name, each in work.items()
    }
    figures["added p50, a call's schema and rules"] = Figure(
        median(lambda: tools.problems(tool, call, rules)), "ms", "lower"
    )
    placeholders = Placeholders()
    placeholders.hide(held)
    pieces = [long[index : index + 4] for index in range(0, len(long), 4)]

    def stream() -> None:
        returning = PlaceholderReturn(placeholders)
        for piece in pieces:
            returning.push(piece)
        returning.flush()

    figures["streamed: values put back"] = Figure(
        median(stream) * 1e3 / len(pieces), "us/piece of 4 characters", "lower"
    )
    return figures


def median(work: Callable[[], object], turns: int = 41) -> float:
    times = []
    for _ in range(turns):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times)


def main() -> None:
    root = data_sets()
    report("input_guards", asyncio.run(embedded(root)))


if __name__ == "__main__":
    main()
