"""The limits of the steps of an article: tokens, money and seconds, which hold over resumed runs.

What a step has used is in its recorded outcomes, so it is counted again when they are read. Time counts anew in the
process that resumes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mainspring.core.types import Context, Usage
from mainspring.features.content.settings import StepLimits
from mainspring.features.content.text.article import StepCost


@dataclass(slots=True)
class Spent:
    """What one call used."""

    usage: Usage = Usage()


class StepBudget:
    """What is left of the limits of a step. ``deadline`` is a ``time.monotonic()`` value, the article's at most."""

    def __init__(self, step: str, limits: StepLimits, deadline: float | None = None) -> None:
        self._step = step
        self._limits = limits
        self._begun = time.monotonic()
        own = self._begun + limits.seconds
        self.deadline = own if deadline is None else min(own, deadline)
        self.used = Usage()
        self.limit = ""
        self._calls = 0

    def reached(self) -> str:
        """The limit that is reached (``tokens``, ``money``, ``time``); empty: none."""
        if self.used.total_tokens >= self._limits.tokens:
            return "tokens"
        if self.used.cost_nanousd >= self._limits.usd * 1e9 and self.used.cost_nanousd:
            return "money"
        return "time" if time.monotonic() >= self.deadline else ""

    @property
    def tokens_left(self) -> int:
        return max(0, self._limits.tokens - self.used.total_tokens)

    def add(self, tokens: int, cost_nanousd: int, limit: str = "") -> None:
        """Count a recorded outcome."""
        self.used = self.used + Usage(tokens, 0, 0, cost_nanousd)
        self.limit = self.limit or limit
        self._calls += 1

    @asynccontextmanager
    async def call(self, context: Context) -> AsyncIterator[tuple[Context, Spent]]:
        """A context for one call within the limits; what it uses is in ``Spent`` afterwards, and charged to
        ``context``. Raises ``TimeoutError`` at the deadline."""
        inner, spent = context.forked(), Spent()
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + self.deadline - time.monotonic()):
                yield inner, spent
        finally:
            spent.usage = inner.allowance.spent
            context.allowance.spend(inner.allowance.spent)
            context.settlement.records.extend(inner.settlement.records)

    def cost(self) -> StepCost:
        """The step's part in the article's bill."""
        seconds = round(time.monotonic() - self._begun, 3)
        used = self.used
        return StepCost(self._step, used.total_tokens, used.cost_nanousd, seconds, self._calls, self.limit)
