"""Limits calls to the remaining allowance of a request: total tokens, and money if a hard budget applies."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable

import mainspring.serving.admit.token_estimate as estimate
from mainspring.core.errors import (
    BudgetExceeded,
    EngineError,
    InvalidRequest,
    MainspringError,
    RateLimited,
)
from mainspring.core.path import Layer
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    Request,
    Responder,
    Response,
    Usage,
)
from mainspring.engines.chat.output_bound import lowered
from mainspring.serving.money.pricing import MILLION, Price, Tariff

_log = logging.getLogger(__name__)
Count = Callable[[ChatRequest], Awaitable[int]]
"""The tokens that a chat request sends."""


class Bound(Layer):
    """Lowers ``max_tokens`` to the amount that the request's allowance pays for, and refuses a request that it cannot
    pay at all.

    The maximum usage of a call is reserved while it runs, so that concurrent calls see the rest. ``count`` is the
    engine's own count of a prompt; None, and for requests other than chats: an estimate.
    """

    def __init__(
        self, inner: Responder, tariff: Price | Tariff, count: Count | None, *, default_output_tokens: int
    ) -> None:
        super().__init__(inner)
        self._tariff = tariff if isinstance(tariff, Tariff) else Tariff.fixed(tariff)
        self._count = count
        self._default_output = default_output_tokens

    async def respond(self, request: Request, context: Context) -> Response:
        """Raises ``InvalidRequest``, ``RateLimited`` or ``BudgetExceeded`` besides what ``inner`` raises."""
        allowance = context.allowance
        if allowance.tokens is None and allowance.money is None:
            return await self.inner.respond(request, context)
        prompt = await self._prompt(request)
        bounded, most = self._bounded(request, prompt, context)
        price = self._tariff.price(time.time(), allowance.rate)
        # A later limit has nothing to return.
        tokens = 0 if allowance.tokens is None else prompt + most
        money = 0 if allowance.money is None else price.cost(Usage(prompt, most))
        allowance.hold(tokens, money)

        async def release() -> None:
            allowance.hold(-tokens, -money)

        try:
            response = await self.inner.respond(bounded, context)
        except BaseException:
            await release()
            raise
        if isinstance(request, ChatRequest | CompletionRequest):
            assert isinstance(bounded, ChatRequest | CompletionRequest)
            told = lowered(request.sampling, bounded.sampling)
            response.with_head(headers={**told, **response.head.headers})
        return response.on_close(release)

    async def _prompt(self, request: Request) -> int:
        if isinstance(request, ChatRequest) and self._count is not None:
            try:
                return await self._count(request)
            except EngineError as error:
                # It is being started again: the request itself waits for that.
                _log.debug("a prompt is estimated: %s", error)
        return estimate.prompt_tokens(request)

    def _bounded(self, request: Request, prompt: int, context: Context) -> tuple[Request, int]:
        """The request within the remaining allowance, and its maximum of output tokens."""
        left = min(_tokens_left(prompt, context), self._tokens_paid(request, prompt, context))
        if not isinstance(request, ChatRequest | CompletionRequest):
            return request, 0
        sampling = request.sampling
        width = max(sampling.n, sampling.beams, 1)
        most = int(left / width)
        if most < 1:
            raise _too_long(prompt, context)
        # A direct request has the whole allowance; the calls of an application share it.
        unsaid = most if context.depth == 0 else min(most, self._default_output)
        asked = unsaid if sampling.max_tokens is None else sampling.max_tokens
        if sampling.max_tokens is not None and most >= asked:
            return request, width * asked
        most = min(most, asked)
        return dataclasses.replace(request, sampling=dataclasses.replace(sampling, max_tokens=most)), width * most

    def _tokens_paid(self, request: Request, prompt: int, context: Context) -> float:
        money = context.allowance.money
        if money is None:
            return MILLION
        price = self._tariff.price(time.time(), context.allowance.rate).for_prompt(prompt)
        money -= price.cost(Usage(prompt))
        paid = MILLION if not price.output and money >= 0 else money * MILLION // max(price.output, 1)
        if paid < 1:
            raise _spent(context, request, "applications")
        return paid


def _tokens_left(prompt: int, context: Context) -> float:
    left = context.allowance.tokens
    if left is None:
        return MILLION
    if left <= 0 and not context.allowance.capped:
        raise RateLimited("the request has spent all the tokens that it was allowed", param="tokens")
    if prompt > left:
        raise _too_long(prompt, context)
    return left - prompt


def _too_long(prompt: int, context: Context) -> MainspringError:
    if context.allowance.capped:
        return _spent(context, None, "application_tokens")
    return InvalidRequest(
        f"a prompt of {prompt} tokens leaves nothing of the {context.allowance.tokens} that the request may still take",
        remedy="Raise x-max-total-tokens or shorten the input",
        param="x-max-total-tokens",
    )


def _spent(context: Context, request: Request | None, setting: str) -> BudgetExceeded:
    name = context.settlement.application or (request.model if request else "the request")
    return BudgetExceeded(
        f"{name} has spent what was set aside of a budget for one request",
        remedy=f"Ask for less, or, for an application, raise prices.{setting}.{name}",
        param="model",
    )
