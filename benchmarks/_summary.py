"""The table that `docs/reference/benchmarks.md` begins with: what is claimed, ours beside the peer or the baseline."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _grounds import ground, interval, observations, verdict
from _report import BUSY, Figure, number


@dataclass(frozen=True, slots=True)
class Claim:
    """``label`` of ``result`` shows ``claim``. ``beside`` is the label of what it is held against in the same result,
    or what that is in words. ``n`` is told where the figure does not tell it."""

    claim: str
    result: str
    label: str
    beside: str = ""
    n: str = ""


_SET_ASIDE = "2,048 tokens set aside for each: 1"
CLAIMS = (
    Claim("throughput of 32 streams, of the bare engine's", "path_overhead", "throughput, 32 streams"),
    Claim("added time to the first token, default policy", "path_overhead", "added time to first token"),
    Claim("the same, strict policy", "path_overhead", "added time to first token, strict policy"),
    Claim("proxied requests a second, of LiteLLM's", "proxy_overhead", "requests a second, whole answers"),
    Claim("proxied streams a second, of LiteLLM's", "proxy_overhead", "requests a second, streams"),
    Claim("tokens a second, 1 stream, of llama.cpp's", "peers_serving", "llamacpp, 1: tokens a second"),
    Claim("tokens a second, 32 streams, of llama.cpp's", "peers_serving", "llamacpp, 32: tokens a second"),
    Claim("tokens a second, 32 streams, of vLLM's on the CPU", "peers_serving", "vllm, 32: tokens a second"),
    Claim(
        "continuous against static batching",
        "continuous_vs_static",
        "tokens/s, continuous against static batching",
    ),
    Claim("first token sooner by a shared prefix", "prefix_ttft", "shared prefix: first token sooner"),
    Claim("speculation where answers copy", "speculation", "repeat: tokens a second"),
    Claim("speculation where they tell a story", "speculation", "story: tokens a second"),
    Claim(
        "sequences in a KV cache, paged, as shipped (reserve 1)",
        "kv_paging",
        "own prompts: sequences on average, reserve 1",
        _SET_ASIDE,
        "3 pairs of 32 requests",
    ),
    Claim(
        "the same, 800 tokens of the prompt shared",
        "kv_paging",
        "800 tokens shared: sequences on average, reserve 1",
        _SET_ASIDE,
        "3 pairs of 32 requests",
    ),
    Claim("goodput at four times the capacity", "overload", "goodput at 4x"),
    Claim("answer from the exact cache, p50", "cache_hit", "exact hit: p50"),
    Claim(
        "paraphrases answered by the semantic cache, all six sets",
        "semantic_cache",
        "hits on paraphrases, all sets",
    ),
    Claim(
        "near-misses that it answers wrongly, all seven sets",
        "semantic_cache",
        "false hits on near-misses, all sets",
    ),
    Claim("SQuAD's paragraph first: hybrid", "hit_rates", "hybrid: hit@1", "BM25: hit@1"),
    Claim("the same, hybrid with reranking", "hit_rates", "hybrid, reranked: hit@1", "BM25: hit@1"),
    Claim("nDCG@10, hybrid of BM25's, three sets", "retrieval", "hybrid / BM25, nDCG@10, mean of the three"),
    Claim("nDCG@10, hybrid of vectors', three sets", "retrieval", "hybrid / dense, nDCG@10, mean of the three"),
    Claim("ingest of abstracts, of LlamaIndex's", "ingest", "abstracts: against LlamaIndex, our embedder in both"),
    Claim("ingest of articles, of LlamaIndex's", "ingest", "articles: against LlamaIndex, our embedder in both"),
    Claim("search in 100,000 chunks, p95", "vectors", "100,000 chunks, unfiltered: p95"),
    Claim(
        "recall@20 there, synthetic clusters",
        "vectors",
        "100,000 chunks, unfiltered: recall@20",
        "comparing every row: 1",
        "20 queries",
    ),
    Claim("handbook, held out: a gold answer shown", "handbook", "held out: gold answer shown"),
    Claim(
        "harmless look-alikes found, detector alone",
        "detectors",
        "injection: false alarms, look-alikes (NotInject two, three)",
    ),
    Claim(
        "jailbreaks from the wild refused, default policy",
        "default_guards",
        "refused: jailbreaks (in the wild, other clusters)",
    ),
    Claim(
        "harmful requests refused, default policy",
        "default_guards",
        "refused: harmful requests (AdvBench, HarmBench, Do-Not-Answer, other clusters)",
    ),
    Claim("safe prompts refused, default policy", "default_guards", "refused wrongly: safe prompts (XSTest)"),
    Claim(
        "jailbreaks from the wild found, detector alone",
        "detectors",
        "injection: found, jailbreaks (in the wild, other clusters)",
    ),
    Claim(
        "answerable told from near misses, AUROC",
        "refusal",
        "built in: AUROC answerable / near miss",
        ".67, best cosine of the first version",
    ),
    Claim("documents lost or doubled by kill -9", "kill_ingest", "differences"),
    Claim("cold start to the first token", "cold_start", "to the first token"),
    Claim("size of the core install", "install", "core size"),
)
HEAD = (
    "| Claim | Ours | Peer or baseline | 95 % or range | n | Measured | Others used | |",
    "|---|---:|---|---|---|---|---:|---|",
)
VERDICTS = {"aim": "aim reached", "floor": "floor reached", "below": "**below the floor**", "": ""}


def table(results: Path) -> str:
    """The rows of all claims whose result is there."""
    rows = [row for claim in CLAIMS if (row := cells(results, claim))]
    return "\n".join([*HEAD, *("| " + " | ".join(each.replace("|", "\\|") for each in row) + " |" for row in rows)])


def cells(results: Path, claim: Claim) -> tuple[str, ...]:
    """Claim, ours, peer, interval, n, date, how busy others kept the machine, verdict. Empty without a result.

    Raises ``KeyError`` where the result has no such figure.
    """
    path = results / f"{claim.result}.json"
    if not path.exists():
        return ()
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    figures = {label: Figure(**entry) for label, entry in result["figures"].items()}
    figure = figures[claim.label]
    known = ground(claim.result, claim.label)
    peer = f"{claim.beside}: {number(figures[claim.beside].value)}" if claim.beside in figures else claim.beside
    others = result.get("others")
    busy = "unknown" if others is None else f"{others:.0%}" + (" (busy)" if others > BUSY else "")
    peer = peer or (known.what if known else "")
    if figure.floor is not None:
        source = f" of {known.promised}" if known and known.promised else ""
        peer = "; ".join(part for part in (peer, f"floor {number(figure.floor)}{source}") if part)
    return (
        f"[{claim.claim}](benchmarks-details.md#{claim.result})",
        f"{number(figure.value)} {figure.unit}".strip(),
        peer or "none",
        interval(claim.result, claim.label, figure) or "none",
        observations(claim.result, claim.label, figure) or claim.n,
        result["measured_at"][:10],
        busy,
        VERDICTS[verdict(claim.result, claim.label, figure)],
    )
