"""What an application uses in place of what the settings say."""

from __future__ import annotations

from mainspring.training.ports import Candidate, Placement


def uses(placed: Placement) -> tuple[Candidate, ...]:
    """All that took the place of what the settings say: one of each kind."""
    return placed.currents or (() if placed.current is None else (placed.current,))


def in_use(placed: Placement, candidate_id: str) -> bool:
    """Whether a candidate was promoted, and not taken back since."""
    return any(each.id == candidate_id for each in uses(placed))
