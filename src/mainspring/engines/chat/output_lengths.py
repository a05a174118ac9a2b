"""The length that an answer will probably have at most, learnt from earlier answers.

Clients ask for large caps unasked (32,000 tokens for an answer of 300). What is reserved for a request while it runs,
of rate limits, of slots and of an engine's cache, is this length instead of the cap; its actual length replaces it
afterwards.
"""

from __future__ import annotations

from collections import OrderedDict

START = 4096
"""Tokens that are expected of somebody's first answer, within its cap: of usual caps all."""
LEAST = 512
"""The least that is expected, within the cap."""
MARGIN = 1.5
"""The factor over the long answers of late."""
FORGETS = 0.05
"""How much of the difference a shorter answer takes away."""
_KNOWN = 4096


class OutputLengths:
    """Expected lengths by a key, as of tenant and model: one tenant's long answers say nothing about another's."""

    def __init__(self) -> None:
        # Asked several times a request, which a cache of cachetools would make visible.
        self._long: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def expected(self, key: tuple[str, ...], cap: int | None, least: int = LEAST) -> int:
        """Tokens of one answer, at most ``cap`` (None: it has none), at least ``least`` within it."""
        long = self._long.get(key, START / MARGIN)
        likely = max(least, round(MARGIN * long))
        return likely if cap is None else min(cap, likely)

    def learn(self, key: tuple[str, ...], tokens: int) -> None:
        """An answer of ``tokens`` has ended."""
        long = self._long.get(key, START / MARGIN)
        self._long[key] = tokens if tokens > long else long + FORGETS * (tokens - long)
        self._long.move_to_end(key)
        if len(self._long) > _KNOWN:
            self._long.popitem(last=False)
