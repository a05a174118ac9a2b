"""Means with intervals, as reports tell them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainspring.core.errors import MissingExtra
from mainspring.statistics.significance import Estimate, clustered


def estimate(values: Any, clusters: Sequence[str]) -> dict[str, Any]:
    """A mean with its interval by groups; ``low`` and ``high`` are None where it cannot be had."""
    if not len(values):
        return {"mean": None, "low": None, "high": None, "n": 0}
    try:
        made = clustered(values, clusters)
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
