"""What readers say of answers: how readable each is, and whether it states something false.

A reading is a JSON object a line: ``{"id": "q1", "readable": 2, "false": false, "note": "..."}``. The rubric:

2  reads as an answer: what was asked comes first, whole, and nothing beside the point follows
1  holds the answer, but cut off, in markup, or among sentences that do not belong to it
0  no answer to the question, or none that somebody who does not have the document would understand

``false`` is for a statement that the documents contradict, or that answers the question wrongly as if it were right.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mainspring.core.errors import InvalidRequest

HIGHEST = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader says of one answer; ``readable`` is 0, 1 or 2."""

    readable: int
    false: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two readers over the answers that both read: the share with the same grade, and Cohen's kappa with quadratic
    weights (1: as one; 0: as chance would have it; None where all grades are one)."""

    n: int
    same: float
    kappa: float | None


def read(path: Path) -> dict[str, Reading]:
    """The readings of a file by the id of the question. Raises ``InvalidRequest`` naming the line at fault."""
    found: dict[str, Reading] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            grade, false = row["readable"], row.get("false", False)
            if grade not in range(HIGHEST + 1) or isinstance(grade, bool) or not isinstance(false, bool):
                raise ValueError("readable is 0, 1 or 2, and false is true or false")
            found[str(row["id"])] = Reading(grade, false, str(row.get("note", "")))
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidRequest(
                f"{path.name} line {number} is no reading: {error!r}",
                remedy='Write {"id": "q1", "readable": 2, "false": false} a line (docs/guides/evaluation.md)',
                param="readings",
            ) from None
    return found


def mean(readings: Mapping[str, Reading]) -> float:
    """The mean grade. Raises ``InvalidRequest`` without readings."""
    if not readings:
        raise InvalidRequest("there are no readings", param="readings")
    return statistics.fmean(each.readable for each in readings.values())


def agreement(one: Mapping[str, Reading], other: Mapping[str, Reading]) -> Agreement:
    """Of two readers. Raises ``InvalidRequest`` where they read no answer in common."""
    both = [(one[name].readable, other[name].readable) for name in one if name in other]
    if not both:
        raise InvalidRequest("the two readers read no answer in common", param="readings")
    same = sum(a == b for a, b in both) / len(both)
    seen = statistics.fmean((a - b) ** 2 for a, b in both)
    by_chance = _disagreement([a for a, _ in both], [b for _, b in both])
    return Agreement(len(both), same, 1 - seen / by_chance if by_chance else None)


def _disagreement(left: Sequence[int], right: Sequence[int]) -> float:
    return statistics.fmean((a - b) ** 2 for a in left for b in right)
