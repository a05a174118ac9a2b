"""Limits of one API key: requests and tokens a minute and requests a day, granted and refused at once, never queued.

Each is a token bucket that holds the amount of a minute (or a day) and refills evenly; a key's tier decides the amount.
Tokens are reserved before an answer (the prompt's estimate plus the output that is likely at most, by earlier answers
of the tenant's) and corrected to the actual usage after it, which may put a bucket into debt. Granting is one
synchronous step on the event loop: no interleaving can grant too much.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import mainspring.serving.admit.token_estimate as estimate
from mainspring.core.errors import RateLimited, TooLarge
from mainspring.core.path import Layer
from mainspring.core.settings import ServingSettings
from mainspring.core.types import Context, Principal, Request, Responder, Response
from mainspring.engines.chat.output_lengths import OutputLengths
from mainspring.telemetry.metrics import Metrics

Clock = Callable[[], float]
MINUTE = 60.0
DAY = 86_400.0
PURGE_ABOVE = 4096
REQUESTS = "requests_per_minute"
TOKENS = "tokens_per_minute"
REQUESTS_A_DAY = "requests_per_day"


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of one key; 0 requests a day: unlimited."""

    requests_per_minute: int
    tokens_per_minute: int
    requests_per_day: int = 0


class Bucket:
    """``capacity`` units that refill evenly within ``period_s``."""

    __slots__ = ("_clock", "_level", "_seen", "capacity", "period_s")

    def __init__(self, capacity: int, clock: Clock, period_s: float = MINUTE) -> None:
        self.capacity = capacity
        self.period_s = period_s
        self._clock = clock
        self._level = float(capacity)
        self._seen = clock()

    def take(self, amount: int) -> float:
        """Take ``amount`` and return 0, or take nothing and return the seconds until it would be there."""
        if wait := self.lacks(amount):
            return wait
        self._level -= amount
        return 0.0

    def lacks(self, amount: float) -> float:
        """Seconds until ``amount`` is available; 0 if it is."""
        missing = amount - self._refilled()
        return missing * self.period_s / self.capacity if missing > 1e-9 else 0.0

    def give(self, amount: int) -> None:
        """Put ``amount`` back; a negative amount is a debt that refilling pays off."""
        self._level = min(float(self.capacity), self._refilled() + amount)

    @property
    def level(self) -> float:
        """Units that are there now, below 0 with a debt."""
        return self._refilled()

    @property
    def remaining(self) -> int:
        """Whole units that may be taken now."""
        return max(0, int(self._refilled() + 1e-9))

    @property
    def reset_s(self) -> float:
        """Seconds until the bucket is full."""
        return (self.capacity - self._refilled()) * self.period_s / self.capacity

    def _refilled(self) -> float:
        now = self._clock()
        self._level = min(float(self.capacity), self._level + (now - self._seen) * self.capacity / self.period_s)
        self._seen = now
        return self._level


@dataclass(frozen=True, slots=True)
class _Account:
    requests: Bucket
    tokens: Bucket
    today: Bucket | None = None

    @property
    def all(self) -> list[Bucket]:
        return [bucket for bucket in (self.today, self.requests, self.tokens) if bucket is not None]

    def headers(self) -> dict[str, str]:
        buckets = self.all
        return headers_of(
            [(bucket.capacity, bucket.period_s) for bucket in buckets],
            [bucket.level for bucket in buckets],
        )

    def idle(self) -> bool:
        return all(bucket.reset_s <= 0 for bucket in self.all)


class Grant(Protocol):
    """The reservation of one request."""

    async def settle(self, spent: int) -> None:
        """Replace the reserved tokens by the ``spent`` ones; only the first call counts."""
        ...

    def headers(self) -> dict[str, str]:
        """``x-ratelimit-limit|remaining|reset-requests|tokens`` as OpenAI has them; ``-requests-day`` where a key has
        such a limit."""
        ...


class RateLimits(Protocol):
    """The limits of all keys: in this process (``Limits``), or of several servers together (``limit_shared``)."""

    async def grant(self, principal: Principal, tokens: int) -> Grant:
        """Count one request and set ``tokens`` aside.

        Raises ``RateLimited`` with ``retry_after`` and ``headers``, ``TooLarge`` for what no waiting would grant.
        """
        ...

    def headers(self, principal: Principal) -> dict[str, str]:
        """``Grant.headers``, as known now."""
        ...


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


class _LocalGrant:
    """A reservation of this process."""

    __slots__ = ("_account", "_reservation")

    def __init__(self, account: _Account, reservation: Reservation) -> None:
        self._account = account
        self._reservation = reservation

    async def settle(self, spent: int) -> None:
        self._reservation.settle(spent)

    def headers(self) -> dict[str, str]:
        return self._account.headers()


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
        """The rates of ``principal``; an unconfigured tier counts as none."""
        return self.of_tier(principal.tier)

    def of_tier(self, tier: str) -> Rates:
        """The rates of the keys of ``tier``."""
        return self._tiers.get(tier, self._rates)

    def reserve(self, principal: Principal, tokens: int) -> Reservation:
        """Count one request and set ``tokens`` aside.

        Raises ``RateLimited`` with ``retry_after`` and ``headers``, ``TooLarge`` for what no waiting would grant.
        """
        account = self._account(principal)
        check_size(tokens, self.rates(principal))
        if account.today is not None and (wait := account.today.take(1)):
            raise refusal(REQUESTS_A_DAY, account.today.capacity, wait, account.headers())
        if wait := account.requests.take(1):
            _give_back(account.today)
            raise refusal(REQUESTS, account.requests.capacity, wait, account.headers())
        if wait := account.tokens.take(tokens):
            _give_back(account.today)
            account.requests.give(1)
            raise refusal(TOKENS, account.tokens.capacity, wait, account.headers())
        return Reservation(account.tokens, tokens)

    async def grant(self, principal: Principal, tokens: int) -> Grant:
        """See ``RateLimits.grant``."""
        reservation = self.reserve(principal, tokens)
        return _LocalGrant(self._account(principal), reservation)

    def headers(self, principal: Principal) -> dict[str, str]:
        """See ``RateLimits.headers``."""
        return self._account(principal).headers()

    def _account(self, principal: Principal) -> _Account:
        # The tier is part of the name: a key that changes its tier starts with full buckets.
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


