"""What the outcomes of a run say: means with intervals that count similar items together, by slice, as a table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.features.evaluate.capabilities.benchmark import Benchmark
from mainspring.features.evaluate.capabilities.sheet import Outcome
from mainspring.statistics.significance import Estimate, clustered, clustered_share

# Slices with fewer items say nothing.
_LEAST = 5
_KS = (5, 10, 25, 50, 100)


@dataclass(frozen=True, slots=True)
class Figures:
    """``metrics`` by name; ``slices`` by tag, value and metric. ``unread``: answers in which no answer was found;
    ``cut``: answers that ended at their bound of tokens; ``errors``: items that could not be asked."""

    metrics: Mapping[str, Estimate]
    slices: Mapping[str, Mapping[str, Mapping[str, Estimate]]]
    n: int
    clusters: int
    errors: int
    unread: int
    cut: int
    prompt_tokens: int
    completion_tokens: int
    cost_nanousd: int


def figures(benchmark: Benchmark, outcomes: Sequence[Outcome]) -> Figures:
    """Means over items, each with its 95 % interval. Several samples of an item are one cluster at least.

    Raises ``MissingExtra`` without the extra ``eval``.
    """
    good = [each for each in outcomes if not each.error]
    by_tag: dict[str, dict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    for each in good:
        for name, value in each.tags.items():
            by_tag[name][value].append(each)
    return Figures(
        _means(benchmark, good) | _at_k(good),
        {
            name: {value: _means(benchmark, part) for value, part in sorted(parts.items()) if len(part) >= _LEAST}
            for name, parts in by_tag.items()
        },
        len({each.id for each in good}),
        len({_cluster(each) for each in good}),
        sum(1 for each in outcomes if each.error),
        sum(1 for each in good if each.read is None and not each.likelihoods) if benchmark.extraction else 0,
        sum(1 for each in good if each.finish == "length"),
        sum(each.prompt_tokens for each in good),
        sum(each.completion_tokens for each in good),
        sum(each.cost_nanousd for each in good),
    )


def as_json(run: Mapping[str, Any], found: Figures) -> dict[str, Any]:
    """All figures, as JSON values."""
    return {
        **run,
        "metrics": {name: _estimate(each) for name, each in found.metrics.items()},
        "slices": {
            tag: {value: {name: _estimate(each) for name, each in metrics.items()} for value, metrics in values.items()}
            for tag, values in found.slices.items()
        },
        "n": found.n,
        "clusters": found.clusters,
        "errors": found.errors,
        "unread": found.unread,
        "cut": found.cut,
        "prompt_tokens": found.prompt_tokens,
        "completion_tokens": found.completion_tokens,
        "cost_nanousd": found.cost_nanousd,
    }


def markdown(benchmark: Benchmark, run: Mapping[str, Any], found: Figures) -> str:
    """A table of the metrics, and one for each tag."""
    lines = [
        f"**{benchmark.name}**, {run['model']}, asked by {run['way']}",
        "",
        "| metric | value | 95 % | n | clusters |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {each.value:.3f} | {each.low:.3f} to {each.high:.3f} | {found.n} | {found.clusters} |"
            for name, each in found.metrics.items()
        ),
    ]
    headline = benchmark.metrics[0].name
    for tag, values in found.slices.items():
        lines += ["", f"| {tag} | {headline} | 95 % | n |", "|---|---|---|---|"]
        lines += [
            f"| {value} | {each.value:.3f} | {each.low:.3f} to {each.high:.3f} | {each.n} |"
            for value, metrics in values.items()
            if (each := metrics.get(headline)) is not None
        ]
    return "\n".join([*lines, "", notes(found)]).rstrip() + "\n"


def notes(found: Figures) -> str:
    """A note that readers of the figures need; empty: none."""
    said = []
    if found.errors:
        said.append(f"{found.errors} items could not be asked and are left out; run it again to ask them.")
    if found.unread:
        said.append(f"In {found.unread} answers no answer was found; they count as wrong.")
    if found.cut:
        said.append(f"{found.cut} answers ended at their bound of tokens.")
    return " ".join(said)


def _means(benchmark: Benchmark, outcomes: Sequence[Outcome]) -> dict[str, Estimate]:
    found = {}
    for metric in benchmark.metrics:
        rows = [(each.scores[metric.name], _cluster(each)) for each in outcomes if metric.name in each.scores]
        if rows:
            values, clusters = [value for value, _ in rows], [cluster for _, cluster in rows]
            binary = all(value in (0, 1) for value in values)
            found[metric.name] = (clustered_share if binary else clustered)(values, clusters)
    return found


def _at_k(outcomes: Sequence[Outcome]) -> dict[str, Estimate]:
    """pass@k of more than one program an item, over the items that have as many."""
    items: dict[str, list[Outcome]] = defaultdict(list)
    for each in outcomes:
        if "pass@1" in each.scores:
            items[each.id].append(each)
    drawn = min((len(each) for each in items.values()), default=0)
    found = {}
    for k in (each for each in _KS if each <= drawn):
        values = [pass_at(k, len(each), sum(one.scores["pass@1"] > 0 for one in each)) for each in items.values()]
        found[f"pass@{k}"] = clustered(values, [_cluster(each[0]) for each in items.values()])
    return found


def pass_at(k: int, drawn: int, passed: int) -> float:
    """The chance that one at least of ``k`` programs passes, from ``drawn`` of which ``passed`` did: the unbiased
    estimate of Chen et al. (2021)."""
    return 1 - math.comb(drawn - passed, k) / math.comb(drawn, k)


def _cluster(outcome: Outcome) -> str:
    return outcome.cluster or f"item {outcome.id}"


def _estimate(each: Estimate) -> dict[str, float]:
    return {"value": each.value, "low": each.low, "high": each.high, "n": each.n}
