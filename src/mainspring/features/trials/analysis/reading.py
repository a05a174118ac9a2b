"""The units of a trial, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.trials.definitions import Measured
from mainspring.features.trials.tables import trial_units
from mainspring.features.trials.units.folding import Running
from mainspring.features.trials.units.observed import success, value


@dataclass(frozen=True, slots=True)
class ArmUnits:
    """The units of an arm about which all is known, in order. ``places`` are theirs among those of all arms, ``at`` the
    Unix seconds of their first answers. ``successes`` of each measure are 1, 0 or NaN (it does not count), ``values``
    NaN if nothing is known."""

    places: Any
    at: Any
    successes: tuple[Any, ...]
    values: tuple[Any, ...]

    def of(self, place: int) -> tuple[Any, Any]:
        """The successes (bool) that count of a measure, and their places."""
        counts = ~np.isnan(self.successes[place])
        return self.successes[place][counts] > 0, self.places[counts]


@dataclass(frozen=True, slots=True)
class Units:
    """All arms. ``waiting`` units are those whose window is open, ``moved`` ones were seen in two arms. ``given`` are
    counts of units by arm since the weights are what they are."""

    arms: Mapping[str, ArmUnits]
    waiting: int
    moved: int
    given: Mapping[str, int]


def read(connection: sa.Connection, trial: Running, weighed_from: int, now: float) -> Units:
    """The units in the order of their first answers, up to the first whose window is open: so the order does not depend
    on their outcomes."""
    c = trial_units.c
    query = sa.select(c.position, c.id, c.arm, c.at, c.measured, c.moved)
    query = query.where(c.tenant == trial.tenant, c.trial == trial.name).order_by(c.position, c.id)
    found = connection.execute(query).all()
    window, measures = trial.definition.window, trial.definition.measures
    closed = next((place for place, row in enumerate(found) if row.at + window > now), len(found))
    arms: dict[str, list[tuple[int, float, list[float], list[float]]]] = {name: [] for name in trial.weights}
    for place, row in enumerate(found[:closed]):
        sums = rows.load(row.measured)
        seen = [_number(success(measure, each)) for measure, each in zip(measures, sums, strict=True)]
        values = [_number(value(measure, each)) for measure, each in zip(measures, sums, strict=True)]
        arms[row.arm].append((place, row.at, seen, values))
    given = dict.fromkeys(trial.weights, 0)
    for row in found:
        if row.position > weighed_from:
            given[row.arm] += 1
    return Units(
        {name: _arrays(each, measures) for name, each in arms.items()},
        len(found) - closed,
        sum(row.moved for row in found),
        given,
    )


def _arrays(found: list[tuple[int, float, list[float], list[float]]], measures: tuple[Measured, ...]) -> ArmUnits:
    return ArmUnits(
        np.asarray([each[0] for each in found], np.int64),
        np.asarray([each[1] for each in found], np.float64),
        tuple(np.asarray([each[2][place] for each in found], np.float64) for place in range(len(measures))),
        tuple(np.asarray([each[3][place] for each in found], np.float64) for place in range(len(measures))),
    )


def _number(found: float | bool | None) -> float:
    return float("nan") if found is None else float(found)
