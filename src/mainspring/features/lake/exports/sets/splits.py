"""The division of interactions into train, validation and test: near-duplicate questions, and those of one session, are
on one side."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.examples import Split
from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.exports.sets.grouping import grouped
from mainspring.features.lake.exports.sets.keys import RowKeys

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
            problem = f"{text!r} is not a split: it is train/validation/test"
            raise InvalidRequest(problem, remedy="For example .8/.1/.1", param="split")
        return cls(*numbers)


@dataclass(frozen=True, slots=True)
class Placed:
    """The group (from 0) and the side (its number in ``NAMES``) of each interaction. ``keys`` finds them by answer."""

    keys: RowKeys
    groups: NDArray[np.int32]
    sides: NDArray[np.int8]


def places(
    found: Sequence[Interaction], keys: RowKeys, weights: NDArray[np.int32], shares: Shares, seed: int, folder: Path
) -> Placed:
    """The place of each interaction. ``weights`` says how many rows are about it. A group decides as a whole, with the
    seed: where groups are many and small, the shares of rows are close to what is asked. ``folder`` has files
    meanwhile. Raises ``OSError``."""
    groups = grouped(found, keys, folder)
    count = int(groups.max()) + 1 if len(groups) else 0
    sizes = np.bincount(groups, weights, count).astype(np.int64)
    # The least of its ids names a group, so that the order of interactions does not matter.
    least = np.full(count, len(groups), np.int32)
    np.minimum.at(least, groups[keys.places], np.arange(len(groups), dtype=np.int32))
    names = (bytes(keys.ids[each]).decode("utf-8", "surrogatepass") for each in least)
    return Placed(keys, groups, _sides(names, sizes, shares, seed)[groups])


def _sides(names: Iterable[str], sizes: NDArray[np.int64], shares: Shares, seed: int) -> NDArray[np.int8]:
    """Groups in an order that the seed draws, greater ones first, each to the side that lacks most of its share."""
    digests = b"".join(hashlib.sha256(f"{seed}:{name}".encode()).digest() for name in names)
    drawn = np.frombuffer(digests, ">u8").reshape(-1, 4)
    total = int(sizes.sum())
    filled = [0] * len(NAMES)
    wanted = [side for side, share in enumerate(shares.of) if share > 0]
    sides = np.zeros(len(sizes), np.int8)
    for group in np.lexsort((*reversed(drawn.T), -sizes)):
        side = max(wanted, key=lambda each: shares.of[each] * total - filled[each])
        sides[group] = side
        filled[side] += int(sizes[group])
    return sides
