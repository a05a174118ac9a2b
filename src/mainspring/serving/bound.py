"""Calls within what a request may still spend: of tokens in all, and of money where a hard budget bounds it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Awaitable, Callable

import mainspring.serving.estimate as estimate
from mainspring.errors import BudgetExceeded, InvalidRequest
from mainspring.path import Layer
from mainspring.serving.pricing import MILLION, Price, Tariff
from mainspring.types import ChatRequest, CompletionRequest, Context, Request, Responder, Response, Usage

Count = Callable[[ChatRequest], Awaitable[int]]
"""The tokens that a chat request sends."""


class Bound(Layer):
    """Lowers ``max_tokens`` to what the request's allowance still pays for, and refuses what it pays nothing of.

    ``count`` is the engine's own count of a prompt; None, and for what is no chat: an estimate.
    """

    def __init__(
        self, inner: Responder, tariff: Price | Tariff, count: Count | None, *, default_output_tokens: int
    ) -> None:
        super().__init__(inner)
        self._tariff = tariff if isinstance(tariff, Tariff) else Tariff.fixed(tariff)
        self._count = count
        self._default_output = default_output_tokens

    async def respond(self, request: Request, context: Context) -> Response:
        if context.allowance.tokens is not None or context.allowance.money is not None:
            request = await self._bounded(request, context)
        return await self.inner.respond(request, context)

    async def _bounded(self, request: Request, context: Context) -> Request:
        """Raises ``InvalidRequest`` or ``BudgetExceeded``."""
        if isinstance(request, ChatRequest) and self._count is not None:
            prompt = await self._count(request)
        else:
            prompt = estimate.prompt_tokens(request)
        left = min(self._tokens_left(prompt, context), self._tokens_paid(request, prompt, context))
        if not isinstance(request, ChatRequest | CompletionRequest):
            return request
        sampling = request.sampling
        most = int(left / max(sampling.n, sampling.beams, 1))
        if most < 1:
            raise _too_long(prompt, context)
        if most >= (self._default_output if sampling.max_tokens is None else sampling.max_tokens):
            return request
        return dataclasses.replace(request, sampling=dataclasses.replace(sampling, max_tokens=most))

    @staticmethod
    def _tokens_left(prompt: int, context: Context) -> float:
        if context.allowance.tokens is None:
            return MILLION
        if prompt > context.allowance.tokens:
            raise _too_long(prompt, context)
        return context.allowance.tokens - prompt

    def _tokens_paid(self, request: Request, prompt: int, context: Context) -> float:
        money = context.allowance.money
        if money is None:
            return MILLION
        price = self._tariff.price(time.time(), context.allowance.rate).for_prompt(prompt)
        money -= price.cost(Usage(prompt))
        paid = MILLION if not price.output and money >= 0 else money * MILLION // max(price.output, 1)
        if paid < 1:
            name = context.allowance.application or request.model
            raise BudgetExceeded(
                f"{name} has spent what was set aside of a budget for one request",
                remedy=f"Raise prices.applications.{name}",
                param="model",
            )
        return paid


def _too_long(prompt: int, context: Context) -> InvalidRequest:
    return InvalidRequest(
        f"a prompt of {prompt} tokens leaves nothing of the {context.allowance.tokens} that the request may still take",
        remedy="Raise x-max-total-tokens or shorten the input",
        param="x-max-total-tokens",
    )
