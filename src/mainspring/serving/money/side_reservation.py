"""Applies hard budgets to spending outside of the request ring: reading by models for searches and moderation, and
copies of requests for a candidate of the tenant's."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from mainspring.core.types import Context, Request, Usage
from mainspring.core.variants import application_of
from mainspring.serving.money.reservation import BudgetReservations, refusal
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


class CopyReservation:
    """Reserves the most that a copy of a request may cost in the hard budgets of its tenant and application; no key
    pays for it. ``Shadows`` has the reservation returned in the commit with the copy's calls."""

    def __init__(self, purse: BudgetReservations) -> None:
        self._purse = purse

    async def hold(self, request: Request, context: Context) -> None:
        """Limit the copy to what is reserved. Raises ``BudgetExceeded``."""
        payer, purse = dataclasses.replace(context.principal, key_id="", lineage=()), self._purse
        concerned = await purse.budgets.concerning(payer, application_of(request.model))
        found = [each for each in concerned if each.hard]
        if not found:
            return
        nanousd, tokens = await purse.most(request, context)
        try:
            reservation, _ = await purse.budgets.reserve(found, nanousd, tokens)
        except Exhausted as full:
            raise refusal(full, nanousd, tokens) from None
        allowance = context.allowance
        allowance.reservation, allowance.capped = reservation, True
        if any(each.limit_nanousd is not None for each in found):
            allowance.money = nanousd
        if any(each.limit_tokens is not None for each in found):
            allowance.tokens = tokens

    def done(self, context: Context) -> None:
        """What was reserved is settled, or its lease ends."""
        if context.allowance.reservation:
            self._purse.budgets.done(context.allowance.reservation)