def check_size(tokens: int, rates: Rates) -> None:
    """Raise ``TooLarge`` for what no waiting would grant."""
    if tokens > rates.tokens_per_minute:
        raise TooLarge(
            f"the request may take {tokens} tokens, but this key may use {rates.tokens_per_minute} a minute",
            remedy="Lower max_tokens or shorten the input",
            param="max_tokens",
        )


def refusal(name: str, limit: int, wait: float, headers: Mapping[str, str]) -> RateLimited:
    """The error for a key that has used up the limit of that name."""
    error = RateLimited(
        f"the limit of {limit} {name.replace('_per_', ' a ')} is used up",
        remedy=f"Try again in {duration(wait)}",
        param=name,
        retry_after=wait,
    )
    error.headers = headers
    return error


def headers_of(buckets: Sequence[tuple[int, float]], levels: Sequence[float] | None) -> dict[str, str]:
    """The headers for buckets (capacity, seconds to refill) at ``levels`` (None: full): requests a day if there are
    three, then requests and tokens a minute."""
    headers: dict[str, str] = {}
    names = ("requests-day", "requests", "tokens")[-len(buckets) :]
    for index, (name, (capacity, period_s)) in enumerate(zip(names, buckets, strict=True)):
        level = capacity if levels is None else levels[index]
        headers[f"x-ratelimit-limit-{name}"] = str(capacity)
        headers[f"x-ratelimit-remaining-{name}"] = str(max(0, int(level + 1e-9)))
        headers[f"x-ratelimit-reset-{name}"] = duration((capacity - level) * period_s / capacity)
    return headers


class Limit(Layer):
    """Refuses requests beyond the key's limits, and settles their tokens when the answer has ended."""

    def __init__(self, inner: Responder, limits: RateLimits, metrics: Metrics, *, default_output_tokens: int) -> None:
        super().__init__(inner)
        self._limits = limits
        self._metrics = metrics
        self._default_output = default_output_tokens
        self._lengths = OutputLengths()

    async def respond(self, request: Request, context: Context) -> Response:
        if context.batch:
            # A batch has a window of a day and the lowest priority: it does not count against the key's limits for
            # immediate requests.
            return await self.inner.respond(request, context)
        key = (context.principal.tenant, request.model)
        # A cap is the most that it may be; what it will be is settled, and the limit pays it back.
        output = self._lengths.expected(key, estimate.answer_tokens(request, self._default_output))
        tokens = estimate.request_tokens(request, self._default_output, most=output)
        grant = await _grant(self._limits, self._metrics, context, tokens)

        async def settle() -> None:
            spent = context.allowance.spent
            await grant.settle(spent.total_tokens)
            if spent.completion_tokens:
                self._lengths.learn(key, spent.completion_tokens // self._answers(request))

        try:
            response = await self.inner.respond(request, context)
        except BaseException:
            await settle()
            raise
        headers = {**response.head.headers, **grant.headers()}
        return response.with_head(headers=headers).on_close(settle)

    @staticmethod
    def _answers(request: Request) -> int:
        return estimate.sequences(request) * estimate.answers(request)


class RateReservation(Protocol):
    """``serving.money.side_reservation.SideReservation``."""

    def __call__(self, context: Context, tokens: int) -> AbstractAsyncContextManager[None]: ...


class Charge:
    """The same limits for work outside of the request ring: ``async with charge(context, tokens): ...``."""

    def __init__(self, limits: RateLimits, metrics: Metrics, budgets: RateReservation | None = None) -> None:
        self._limits = limits
        self._metrics = metrics
        self._budgets = budgets

    @asynccontextmanager
    async def __call__(self, context: Context, tokens: int) -> AsyncIterator[None]:
        """Counts one request and reserves ``tokens``; the usage of models in ``context`` is settled at the end.

        Raises what ``RateLimits.grant`` raises, and ``BudgetExceeded``.
        """
        grant = await _grant(self._limits, self._metrics, context, tokens)
        try:
            async with nullcontext() if self._budgets is None else self._budgets(context, tokens):
                yield
        finally:
            await grant.settle(context.allowance.spent.total_tokens)

    def headers(self, principal: Principal) -> dict[str, str]:
        """``RateLimits.headers``."""
        return self._limits.headers(principal)


async def _grant(limits: RateLimits, metrics: Metrics, context: Context, tokens: int) -> Grant:
    try:
        return await limits.grant(context.principal, tokens)
    except RateLimited as error:
        metrics.limited("tokens" if error.param == TOKENS else "requests")
        raise


def duration(seconds: float) -> str:
    """Seconds as OpenAI's headers write them: ``20ms``, ``1.5s``, ``6m0s``."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))}ms"
    minutes, rest = divmod(round(seconds, 3), 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"
