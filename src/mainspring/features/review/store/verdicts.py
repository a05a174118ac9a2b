"""Labels of one item against each other: whether they disagree, and what they say together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows


@dataclass(frozen=True, slots=True)
class GivenLabel:
    """A label that was given."""

    id: str
    item_id: str
    by: str
    scores: Mapping[str, float]
    approved: bool
    errors: Sequence[str]
    edited: bool
    adjudicated: bool
    seconds: float | None
    event_id: str
    version: int
    at: float

    @classmethod
    def of(cls, row: sa.Row[Any]) -> GivenLabel:
        return cls(
            id=row.id,
            item_id=row.item_id,
            by=row.by,
            scores=rows.load(row.scores),
            approved=bool(row.approved),
            errors=rows.load(row.errors),
            edited=row.edited,
            adjudicated=row.adjudicated,
            seconds=row.seconds,
            event_id=row.event_id,
            version=row.version,
            at=row.given_at,
        )


def disagree(found: Sequence[GivenLabel], bound: float) -> bool:
    """Whether labels differ in approval, or by more than ``bound`` in a criterion."""
    if len({each.approved for each in found}) > 1:
        return True
    names = {name for each in found for name in each.scores}
    for name in names:
        scores = [each.scores[name] for each in found if name in each.scores]
        if max(scores) - min(scores) > bound + 1e-9:
            return True
    return False


def result(found: Sequence[GivenLabel]) -> dict[str, Any]:
    """The verdict: the adjudicator's label, or else the means of all. ``label_id`` names the one whose correction
    counts: of several the latest."""
    deciding = [each for each in found if each.adjudicated] or list(found)
    scores: dict[str, list[float]] = {}
    for each in deciding:
        for name, score in each.scores.items():
            scores.setdefault(name, []).append(score)
    errors = Counter(name for each in deciding for name in each.errors)
    edited = [each for each in deciding if each.edited]
    return {
        "scores": {name: round(sum(given) / len(given), 6) for name, given in scores.items()},
        "approved": all(each.approved for each in deciding),
        "errors": sorted(errors),
        "edited": bool(edited),
        "label_id": edited[-1].id if edited else "",
        "adjudicated": any(each.adjudicated for each in found),
    }
