"""Budgets before an answer: the maximum cost is reserved in each budget, or the request is refused. An answer may use
the reserved amount and no more, which may be less than its cap.

The actual cost is charged at settlement, see ``mainspring.stores.money.spending``.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import mainspring.serving.admit.token_estimate as estimate
from mainspring.core.errors import BudgetExceeded, InvalidRequest, MainspringError
from mainspring.core.path import Layer
from mainspring.core.settings.serving.money import PricesSettings
from mainspring.core.types import Allowance, ChatRequest, Context, Request, Responder, Response, Usage
from mainspring.core.variants import application_of
from mainspring.engines.chat.output_lengths import OutputLengths
from mainspring.serving.money.pricing import MILLION, NANO
from mainspring.serving.money.tariffs import Tariffs
from mainspring.stores.money import spending
from mainspring.stores.money.budgets import Budgets
from mainspring.stores.money.spending import Budget, Exhausted
from mainspring.telemetry.metrics import Metrics

Count = Callable[[Request], Awaitable[int]]
"""The tokens that a request sends. Raises the model's errors."""


class ModelCounts(Protocol):
    """The counter of each model."""

    def get(self, model: str, /) -> Count | None: ...


HEADER = "x-mainspring-budget"
# The default allowance of an application beyond the request itself, in tokens and in calls.
APPLICATION_TOKENS = 4096
APPLICATION_CALLS = 2
# Tokens of the instruction in each of several calls, in addition to the request's own words: for steps, a rating, a
# valid answer.
ASKED_BESIDE = 128
# A cap up to this is reserved whole; a larger one never takes more than one of so many shares of what is left.
WHOLE = 4096
SHARES = 128
# Seconds after which other requests' reservations may have been returned.
SOON_S = 2.0


