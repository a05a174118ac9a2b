"""Bounds of one client address: its requests, its refused credentials, its open connections.

Bounds on requests and connections hold before anything is checked or read. Wrong credentials are limited after they
were looked up: many users share one address (a proxy, an office), and a valid key is never refused because of the
others. The server decides which address counts: the peer's address, or behind a trusted proxy the address that the
proxy names. For IPv6 it is the /64 network, which one customer gets.
"""

from __future__ import annotations

import ipaddress
import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mainspring.core.errors import RateLimited
from mainspring.core.settings.gateway import AddressSettings
from mainspring.http.openai import encode
from mainspring.serving.admit.rate_limits import Bucket

log = logging.getLogger("mainspring.gateway")
Clock = Callable[[], float]
# The number of peers that are warned about as untrusted proxies: enough for the operator, too few to fill a log.
MOST_WARNED = 64


def network(host: str) -> str:
    """The unit that counts as one address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # A proxy wrote something else (a name, a port in its own format): the text is counted unchanged.
        return host[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return host


@dataclass(slots=True)
class _Counts:
    requests: Bucket | None
    failures: Bucket | None = None
    told: bool = False


class Addresses:
    """The counts of the most recently seen addresses; older ones are forgotten and start at zero."""

    def __init__(self, settings: AddressSettings, clock: Clock = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._seen: LRUCache[str, _Counts] = LRUCache(settings.remembered)
        self.counts = bool(settings.requests_per_minute or settings.failures_per_minute)

    def __len__(self) -> int:
        return len(self._seen)

    def admit(self, host: str) -> None:
        """Count a request. Raises ``RateLimited``."""
        if not self._settings.requests_per_minute:
            return
        place = network(host)
        known = self._seen.get(place) or self._remember(place)
        if known.requests is not None and (wait := known.requests.take(1)):
            limit = self._settings.requests_per_minute
            raise _refusal(f"this address may send {limit} requests a minute", wait)

    def failed(self, host: str) -> RateLimited | None:
        """Count a credential of this address that was refused. The refusal if there were too many."""
        if not self._settings.failures_per_minute:
            return None
        place = network(host)
        known = self._seen.get(place) or self._remember(place)
        if known.failures is None:
            known.failures = Bucket(self._settings.failures_per_minute, self._clock)
        if wait := known.failures.take(1):
            if not known.told:
                log.warning("%s sends too many wrong credentials: those are answered with 429 for now", place)
            known.told = True
            return _refusal("too many wrong credentials came from this address", wait)
        known.told = False
        return None

    def _remember(self, place: str) -> _Counts:
        most = self._settings.requests_per_minute
        known = self._seen[place] = _Counts(Bucket(most, self._clock) if most else None)
        return known


def _refusal(problem: str, wait: float) -> RateLimited:
    return RateLimited(problem, remedy=f"Wait {math.ceil(wait)} s", retry_after=wait)


class AddressLimit:
    """Refuses requests of addresses that sent too many, and counts refused credentials."""

    def __init__(self, app: ASGIApp, addresses: Addresses) -> None:
        self.app = app
        self.addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if scope["type"] != "http" or client is None or not self.addresses.counts:
            await self.app(scope, receive, send)
            return
        host = client[0]
        try:
            self.addresses.admit(host)
        except RateLimited as error:
            await _answer(send, error)
            return
        refused = False

        async def counted(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] == 401 and _credential(scope):
                told = self.addresses.failed(host)
                if refused := told is not None:
                    await _answer(send, told)
            if not refused:
                await send(message)

        await self.app(scope, receive, counted)


class Forwarded:
    """Warns once for each untrusted peer that names another address in ``X-Forwarded-For``: behind an unconfigured
    proxy, all clients share one address."""

    def __init__(self, app: ASGIApp, trusted: Callable[[str], bool]) -> None:
        self.app = app
        self._trusted = trusted
        self._warned: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client is not None and scope["type"] == "http" and len(self._warned) < MOST_WARNED:
            named = any(name == b"x-forwarded-for" for name, _ in scope["headers"])
            if named and (place := network(client[0])) not in self._warned and not self._trusted(client[0]):
                self._warned.add(place)
                log.warning(
                    "%s sends X-Forwarded-For and is not a trusted proxy: all its requests count as one address."
                    " If the proxy is yours, name it in gateway.trusted_proxies",
                    place,
                )
        await self.app(scope, receive, send)


def _credential(scope: Scope) -> bool:
    return any(name in (b"authorization", b"x-api-key") for name, _ in scope["headers"])


async def _answer(send: Send, error: RateLimited) -> None:
    body = encode.dumps(encode.error_body(error))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", str(max(1, math.ceil(error.retry_after or 1))).encode()),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Connections:
    """How many connections each address has open. ``trusted`` says whose are not counted: proxies bring everybody's."""

    def __init__(self, most: int, trusted: Callable[[str], bool] = lambda _: False) -> None:
        self._most = most
        self._trusted = trusted
        self._open: Counter[str] = Counter()

    def open(self, host: str) -> bool:
        """Count one more; False if it is too many. Every True is followed by one ``close``."""
        place = network(host)
        if self._most and self._open[place] >= self._most and not self._trusted(host):
            return False
        self._open[place] += 1
        return True

    def close(self, host: str) -> None:
        place = network(host)
        self._open[place] -= 1
        if self._open[place] <= 0:
            del self._open[place]
