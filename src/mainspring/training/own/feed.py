"""Data as the loop takes them: the rows of a step's batch are a function of the seed and the step.

So the step's number is the place in the data: a run that goes on after a kill needs nothing else, and any number of
processes see the same batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
from torch import Tensor

from mainspring.core.errors import NothingLearned

T = TypeVar("T")
Batch = dict[str, Tensor]
"""Arguments of the model's ``forward`` by name, all (rows, ...); ``targets`` are -1 where no loss is taken."""


class Feed(Protocol):
    """Batches by the number of the step, which begins with 0."""

    def batch(self, step: int, first: int, last: int) -> Batch:
        """Rows ``first`` to before ``last`` of the batch of a step. The same again for the same numbers."""
        ...


class Shuffled:
    """Each example once an epoch, in an order of its own in each epoch.

    ``collate`` makes a batch of examples; it gets a generator of random numbers that depends on the seed and the
    example's place alone, one for each example. ``size`` is how many rows a step has in all. Raises ``NothingLearned``
    without examples.
    """

    def __init__(
        self,
        examples: Sequence[T],
        collate: Callable[[list[T], list[np.random.Generator]], Batch],
        *,
        size: int,
        seed: int,
    ) -> None:
        if not examples:
            raise NothingLearned("there is nothing to train on", remedy="Give rows with text")
        self._examples, self._collate = examples, collate
        self._size, self._seed = size, seed
        self._order: tuple[int, np.ndarray[tuple[int], np.dtype[np.int64]]] | None = None

    def batch(self, step: int, first: int, last: int) -> Batch:
        numbers = range(step * self._size + first, step * self._size + last)
        chosen = [self._examples[self._place(number)] for number in numbers]
        return self._collate(chosen, [np.random.default_rng((self._seed, number)) for number in numbers])

    def _place(self, number: int) -> int:
        epoch, place = divmod(number, len(self._examples))
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, np.random.default_rng((self._seed, epoch, 1)).permutation(len(self._examples)))
        return int(self._order[1][place])
