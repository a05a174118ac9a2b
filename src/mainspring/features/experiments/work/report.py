"""The report of an experiment: means with intervals, paired differences from the baseline, and the same by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.core.errors import MissingExtra
from mainspring.features.experiments.spec import Spec
from mainspring.features.experiments.store.results import Results
from mainspring.features.experiments.work.calibrated import Truth, corrected
from mainspring.features.experiments.work.estimates import estimate
from mainspring.statistics.significance import holm, permutation
from mainspring.stores.sql import rows

_EXACT = 2_000
"""Differences up to which the p-value is that of the randomisation test; beyond it is that of Student's t."""
_MOST_SLICES = 60
_MOST_TAGS = 12
_SHOWN = 50
_NANO = 1e9


class Columns:
    """The results as arrays: one entry an example, one list a responder."""

    def __init__(self, labels: Sequence[str], responders: int) -> None:
        from array import array

        self.labels = list(labels)
        self.places = array("q")
        self.clusters: list[str] = []
        self.tags: list[tuple[tuple[str, str], ...]] = []
        self._slots: dict[int, int] = {}
        self._known: dict[Any, Any] = {}
        self.scores = {(label, number): array("d") for label in labels for number in range(responders)}
        self.errors = [array("b") for _ in range(responders)]
        self.costs = [array("d") for _ in range(responders)]
        self.seconds = [array("d") for _ in range(responders)]
        self.tokens = [0] * responders
        self.failed = [0] * responders
        self.count = [0] * responders

    def add(self, row: Any) -> None:
        """A result; those of one place come together."""
        if not self.places or self.places[-1] != row.place:
            self.places.append(row.place)
            self.clusters.append(self._known.setdefault(row.cluster, row.cluster))
            tags = tuple(rows.load(row.tags).items())
            self.tags.append(self._known.setdefault(tags, tags))
            for column in self.scores.values():
                column.append(float("nan"))
            for each in self.errors:
                each.append(0)
        number, found = row.responder, rows.load(row.scores)
        for label in self.labels:
            value = found.get(label)
            if value is not None:
                self.scores[label, number][-1] = value
        self.costs[number].append(row.cost_nanousd)
        if row.seconds is not None:
            self.seconds[number].append(row.seconds)
        self.tokens[number] += row.tokens
        self.errors[number][-1] = bool(row.error)
        self.failed[number] += bool(row.error)
        self.count[number] += 1


async def columns(results: Results, tenant: str, experiment_id: str, spec: Spec, most: int | None = None) -> Columns:
    """All scores of an experiment; texts are not read."""
    found = Columns([each.label for each in spec.scorers], max(1, len(spec.candidates)))
    async for piece in results.scored(tenant, experiment_id, most):
        for row in piece:
            found.add(row)
    return found


async def report(
    results: Results, tenant: str, experiment_id: str, spec: Spec, known: Truth, *, most: int | None = None
) -> dict[str, Any]:
    """The report as JSON values; ``known`` is what corrects the scores of judges."""
    import asyncio

    found = await columns(results, tenant, experiment_id, spec, most)
    return await asyncio.to_thread(summary, found, spec, known)


def summary(found: Columns, spec: Spec, known: Truth | None = None) -> dict[str, Any]:
    """The report of ``found``."""
    import numpy as np

    names = [each.name for each in spec.candidates] or ["recorded"]
    every = np.ones(len(found.places), bool)
    told: dict[str, Any] = {
        "examples": len(found.places),
        "responders": [_about(found, number, name, spec, known or Truth()) for number, name in enumerate(names)],
        "comparisons": compared(found, every, names, corrected=True),
        "slices": slices(found, names),
    }
    return told


def _about(found: Columns, number: int, name: str, spec: Spec, truth: Truth) -> dict[str, Any]:
    import numpy as np

    seconds, costs = np.array(found.seconds[number]), np.array(found.costs[number])
    scores = {}
    for wanted in spec.scorers:
        values = np.array(found.scores[wanted.label, number])
        known = ~np.isnan(values)
        clusters = [c for c, k in zip(found.clusters, known, strict=True) if k]
        scores[wanted.label] = estimate(values[known], clusters, scores=True)
        if wanted.threshold is not None and known.any():
            scores[wanted.label]["passed"] = float((values[known] >= wanted.threshold).mean())
        if wanted.label in truth.judged:
            scores[wanted.label] |= _of_judge(found, number, wanted.label, truth)
    return {
        "name": name,
        "answers": found.count[number],
        "failed": found.failed[number],
        "scores": scores,
        "cost_usd": float(costs.sum()) / _NANO,
        "cost_per_answer_usd": float(costs.mean()) / _NANO if len(costs) else None,
        "tokens": found.tokens[number],
        "seconds_p50": float(np.quantile(seconds, 0.5)) if len(seconds) else None,
        "seconds_p95": float(np.quantile(seconds, 0.95)) if len(seconds) else None,
    }


