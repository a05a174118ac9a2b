"""Limits of one API key: requests and tokens a minute, granted and refused at once, never queued.

Both are token buckets that hold a minute's worth and refill evenly. Tokens are reserved before an answer (the
prompt's estimate plus the most it may generate) and settled after it to what was really spent, which may put a
bucket into debt. Granting is one synchronous step on the event loop: no interleaving can grant too much.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import mainspring.serving.estimate as estimate
from mainspring.errors import RateLimited, TooLarge
from mainspring.path import Layer
from mainspring.types import Context, Principal, Request, Responder, Response

Clock = Callable[[], float]
MINUTE = 60.0
PURGE_ABOVE = 4096
REQUESTS = "requests_per_minute"
TOKENS = "tokens_per_minute"


class Bucket:
    """``capacity`` units that refill evenly within a minute."""

    __slots__ = ("_clock", "_level", "_seen", "capacity")

    def __init__(self, capacity: int, clock: Clock) -> None:
        self.capacity = capacity
        self._clock = clock
        self._level = float(capacity)
        self._seen = clock()

    def take(self, amount: int) -> float:
        """Take ``amount`` and return 0, or take nothing and return the seconds until it would be there."""
        missing = amount - self._refilled()
        if missing > 1e-9:
            return missing * MINUTE / self.capacity
        self._level -= amount
        return 0.0

    def give(self, amount: int) -> None:
        """Put ``amount`` back; a negative amount is a debt that refilling pays off."""
        self._level = min(float(self.capacity), self._refilled() + amount)

    @property
    def remaining(self) -> int:
        """Whole units that may be taken now."""
        return max(0, int(self._refilled() + 1e-9))

    @property
    def reset_s(self) -> float:
        """Seconds until the bucket is full."""
        return (self.capacity - self._refilled()) * MINUTE / self.capacity

    def _refilled(self) -> float:
        now = self._clock()
        self._level = min(float(self.capacity), self._level + (now - self._seen) * self.capacity / MINUTE)
        self._seen = now
        return self._level


@dataclass(frozen=True, slots=True)
class _Account:
    requests: Bucket
    tokens: Bucket

    def headers(self) -> dict[str, str]:
        return {
            "x-ratelimit-limit-requests": str(self.requests.capacity),
            "x-ratelimit-limit-tokens": str(self.tokens.capacity),
            "x-ratelimit-remaining-requests": str(self.requests.remaining),
            "x-ratelimit-remaining-tokens": str(self.tokens.remaining),
            "x-ratelimit-reset-requests": duration(self.requests.reset_s),
            "x-ratelimit-reset-tokens": duration(self.tokens.reset_s),
        }

    def idle(self) -> bool:
        return self.requests.reset_s <= 0 and self.tokens.reset_s <= 0


class Reservation:
    """Tokens set aside for one request."""

    __slots__ = ("_bucket", "_reserved")

    def __init__(self, bucket: Bucket, reserved: int) -> None:
        self._bucket = bucket
        self._reserved: int | None = reserved

    def settle(self, spent: int) -> None:
        """Replace the reservation by what was ``spent``; only the first call counts."""
        if self._reserved is not None:
            self._bucket.give(self._reserved - spent)
            self._reserved = None


class Limits:
    """The buckets of every API key of this process."""

    def __init__(self, requests_per_minute: int, tokens_per_minute: int, *, clock: Clock = time.monotonic) -> None:
        self._requests = requests_per_minute
        self._tokens = tokens_per_minute
        self._clock = clock
        self._accounts: dict[tuple[str, str], _Account] = {}

    def reserve(self, principal: Principal, tokens: int) -> Reservation:
        """Count one request and set ``tokens`` aside.

        Raises ``RateLimited`` with ``retry_after`` and ``headers``, ``TooLarge`` for what no waiting would grant.
        """
        account = self._account(principal)
        if tokens > self._tokens:
            raise TooLarge(
                f"the request may take {tokens} tokens and this key is granted {self._tokens} a minute",
                remedy="Lower max_tokens or shorten the input",
                param="max_tokens",
            )
        if wait := account.requests.take(1):
            raise _refusal(REQUESTS, self._requests, wait, account)
        if wait := account.tokens.take(tokens):
            account.requests.give(1)
            raise _refusal(TOKENS, self._tokens, wait, account)
        return Reservation(account.tokens, tokens)

    def headers(self, principal: Principal) -> dict[str, str]:
        """``x-ratelimit-limit|remaining|reset-requests|tokens`` as OpenAI has them."""
        return self._account(principal).headers()

    def _account(self, principal: Principal) -> _Account:
        key = (principal.tenant, principal.key_id)
        account = self._accounts.get(key)
        if account is None:
            if len(self._accounts) >= PURGE_ABOVE:
                self._accounts = {name: kept for name, kept in self._accounts.items() if not kept.idle()}
            account = _Account(Bucket(self._requests, self._clock), Bucket(self._tokens, self._clock))
            self._accounts[key] = account
        return account


def _refusal(name: str, limit: int, wait: float, account: _Account) -> RateLimited:
    error = RateLimited(
        f"the limit of {limit} {name.replace('_per_', ' a ')} is used up",
        remedy=f"Try again in {duration(wait)}",
        param=name,
        retry_after=wait,
    )
    error.headers = account.headers()
    return error


class LimitMetrics(Protocol):
    def limited(self, limit: str) -> None:
        """A key ran into its limit of ``requests`` or ``tokens``."""
        ...


class Limit(Layer):
    """Refuses what exceeds the key's limits, and settles its tokens when the answer has ended."""

    def __init__(self, inner: Responder, limits: Limits, metrics: LimitMetrics, *, default_output_tokens: int) -> None:
        super().__init__(inner)
        self._limits = limits
        self._metrics = metrics
        self._default_output = default_output_tokens

    async def respond(self, request: Request, context: Context) -> Response:
        tokens = estimate.request_tokens(request, self._default_output)
        reservation = _reserve(self._limits, self._metrics, context, tokens)

        async def settle() -> None:
            reservation.settle(context.allowance.spent.total_tokens)

        try:
            response = await self.inner.respond(request, context)
        except BaseException:
            await settle()
            raise
        headers = {**response.head.headers, **self._limits.headers(context.principal)}
        return response.with_head(headers=headers).on_close(settle)


class Charge:
    """The same limits for what no request ring is around: ``with charge(context, tokens): ...``."""

    def __init__(self, limits: Limits, metrics: LimitMetrics) -> None:
        self._limits = limits
        self._metrics = metrics

    @contextmanager
    def __call__(self, context: Context, tokens: int) -> Iterator[None]:
        """Counts one request and sets ``tokens`` aside; what models spent in ``context`` is settled at the end.

        Raises what ``Limits.reserve`` raises.
        """
        reservation = _reserve(self._limits, self._metrics, context, tokens)
        try:
            yield
        finally:
            reservation.settle(context.allowance.spent.total_tokens)

    def headers(self, principal: Principal) -> dict[str, str]:
        """``Limits.headers``."""
        return self._limits.headers(principal)


def _reserve(limits: Limits, metrics: LimitMetrics, context: Context, tokens: int) -> Reservation:
    try:
        return limits.reserve(context.principal, tokens)
    except RateLimited as error:
        metrics.limited("tokens" if error.param == TOKENS else "requests")
        raise


def duration(seconds: float) -> str:
    """Seconds as OpenAI's headers write them: ``20ms``, ``1.5s``, ``6m0s``."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))}ms"
    minutes, rest = divmod(round(seconds, 3), 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"
