"""The expected gains of serving mechanisms (sections E.1 and E.7 of the design guide), beside the measured ones.

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
    """``mechanism`` is said (``section``) to bring ``claim``; ``result`` and ``labels`` are where it was measured.
    Where nothing is measured, ``result`` is empty and ``remark`` says why."""

    section: str
    mechanism: str
    claim: str
    result: str = ""
    labels: tuple[str, ...] = ()
    remark: str = ""


SAID = (
    Said(
        "E.1, E.7",
        "continuous batching",
        "2-3x the throughput of static batches",
        "continuous_vs_static",
        ("tokens/s, continuous against",),
    ),
    Said(
        "E.1, E.7",
        "continuous batching",
        "utilisation 80-95 % where static batches have 40-60 %",
        "continuous_vs_static",
        ("share of a static batch that is wanted",),
        "what static batches write and nobody wants is what they lose",
    ),
    Said(
        "E.1",
        "KV cache",
        "work grows with n, not n²",
        "kv_cache",
        ("without the cache, time", "without the cache, tokens computed"),
        "without it is the same engine, asked for one token at a time",
    ),
    Said(
        "E.1",
        "memory of the KV cache",
        "2.6 MB a token of a 70B model",
        remark="arithmetic: right with 64 heads, .33 MB with the 8 grouped ones that such models have",
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
    Said(
        "E.1",
        "speculative decoding",
        "2-3x lower latency with a draft model",
        "speculation",
        (": tokens a second",),
        "measured with prompt lookup, which needs no second model and gains where answers copy",
    ),
    Said(
        "E.1",
        "self-speculative and tree-based decoding",
        "2x and 3-4x",
        remark="no engine here has them: not measured",
    ),
    Said(
        "E.1, E.7",
        "answer cache",
        "10-30 % of requests, answered at once",
        "semantic_cache",
        ("stream: answered by the exact cache",),
        "a share is a property of the traffic: here a stream made from public question groups",
    ),
    Said("E.1, E.7", "answer cache, a hit", "instant, saves all of the request", "cache_hit", ("p50",)),
    Said(
        "E.1, E.7",
        "semantic cache",
        "30-50 % of requests, 5-10 ms a look-up",
        "semantic_cache",
        (
            "stream: answered by meaning besides",
            "hits on paraphrases, all",
            "false hits on near-misses, all",
            "look-up:",
        ),
    ),
    Said(
        "E.1",
        "long conversations",
        "twenty turns cost ten times one turn",
        "sessions_growth",
        ("twenty turns", ": prompt, turn"),
        "64x on the guide's own figures, where everything is sent again: the cost of all turns grows with their square",
    ),
    Said(
        "E.1",
        "strategies of memory",
        "keep a conversation within its window",
        "sessions_growth",
        ("most tokens of a prompt", "facts in the prompt, turn 200"),
    ),
    Said(
        "E.1",
        "session stores",
        "Redis below 1 ms, a database 5-20 ms",
        remark="a turn settles in the one commit of its answer, whose cost path_overhead holds: not measured apart",
    ),
    Said(
        "E.7",
        "price of a request",
        "$0.0028 a request, $84,000 a month at a million a day",
        remark="arithmetic: $0.0028125 and $84,375 exactly, which the price book gives (docs/guides/costs.md, tested)",
    ),
    Said(
        "E.7",
        "tokens that are written",
        "2-4x as dear as those that are read",
        remark="prices: 4x at the models that are named, 5 to 8x at later ones",
    ),
    Said(
        "E.7",
        "caches together",
        "50-90 % cheaper",
        "semantic_cache",
        ("stream: answered",),
        "what a hit saves is all of its request, so this is the share of a stream that is answered by one",
    ),
    Said(
        "E.7",
        "shorter prompts, caches and routing together",
        "50-80 % cheaper",
        remark="arithmetic: 57-92 % where each saves what is said of it and none takes from another: not measured",
    ),
    Said(
        "E.7",
        "ten times the prompt",
        "ten times the cost",
        remark="arithmetic: 5.2x on the guide's own example, since the answer's share stays",
    ),
    Said(
        "E.7",
        "shorter prompts, fewer examples",
        "20-40 % cheaper, 50-200 tokens an example; more than three bring little",
        "routing_at_hand",
        ("always",),
        "three examples (always large) against none (always small); more were not measured",
    ),
    Said(
        "E.7",
        "context caching at providers",
        "pays from 5-10 questions over the same context",
        remark="arithmetic: from the 2nd at Anthropic's terms, from the 7th within an hour at Google's; "
        "`mainspring costs advice` reckons it from the ledger",
    ),
    Said(
        "E.7",
        "routing by difficulty",
        "40-60 % cheaper",
        "routing_cost",
        ("classifier 0.3:", "classifier, both: AUROC"),
        "what is saved depends on how often the small model is right; the large one is a stand-in",
    ),
    Said(
        "E.7",
        "cascades",
        "50-80 % cheaper",
        "routing_cost",
        ("cascade 0.5:", "logprob, both: AUROC"),
        "holds where 10-40 % escalate, which is a good small model; the large one is a stand-in",
    ),
    Said(
        "E.7",
        "routing and cascade together",
        "the best of both",
        "routing_cost",
        ("hybrid 0.5:",),
        "the large one is a stand-in",
    ),
    Said(
        "E.7",
        "routing, cascades and both, between two that are really asked",
        "40-60 %, 50-80 % cheaper, the best of both",
        "routing_at_hand",
        ("classifier 0.3:", "cascade 0.5:", "hybrid 0.5:"),
        "beside always asking the large one, whose share right stands above with the examples",
    ),
    Said(
        "E.7",
        "quantisation",
        "16 bits 2x smaller than 32 with 99 % of the quality, 8 bits 4x with 95 %, 4 bits 8x with 85 %",
        remark="the default model comes in 4 bits and runs in 8, and every conversion is gated on its perplexity; "
        "without weights of more bits there is nothing to compare with",
    ),
    Said("E.7", "fine-tuning", "$1,000 are recouped by 1M requests that save $0.001", remark="arithmetic, and right"),
)


def table(results: Path) -> str:
    """The rows as a Markdown table."""
    lines = ["| Mechanism | Section | Said | Measured here |", "|---|---|---|---|"]
    for row in SAID:
        remark = f"; {row.remark}" if row.remark and row.result else ""
        lines.append(f"| {row.mechanism} | {row.section} | {row.claim}{remark} | {_measured(results, row)} |")
    return "\n".join(lines)


def _measured(results: Path, row: Said) -> str:
    if not row.result:
        return row.remark
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
