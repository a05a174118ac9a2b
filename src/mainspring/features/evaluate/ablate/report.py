"""Results as rows, Markdown and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mainspring.features.evaluate.ablate.ablation import Ablation, Measured
from mainspring.statistics.significance import Comparison

ALPHA = 0.05


def header(found: Ablation) -> str:
    """The measurement in a sentence."""
    halves = f"{found.split} queries" if found.split != "all" else "queries"
    return (
        f"{found.collection}: {found.documents} documents, {found.queries} {halves}; "
        f"{found.primary} decides, against {found.baseline}"
    )


def columns(found: Ablation) -> list[str]:
    """The names of ``rows``' columns."""
    others = [metric for metric in found.arms[0].values if metric != found.primary]
    against = [f"Δ {found.primary}", "p (Holm)", "won/lost"] if len(found.arms) > 1 else []
    cost = ["tokens/query", "p50 ms", "p95 ms", "chunks", "index MB", "index tokens"]
    return ["arm", f"{found.primary} [95 % CI]", *others, *against, *cost]


def rows(found: Ablation) -> list[list[str]]:
    """One row an arm. Tokens a query are embedded, read by a reranker (r) and read and written by chat models, if
    there were any."""
    return [_row(found, each) for each in found.arms]


def markdown(found: Ablation) -> str:
    """The table, with an explanation of its marks."""
    names = columns(found)
    lines = [f"**{header(found)}**", "", _line(names), _line(["---", *["---:"] * (len(names) - 1)])]
    lines += [_line(row) for row in rows(found)]
    if len(found.arms) > 1:
        lines += ["", f"\\* p < {ALPHA} in the paired randomisation test, after Holm's correction over all arms."]
    return "\n".join(lines) + "\n"


def as_json(found: Ablation) -> dict[str, Any]:
    """Everything but the scores of single queries."""
    return {
        "collection": found.collection,
        "split": found.split,
        "documents": found.documents,
        "queries": found.queries,
        "unjudged": len(found.unjudged),
        "primary": found.primary,
        "baseline": found.baseline,
        "arms": [_facts(found, each) for each in found.arms],
    }


def _row(found: Ablation, each: Measured) -> list[str]:
    others = [f"{each.estimate(metric).value:.3f}" for metric in each.values if metric != found.primary]
    tokens = each.tokens
    count = len(each.milliseconds)
    reranked = f" + {tokens.reranked / count:.0f} r" if tokens.reranked else ""
    chat = f" + {(tokens.read + tokens.written) / count:.0f}" if tokens.read + tokens.written else ""
    return [
        each.arm.name,
        each.estimate(found.primary).text(),
        *others,
        *(_against(found.comparisons[found.primary].get(each.arm.name)) if len(found.arms) > 1 else []),
        f"{tokens.embedded / count:.0f}{reranked}{chat}",
        f"{each.latency(0.5):.1f}",
        f"{each.latency(0.95):.1f}",
        f"{each.index.chunks:,}",
        f"{each.index.bytes / 1e6:.1f}",
        f"{each.index.tokens:,}",
    ]


def _against(comparison: Comparison | None) -> list[str]:
    if comparison is None:
        return ["baseline", "", ""]
    mark = "*" if comparison.corrected < ALPHA else ""
    p = "<.001" if comparison.corrected < 0.001 else f"{comparison.corrected:.3f}"
    return [f"{comparison.difference.value:+.3f}{mark}", p, f"{comparison.won}/{comparison.lost}"]


def _facts(found: Ablation, each: Measured) -> dict[str, Any]:
    arm = each.arm
    comparisons: Mapping[str, Comparison | None] = {
        metric: found.comparisons[metric].get(arm.name) for metric in each.values
    }
    return {
        "arm": arm.name,
        "index_settings": dict(arm.index),
        "settings": dict(arm.settings),
        "options": dict(arm.options),
        "techniques": list(arm.techniques),
        "reranker": arm.reranker,
        "metrics": {metric: asdict(each.estimate(metric)) for metric in each.values},
        "against_baseline": {metric: asdict(found_) for metric, found_ in comparisons.items() if found_ is not None},
        "milliseconds": {"p50": each.latency(0.5), "p95": each.latency(0.95)},
        "tokens": asdict(each.tokens),
        "index": {**asdict(each.index), "failed": list(each.index.failed)},
    }


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
