"""One thing changed at a time from the defaults: chunker, retriever, expansion, reranker, on judged collections.

    MAINSPRING_DATA=... python benchmarks/ablation.py [--keep FOLDER [--only NAME]]

What `mainspring eval rag --one-at-a-time` does, for every collection. Every arm answers all queries; the halves are
separated afterwards. Defaults are chosen on development halves only (the handbook's questions all are); the reported
halves, and Medline, CISI and NPL as a whole, show whether the choice holds elsewhere. A value is the mean nDCG@10 with
its 95 % interval; p is that of the paired randomisation test against the defaults, corrected by Holm over the arms of
one collection and half. Milliseconds are those of this machine while others used as much of it as the row of the
defaults says. `--keep` stores the measurements in a folder and reads them from there, so that the benchmark can run in
pieces; a missing collection is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _library import data
from _report import Clock, Figure, report, skip
from mainspring import engines
from mainspring.core.errors import NotFound
from mainspring.core.settings import Settings
from mainspring.core.settings import load as load_settings
from mainspring.features.evaluate.ablate.ablation import Measured, ablate
from mainspring.features.evaluate.ablate.arms import grid
from mainspring.features.evaluate.ablate.vector_cache import KeptEmbedder
from mainspring.features.evaluate.sets.loading import load
from mainspring.statistics.significance import compare, interval

SAMPLES = Path(__file__).parent.parent / "samples"
METRIC = "ndcg@10"
_RETRIEVERS = ("default", "bm25", "dense", "rrf:fusion=rrf")
_EXPANSIONS = ("none", "spelling+acronyms", "decompose")
_RERANKERS = ("off", "late")
_FEW_CHUNKERS = ("default", "fixed", "larger:chunk_tokens=256+chunk_overlap=48")
_CHUNKERS = (*_FEW_CHUNKERS, "recursive", "sentence", "semantic", "sentence_window")
AXES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "handbook": {"chunkers": _CHUNKERS, "expansions": _EXPANSIONS},
    "cranfield": {"chunkers": _FEW_CHUNKERS, "expansions": _EXPANSIONS},
    "cacm": {"chunkers": _FEW_CHUNKERS, "expansions": _EXPANSIONS},
    "squad": {"chunkers": _FEW_CHUNKERS, "expansions": _EXPANSIONS},
    "scifact": {"expansions": ("none", "spelling+acronyms")},
    "med": {"expansions": _EXPANSIONS},
    "cisi": {"expansions": _EXPANSIONS},
    "npl": {"expansions": ("none", "spelling+acronyms")},
}
"""What is varied on each besides retrievers and rerankers. Every chunker embeds the whole collection again, and an
abstract is one to three chunks whatever cuts it: ``chunking.py`` compares chunkers where it matters."""
LIMITS = {"squad": 300, "scifact": 300}
"""At most so many queries, evenly spaced, where there are more."""

Kept = dict[str, Any]


async def measure(name: str, settings: Settings, keep: Path | None) -> Kept:
    """Every arm's scores by query, and what each cost; or what an earlier run left in ``keep``."""
    path = keep / f"ablation-{name}.json" if keep else None
    if path and path.exists():
        kept: Kept = json.loads(path.read_text(encoding="utf-8"))
        return kept
    collection = load(name, SAMPLES if name == "handbook" else data("")).part("all", LIMITS.get(name, 0))
    axes = {"retrievers": _RETRIEVERS, "rerankers": _RERANKERS, **AXES[name]}
    began = Clock.now()
    async with engines.open(settings) as opened:
        if keep:
            opened = engines.Engines({}, KeptEmbedder(opened.embedder, keep), reranker=opened.reranker)
        arms = grid(**axes, one_at_a_time=True, base=settings.rag)
        found = await ablate(collection, arms, settings, opened, metrics=(METRIC, "recall@10"), progress=_tell)
    ended = Clock.now()
    kept = {
        "documents": found.documents,
        # How busy the run is that only puts the pieces together says nothing about when they were measured.
        "others": began.others(ended) if began and ended else None,
        "splits": {query.id: query.split for query in collection.queries if query.gains},
        "arms": {("defaults" if n == 0 else each.arm.name): _facts(each) for n, each in enumerate(found.arms)},
    }
    if path:
        path.write_text(json.dumps(kept), encoding="utf-8")
    return kept


def _facts(each: Measured) -> Kept:
    count = len(each.milliseconds)
    return {
        "values": dict(each.values[METRIC]),
        "recall": dict(each.values["recall@10"]),
        "p50": each.latency(0.5),
        "p95": each.latency(0.95),
        "tokens": {name: value / count for name, value in asdict(each.tokens).items()},
        "chunks": each.index.chunks,
        "bytes": each.index.bytes,
    }


def figures_of(name: str, kept: Kept) -> dict[str, Figure]:
    """The arms of one collection, each half apart."""
    figures: dict[str, Figure] = {}
    for split in sorted(set(kept["splits"].values())):
        ids = [query for query, half in kept["splits"].items() if half == split]
        values = {arm: {query: facts["values"][query] for query in ids} for arm, facts in kept["arms"].items()}
        compared = compare(values, "defaults")
        for arm, facts in kept["arms"].items():
            estimate = interval(list(values[arm].values()))
            parts = [f"[{estimate.low:.3f}, {estimate.high:.3f}]"]
            if arm in compared:
                one = compared[arm]
                mark = ", significant" if one.corrected < 0.05 else ""
                parts.append(
                    f"{one.difference.value:+.3f}, p = {one.corrected:.3f}{mark}, {one.won}/{one.lost} won/lost"
                )
            else:
                parts.append(f"{len(ids)} queries, {kept['documents']:,} documents")
                if kept["others"] is not None:
                    parts.append(f"others used {kept['others']:.0%} of the machine")
            recall = statistics.fmean(facts["recall"][query] for query in ids)
            figures[f"{name} {split}: {arm}"] = Figure(
                estimate.value, "nDCG@10", "higher", against="; ".join([*parts, f"R@10 {recall:.3f}", _cost(facts)])
            )
    return figures


def _cost(facts: Kept) -> str:
    tokens = sum(facts["tokens"].values())
    size = f"{facts['chunks']:,} chunks, {facts['bytes'] / 1e6:.0f} MB"
    return f"{tokens:.0f} tokens, p50 {facts['p50']:.0f} ms, p95 {facts['p95']:.0f} ms; {size}"


def _tell(stage: str, done: int, total: int) -> None:
    if done == total:
        print(f"{stage}: done", flush=True)


async def main(arguments: argparse.Namespace) -> None:
    settings = load_settings().settings
    settings = settings.model_copy(update={"models": settings.models.model_copy(update={"chat": ()})})
    figures: dict[str, Figure] = {}
    for name in [arguments.only] if arguments.only else AXES:
        try:
            figures |= figures_of(name, await measure(name, settings, arguments.keep))
        except NotFound as error:
            print(f"{name} left out: {error}")
    if not figures:
        skip("no collection is there")
    if arguments.only:
        print(*(f"{label}: {figure.value:.3f} {figure.against}" for label, figure in figures.items()), sep="\n")
    else:
        report("ablation", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ablations")
    parser.add_argument("--keep", type=Path, help="folder of what was measured and of vectors")
    parser.add_argument("--only", choices=AXES, help="one collection, printed")
    asyncio.run(main(parser.parse_args()))