@dataclass(frozen=True, slots=True)
class BudgetReservations:
    """The budgets, and the maximum cost of requests.

    ``further`` is the number of extra calls for an answer that must be repaired. With ``hedged``, any call may be made
    twice, and one of them is stopped after its prompt was read. ``counts`` maps a model's name to a counter of a
    request's tokens in its vocabulary and template; without one, bytes count. ``beside`` are tokens of the request that
    are read outside of its prompt.
    """

    budgets: Budgets
    tariffs: Tariffs
    prices: PricesSettings
    metrics: Metrics
    default_output_tokens: int
    further: Callable[[Request], int] = lambda _: 0
    hedged: bool = False
    counts: ModelCounts = field(default_factory=dict[str, Count])
    beside: Callable[[Request], int] = lambda _: 0
    lengths: OutputLengths = field(default_factory=OutputLengths)

    def calls(self, request: Request) -> int | None:
        """How many calls the answer may take; None: no model answers directly, but an application that calls models, or
        a model with tools that the server runs."""
        if self.tariffs.find(request.model) is None or (isinstance(request, ChatRequest) and request.hosted):
            return None
        return estimate.calls(request) * (1 + self.further(request))

    async def most(self, request: Request, context: Context, output: int = WHOLE) -> tuple[int, int]:
        """The nano-US-dollars and tokens that ``request`` may take in answers of at most ``output`` tokens; for an
        application an estimate."""
        prompt = await self._prompt(request) + self.beside(request)
        output = estimate.output_tokens(request, max(output, self.default_output_tokens), most=output)
        now, rate = time.time(), context.allowance.rate
        tariff, calls = self.tariffs.find(request.model), self.calls(request)
        if tariff is None or calls is None:
            return self._application(request, prompt + APPLICATION_TOKENS, output, context)
        if calls > 1:
            prompt += ASKED_BESIDE
        if further := self.further(request):
            # A repair reads the schema and the earlier output.
            grammar = request.sampling.grammar if isinstance(request, ChatRequest) else None
            prompt += further * (output + ASKED_BESIDE) + (len(grammar.source) // 2 if grammar else 0)
        price, read = tariff.price(now, rate), prompt if self.hedged else 0
        nanousd = calls * (price.cost(Usage(prompt, output)) + price.cost(Usage(read)))
        return nanousd, self._within(calls * (prompt + output + read), context)

    async def _prompt(self, request: Request) -> int:
        count = self.counts.get(request.model)
        if count is None:
            return estimate.most_prompt_tokens(request)
        try:
            return await count(request)
        except MainspringError:
            # If the request has a fault, the model reports it.
            return estimate.most_prompt_tokens(request)

    async def hold(self, allowance: Allowance, found: Sequence[Budget], nanousd: int, tokens: int) -> Budget | None:
        """Reserve these amounts in each budget of ``found``, and limit the work within ``allowance`` to them. Returns
        the budget that is too small; nothing is reserved then."""
        try:
            allowance.reservation, _ = await self.budgets.reserve(found, nanousd, tokens)
        except Exhausted as full:
            return full.budget
        allowance.money, allowance.tokens, allowance.capped = nanousd, tokens, True
        return None

    def _application(self, request: Request, prompt: int, output: int, context: Context) -> tuple[int, int]:
        now, rate, usage = time.time(), context.allowance.rate, Usage(prompt, output)
        calls = APPLICATION_CALLS * (1 + self.further(request))
        name = application_of(request.model)
        tokens = self.prices.application_tokens.get(name, calls * (prompt + output))
        configured = self.prices.applications.get(name)
        if configured is not None:
            return round(configured * NANO), self._within(tokens, context)
        own = self.tariffs.find(request.model)
        tariffs = [own] if own is not None else [tariff for _, tariff in self.tariffs.known()]
        dearest = max((tariff.price(now, rate).cost(usage) for tariff in tariffs), default=0)
        return calls * dearest, self._within(tokens, context)

    @staticmethod
    def _within(tokens: int, context: Context) -> int:
        allowed = context.allowance.tokens
        return tokens if allowed is None else min(tokens, allowed)


class Reserve(Layer):
    """Reserves the maximum cost of a request in every budget that counts it; without such a budget it costs nothing."""

    def __init__(self, inner: Responder, purse: BudgetReservations) -> None:
        super().__init__(inner)
        self._purse = purse
        self._budgets = purse.budgets

    async def respond(self, request: Request, context: Context) -> Response:
        found = await self._budgets.concerning(context.principal, application_of(request.model))
        if not found:
            return await self.inner.respond(request, context)
        nanousd, tokens = await self._most(found, request, context)
        try:
            reservation, taken = await self._budgets.reserve(found, nanousd, tokens)
        except Exhausted as full:
            self._purse.metrics.budget("refused")
            raise refusal(full, nanousd, tokens) from None
        # Record gives it back in the commit that settles the request, however that ends.
        context.allowance.reservation = reservation
        try:
            response = await self.inner.respond(request, context)
        except BaseException:
            self._budgets.done(reservation)
            raise

        async def done() -> None:
            self._budgets.done(reservation)
            written = context.allowance.spent.completion_tokens // estimate.sequences(request)
            if written:
                self._purse.lengths.learn((context.principal.tenant, request.model), written)

        if any(not budget.hard and spent.reaches(budget) for budget, spent in taken):
            self._purse.metrics.budget("soft")
            response.with_head(headers={**response.head.headers, HEADER: "soft-exceeded"})
        return response.on_close(done)

    async def _most(self, found: Sequence[Budget], request: Request, context: Context) -> tuple[int, int]:
        purse, allowance = self._purse, context.allowance
        nanousd, tokens = await purse.most(request, context, await self._output(found, request, context))
        hard = [budget for budget in found if budget.hard]
        bounding = next((budget for budget in hard if budget.limit_nanousd is not None), None)
        tariff = purse.tariffs.find(request.model)
        if bounding is not None and tariff is not None and not tariff.priced:
            raise InvalidRequest(
                f"{request.model} has no known price, so that budget {bounding.name or bounding.id} cannot bound it",
                remedy=f"Set prices.models.{request.model}, or give the budget limit_tokens instead of limit_usd",
                param="model",
            )
        # It may use only the reserved amount, however many calls it takes.
        if bounding is not None:
            allowance.money = nanousd if allowance.money is None else min(nanousd, allowance.money)
        if any(budget.limit_tokens is not None for budget in hard):
            allowance.capped = allowance.tokens is None or tokens < allowance.tokens
            allowance.tokens = tokens
        # The guards' own reading is charged in the same commit.
        spent = allowance.spent
        return nanousd + spent.cost_nanousd, tokens + spent.total_tokens

    async def _output(self, found: Sequence[Budget], request: Request, context: Context) -> int:
        """The length that is paid for of each answer. A cap up to ``WHOLE`` is reserved whole, and more of it only
        where a hard budget has plenty: large caps are sent unasked, and would shut out everybody else."""
        purse, cap = self._purse, estimate.answer_tokens(request, 0)
        if 0 < cap <= WHOLE:
            return cap
        hard = [budget for budget in found if budget.hard]
        if not hard:
            # It is no bound, so the likely amount is enough.
            return purse.lengths.expected((context.principal.tenant, request.model), cap or None)
        tariff = purse.tariffs.find(request.model)
        price = 0 if tariff is None else tariff.price(time.time(), context.allowance.rate).output
        left = [await self._left(budget, price) for budget in hard]
        least, most = (WHOLE, cap) if cap else (purse.default_output_tokens, WHOLE)
        return max(least, min(most, *left))

    async def _left(self, budget: Budget, price: int) -> int:
        """The output tokens of a small share of what is left, at ``price`` nano-US-dollars a million."""
        spent = await self._budgets.spending(budget)
        amounts = []
        if budget.limit_tokens is not None:
            amounts.append(budget.limit_tokens - spent.spent_tokens - spent.reserved_tokens)
        if budget.limit_nanousd is not None and price:
            amounts.append((budget.limit_nanousd - spent.spent_nanousd - spent.reserved_nanousd) * MILLION // price)
        return max(0, min(amounts, default=SHARES * WHOLE)) // SHARES


def refusal(full: Exhausted, nanousd: int, tokens: int) -> BudgetExceeded:
    """The error for the caller."""
    budget = full.budget
    named = f"budget {budget.name or budget.id} of this {budget.scope if budget.scope != 'global' else 'server'}"
    # This is the end of the period that was full: if it is past, a new period has started, and no caller needs to
    # wait.
    end = spending.ends(budget.window, full.at)
    if full.soon:
        wait: float | None = SOON_S
        remedy = "Try again when the requests that run now have ended, or lower max_tokens"
    else:
        wait = None if end is None else max(0.0, end - time.time())
        until = "" if end is None else time.strftime(", or wait until %Y-%m-%dT%H:%MZ", time.gmtime(end))
        remedy = f"Lower max_tokens, raise the limit{until}"
    money, most = budget.limit_nanousd, budget.limit_tokens
    if money is not None and full.spent.spent_nanousd + full.spent.reserved_nanousd + nanousd > money:
        left = max(0, money - full.spent.spent_nanousd)
        detail = f"the request may cost ${nanousd / NANO:.6f} and ${left / NANO:.6f} of ${money / NANO:g} are left"
    else:
        left = max(0, (most or 0) - full.spent.spent_tokens)
        detail = f"the request may take {tokens} tokens and {left} of {most} are left"
    error = BudgetExceeded(f"{named}: {detail}", remedy=remedy, param="model", retry_after=wait)
    error.headers = {HEADER: "exceeded", **({} if full.soon else {"x-should-retry": "false"})}
    return error
