"""Limits of one API key: requests and tokens a minute and requests a day, granted and refused at once, never queued.

Each is a token bucket that holds a minute's (a day's) worth and refills evenly; a key's tier decides how much that
is. Tokens are reserved before an answer (the prompt's estimate plus the most it may generate) and settled after it to
what was really spent, which may put a bucket into debt. Granting is one synchronous step on the event loop: no
interleaving can grant too much.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import mainspring.serving.estimate as estimate
from mainspring.errors import RateLimited, TooLarge
from mainspring.path import Layer
from mainspring.settings import ServingSettings
from mainspring.types import Context, Principal, Request, Responder, Response

Clock = Callable[[], float]
MINUTE = 60.0
DAY = 86_400.0
PURGE_ABOVE = 4096
REQUESTS = "requests_per_minute"
TOKENS = "tokens_per_minute"
REQUESTS_A_DAY = "requests_per_day"


@dataclass(frozen=True, slots=True)
class Rates:
    """What one key is granted; 0 requests a day: as many as it likes."""

    requests_per_minute: int
    tokens_per_minute: int
    requests_per_day: int = 0


class Bucket:
    """``capacity`` units that refill evenly within ``period_s``."""

    __slots__ = ("_clock", "_level", "_period", "_seen", "capacity")

    def __init__(self, capacity: int, clock: Clock, period_s: float = MINUTE) -> None:
        self.capacity = capacity
        self._period = period_s
        self._clock = clock
        self._level = float(capacity)
        self._seen = clock()

    def take(self, amount: int) -> float:
        """Take ``amount`` and return 0, or take nothing and return the seconds until it would be there."""
        missing = amount - self._refilled()
        if missing > 1e-9:
            return missing * self._period / self.capacity
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
        return (self.capacity - self._refilled()) * self._period / self.capacity

    def _refilled(self) -> float:
        now = self._clock()
        self._level = min(float(self.capacity), self._level + (now - self._seen) * self.capacity / self._period)
        self._seen = now
        return self._level


@dataclass(frozen=True, slots=True)
class _Account:
    requests: Bucket
    tokens: Bucket
    today: Bucket | None = None

    def headers(self) -> dict[str, str]:
        headers = {
            "x-ratelimit-limit-requests": str(self.requests.capacity),
            "x-ratelimit-limit-tokens": str(self.tokens.capacity),
            "x-ratelimit-remaining-requests": str(self.requests.remaining),
            "x-ratelimit-remaining-tokens": str(self.tokens.remaining),
            "x-ratelimit-reset-requests": duration(self.requests.reset_s),
            "x-ratelimit-reset-tokens": duration(self.tokens.reset_s),
        }
        if self.today is not None:
            headers["x-ratelimit-limit-requests-day"] = str(self.today.capacity)
            headers["x-ratelimit-remaining-requests-day"] = str(self.today.remaining)
            headers["x-ratelimit-reset-requests-day"] = duration(self.today.reset_s)
        return headers

    def idle(self) -> bool:
        buckets = (self.requests, self.tokens, self.today)
        return all(bucket is None or bucket.reset_s <= 0 for bucket in buckets)


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
    """The buckets of every API key of this process. ``tiers`` are the rates of keys that have one of these names."""

    def __init__(
        self,
        requests_per_minute: int,
        tokens_per_minute: int,
        requests_per_day: int = 0,
        *,
        tiers: Mapping[str, Rates] | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._rates = Rates(requests_per_minute, tokens_per_minute, requests_per_day)
        self._tiers = tiers or {}
        self._clock = clock
        self._accounts: dict[tuple[str, str, str], _Account] = {}

    @classmethod
    def of(cls, settings: ServingSettings) -> Limits:
        """The configured limits."""
        rates = Rates(settings.requests_per_minute, settings.tokens_per_minute, settings.requests_per_day)
        tiers = {
            name: Rates(
                tier.requests_per_minute or rates.requests_per_minute,
                tier.tokens_per_minute or rates.tokens_per_minute,
                rates.requests_per_day if tier.requests_per_day is None else tier.requests_per_day,
            )
            for name, tier in settings.tiers.items()
        }
        return cls(rates.requests_per_minute, rates.tokens_per_minute, rates.requests_per_day, tiers=tiers)

    def rates(self, principal: Principal) -> Rates:
        """What ``principal`` is granted; a tier that nothing configures is as none."""
        return self._tiers.get(principal.tier, self._rates)

    def reserve(self, principal: Principal, tokens: int) -> Reservation:
        """Count one request and set ``tokens`` aside.

        Raises ``RateLimited`` with ``retry_after`` and ``headers``, ``TooLarge`` for what no waiting would grant.
        """
        account = self._account(principal)
        if tokens > account.tokens.capacity:
            raise TooLarge(
                f"the request may take {tokens} tokens and this key is granted {account.tokens.capacity} a minute",
                remedy="Lower max_tokens or shorten the input",
                param="max_tokens",
            )
        if account.today is not None and (wait := account.today.take(1)):
            raise _refusal(REQUESTS_A_DAY, account.today.capacity, wait, account)
        if wait := account.requests.take(1):
            _give_back(account.today)
            raise _refusal(REQUESTS, account.requests.capacity, wait, account)
        if wait := account.tokens.take(tokens):
            _give_back(account.today)
            account.requests.give(1)
            raise _refusal(TOKENS, account.tokens.capacity, wait, account)
        return Reservation(account.tokens, tokens)

    def headers(self, principal: Principal) -> dict[str, str]:
        """``x-ratelimit-limit|remaining|reset-requests|tokens`` as OpenAI has them; ``-requests-day`` where a key has
        such a limit."""
        return self._account(principal).headers()

    def _account(self, principal: Principal) -> _Account:
        # The tier is part of the name: a key that is given another one begins anew.
        key = (principal.tenant, principal.key_id, principal.tier)
        account = self._accounts.get(key)
        if account is None:
            if len(self._accounts) >= PURGE_ABOVE:
                self._accounts = {name: kept for name, kept in self._accounts.items() if not kept.idle()}
            account = self._accounts[key] = _opened(self.rates(principal), self._clock)
        return account


def _opened(rates: Rates, clock: Clock) -> _Account:
    return _Account(
        Bucket(rates.requests_per_minute, clock),
        Bucket(rates.tokens_per_minute, clock),
        Bucket(rates.requests_per_day, clock, DAY) if rates.requests_per_day else None,
    )


def _give_back(bucket: Bucket | None) -> None:
    if bucket is not None:
        bucket.give(1)


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
