"""Masked tokens (Devlin et al. 2018): 15 % of the tokens are targets; of these 80 % are masked, 10 % are replaced by a
random token and 10 % stay, so that the model cannot trust what it sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mainspring.training.own.objectives.packing import Ints


def mask(
    ids: Sequence[int],
    generator: np.random.Generator,
    *,
    mask_token: int,
    first: int,
    vocabulary: int,
    ignore: int,
    share: float = 0.15,
) -> tuple[Ints, Ints]:
    """Inputs and targets, (length) each. ``first`` is the first token that is no special one: special tokens are no
    targets, and none is put in. At least one token is a target where one can be."""
    inputs = np.array(ids, dtype=np.int64)
    able = np.flatnonzero(inputs >= first)
    chosen = able[generator.random(len(able)) < share]
    if len(able) and not len(chosen):
        chosen = generator.choice(able, 1)
    targets = np.full(len(inputs), ignore, dtype=np.int64)
    targets[chosen] = inputs[chosen]
    fate = generator.random(len(chosen))
    inputs[chosen[fate < 0.8]] = mask_token
    replaced = chosen[(fate >= 0.8) & (fate < 0.9)]
    inputs[replaced] = generator.integers(first, vocabulary, len(replaced))
    return inputs, targets
