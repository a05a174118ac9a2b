"""Limits of API keys that several servers share through Redis, and what each grants by itself while Redis is away.

Redis holds the buckets, on its own clock, and all buckets of a request are taken in one script: servers cannot grant
too much between them. While Redis does not answer, each server grants its part of every limit (the limit divided by the
servers last known to be alive), starting with its part of the buckets' last known level. Amounts that it granted then,
and settlements that failed, are taken from Redis' buckets when Redis is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from mainspring.core.errors import StoreError
from mainspring.core.types import Principal
from mainspring.serving.admit.rate_limits import (
    DAY,
    MINUTE,
    REQUESTS,
    REQUESTS_A_DAY,
    TOKENS,
    Bucket,
    Clock,
    Grant,
    Limits,
    Rates,
    check_size,
    headers_of,
    refusal,
)
from mainspring.stores.cache.token_buckets import BucketRequest, SharedBuckets, TakeResult

BEAT_S = 10.0
REMEMBERED = 4096
_log = logging.getLogger(__name__)
_Levels = tuple[float, ...]


class _Alone:
    """The buckets of one account while Redis is unreachable: this server's share of them."""

    def __init__(self, asked: Sequence[BucketRequest], workers: int, seen: _Levels | None, clock: Clock) -> None:
        parts = [max(1, each.capacity // workers) for each in asked]
        self._buckets = [Bucket(part, clock, each.period_s) for part, each in zip(parts, asked, strict=True)]
        # The amount taken here and not refilled since, plus what was missing before.
        self._own = [Bucket(part, clock, each.period_s) for part, each in zip(parts, asked, strict=True)]
        for bucket, level in zip(self._buckets, seen or (), strict=seen is not None):
            # A part of the actual level, not of the possible one.
            bucket.give(min(0, int(level / workers) - bucket.capacity))

    def take(self, asked: Sequence[BucketRequest]) -> TakeResult:
        """All amounts or nothing. An amount beyond this share of a limit is granted when the bucket is full: otherwise
        it would never be."""
        for index, (bucket, each) in enumerate(zip(self._buckets, asked, strict=True)):
            if wait := bucket.lacks(min(each.amount, bucket.capacity)):
                return TakeResult(index, wait, self.levels)
        self.give([BucketRequest(each.capacity, each.period_s, -each.amount) for each in asked])
        return TakeResult(None, 0.0, self.levels)

    def give(self, asked: Sequence[BucketRequest]) -> None:
        for buckets in (self._buckets, self._own):
            for bucket, each in zip(buckets, asked, strict=True):
                bucket.give(round(each.amount))

    @property
    def levels(self) -> _Levels:
        return tuple(bucket.level for bucket in self._buckets)

    @property
    def taken(self) -> _Levels:
        """The amount taken here and not refilled yet."""
        return tuple(bucket.capacity - bucket.level for bucket in self._own)


class SharedGrant:
    """The reservation of one request."""

    def __init__(self, owner: SharedLimits, principal: Principal, reserved: int, levels: _Levels) -> None:
        self._owner = owner
        self._principal = principal
        self._reserved: int | None = reserved
        self._levels = levels

    async def settle(self, spent: int) -> None:
        """Replace the reserved amount by ``spent``; only the first call counts."""
        if self._reserved is not None:
            back, self._reserved = self._reserved - spent, None
            await self._owner.settle(self._principal, back)

    def headers(self) -> dict[str, str]:
        """As they were when it was granted."""
        return self._owner.headers_of(self._principal, self._levels)


class SharedLimits:
    """See the module. Implements ``serving.admit.rate_limits.RateLimits``. ``rates`` says what each key is granted."""

    def __init__(self, buckets: SharedBuckets, rates: Limits, *, clock: Clock = time.monotonic) -> None:
        self._buckets = buckets
        self._rates = rates
        self._clock = clock
        self.worker = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._seen: OrderedDict[str, _Levels] = OrderedDict()
        self._alone: dict[str, _Alone] = {}
        self._owed: dict[str, int] = {}
        self.workers = 1
        self.away = False
        self.granted_alone = 0
        self.beside: list[Callable[[], Awaitable[None]]] = []
        """Called for each received beat."""

    async def grant(self, principal: Principal, tokens: int) -> Grant:
        """See ``RateLimits.grant``."""
        rates, name = self._rates.rates(principal), _name(principal)
        check_size(tokens, rates)
        asked = _asked(rates, 1, tokens)
        try:
            await self._make_up(name, rates)
            taken = await self._buckets.take(name, asked)
            self._note(name, taken.levels)
            self._back()
        except StoreError as error:
            self._lost(error)
            taken = self._by_itself(name, asked).take(asked)
            self.granted_alone += taken.failed is None
        if taken.failed is not None:
            limit = (REQUESTS_A_DAY, REQUESTS, TOKENS)[-len(asked) :][taken.failed]
            raise refusal(limit, asked[taken.failed].capacity, taken.wait_s, self.headers_of(principal, taken.levels))
        return SharedGrant(self, principal, tokens, taken.levels)

    async def settle(self, principal: Principal, back: int) -> None:
        """Give ``back`` tokens; negative: take them."""
        if not back:
            return
        rates, name = self._rates.rates(principal), _name(principal)
        asked = _asked(rates, 0, back)
        if name in self._alone:
            self._alone[name].give(asked)
            return
        try:
            self._note(name, (await self._buckets.give(name, asked)).levels)
        except StoreError as error:
            self._lost(error)
            self._owed[name] = self._owed.get(name, 0) + back

    def headers(self, principal: Principal) -> dict[str, str]:
        """The last known level of the buckets of ``principal``."""
        return self.headers_of(principal, self._seen.get(_name(principal)))

    def headers_of(self, principal: Principal, levels: _Levels | None) -> dict[str, str]:
        """The headers of such levels."""
        asked = _asked(self._rates.rates(principal), 0, 0)
        return headers_of([(each.capacity, each.period_s) for each in asked], levels)

    async def beat(self) -> None:
        """Report that this server is alive, and learn the number of live servers."""
        try:
            self.workers = max(1, await self._buckets.beat(self.worker))
        except StoreError as error:
            self._lost(error)
            return
        for each in self.beside:
            await each()

    async def close(self) -> None:
        with contextlib.suppress(StoreError):
            await self._buckets.leave(self.worker)

    async def _make_up(self, name: str, rates: Rates) -> None:
        """Take amounts from Redis that were granted without it."""
        alone, owed = self._alone.get(name), self._owed.get(name, 0)
        if alone is None and not owed:
            return
        empty = _asked(rates, 0, 0)
        taken = alone.taken if alone is not None else (0.0,) * len(empty)
        due = [BucketRequest(each.capacity, each.period_s, -amount) for each, amount in zip(empty, taken, strict=True)]
        due[-1] = BucketRequest(due[-1].capacity, due[-1].period_s, due[-1].amount + owed)
        # Others may come before the answer arrives: the first one settles for all.
        self._alone.pop(name, None)
        self._owed.pop(name, None)
        try:
            await self._buckets.give(name, due)
        except BaseException:
            if alone is not None:
                self._alone.setdefault(name, alone)
            if owed:
                self._owed[name] = self._owed.get(name, 0) + owed
            raise

    def _by_itself(self, name: str, asked: Sequence[BucketRequest]) -> _Alone:
        alone = self._alone.get(name)
        if alone is None:
            if len(self._alone) >= REMEMBERED:
                self._alone = {each: kept for each, kept in self._alone.items() if any(kept.taken)}
            alone = self._alone[name] = _Alone(asked, self.workers, self._seen.get(name), self._clock)
        return alone

    def _note(self, name: str, levels: _Levels) -> None:
        self._seen[name] = levels
        self._seen.move_to_end(name)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def _lost(self, error: StoreError) -> None:
        if not self.away:
            _log.warning("limits: %s; each of %d servers grants its part", error.message, self.workers)
        self.away = True

    def _back(self) -> None:
        if self.away:
            _log.warning("limits are shared again")
        self.away = False


@asynccontextmanager
async def opened(buckets: SharedBuckets, rates: Limits) -> AsyncIterator[SharedLimits]:
    """Shared limits that tell the others of this server while they are open."""
    limits = SharedLimits(buckets, rates)
    await limits.beat()

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            await limits.beat()

    beating = asyncio.create_task(beat(), name="limits")
    try:
        yield limits
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        await limits.close()


def _name(principal: Principal) -> str:
    # The tier is part of the name: a key that changes its tier starts with full buckets.
    return "\0".join((principal.tenant, principal.key_id, principal.tier))


def _asked(rates: Rates, requests: int, tokens: int) -> list[BucketRequest]:
    """Requests a day if there is such a limit, requests and tokens a minute."""
    today = [BucketRequest(rates.requests_per_day, DAY, requests)] if rates.requests_per_day else []
    return [
        *today,
        BucketRequest(rates.requests_per_minute, MINUTE, requests),
        BucketRequest(rates.tokens_per_minute, MINUTE, tokens),
    ]
