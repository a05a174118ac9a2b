"""The grounds of a verdict: a measured peer or baseline, or a floor that the design or a promise to users states.

A figure that reaches its floor says so only where a ground is listed here, and where the number of observations and
an interval are known. One that misses its floor says so always.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from _report import Figure

Kind = Literal["peer", "baseline", "promise"]


@dataclass(frozen=True, slots=True)
class Ground:
    """Figures of ``result`` with one of ``labels`` in theirs are held against ``what``, with a floor that ``promised``
    states (empty: one of our own). ``n`` is told where the figure's own text does not tell it."""

    result: str
    labels: tuple[str, ...]
    kind: Kind
    what: str
    promised: str = ""
    n: str = ""


_DESIGN = "the design"
_ALARMS = "docs/reference/detectors.md, at most 5 % false alarms"
_VERBATIM = "docs/guides/documents.md, quotes looked up in the stored text"
_SUPPORT = "docs/guides/support.md, seven of ten, and no policy broken"
GROUNDS = (
    Ground("path_overhead", ("throughput, 32", "added time to first token"), "baseline", "the bare engine", _DESIGN),
    Ground("proxy_overhead", ("requests a second",), "peer", "LiteLLM 1.105", _DESIGN),
    Ground("peers_serving", ("llamacpp, ", "vllm, "), "peer", "the peer named", _DESIGN),
    Ground(
        "continuous_vs_static",
        ("tokens/s, continuous against static batching",),
        "baseline",
        "static batches",
        _DESIGN,
    ),
    Ground("prefix_ttft", ("shared prefix: first token sooner",), "baseline", "prefix cache off", _DESIGN),
    Ground(
        "speculation",
        ("repeat: tokens a second", "story: tokens a second"),
        "baseline",
        "without speculation",
        _DESIGN,
        "24 pairs",
    ),
    Ground("cache_hit", ("exact hit: p50",), "promise", "", _DESIGN),
    Ground("vectors", ("100,000 chunks, ",), "promise", "", _DESIGN, "200 queries"),
    Ground(
        "redteam", ("harmless look-alikes",), "promise", "", "docs/operate/security.md, harmless look-alikes refused"
    ),
    Ground("vector_recall", ("graph, ",), "baseline", "comparing every row"),
    Ground(
        "translators", ("four languages: BLEU", "four languages: chrF"), "baseline", "a dictionary of the same pairs"
    ),
    Ground("ingest", ("abstracts:", "articles:"), "peer", "LlamaIndex, our embedder in both", _DESIGN),
    Ground("retrieval", ("hybrid / ",), "baseline", "the same index without the other half", _DESIGN),
    Ground("cold_start", ("to the first token",), "promise", "", _DESIGN),
    Ground("install", ("core packages", "core size"), "promise", "", _DESIGN, "1 install"),
    Ground("kill_everything", ("lost, doubled",), "baseline", "what was acknowledged", n="90 kills"),
    Ground("kill_ingest", ("differences",), "baseline", "the same documents ingested without kills", n="100 kills"),
    Ground("kill_runs", ("wrong_ends",), "baseline", "what one undisturbed run does"),
    Ground("kill_runs_postgres", ("wrong_ends",), "baseline", "what one undisturbed run does"),
    Ground("handbook", ("answers proven verbatim",), "promise", "", _VERBATIM),
    Ground("conversations", ("false alarms, and together",), "promise", "", _ALARMS),
    Ground("detectors", ("injection: false alarms", "toxicity: false alarms"), "promise", "", _ALARMS),
    Ground(
        "refusal",
        ("built in: AUROC answerable / near", "fitted: AUROC answerable / near"),
        "baseline",
        "best cosine of the first version",
    ),
    Ground("span_overhead", ("throughput",), "baseline", "tracing off"),
    Ground("stream_guards", ("95th percentile",), "baseline", "guards off"),
    Ground("monitor_cost", ("settling",), "baseline", "the same without"),
    Ground(
        "overload",
        ("goodput at 4x", "admitted p95 at 4x"),
        "baseline",
        "capacity and 1x in the same round",
        n="2 rounds",
    ),
    Ground(
        "tool_choice",
        ("multiple, chooser", "irrelevance, chooser"),
        "promise",
        "",
        "docs/guides/tool-choice.md, four of five right",
    ),
    Ground("support", ("done, not looked at",), "promise", "", _SUPPORT),
    Ground(
        "support_dialogues",
        ("right, not looked at", "told to strangers, not looked at"),
        "promise",
        "",
        _SUPPORT,
    ),
    Ground("support_dialogues_fresh", ("right, in other words", "told to strangers"), "promise", "", _SUPPORT),
    Ground("first_words", ("support: first words", "support: whole answer"), "baseline", "the bare model", _DESIGN),
    Ground(
        "agent_loop",
        ("in memory: a step of ours over", "durable: a step of ours over"),
        "peer",
        "pydantic-ai, LangGraph, google-adk on the same script",
        _DESIGN,
    ),
    Ground("parsing", ("reading order",), "peer", "pypdfium2 and Kreuzberg", n="4 pages a layout"),
)
COMPARED = {
    "tool_examples": "the same tools without examples",
    "tool_choice_parallel": "the same model with the tools in its own prompt",
    "context_positions": "the same questions with the paragraph in the middle",
    "context_tiers": "the same questions without the tier",
    "ablation": "the defaults, paired by query",
    "batch_vs_online": "the same requests online, or alone",
    "budget_overhead": "the same without the layer",
    "chunking": "chunkers side by side on the same questions",
    "durable_commits": "commits that the system syncs in its own time",
    "followups": "the follow-up alone",
    "hit_rates": "BM25 on the same questions",
    "kv_cache": "the same engine without the cache",
    "kv_paging": "a whole context set aside for each",
    "multihop": "hybrid search without the graph",
    "parsing_real": "pypdfium2 and Kreuzberg on the same documents",
    "redteam": "the same attacks with guards off",
    "routing_at_hand": "always the dearer way",
    "routing_cost": "always small, and a stand-in for always large",
    "scaling": "one greedy answer",
    "semantic_cache": "a threshold on the embedding alone",
    "sessions_growth": "strategies side by side",
}
"""What sections are compared with whose figures have no floor. Those in neither table compare nothing, and say so."""
_COUNTED = (
    ("pairs", "rounds", "runs", "kills"),
    (
        *("answers", "applications", "attacks", "conversations", "dialogues", "files", "judgements", "loads"),
        *("model calls", "near-misses", "pages", "paragraphs", "queries", "questions", "refusals", "right"),
        *("tenants", "texts", "turns"),
    ),
)
"""Nouns of observations: those of repetitions come first, where a figure's text has both."""
_N = tuple(re.compile(rf"(\d[\d,]*) ((?:[a-z-]+ )?(?:{'|'.join(nouns)}))\b(?!/)") for nouns in _COUNTED)
_OF = re.compile(r"\b(\d[\d,]*) of (\d[\d,]*)\b")
_NUMBER = r"[+-]?\d*\.?\d+"
_INTERVAL = tuple(
    re.compile(form)
    for form in (
        rf"\[({_NUMBER}), ({_NUMBER})\]",
        rf"(?<![\w.])({_NUMBER}) to ({_NUMBER})(?![\w.]*\d)",
        rf"(?<![\w.-])({_NUMBER})-({_NUMBER})(?![\w.-]*\d)",
    )
)
_QUERIES = {"mean of the three": "438 queries", "mean of all": "468 queries"}
"""Of the collections whose ratios are averaged in the result on file: 112 + 26 + 300, and 30."""


