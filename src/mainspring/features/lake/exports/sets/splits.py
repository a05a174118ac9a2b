"""The division of interactions into train, validation and test: near-duplicate questions, and those of one session, are
on one side."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.examples import Split
from mainspring.evaluation.interactions import Interaction
from mainspring.evaluation.near_duplicates import groups
from mainspring.features.lake.exports.sets.rows import asked

NAMES: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of train, validation and test; their sum is 1."""

    train: float = 0.8
    validation: float = 0.1
    test: float = 0.1

    def __post_init__(self) -> None:
        shares = self.of
        if not all(math.isfinite(each) and each >= 0 for each in shares) or abs(sum(shares) - 1) > 1e-6:
            raise InvalidRequest(
                "the shares of a split are three numbers that add up to 1", remedy="For example .8/.1/.1", param="split"
            )

    @property
    def of(self) -> tuple[float, float, float]:
        return self.train, self.validation, self.test

    @classmethod
    def parse(cls, text: str) -> Shares:
        """``.8/.1/.1``. Raises ``InvalidRequest``."""
        parts = text.split("/")
        try:
            numbers = [float(each) for each in parts]
        except ValueError:
            numbers = []
        if len(numbers) != 3:
            problem = f"{text!r} is no split: it is train/validation/test"
            raise InvalidRequest(problem, remedy="For example .8/.1/.1", param="split")
        return cls(*numbers)


@dataclass(frozen=True, slots=True)
class Place:
    """The group (from 0) and the side of an interaction."""

    group: int
    side: Split


def places(found: Sequence[Interaction], weights: Mapping[str, int], shares: Shares, seed: int) -> dict[str, Place]:
    """The place of each interaction, by its answer's id. ``weights`` says how many rows are about it. A group decides
    as a whole, with the seed: where groups are many and small, the shares of rows are close to what is asked."""
    numbers = groups(map(asked, found), [[("session", row.session_id)] if row.session_id else [] for row in found])
    first: dict[int, str] = {}
    sizes: dict[int, int] = {}
    for group, row in zip(numbers, found, strict=True):
        # The least of its ids names a group, so that the order of interactions does not matter.
        first[group] = min(first.get(group, row.answer_id), row.answer_id)
        sizes[group] = sizes.get(group, 0) + weights.get(row.answer_id, 0)
    sides = _sides(first, sizes, shares, seed)
    return {row.answer_id: Place(group, sides[group]) for group, row in zip(numbers, found, strict=True)}


def _sides(first: dict[int, str], sizes: dict[int, int], shares: Shares, seed: int) -> dict[int, Split]:
    """Groups in an order that the seed draws, each to the side that lacks most of its share."""
    order = sorted(first, key=lambda group: hashlib.sha256(f"{seed}:{first[group]}".encode()).digest())
    total = sum(sizes.values())
    filled = dict.fromkeys(NAMES, 0)
    sides: dict[int, Split] = {}
    for group in sorted(order, key=lambda each: -sizes[each]):
        wanted = [name for name, share in zip(NAMES, shares.of, strict=True) if share > 0]
        part = dict(zip(NAMES, shares.of, strict=True))
        side = max(wanted, key=lambda name: part[name] * total - filled[name])
        sides[group] = side
        filled[side] += sizes[group]
    return sides
