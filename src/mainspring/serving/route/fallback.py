"""Fallback chains: another model answers when the requested one cannot."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from mainspring.core.errors import (
    DeadlineExceeded,
    EngineError,
    MainspringError,
    ModelError,
    NoRegion,
    Overloaded,
    PromptTooLong,
    RateLimited,
    UnknownModel,
)
from mainspring.core.types import Context, EmbedRequest, Request, RerankRequest, Responder, Response
from mainspring.serving.ring.record import error_code
from mainspring.telemetry.routing_metrics import ArmMetrics

FAILURES = (NoRegion, EngineError, ModelError, Overloaded, UnknownModel, DeadlineExceeded)


class Fallback:
    """Answers with ``first``, else with the next of ``failures`` (it failed or is overloaded) or ``too_long`` (the
    prompt does not fit its window), whose names ``models`` has. Only before the first token: after it, never."""

    def __init__(
        self,
        first: str,
        models: Mapping[str, Responder],
        metrics: ArmMetrics,
        *,
        failures: Sequence[str] = (),
        too_long: Sequence[str] = (),
    ) -> None:
        self._first = first
        self._models = models
        self._metrics = metrics
        self._failures = tuple(name for name in dict.fromkeys(failures) if name != first)
        self._too_long = tuple(name for name in dict.fromkeys(too_long) if name != first)

    def fingerprint(self, request: Request, context: Context) -> str | None:
        """That of the first: what another answers says so and is not cached."""
        return self._models[self._first].fingerprint(request, context)

    async def respond(self, request: Request, context: Context) -> Response:
        """If all fail, raises the first model's failure, which names the others that were tried."""
        try:
            return await self._ask(self._first, request, context, elsewhere=bool(self._failures))
        except MainspringError as error:
            chain = self._chain(error, context)
            if not chain:
                raise
            return await self._instead(chain, error, request, context)

    async def _instead(
        self, chain: Sequence[str], failure: MainspringError, request: Request, context: Context
    ) -> Response:
        tried = []
        for number, name in enumerate(chain, 1):
            remaining = context.remaining()
            if remaining is not None and remaining <= 0:
                break
            self._metrics.fell_back(self._first, name, failure.code)
            try:
                response = await self._ask(name, request, context, elsewhere=number < len(chain))
            except MainspringError as error:
                tried.append(f"{name}: {error_code(error)}")
                continue
            return response.with_head(instead=self._first)
        if not tried:
            raise failure
        remedy = " ".join(part for part in (failure.remedy, f"(Fallbacks failed too: {', '.join(tried)})") if part)
        raise type(failure)(failure.message, remedy=remedy, param=failure.param, retry_after=failure.retry_after)

    def _chain(self, error: MainspringError, context: Context) -> Sequence[str]:
        remaining = context.remaining()
        if remaining is not None and remaining <= 0:
            return ()
        match error:
            case PromptTooLong():
                return self._too_long
            case RateLimited():
                # The caller's own allowance is spent wherever it is asked; an endpoint's limit is not.
                return self._failures if error.param is None else ()
            case _:
                return self._failures if isinstance(error, FAILURES) else ()

    async def _ask(self, name: str, request: Request, context: Context, *, elsewhere: bool) -> Response:
        """``elsewhere``: another model is called at once if this one fails, so that the caller does not wait for this
        one."""
        elsewhere = elsewhere or context.elsewhere
        asked = context if elsewhere == context.elsewhere else dataclasses.replace(context, elsewhere=elsewhere)
        return await self._models[name].respond(named(request, name), asked)


def named(request: Request, model: str) -> Request:
    """``request`` to ``model``."""
    if isinstance(request, EmbedRequest | RerankRequest) or request.model == model:
        return request
    return dataclasses.replace(request, model=model)
