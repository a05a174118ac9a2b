"""Chooses the replica for a call: pure functions over the replicas' states.

Sources: bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016), rendezvous hashing (Thaler, Ravishankar, 1998),
peak EWMA (Finagle).
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

BLOCK = 256
MAX_BLOCKS = 64
MAX_KNOWN = 20_000


@dataclass(frozen=True, slots=True)
class ReplicaSnapshot:
    """A replica as a choice sees it. ``tokens`` are in progress in ``running`` calls; ``expected_s`` is the expected
    time to the first token when nothing else runs (0: unknown); ``last`` grows with each assigned call; ``held`` is the
    number of leading blocks of the prompt that it has read before."""

    name: str
    weight: float = 1.0
    tokens: int = 0
    running: int = 0
    expected_s: float = 0.0
    last: int = 0
    held: int = 0


Choose = Callable[[Sequence[ReplicaSnapshot], int, Sequence[int]], int]
"""(replicas, tokens of the call, block keys of its prompt) -> index of the chosen one. There is at least one
replica."""


def least_tokens(replicas: Sequence[ReplicaSnapshot], tokens: int, blocks: Sequence[int]) -> int:  # noqa: ARG001
    """The replica with the fewest tokens in progress by weight; of equal ones, the one that has waited longest."""
    return min(range(len(replicas)), key=lambda i: (_load(replicas[i]), replicas[i].last))


def latency(replicas: Sequence[ReplicaSnapshot], tokens: int, blocks: Sequence[int]) -> int:  # noqa: ARG001
    """The lowest expected time to the first token times the number of calls ahead; unknown replicas are tried first."""

    def cost(index: int) -> tuple[float, float]:
        each = replicas[index]
        return each.expected_s * (each.running + 1) / each.weight, _load(each)

    return min(range(len(replicas)), key=cost)


def weighted(rng: random.Random) -> Choose:
    """At random, by weight."""

    def choose(replicas: Sequence[ReplicaSnapshot], tokens: int, blocks: Sequence[int]) -> int:  # noqa: ARG001
        return rng.choices(range(len(replicas)), [each.weight for each in replicas])[0]

    return choose


def prefix(slack: float) -> Choose:
    """The replica that has read most of the prompt's beginning before; a new beginning goes to the replica of its first
    block's hash.

    A replica is not chosen if its load would exceed ``slack`` times the mean load, by weight, including the new call:
    one popular prefix must not pile up on one replica. Prompts shorter than a block go to the least load.
    """

    def choose(replicas: Sequence[ReplicaSnapshot], tokens: int, blocks: Sequence[int]) -> int:
        if not blocks:
            return least_tokens(replicas, tokens, blocks)
        mean = (sum(each.tokens for each in replicas) + tokens) / sum(each.weight for each in replicas)
        free = [i for i, each in enumerate(replicas) if _load(each) <= slack * mean]
        most = max(replicas[i].held for i in free)
        if most:
            return min((i for i in free if replicas[i].held == most), key=lambda i: _load(replicas[i]))
        return max(free, key=lambda i: rendezvous(str(blocks[0]), replicas[i].name, replicas[i].weight))

    return choose


def rendezvous(unit: str, name: str, weight: float) -> float:
    """The score of ``name`` for ``unit``: the highest wins, in proportion to the weights, and a change of one weight
    moves only what that one gains or loses."""
    if weight <= 0:
        return -math.inf
    digest = hashlib.blake2b(f"{unit}\0{name}".encode("utf-8", "replace"), digest_size=8).digest()
    # Within (0, 1), so that the logarithm is finite and below 0.
    return weight / -math.log((int.from_bytes(digest) + 0.5) / 2**64)


def block_keys(text: str) -> list[int]:
    """A key for each leading block of ``text``, which depends on all before it."""
    keys: list[int] = []
    key = 0
    for start in range(0, min(len(text) - BLOCK + 1, BLOCK * MAX_BLOCKS), BLOCK):
        # Within one process: keys are compared with each other and with nothing that is stored.
        key = hash((key, text[start : start + BLOCK]))
        keys.append(key)
    return keys


class KnownBlocks:
    """The blocks that one replica has read, the latest of them: about what its prefix cache can hold."""

    def __init__(self, most: int = MAX_KNOWN) -> None:
        self._most = most
        self._keys: OrderedDict[int, None] = OrderedDict()

    def held(self, blocks: Sequence[int]) -> int:
        """How many leading ``blocks`` it knows."""
        keys = self._keys
        for index, key in enumerate(blocks):
            if key not in keys:
                return index
        return len(blocks)

    def add(self, blocks: Sequence[int]) -> None:
        """Note that ``blocks`` are read now."""
        keys = self._keys
        for key in blocks:
            keys[key] = None
            keys.move_to_end(key)
        while len(keys) > self._most:
            keys.popitem(last=False)

    def clear(self) -> None:
        """Forget all: its cache is gone."""
        self._keys.clear()


def _load(replica: ReplicaSnapshot) -> float:
    return replica.tokens / replica.weight
