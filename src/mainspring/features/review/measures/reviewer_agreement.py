"""Do people agree: Krippendorff's alpha by criterion, kappa by pair, its course over time, and each reviewer's work."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.features.review.definition import Criterion, Definition
from mainspring.features.review.store.verdicts import GivenLabel
from mainspring.statistics.agreement import Level, alpha_interval, kappa
from mainspring.statistics.sampling import wilson
from mainspring.statistics.significance import Estimate

APPROVED = "approved"
_WINDOWS, _WINDOW_ITEMS = 8, 10
# Pairs of reviewers, those with the most common items first.
_MOST_PAIRS = 200
Ratings = Mapping[str, Mapping[str, float | str]]


def agreement(definition: Definition, given: Sequence[GivenLabel]) -> dict[str, Any]:
    """Of blind labels, as JSON: those of who decides between two are no evidence."""
    blind = [each for each in given if not each.adjudicated]
    double = _double(blind)
    return {
        "object": "review.agreement",
        "labels": len(blind),
        "double_items": len(double),
        "criteria": [
            {
                "name": name,
                "level": level,
                "alpha": _alpha(ratings(name, blind), level),
                "course": _course(name, level, double),
            }
            for name, level in _measured(definition)
        ],
        "pairs": _pairs(definition, double),
    }


def ratings(name: str, given: Sequence[GivenLabel]) -> dict[str, dict[str, float | str]]:
    """Labels of one criterion (or ``approved``) by person by item."""
    made: dict[str, dict[str, float | str]] = {}
    for each in given:
        value = float(each.approved) if name == APPROVED else each.scores.get(name)
        if value is not None:
            made.setdefault(each.by, {})[each.item_id] = value
    return made


def reviewers(given: Sequence[GivenLabel], results: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each person's work, the busiest first, as JSON. ``results`` are the verdicts of items, by their ids.

    ``agreed`` of ``compared``: double labels with the same approval as the other's. ``overruled``: of labels that were
    decided between, those whose approval did not stand.
    """
    by: dict[str, list[GivenLabel]] = {}
    for each in given:
        by.setdefault(each.by, []).append(each)
    double = _double([each for each in given if not each.adjudicated])
    return sorted((_reviewer(name, theirs, double, results) for name, theirs in by.items()), key=_busiest)


def _reviewer(
    name: str,
    theirs: Sequence[GivenLabel],
    double: Mapping[str, Sequence[GivenLabel]],
    results: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    compared = agreed = decided = overruled = 0
    for each in theirs:
        if each.adjudicated:
            continue
        others = [other for other in double.get(each.item_id, ()) if other.by != name]
        compared += len(others)
        agreed += sum(other.approved == each.approved for other in others)
        verdict = results.get(each.item_id, {})
        if verdict.get("adjudicated"):
            decided += 1
            overruled += verdict["approved"] != each.approved
    times = [each.seconds for each in theirs if each.seconds is not None]
    return {
        "by": name,
        "labels": len(theirs),
        "adjudicated": sum(each.adjudicated for each in theirs),
        "approved": estimate_body(wilson(sum(each.approved for each in theirs), len(theirs))),
        "edited": sum(each.edited for each in theirs),
        "median_seconds": round(statistics.median(times), 1) if times else None,
        "compared": compared,
        "agreed": agreed,
        "decided": decided,
        "overruled": overruled,
        "first_at": min(each.at for each in theirs),
        "last_at": max(each.at for each in theirs),
    }


def estimate_body(found: Estimate) -> dict[str, Any]:
    """An estimate with its interval, as JSON."""
    rounded = {name: round(value, 4) for name, value in asdict(found).items() if name != "n"}
    return {**rounded, "n": found.n}


def _busiest(body: Mapping[str, Any]) -> tuple[int, str]:
    return -body["labels"], body["by"]


def _measured(definition: Definition) -> list[tuple[str, Level]]:
    made: list[tuple[str, Level]] = [(APPROVED, "nominal")]
    return made + [(each.name, _level(each)) for each in definition.criteria]


def _level(criterion: Criterion) -> Level:
    # Two labels have no order to lose.
    return "nominal" if len(criterion.scale) == 2 else criterion.level


def _alpha(found: Ratings, level: Level) -> dict[str, Any] | None:
    try:
        return estimate_body(alpha_interval(found, level))
    except InvalidRequest:
        # No item has two labels.
        return None


def _double(blind: Sequence[GivenLabel]) -> dict[str, list[GivenLabel]]:
    """The labels of items that have several, the earliest item first."""
    made: dict[str, list[GivenLabel]] = {}
    for each in blind:
        made.setdefault(each.item_id, []).append(each)
    found = {item: theirs for item, theirs in made.items() if len(theirs) > 1}
    return dict(sorted(found.items(), key=lambda pair: max(each.at for each in pair[1])))


def _course(name: str, level: Level, double: Mapping[str, Sequence[GivenLabel]]) -> list[dict[str, Any]]:
    """Alpha of consecutive items that were labelled twice, in up to eight windows of ten items at least."""
    items = list(double)
    count = min(_WINDOWS, len(items) // _WINDOW_ITEMS)
    made = []
    for place in range(count):
        part = items[place * len(items) // count : (place + 1) * len(items) // count]
        theirs = [each for item in part for each in double[item]]
        if (found := _alpha(ratings(name, theirs), level)) is not None:
            made.append({"since": min(each.at for each in theirs), "until": max(each.at for each in theirs), **found})
    return made


def _pairs(definition: Definition, double: Mapping[str, Sequence[GivenLabel]]) -> list[dict[str, Any]]:
    together: dict[tuple[str, str], list[tuple[GivenLabel, GivenLabel]]] = {}
    for theirs in double.values():
        for one, other in combinations(sorted(theirs, key=lambda each: each.by), 2):
            together.setdefault((one.by, other.by), []).append((one, other))
    busiest = sorted(together.items(), key=lambda pair: (-len(pair[1]), pair[0]))[:_MOST_PAIRS]
    made = []
    for (first, second), items in busiest:
        row: dict[str, Any] = {"reviewers": [first, second], "items": len(items), "criteria": {}}
        for name, _ in _measured(definition):
            labels = [(_of(name, one), _of(name, other)) for one, other in items]
            both = [(one, other) for one, other in labels if one is not None and other is not None]
            if both:
                found = kappa([one for one, _ in both], [other for _, other in both])
                rounded = {key: value if value is None else round(value, 4) for key, value in asdict(found).items()}
                row["criteria"][name] = {**rounded, "n": found.n}
        made.append(row)
    return made


def _of(name: str, given: GivenLabel) -> float | None:
    return float(given.approved) if name == APPROVED else given.scores.get(name)
