"""Applies hard budgets to spending outside of the request ring: reading by models for searches and moderation."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from mainspring.core.types import Context, Usage
from mainspring.serving.money.reservation import refusal
from mainspring.serving.money.tariffs import Tariffs
from mainspring.stores.money.budgets import Budgets
from mainspring.stores.money.spending import Exhausted
from mainspring.telemetry.metrics import Metrics


class SideReservation:
    """Reserves the maximum cost of the most expensive of ``models``; the reservation is returned when the work has
    ended, and its calls are charged at settlement."""

    def __init__(self, budgets: Budgets, tariffs: Tariffs, metrics: Metrics, models: Sequence[str]) -> None:
        self._budgets = budgets
        self._tariffs = tariffs
        self._metrics = metrics
        self._models = models

    @asynccontextmanager
    async def __call__(self, context: Context, tokens: int) -> AsyncIterator[None]:
        """Raises ``BudgetExceeded``. Where there is no hard budget it costs nothing."""
        found = [each for each in await self._budgets.concerning(context.principal, "") if each.hard]
        if not found:
            yield
            return
        # For work without an estimate, it is enough to know that anything is left.
        tokens = max(tokens, 1)
        now, rate = time.time(), context.allowance.rate
        tariffs = filter(None, map(self._tariffs.find, self._models))
        nanousd = max((tariff.price(now, rate).cost(Usage(tokens)) for tariff in tariffs), default=0)
        try:
            reservation, _ = await self._budgets.reserve(found, nanousd, tokens)
        except Exhausted as full:
            self._metrics.budget("refused")
            raise refusal(full, nanousd, tokens) from None
        try:
            yield
        finally:
            await self._budgets.release(reservation)
