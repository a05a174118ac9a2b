"""Which rows a step reads: every row once an epoch, in an order that follows from seed and epoch alone, rows of like
lengths together. numpy alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_POOL = 50
"""Batches among which rows are sorted by length: more gives less padding, and less chance."""


def batches(lengths: Sequence[int], size: int, seed: int, epoch: int) -> list[list[int]]:
    """Places of the rows of each batch. The last batch may be smaller."""
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    found: list[list[int]] = []
    for start in range(0, len(order), size * _POOL):
        pool = sorted(order[start : start + size * _POOL].tolist(), key=lambda place: lengths[place])
        found += [pool[at : at + size] for at in range(0, len(pool), size)]
    return [found[place] for place in random.permutation(len(found)).tolist()]


def steps_of(rows: int, size: int, accumulate: int, epochs: int, most: int = 0) -> int:
    """Steps of all epochs, at most ``most`` (0: all). A step of the end of an epoch may have fewer batches."""
    pools, rest = divmod(rows, size * _POOL)
    per_epoch = pools * _POOL + -(-rest // size)
    found = epochs * -(-per_epoch // accumulate)
    return min(found, most) if most else found


def rate(step: int, steps: int, warmup: float) -> float:
    """The learning rate of the step (from 0) as a share of the greatest one: up to it, then down to 0, in straight
    lines."""
    rising = max(1, int(steps * warmup))
    if step < rising:
        return (step + 1) / rising
    return max(0.0, (steps - step) / max(1, steps - rising))
