"""HTTP for crawling: bounded, polite, and never to an address that is not public.

Where a name resolves to is checked in the resolver that the connection uses, so a name cannot resolve to one address
for the check and to another for the connection. Redirects are followed here, each checked like a first request.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urldefrag, urljoin

from mainspring.core.errors import Forbidden, InvalidRequest, MainspringError, UpstreamError
from mainspring.core.version import __version__

if TYPE_CHECKING:
    import socket

    from aiohttp import ClientResponse
    from aiohttp.abc import AbstractResolver, ResolveResult

AGENT = "mainspring"
_USER_AGENT = f"{AGENT}/{__version__} (document connector)"
_REDIRECTS = 5
_REDIRECTED = (301, 302, 303, 307, 308)
# IPv4 addresses inside IPv6 ones: NAT64, and 6to4 after its first 16 bits.
_NUMBER = re.compile(r"(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$", re.IGNORECASE)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A server's answer. ``url`` is the address after redirects; ``headers`` have lower-case names; ``body`` is empty
    if the status is not 200 or the type was not ``wanted``."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def target(self) -> str:
        """Where a redirect leads to; empty for any other answer."""
        location = self.headers.get("location", "")
        return urldefrag(urljoin(self.url, location)).url if self.status in _REDIRECTED and location else ""

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def public(address: str) -> bool:
    """Whether an IP address belongs to the public internet; an IPv4 address inside an IPv6 one counts too."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour
        if parsed in _NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return public(str(inner))
    return parsed.is_global and not parsed.is_multicast


class Fetcher:
    """Fetches from public hosts, and from those in ``private_hosts`` whatever their address; ``async with`` it.

    Requests begin at least ``delay_s`` seconds apart. A body above ``max_bytes`` is an error.
    """

    def __init__(
        self,
        *,
        private_hosts: Collection[str] = (),
        delay_s: float = 0.5,
        max_bytes: int = 20 * 2**20,
        timeout_s: float = 30.0,
    ) -> None:
        self._private_hosts = frozenset(private_hosts)
        self.delay_s = delay_s
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._next = 0.0
        self._session: Any = None

    async def __aenter__(self) -> Self:
        import aiohttp

        connector = aiohttp.TCPConnector(resolver=resolver(self._private_hosts), limit=4)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            headers={"User-Agent": _USER_AGENT},
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        wanted: Collection[str] | None = None,
        redirects: int = _REDIRECTS,
    ) -> Fetched:
        """The answer to a GET, after up to ``redirects`` redirects (0: they are answers). The body is read only
        where its type is ``wanted`` (None: any).

        Raises ``Forbidden`` for an address that is not public, ``InvalidRequest`` for a URL that is no http one,
        ``UpstreamError`` when nothing sensible comes back in time or the body is too long.
        """
        for _ in range(redirects + 1):
            answer = await self._once(url, headers or {}, wanted)
            if not answer.target or not redirects:
                return answer
            url = answer.target
        raise UpstreamError(f"{url} redirects more than {redirects} times")

    async def _once(self, url: str, headers: Mapping[str, str], wanted: Collection[str] | None) -> Fetched:
        import aiohttp

        self.check(url)
        await self._wait()
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                found = {name.lower(): value for name, value in response.headers.items()}
                answer = Fetched(url, response.status, found)
                if response.status != 200 or (wanted is not None and answer.content_type not in wanted):
                    return answer
                return Fetched(url, response.status, found, await self._body(url, response))
        except MainspringError:
            raise
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _failed(url, error) from error

    async def _body(self, url: str, response: ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_chunked(2**16):
            size += len(part)
            if size > self._max_bytes:
                raise UpstreamError(f"{url} has more than {self._max_bytes} bytes")
            parts.append(part)
        return b"".join(parts)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer to a POST, which is not followed elsewhere.

        Raises ``Forbidden`` for an address that is not public, ``InvalidRequest`` for a URL that is no http one,
        ``UpstreamError`` when nothing comes back in time.
        """
        import aiohttp

        self.check(url)
        try:
            posting = self._session.post(url, data=body, headers=dict(headers), allow_redirects=False)
            async with posting as response:
                return int(response.status)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _failed(url, error) from error

    async def ask(self, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Fetched:
        """The answer of an interface to one request (a POST if there is a ``body``), which is not followed elsewhere.

        Raises what ``get`` does. Errors name the address without its query, which may be somebody's words.
        """
        import aiohttp

        self.check(url)
        shown = url.partition("?")[0]
        method = "GET" if body is None else "POST"
        try:
            asking = self._session.request(method, url, data=body, headers=dict(headers), allow_redirects=False)
            async with asking as response:
                found = {name.lower(): value for name, value in response.headers.items()}
                read = await self._body(shown, response) if response.status == 200 else b""
                return Fetched(url, response.status, found, read)
        except MainspringError:
            raise
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _failed(shown, error) from error

    def check(self, url: str) -> None:
        """Raises ``Forbidden`` for an address that is written out and not public, ``InvalidRequest`` for a URL that is
        no http one. What a name resolves to is known only when it is connected to."""
        check(url, self._private_hosts)

    async def _wait(self) -> None:
        now = time.monotonic()
        start = max(now, self._next)
        self._next = start + self.delay_s
        if start > now:
            await asyncio.sleep(start - now)


def check(url: str, private_hosts: Collection[str] = ()) -> None:
    """Raises ``InvalidRequest`` for a URL that is no http one or has credentials in it, ``Forbidden`` for an address,
    written out, that is not public. What a name resolves to is for ``resolver`` to check."""
    import yarl

    try:
        # The client's own reading of the address: it folds other scripts' digits and dots, which may hide one.
        parts = yarl.URL(url)
    except ValueError as error:
        raise InvalidRequest(f"{url} is not an http address: {error}", param="url") from None
    host = parts.host
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidRequest(f"{url} is not an http address", remedy="Give one that begins with https://", param="url")
    if parts.user or parts.password:
        raise InvalidRequest("the address has credentials in it, which would be stored", param="url")
    if host in private_hosts:
        return
    # The connector resolves names only: an address that is written out never reaches the resolver. A host whose
    # last part is a number is one too, in a short or octal form.
    number = _NUMBER.search(host) is not None
    if (_literal(host) and not public(host)) or (number and not _literal(host)):
        raise _forbidden(url, host)


class Refused(OSError):
    """A name resolves to an address that is not public."""


def resolver(private_hosts: frozenset[str]) -> AbstractResolver:
    """Resolves names for the client's connections, to public addresses only. Raises ``Refused``."""
    import socket

    from aiohttp.abc import AbstractResolver
    from aiohttp.resolver import ThreadedResolver

    class Guarded(AbstractResolver):
        def __init__(self) -> None:
            self._inner = ThreadedResolver()

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            found = await self._inner.resolve(host, port, family)
            private = [each["host"] for each in found if not public(each["host"])]
            if private and host not in private_hosts:
                raise Refused(f"{host} is {private[0]}")
            return found

        async def close(self) -> None:
            await self._inner.close()

    return Guarded()


def _literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _failed(url: str, error: Exception) -> MainspringError:
    # The resolver's refusal comes wrapped in the client's own error.
    if isinstance(error.__cause__, Refused):
        return _forbidden(url, str(error.__cause__))
    return UpstreamError(f"{url} cannot be reached: {error or type(error).__name__}")


def _forbidden(url: str, host: str) -> Forbidden:
    return Forbidden(
        f"{url} leads to an address that is not public ({host})",
        remedy="Allow the host explicitly (--allow-private HOST) if it is meant",
    )
