"""What serving mechanisms are said to bring (sections E.1 and E.7 of the design guide), beside what was measured.

A row without a result says so: nothing is filled in by hand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _report import number


@dataclass(frozen=True, slots=True)
class Said:
    """``mechanism`` is said (``section``) to bring ``claim``; ``result`` and ``labels`` are where it was measured."""

    section: str
    mechanism: str
    claim: str
    result: str
    labels: tuple[str, ...]
    remark: str = ""


SAID = (
    Said(
        "E.1, E.7",
        "continuous batching",
        "2-3x the throughput of static batches",
        "continuous_vs_static",
        ("tokens/s, continuous against static batching", "share of a static batch that is wanted"),
    ),
    Said(
        "E.1",
        "paged KV cache",
        "2-4x as many requests at once",
        "kv_paging",
        ("sequences on average",),
        "a waste of 30-60 % that is named beside it would give 1.4-2.5x",
    ),
    Said("E.1, E.7", "prefix cache", "first token 2-5x sooner", "prefix_ttft", ("shared prefix: first token sooner",)),
    Said("E.1", "speculative decoding", "2-3x lower latency", "speculation", ("copy",)),
    Said(
        "E.1, E.7",
        "answer cache",
        "10-30 % of requests, answered at once",
        "semantic_cache",
        ("stream: answered by the exact cache",),
        "a share is a property of the traffic: here a stream made from public question groups",
    ),
    Said("E.1", "answer cache, a hit", "instant", "cache_hit", ("p50",)),
    Said(
        "E.1, E.7",
        "semantic cache",
        "30-50 % of requests, 5-10 ms a look-up",
        "semantic_cache",
        ("stream: answered by meaning besides", "hits on paraphrases", "false hits on near-misses", "look-up:"),
    ),
    Said(
        "E.1",
        "long conversations",
        "twenty turns cost ten times one turn",
        "sessions_growth",
        (": prompt, turn",),
        "without a strategy the cost of all turns grows with their square: 64x on the guide's own figures",
    ),
    Said(
        "E.7",
        "routing by difficulty",
        "40-60 % cheaper",
        "routing_cost",
        ("classifier 0.3", "classifier, both: AUROC"),
        "what is saved depends on how often the small model is right",
    ),
    Said(
        "E.7",
        "cascades",
        "50-80 % cheaper",
        "routing_cost",
        ("cascade 0.5", "logprob, both: AUROC"),
        "holds where 10-40 % escalate, which is a good small model",
    ),
    Said("E.7", "batches", "half the price at providers", "batch_vs_online", ("batch / online",)),
)


def table(results: Path) -> str:
    """The rows as a Markdown table."""
    lines = ["| Mechanism | Section | Said | Measured here |", "|---|---|---|---|"]
    for row in SAID:
        remark = f"; {row.remark}" if row.remark else ""
        lines.append(f"| {row.mechanism} | {row.section} | {row.claim}{remark} | {_measured(results, row)} |")
    return "\n".join(lines)


def _measured(results: Path, row: Said) -> str:
    path = results / f"{row.result}.json"
    if not path.exists():
        return f"not yet (`{row.result}`)"
    figures: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["figures"]
    found = [
        f"{label}: {number(figure['value'])} {figure['unit']}".strip()
        for label, figure in figures.items()
        if any(part in label for part in row.labels)
    ]
    return "<br>".join(found) or f"not yet (`{row.result}`)"
