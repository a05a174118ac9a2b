"""The table of `docs/reference/benchmarks.md`: claim, ours, peer or floor, ratio, date, verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _grounds import ground, interval, missing, observations, verdict
from _report import BUSY, Figure, number


@dataclass(frozen=True, slots=True)
class Claim:
    """``label`` of ``result`` shows ``claim``. ``beside`` is the label of what it is held against in the same result,
    or what that is in words; ``ours`` is the label of our own amount where ``label`` is a ratio. ``n`` is told where
    the figure does not tell it."""

    claim: str
    result: str
    label: str
    beside: str = ""
    n: str = ""
    ours: str = ""


_SET_ASIDE = "2,048 tokens set aside for each"
_PAGED = "3 pairs of 32 requests"
_BM25 = "BM25: hit@1"
_LLAMAINDEX = "LlamaIndex, our embedder in both"
CLAIMS = (
    Claim(
        "Gateway: throughput of 32 streams",
        "path_overhead",
        "throughput, 32 streams",
        ours="throughput through the gateway",
    ),
    Claim("Gateway: added time to the first token, default policy", "path_overhead", "added time to first token"),
    Claim("Gateway: the same, strict policy", "path_overhead", "added time to first token, strict policy"),
    Claim(
        "Proxy: requests a second",
        "proxy_overhead",
        "requests a second, whole answers",
        ours="through the gateway, whole answers",
    ),
    Claim(
        "Proxy: streams a second", "proxy_overhead", "requests a second, streams", ours="through the gateway, streams"
    ),
    Claim("Engine: tokens a second, 1 stream", "peers_serving", "llamacpp, 1: tokens a second"),
    Claim("Engine: tokens a second, 32 streams", "peers_serving", "llamacpp, 32: tokens a second"),
    Claim("Engine: the same, vLLM on the processor", "peers_serving", "vllm, 32: tokens a second"),
    Claim("Engine: continuous batching", "continuous_vs_static", "tokens/s, continuous against static batching"),
    Claim(
        "Engine: time to the first token with a shared prefix",
        "prefix_ttft",
        "shared prefix: first token sooner",
        "shared prefix: first token without",
        ours="shared prefix: first token with the cache",
    ),
    Claim("Engine: speculation where answers copy", "speculation", "repeat: tokens a second"),
    Claim("Engine: speculation where they tell a story", "speculation", "story: tokens a second"),
    Claim(
        "Engine: sequences in a paged KV cache, as shipped",
        "kv_paging",
        "own prompts: sequences on average, reserve 1",
        _SET_ASIDE,
        _PAGED,
    ),
    Claim(
        "Engine: the same, 800 tokens of the prompt shared",
        "kv_paging",
        "800 tokens shared: sequences on average, reserve 1",
        _SET_ASIDE,
        _PAGED,
    ),
    Claim(
        "Overload: goodput at four times the capacity", "overload", "goodput at 4x", "capacity and 1x in the same round"
    ),
    Claim(
        "Neighbours: p95 of a search beside searches",
        "noisy_neighbour",
        "search beside searches",
        "the same alone, in the same run",
        "16 and 51",
    ),
    Claim("Cache: p50 of an exact hit", "cache_hit", "exact hit: p50"),
    Claim("Cache: paraphrases that the semantic cache answers", "semantic_cache", "hits on paraphrases, all sets"),
    Claim("Cache: near-misses that it answers wrongly", "semantic_cache", "false hits on near-misses, all sets"),
    Claim("Search: SQuAD's paragraph first, hybrid", "hit_rates", "hybrid: hit@1", _BM25),
    Claim("Search: the same, reranked", "hit_rates", "hybrid, reranked: hit@1", _BM25),
    Claim(
        "Search: nDCG@10 of hybrid, three sets",
        "retrieval",
        "hybrid / BM25, nDCG@10, mean of the three",
        "BM25 of the same index",
    ),
    Claim(
        "Search: the same, beside vectors",
        "retrieval",
        "hybrid / dense, nDCG@10, mean of the three",
        "vectors of the same index",
    ),
    Claim("Search: p95 in 100,000 chunks", "vectors", "100,000 chunks, unfiltered: p95"),
    Claim(
        "Search: recall@20 of the index, real sentences and queries",
        "vector_recall",
        "graph, all: recall@20",
        "comparing every row: 1",
    ),
    Claim("Ingest: abstracts a second", "ingest", "abstracts: against LlamaIndex, our embedder in both", _LLAMAINDEX),
    Claim("Ingest: articles a second", "ingest", "articles: against LlamaIndex, our embedder in both", _LLAMAINDEX),
    Claim("Memory: evidence in long conversations, recall@10", "memory_recall", "recall@10: memory", "recall@10: BM25"),
    Claim("Answers: unseen documents, gold answer shown", "second_company", "answer contained"),
    Claim("Answers: unseen documents, right source cited first", "second_company", "right source cited first"),
    Claim("Answers: unseen documents, off-topic questions refused", "second_company", "off topic refused"),
    Claim("Answers: SQuAD, gold answer shown", "answers", "extractive: gold answer shown"),
    Claim("Answers: handbook, held out, gold answer shown", "handbook", "held out: gold answer shown"),
    Claim(
        "Answers: answerable told from near misses, AUROC",
        "refusal",
        "built in: AUROC answerable / near miss",
        ".67, best cosine of the first version",
    ),
    Claim(
        "Guards: jailbreaks refused, default policy",
        "default_guards",
        "refused: jailbreaks (in the wild, other clusters)",
    ),
    Claim(
        "Guards: harmful requests refused, default policy",
        "default_guards",
        "refused: harmful requests (AdvBench, HarmBench, Do-Not-Answer, other clusters)",
    ),
    Claim("Guards: safe prompts refused, default policy", "default_guards", "refused wrongly: safe prompts (XSTest)"),
    Claim(
        "Guards: jailbreaks found by the detector alone",
        "detectors",
        "injection: found, jailbreaks (in the wild, other clusters)",
    ),
    Claim(
        "Guards: harmless look-alikes that it finds",
        "detectors",
        "injection: false alarms, look-alikes (NotInject two, three)",
    ),
    Claim("Kills: documents lost or doubled by kill -9 of an ingest", "kill_ingest", "differences"),
    Claim("Kills: acknowledged work lost by kills of a server", "kill_everything", "lost, doubled or not in agreement"),
    Claim("Kills: runs of agents with another end or effect after kills", "kill_runs", "wrong_ends"),
    Claim("Install: cold start to the first token", "cold_start", "to the first token"),
    Claim("Install: size of the core", "install", "core size"),
)
HEAD = (
    "| Claim | Ours | Peer, baseline or floor | Ratio | n | 95 % or range | Date | Verdict |",
    "|---|---:|---|---:|---|---|---|---|",
)
VERDICTS = {
    "aim": "aim reached",
    "floor": "floor reached",
    "below": "**below the floor**",
    "ahead": "ahead",
    "behind": "**behind**",
    "apart": "not told apart",
    "": "",
}
_PAIR = re.compile(r"^([\d.,]+) to ([\d.,]+) (\S+?),")


def table(results: Path) -> str:
    """The rows of all claims whose result is there."""
    rows = [row for claim in CLAIMS if (row := cells(results, claim))]
    return "\n".join([*HEAD, *("| " + " | ".join(each.replace("|", "\\|") for each in row) + " |" for row in rows)])


def cells(results: Path, claim: Claim) -> tuple[str, ...]:
    """Claim, ours, peer, ratio, n, interval, date with whether the machine was busy, verdict. Empty without a result.

    Raises ``KeyError`` where the result has no such figure.
    """
    path = results / f"{claim.result}.json"
    if not path.exists():
        return ()
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    figures = {label: Figure(**entry) for label, entry in result["figures"].items()}
    figure = figures[claim.label]
    ours, ratio = _ours(claim, figures)
    busy = (result.get("others") or 0.0) > BUSY
    count = observations(claim.result, claim.label, figure) or claim.n
    spread = interval(claim.result, claim.label, figure)
    return (
        f"[{claim.claim}](benchmarks-details.md#{claim.result})",
        ours,
        _peer(claim, figures) or "none",
        ratio,
        count,
        spread or "none",
        result["measured_at"][:10] + (", busy" if busy else ""),
        _verdict(claim, figure, busy=busy, count=count, spread=spread),
    )


def is_ratio(figure: Figure) -> bool:
    """Whether the figure is a ratio of two amounts of one run."""
    return figure.unit == "ratio" or figure.unit.startswith(("x", "of "))


def _ours(claim: Claim, figures: Mapping[str, Figure]) -> tuple[str, str]:
    """Our own amount and the ratio, each where it is known."""
    figure = figures[claim.label]
    if is_ratio(figure):
        if pair := _PAIR.match(figure.against):
            return f"{pair[1]} {pair[3]}", number(figure.value)
        return (_amount(figures[claim.ours]) if claim.ours else ""), number(figure.value)
    other = figures.get(claim.beside)
    return _amount(figure), number(figure.value / other.value) if other and other.value else ""


def _peer(claim: Claim, figures: Mapping[str, Figure]) -> str:
    """What ours is held against: a peer or a baseline with its amount, and the floor."""
    figure, known = figures[claim.label], ground(claim.result, claim.label)
    parts = []
    if claim.beside in figures:
        parts.append(f"{claim.beside}: {_amount(figures[claim.beside])}")
    elif pair := _PAIR.match(figure.against):
        parts.append(f"{claim.beside}: {pair[2]} {pair[3]}")
    elif claim.beside:
        parts.append(claim.beside)
    elif known and known.kind != "promise":
        said = re.sub(r", (?:\d+ (?:rounds|pairs)|one stream|median of).*", "", figure.against.split(";")[0])
        parts.append(said if is_ratio(figure) and said else known.what)
    if figure.floor is not None:
        promised = f" of {known.promised}" if known and known.promised else ""
        parts.append(f"floor {number(figure.floor)}{promised}")
    return "; ".join(parts)


def _verdict(claim: Claim, figure: Figure, *, busy: bool, count: str, spread: str) -> str:
    """The verdict, or what is missing for one."""
    reached = verdict(claim.result, claim.label, figure)
    if not reached and figure.floor is None and is_ratio(figure) and count and (bounds := _bounds(spread)):
        low, high = bounds if figure.better == "higher" else (2 - bounds[1], 2 - bounds[0])
        reached = "ahead" if low > 1 else "behind" if high < 1 else "apart"
    timed = figure.unit in ("ms", "s")
    if reached and not (busy and timed and reached != "below"):
        return VERDICTS[reached]
    lacking = [] if reached else missing(claim.result, claim.label, figure)
    return "none: " + ", ".join([*lacking, *(["busy machine"] if busy and timed else [])])


def _bounds(spread: str) -> tuple[float, float] | None:
    found = re.fullmatch(r"(\d*\.?\d+) to (\d*\.?\d+)", spread)
    return (float(found[1]), float(found[2])) if found else None


def _amount(figure: Figure) -> str:
    return f"{number(figure.value)} {figure.unit}".strip()
