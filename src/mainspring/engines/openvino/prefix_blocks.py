"""Estimates how much of a prompt is in a pipeline's prefix cache: the runtime does not say, so this module counts its
blocks.

A block of the KV cache is found by the tokens in it and all before it. When the cache is full, OpenVINO GenAI 2026.4
evicts any of the blocks that were never reused, and only then reused ones, the least recently reused first (a block
stores the time of its last reuse, and all others look equally old). The runtime's hashes decide which block is evicted.
Here it is drawn at random: once the cache has been full, the count is right on average only.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Iterator, Sequence


class PrefixBlocks:
    """The blocks of ``size`` tokens that a cache of ``capacity`` blocks holds."""

    def __init__(self, capacity: int, size: int) -> None:
        self._capacity = capacity
        self._size = size
        self._found: OrderedDict[int, None] = OrderedDict()
        self._new: list[int] = []
        self._places: dict[int, int] = {}
        self._draw = random.Random(0)

    def cached(self, prompt: Sequence[int]) -> int:
        """Tokens at the start of ``prompt`` that need not be computed: whole blocks without the prompt's last token,
        which is always computed."""
        count = 0
        for key in self._keys(prompt[:-1]):
            if key in self._places:
                self._leave(key)
            elif key not in self._found:
                break
            self._found[key] = None
            self._found.move_to_end(key)
            count += self._size
        return count

    def keep(self, tokens: Sequence[int]) -> None:
        """The whole blocks of ``tokens`` are in the cache from now on."""
        for key in self._keys(tokens):
            if key in self._places or key in self._found:
                continue
            if len(self._found) + len(self._new) >= self._capacity:
                if not self._new:
                    self._replace_oldest(key)
                    continue
                self._leave(self._draw.choice(self._new))
            self._places[key] = len(self._new)
            self._new.append(key)

    def _replace_oldest(self, key: int) -> None:
        """``key`` replaces the block that was used longest ago and takes over its age."""
        if self._found:
            self._found.popitem(last=False)
            self._found[key] = None
            self._found.move_to_end(key, last=False)

    def _leave(self, key: int) -> None:
        """Remove ``key`` from the blocks that were never found again: the last of them takes its place."""
        place, last = self._places.pop(key), self._new.pop()
        if last != key:
            self._new[place] = last
            self._places[last] = place

    def _keys(self, tokens: Sequence[int]) -> Iterator[int]:
        key = 0
        for start in range(0, len(tokens) - self._size + 1, self._size):
            key = hash((key, *tokens[start : start + self._size]))
            yield key