def _of_judge(found: Columns, number: int, label: str, truth: Truth) -> dict[str, Any]:
    """That the mean is raw, and beside it the estimate of people's mean label; ``why`` there is none."""
    import numpy as np

    judged, values = truth.judged[label], np.array(found.scores[label, number])
    places = np.flatnonzero(~np.isnan(values))
    labels = np.array([truth.labels.get(found.places[each], float("nan")) for each in places])
    failed = np.array(found.errors[number], bool)[places]
    made = corrected(judged, values[places], labels, failed, [found.clusters[each] for each in places])
    return {"judge": judged.name, "raw": True, "calibrated": made, "why": judged.why if made is None else ""}


def compared(found: Columns, mask: Any, names: Sequence[str], *, corrected: bool) -> list[dict[str, Any]]:
    """Paired differences of each responder from the first one, where ``mask`` is true."""
    import numpy as np

    told: list[dict[str, Any]] = []
    for label in found.labels:
        base = np.array(found.scores[label, 0])
        for number in range(1, len(names)):
            ours = np.array(found.scores[label, number])
            both = mask & ~np.isnan(base) & ~np.isnan(ours)
            places = np.flatnonzero(both)
            difference = ours[places] - base[places]
            clusters = [found.clusters[place] for place in places]
            made = estimate(difference, clusters)
            entry: dict[str, Any] = {
                "scorer": label,
                "responder": names[number],
                "baseline": names[0],
                "difference": made,
            }
            entry |= {"won": int((difference > 0).sum()), "lost": int((difference < 0).sum())}
            if corrected:
                entry["p"] = _p(difference, clusters)
                order = np.argsort(difference, kind="stable")
                worst, best = order[:_SHOWN], order[::-1][:_SHOWN]
                entry["worst"] = [int(found.places[places[each]]) for each in worst if difference[each] < 0]
                entry["best"] = [int(found.places[places[each]]) for each in best if difference[each] > 0]
            told.append(entry)
    if corrected:
        known = [each for each in told if each["p"] is not None]
        for each, value in zip(known, holm([each["p"] for each in known]), strict=True):
            each["p_corrected"] = value
    return told


def _p(difference: Any, clusters: Sequence[str]) -> float | None:
    """The p-value of the paired test over the sums of groups; None if it cannot be had."""
    import numpy as np

    if not len(difference):
        return None
    places: dict[object, int] = {}
    member = [places.setdefault(name or row, len(places)) for row, name in enumerate(clusters)]
    sums = np.zeros(len(places))
    np.add.at(sums, member, difference)
    try:
        if len(sums) <= _EXACT:
            return permutation(list(sums), [0.0] * len(sums))
        from mainspring.statistics.significance import stats_library

        error = float(np.sqrt((sums**2).mean() / len(sums)))
        return float(2 * stats_library().t.sf(abs(sums.mean()) / error, len(sums) - 1)) if error else 1.0
    except MissingExtra:
        return None


def slices(found: Columns, names: Sequence[str], *, tested: bool = False) -> list[dict[str, Any]]:
    """Means and differences by the values of each tag; with p-values if ``tested``."""
    import numpy as np

    counted: dict[tuple[str, str], int] = {}
    for tags in found.tags:
        for each in tags:
            counted[each] = counted.get(each, 0) + 1
    kinds: dict[str, list[str]] = {}
    for (name, value), _ in sorted(counted.items(), key=lambda each: (-each[1], each[0])):
        kinds.setdefault(name, []).append(value)
    told = []
    # A tag whose values are all different, such as an id, makes no slices.
    usable = [name for name, values in kinds.items() if 1 < len(values) <= _MOST_SLICES][:_MOST_TAGS]
    for name in usable:
        for value in kinds[name]:
            mask = np.fromiter(((name, value) in tags for tags in found.tags), bool, len(found.tags))
            told.append(_slice(found, mask, name, value, names, tested))
    return told


def _slice(found: Columns, mask: Any, name: str, value: str, names: Sequence[str], tested: bool) -> dict[str, Any]:
    import numpy as np

    means: list[Mapping[str, Any]] = []
    for number, each in enumerate(names):
        scores = {}
        for label in found.labels:
            values = np.array(found.scores[label, number])
            known = np.flatnonzero(mask & ~np.isnan(values))
            scores[label] = estimate(values[known], [found.clusters[place] for place in known], scores=True)
        means.append({"name": each, "scores": scores})
    differences = compared(found, mask, names, corrected=tested)
    return {"tag": name, "value": value, "examples": int(mask.sum()), "responders": means, "comparisons": differences}
