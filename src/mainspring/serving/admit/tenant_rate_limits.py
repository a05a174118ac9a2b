"""Limits of a tenant in addition to those of its keys: requests and tokens a minute, concurrent requests.

A key's own limit comes first: what that refuses takes nothing of the tenant's. Rates are shared by the servers that
share the keys' ones, and so are requests at a time (``running_requests``).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

from mainspring.core.errors import RateLimited
from mainspring.core.types import Principal
from mainspring.serving.admit.rate_limits import Clock, Grant, Limits, RateLimits, Rates
from mainspring.serving.admit.running_requests import Running
from mainspring.stores.keys.quotas import Quotas

CONCURRENT = "concurrent_requests"
SOON_S = 1.0
_ANY = 2**53


class TenantRates(Limits):
    """The rates of each tenant per minute, as ``Limits`` has them for keys; ``note`` records the amounts."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        super().__init__(_ANY, _ANY, clock=clock)
        self._known: dict[str, Rates] = {}

    def note(self, tenant: str, limits: Mapping[str, int]) -> Principal | None:
        """The owner of the tenant's buckets; None if neither rate is limited."""
        rates = Rates(limits["requests_per_minute"] or _ANY, limits["tokens_per_minute"] or _ANY)
        if rates == Rates(_ANY, _ANY):
            return None
        self._known[tenant] = rates
        # As with a key's tier: a tenant with new rates starts with full buckets.
        return Principal(tenant, "", tier=f"{rates.requests_per_minute} {rates.tokens_per_minute}")

    def rates(self, principal: Principal) -> Rates:
        return self._known.get(principal.tenant, Rates(_ANY, _ANY))


class _Both:
    """The reservation of a key and of its tenant."""

    def __init__(self, key: Grant, tenant: Grant | None, leave: Callable[[], Awaitable[None]]) -> None:
        self._key = key
        self._tenant = tenant
        self._leave: Callable[[], Awaitable[None]] | None = leave

    async def settle(self, spent: int) -> None:
        if self._leave is not None:
            leave, self._leave = self._leave, None
            await leave()
        await self._key.settle(spent)
        if self._tenant is not None:
            await self._tenant.settle(spent)

    def headers(self) -> dict[str, str]:
        return self._key.headers()


class KeysAndTenants:
    """Implements ``serving.admit.rate_limits.RateLimits``: ``keys`` limits each key, ``tenants`` each tenant, with
    the ``rates`` that ``quotas`` tell. ``running`` counts those of this process, or of all servers."""

    def __init__(
        self,
        keys: RateLimits,
        tenants: RateLimits,
        rates: TenantRates,
        quotas: Quotas,
        running: Running | None = None,
    ) -> None:
        self._keys = keys
        self._tenants = tenants
        self._rates = rates
        self._quotas = quotas
        self._running = running or Running()

    def running(self, tenant: str) -> int:
        """Requests of the tenant that run or wait here now."""
        return self._running.of(tenant)

    async def grant(self, principal: Principal, tokens: int) -> Grant:
        """See ``RateLimits.grant``; the granted amount counts until it is settled."""
        limits = await self._quotas.limits(principal.tenant)
        key = await self._keys.grant(principal, tokens)
        try:
            if full := await self._running.enter(principal.tenant, limits[CONCURRENT]):
                raise _full(*full)
        except BaseException:
            await key.settle(0)
            raise
        try:
            tenant = await self._of_tenant(principal, limits, tokens)
        except BaseException:
            await self._running.leave(principal.tenant)
            await key.settle(0)
            raise
        return _Both(key, tenant, lambda: self._running.leave(principal.tenant))

    def headers(self, principal: Principal) -> dict[str, str]:
        """See ``RateLimits.headers``."""
        return self._keys.headers(principal)

    async def _of_tenant(self, principal: Principal, limits: Mapping[str, int], tokens: int) -> Grant | None:
        account = self._rates.note(principal.tenant, limits)
        if account is None:
            return None
        try:
            return await self._tenants.grant(account, tokens)
        except RateLimited as error:
            told = RateLimited(
                f"for all keys of this tenant together: {error.message}",
                remedy=error.remedy,
                param=error.param,
                retry_after=error.retry_after,
            )
            told.headers = self._keys.headers(principal)
            raise told from None


def _full(running: int, limit: int) -> RateLimited:
    return RateLimited(
        f"of this tenant, all its keys together, {running} requests run of {limit} that may at a time",
        remedy="Try again when some have ended",
        param=CONCURRENT,
        retry_after=SOON_S,
    )
