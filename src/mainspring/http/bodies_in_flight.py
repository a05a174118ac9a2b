"""How many bytes of request bodies a server holds at once: over all tenants, and for each of them.

A body is held from its first byte until its answer begins: it is read, parsed, and may wait for its turn. Parsed it
takes many times its size.
"""

from __future__ import annotations

from collections import Counter

from mainspring.core.errors import Overloaded, RateLimited

SMALL = 64 * 2**10
"""Bodies of up to so many bytes are not counted: other requests go on while large ones are refused."""
RETRY_S = 1.0


class BodiesInFlight:
    """Refuses what is beyond ``most`` bytes, or beyond ``share`` of them for one tenant. One body of a tenant, and one
    body of all, always passes."""

    def __init__(self, most: int, share: float) -> None:
        self._most = most
        self._of_a_tenant = int(share * most)
        self._held: Counter[str] = Counter()
        self._sum = 0

    @property
    def held(self) -> int:
        """Bytes of all tenants."""
        return self._sum

    def of(self, tenant: str) -> HeldBody:
        """The body of one request, before anything is read."""
        return HeldBody(self, tenant)

    def _take(self, tenant: str, size: int, own: int) -> None:
        """``own`` is what the same body holds already."""
        if self._held[tenant] > own and self._held[tenant] + size > self._of_a_tenant:
            raise RateLimited(
                f"the bodies of the tenant's requests in progress add up to {self._held[tenant]} bytes",
                remedy="Send fewer large bodies at once, or raise gateway.bodies_in_flight_bytes",
                retry_after=RETRY_S,
            )
        if self._sum > own and self._sum + size > self._most:
            raise Overloaded(
                f"the bodies of all requests in progress add up to {self._sum} bytes",
                remedy="Try again soon, or raise gateway.bodies_in_flight_bytes",
                retry_after=RETRY_S,
            )
        self._held[tenant] += size
        self._sum += size

    def _give_back(self, tenant: str, size: int) -> None:
        self._sum -= size
        self._held[tenant] -= size
        if not self._held[tenant]:
            del self._held[tenant]


class HeldBody:
    """The bytes that one request holds."""

    __slots__ = ("_all", "_counted", "_seen", "_tenant")

    def __init__(self, everything: BodiesInFlight, tenant: str) -> None:
        self._all = everything
        self._tenant = tenant
        self._seen = 0
        self._counted = 0

    def expect(self, size: int) -> None:
        """Refuse a body of ``size`` bytes that would not fit now, before it is read. Nothing is reserved: a slow sender
        holds what it has sent. Raises ``RateLimited`` or ``Overloaded``."""
        if size > SMALL:
            self._all._take(self._tenant, size, 0)
            self._all._give_back(self._tenant, size)

    def add(self, size: int) -> None:
        """Count bytes that were read. Raises ``RateLimited`` or ``Overloaded``."""
        self._seen += size
        if self._seen > SMALL:
            more = self._seen - self._counted
            self._all._take(self._tenant, more, self._counted)
            self._counted = self._seen

    def release(self) -> None:
        self._all._give_back(self._tenant, self._counted)
        self._counted = 0