def ground(result: str, label: str) -> Ground | None:
    """What a figure's floor stands on."""
    return next(
        (each for each in GROUNDS if each.result == result and any(part in label for part in each.labels)), None
    )


def observations(result: str, label: str, figure: Figure) -> str:
    """Of how many observations a figure is, with their noun; empty where neither it nor its ground tells."""
    if found := _OF.search(figure.against):
        return f"{found[2]}"
    for pattern in _N:
        if found := pattern.search(figure.against):
            return f"{found[1]} {found[2]}"
    if result == "retrieval":
        return next((n for part, n in _QUERIES.items() if part in label), "")
    known = ground(result, label)
    return known.n if known else ""


def interval(result: str, label: str, figure: Figure) -> str:
    """The interval or range that the figure's text has; for a share of a known number Wilson's, at 95 %."""
    for pattern in _INTERVAL:
        for found in pattern.finditer(figure.against):
            low, high = float(found[1]), float(found[2])
            if low <= figure.value <= high:
                return f"{found[1]} to {found[2]}"
            if low <= high and "difference" in figure.against[: found.start()]:
                return f"difference {found[1]} to {found[2]}"
    n = observations(result, label, figure)
    percent = figure.unit == "%"
    if n and figure.value == 0 and figure.unit in ("differences", "found"):
        return f"0 to {wilson(0.0, int(n.split()[0].replace(',', '')))[1]:.3f} each"
    if n and (figure.unit in ("share", "%")):
        low, high = wilson(figure.value / (100 if percent else 1), int(n.split()[0].replace(",", "")))
        scale, digits = (100, 1) if percent else (1, 3)
        return f"{low * scale:.{digits}f} to {high * scale:.{digits}f}"
    return ""


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share of ``n``. Raises ``ValueError`` without observations or for what is no share."""
    if n < 1 or not 0 <= share <= 1:
        raise ValueError(f"{share} of {n} is no share")
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def verdict(result: str, label: str, figure: Figure) -> str:
    """``below``, or what is reached where nothing is :func:`missing`."""
    reached = figure.verdict
    if reached in ("", "below"):
        return reached
    return "" if missing(result, label, figure) else reached


def missing(result: str, label: str, figure: Figure) -> list[str]:
    """What a verdict lacks: a floor, a ground for it, a number of observations, an interval."""
    lacking = []
    if figure.floor is None:
        lacking.append("no floor")
    elif ground(result, label) is None:
        lacking.append("no peer or promise")
    if not observations(result, label, figure):
        lacking.append("n unknown")
    if not interval(result, label, figure):
        lacking.append("no interval")
    return lacking


def compared(result: str) -> str:
    """What a section is compared with; ``Uncompared.`` where that is nothing."""
    whats = (each.what or f"floors of {each.promised}" for each in GROUNDS if each.result == result)
    known = "; ".join(dict.fromkeys(whats)) or COMPARED.get(result, "")
    return f"Held against: {known}." if known else "Uncompared."
