"""Means with intervals, as reports tell them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainspring.core.errors import MissingExtra
from mainspring.statistics.significance import Estimate, clustered, clustered_share


def estimate(values: Any, clusters: Sequence[str], *, scores: bool = False) -> dict[str, Any]:
    """A mean with its interval by groups; ``low`` and ``high`` are None where it cannot be had. ``scores`` that are 0
    or 1 throughout are a share, whose interval stays within [0, 1]."""
    if not len(values):
        return {"mean": None, "low": None, "high": None, "n": 0}
    try:
        share = scores and all(value in (0, 1) for value in values)
        made = (clustered_share if share else clustered)(values, clusters)
    except MissingExtra:
        made = Estimate(float(values.mean()), float("nan"), float("nan"), len(values))
    known = made.low == made.low and (made.low < made.high or len(values) > 1)
    return {
        "mean": made.value,
        "low": made.low if known else None,
        "high": made.high if known else None,
        "n": made.n,
        "groups": len({each or place for place, each in enumerate(clusters)}),
    }
