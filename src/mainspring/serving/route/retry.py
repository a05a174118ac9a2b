"""Second attempts at calls that failed before their commit point."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from mainspring.core.errors import EngineDied, MainspringError, Overloaded, UpstreamError
from mainspring.core.path import Layer
from mainspring.core.types import Context, Request, Responder, Response
from mainspring.serving.route.retry_budget import Budget
from mainspring.telemetry.metrics import Metrics

Sleep = Callable[[float], Awaitable[None]]
FIRST_WAIT_S = 0.03
# A queue that clears within half a second is worth one more try; a longer wait would be a second queue.
OVERLOAD_PATIENCE_S = 0.5
DEATH_PATIENCE_S = 10.0


class Retry(Layer):
    """Retries with jittered backoff within the deadline, while nothing of an answer has been committed and the
    ``budget`` (None: unlimited) lasts. Each call is paid into it here where it ``deposits``. A call for which another
    model can answer (``context.elsewhere``) is not retried.
    """

    def __init__(
        self,
        inner: Responder,
        model: str,
        metrics: Metrics,
        *,
        retries: int,
        sleep: Sleep = asyncio.sleep,
        budget: Budget | None = None,
        deposits: bool = False,
    ) -> None:
        super().__init__(inner)
        self._deposits = deposits
        self._budget = budget
        self._model = model
        self._metrics = metrics
        self._retries = retries
        self._sleep = sleep

    async def respond(self, request: Request, context: Context) -> Response:
        if self._budget is not None and self._deposits:
            self._budget.deposit()
        for attempt in range(0 if context.elsewhere else self._retries):
            try:
                return await self.inner.respond(request, context)
            except (EngineDied, Overloaded, UpstreamError) as error:
                wait = _wait(error, attempt)
                remaining = context.remaining()
                if wait is None or (remaining is not None and wait >= remaining):
                    raise
                if self._budget is not None and not self._budget.spend():
                    raise
            self._metrics.retry(self._model)
            await self._sleep(wait)
        return await self.inner.respond(request, context)


def _wait(error: MainspringError, attempt: int) -> float | None:
    """Seconds until the next attempt; None when waiting is not worth it."""
    backoff = FIRST_WAIT_S * 2**attempt * random.uniform(0.5, 1.5)
    if isinstance(error, UpstreamError) and error.retry_after is None:
        return None  # the remote engine says by ``retry_after`` that a failure is a passing one
    asked = error.retry_after or 0.0
    patience = OVERLOAD_PATIENCE_S if isinstance(error, Overloaded) else DEATH_PATIENCE_S
    return None if asked > patience else max(backoff, asked)
