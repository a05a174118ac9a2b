"""What hearing and speaking cost: a ``call`` event each, which budgets are charged and the ledger sums."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.core.facts.calls import CallFacts
from mainspring.core.settings.audio import AudioSettings
from mainspring.core.types import Context, Usage
from mainspring.serving.admit.rate_limits import Charge
from mainspring.serving.money.pricing import MILLION, NANO
from mainspring.serving.money.reservation import refusal
from mainspring.stores import Stores
from mainspring.stores.events.of_request import request_event
from mainspring.stores.money.spending import Exhausted

HEARING, SPEAKING = "transcription", "speech"
_SUBJECT = "audio"


class Bill:
    """What one request takes. Its price is set aside of the hard budgets before the work, and charged after it."""

    def __init__(self, bills: Bills, context: Context, model: str, operation: str) -> None:
        self._bills = bills
        self._context = context
        self._model = model
        self._operation = operation
        self._started = time.time()
        self._reservation = ""
        self._cost = 0
        self._owed = False

    async def hear(self, seconds: float) -> None:
        """A recording of this length is heard now, and owed for. Raises ``BudgetExceeded``."""
        await self._hold(round(seconds / 60 * self._bills.minute))
        self._owed = True

    async def speak(self, characters: int) -> None:
        """A text of this length is to be spoken; it is owed for once it is ``spoken``. Raises ``BudgetExceeded``."""
        await self._hold(round(characters * self._bills.characters / MILLION))

    def spoken(self) -> None:
        self._owed = True

    async def close(self) -> None:
        stores = self._bills.stores
        if self._owed:
            self._context.allowance.spend(Usage(cost_nanousd=self._cost))
            await stores.events.settle(
                [request_event(self._context, self._facts(), at=self._started).about(_SUBJECT)], (), self._reservation
            )
            stores.budgets.done(self._reservation)
        elif self._reservation:
            await stores.budgets.release(self._reservation)

    async def _hold(self, cost: int) -> None:
        self._cost, budgets = cost, self._bills.stores.budgets
        found = [each for each in await budgets.concerning(self._context.principal, "") if each.hard]
        if not (found and cost):
            return
        try:
            self._reservation, _ = await budgets.reserve(found, cost, 0)
        except Exhausted as full:
            raise refusal(full, cost, 0) from None

    def _facts(self) -> CallFacts:
        return CallFacts(
            model=self._model,
            provider="mainspring.audio",
            operation=self._operation,
            key_id=self._context.principal.key_id,
            application="",
            prompt_tokens=0,
            completion_tokens=0,
            cached_tokens=0,
            cost_nanousd=self._cost,
            duration_s=round(time.time() - self._started, 6),
            ttft_s=None,
            finish=[],
            depth=self._context.depth,
        )


class Bills:
    """Opens the bills of requests. ``minute`` and ``characters`` (a million) are prices in nano-US-dollars."""

    def __init__(self, charge: Charge, stores: Stores, audio: AudioSettings) -> None:
        self.stores = stores
        self.minute = round(audio.usd_per_minute * NANO)
        self.characters = round(audio.usd_per_million_characters * NANO)
        self._charge = charge

    @asynccontextmanager
    async def open(self, context: Context, model: str, operation: str) -> AsyncIterator[Bill]:
        """Counts one request to the limits of its key; what the block's bill owes is charged at its end. Raises what
        ``Charge`` raises."""
        bill = Bill(self, context, model, operation)
        async with self._charge(context, 0):
            try:
                yield bill
            finally:
                await bill.close()
