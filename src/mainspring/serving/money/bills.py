"""What work outside of the rings costs: a ``call`` event each, which budgets are charged and the ledger sums."""

from __future__ import annotations

import time

from mainspring.core.facts.calls import CallFacts
from mainspring.core.types import Context, Usage
from mainspring.serving.money.reservation import refusal
from mainspring.stores import Stores
from mainspring.stores.events.of_request import request_event
from mainspring.stores.money.spending import Exhausted


class WorkBill:
    """What one request takes. Its price is set aside of the hard budgets before the work, and charged after it.

    ``subject`` is what its event is about; ``provider`` and ``operation`` are those of its facts.
    """

    def __init__(
        self, stores: Stores, context: Context, *, subject: str, model: str, provider: str, operation: str
    ) -> None:
        self._stores = stores
        self._context = context
        self._subject = subject
        self._model = model
        self._provider = provider
        self._operation = operation
        self._started = time.time()
        self._reservation = ""
        self._cost = 0
        self._usage = Usage()
        self._owed = False

    async def hold(self, cost: int) -> None:
        """The price that is expected, in nano-US-dollars. Raises ``BudgetExceeded``."""
        self._cost, budgets = cost, self._stores.budgets
        found = [each for each in await budgets.concerning(self._context.principal, "") if each.hard]
        if not (found and cost):
            return
        try:
            self._reservation, _ = await budgets.reserve(found, cost, 0)
        except Exhausted as full:
            raise refusal(full, cost, 0) from None

    def owe(self, cost: int | None = None, usage: Usage | None = None) -> None:
        """Record the debt, at the reserved price or at ``cost``."""
        self._cost = self._cost if cost is None else cost
        self._usage = usage or self._usage
        self._owed = True

    async def close(self) -> None:
        """Charge what is owed, and return what is still set aside."""
        if self._owed:
            self._context.allowance.spend(Usage(cost_nanousd=self._cost))
            event = request_event(self._context, self._facts(), at=self._started).about(self._subject)
            await self._stores.events.settle([event], (), self._reservation)
            self._stores.budgets.done(self._reservation)
        elif self._reservation:
            await self._stores.budgets.release(self._reservation)

    def _facts(self) -> CallFacts:
        return CallFacts(
            model=self._model,
            provider=self._provider,
            operation=self._operation,
            key_id=self._context.principal.key_id,
            application="",
            prompt_tokens=self._usage.prompt_tokens,
            completion_tokens=self._usage.completion_tokens,
            cached_tokens=0,
            cost_nanousd=self._cost,
            duration_s=round(time.time() - self._started, 6),
            ttft_s=None,
            finish=[],
            depth=self._context.depth,
        )
