"""How quality differs between two experiments over the same examples, in all and by slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.features.experiments.spec import Spec
from mainspring.features.experiments.store.results import Results
from mainspring.features.experiments.work.report import Columns, columns, compared, slices
from mainspring.statistics.significance import holm


@dataclass(frozen=True, slots=True)
class Side:
    """An experiment and the number of one of its responders."""

    tenant: str
    experiment: str
    spec: Spec
    responder: int


async def drift(results: Results, before: Side, after: Side) -> dict[str, Any]:
    """Paired differences, after minus before, of the examples that both have answered; p-values of slices are corrected
    for their number. Raises ``InvalidRequest`` if both have no scorer, or no example, in common."""
    import asyncio

    labels = [each.label for each in before.spec.scorers if each.label in {one.label for one in after.spec.scorers}]
    if not labels:
        raise InvalidRequest("the two experiments have no scorer in common", param="before")
    old, new = [await columns(results, each.tenant, each.experiment, each.spec) for each in (before, after)]
    return await asyncio.to_thread(_drift, labels, (old, before.responder), (new, after.responder))


def _drift(labels: Sequence[str], before: tuple[Columns, int], after: tuple[Columns, int]) -> dict[str, Any]:
    import numpy as np

    (old, first), (new, second) = before, after
    places = {place: number for number, place in enumerate(old.places)}
    pairs = [(places[place], number) for number, place in enumerate(new.places) if place in places]
    if not pairs:
        raise InvalidRequest("the two experiments have no example in common", param="before")
    both = Columns(labels, 2)
    for mine, theirs in pairs:
        both.places.append(new.places[theirs])
        both.clusters.append(new.clusters[theirs])
        both.tags.append(new.tags[theirs])
        for label in labels:
            both.scores[label, 0].append(old.scores[label, first][mine])
            both.scores[label, 1].append(new.scores[label, second][theirs])
    names = ["before", "after"]
    whole = compared(both, np.ones(len(pairs), bool), names, corrected=True)
    parts = slices(both, names, tested=True)
    tested = [each for part in parts for each in part["comparisons"] if each.get("p") is not None]
    for each, value in zip(tested, holm([each["p"] for each in tested]), strict=True):
        each["p_corrected"] = value
    return {"examples": len(pairs), "comparisons": whole, "slices": parts}
