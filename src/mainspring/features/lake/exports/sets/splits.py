"""The division of rows into train, validation and test: near-duplicates, and rows of one session or one answer, are on
one side."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.examples import Split
from mainspring.evaluation.near_duplicates import groups
from mainspring.features.lake.exports.sets.rows import Row

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


def split(rows: Sequence[Row], shares: Shares, seed: int) -> list[tuple[int, Split]]:
    """The group (from 0) and the side of each row. A row's group decides, with the seed: where groups are many and
    small, the shares are close to what is asked."""
    shared = [
        (
            *(("session", each) for each in row.sessions),
            *(("answer", each) for each in row.answers[:2]),
        )
        for row in rows
    ]
    found = groups((row.text for row in rows), shared)
    first: dict[int, str] = {}
    for group, row in zip(found, rows, strict=True):
        # The least of its ids names a group, so that the order of rows does not matter.
        first[group] = min(first.get(group, row.id), row.id)
    sizes: dict[int, int] = {}
    for group in found:
        sizes[group] = sizes.get(group, 0) + 1
    sides = _sides(first, sizes, shares, seed)
    return [(group, sides[group]) for group in found]


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
