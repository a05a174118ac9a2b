"""The keys of an identity provider: fetched, cached, refreshed, and trusted for a while if the provider is down.

Keys change, so a token with an unknown key makes the server fetch them again, at most once in ``COOLDOWN_S``: invalid
tokens cost the provider nothing. Keys older than ``refresh_s`` are used while they are refreshed in the background.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from mainspring.core.errors import InvalidToken, Unavailable
from mainspring.core.settings.identity import LOOPBACK, OidcSettings

log = logging.getLogger("mainspring.gateway")
COOLDOWN_S = 10.0
TIMEOUT_S = 5.0
MAX_BYTES = 2**20
MIN_RSA_BITS = 2048
KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
Fetch = Callable[[str], Awaitable[Any]]
"""The JSON at an address. Raises ``OSError`` or ``ValueError``."""


class Jwks:
    """The keys that ``settings`` lead to, by their ids."""

    def __init__(
        self, settings: OidcSettings, fetch: Fetch | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._fetch = fetch or fetched
        self._clock = clock
        self._keys: list[Mapping[str, Any]] = []
        self._had_at = self._tried_at = float("-inf")
        self._problem = ""
        self._renewing: asyncio.Task[None] | None = None

    async def key(self, kid: str, algorithm: str) -> Any:
        """The key that may have signed with ``algorithm``. Raises ``InvalidToken`` if there is no key of that id,
        ``Unavailable`` if the keys are not known."""
        now = self._clock()
        found = self._find(kid, algorithm) if now - self._had_at <= self._limit else None
        if found is None and now - self._tried_at >= COOLDOWN_S:
            await self._renewed()
            found = self._find(kid, algorithm) if self._clock() - self._had_at <= self._limit else None
        elif now - self._had_at > self._settings.refresh_s and now - self._tried_at >= COOLDOWN_S:
            self._renew()
        elif self._renewing is not None and found is None:
            await self._renewed()
            found = self._find(kid, algorithm)
        if found is not None:
            return found
        if self._clock() - self._had_at > self._limit:
            raise Unavailable(
                f"the keys of the identity provider cannot be fetched: {self._problem or 'they were not fetched yet'}",
                remedy="Try again shortly, or use an API key",
                retry_after=COOLDOWN_S,
            )
        raise InvalidToken("the token is signed with no key of the identity provider", remedy="Sign in again")

    async def load(self) -> int:
        """Fetch the keys now; returns their number. Raises ``Unavailable``."""
        await self._renewed()
        if self._problem:
            raise Unavailable(f"the keys of the identity provider cannot be fetched: {self._problem}")
        return len(self._keys)

    @property
    def _limit(self) -> float:
        """The greatest age of keys that are still trusted."""
        return self._settings.refresh_s + self._settings.outage_s

    def _renew(self) -> asyncio.Task[None]:
        if self._renewing is None:
            self._tried_at = self._clock()
            self._renewing = asyncio.create_task(self._read(), name="jwks")
            self._renewing.add_done_callback(self._done)
        return self._renewing

    def _done(self, _: asyncio.Task[None]) -> None:
        self._renewing = None

    async def _renewed(self) -> None:
        # A waiting request may be cancelled; the others still need the keys.
        await asyncio.shield(self._renew())

    async def _read(self) -> None:
        try:
            found = await self._document()
            keys = found.get("keys") if isinstance(found, Mapping) else None
            if not isinstance(keys, list):
                raise ValueError("it holds no list of keys")
            self._keys = [key for key in keys if isinstance(key, Mapping) and _signs(key)]
            self._had_at, self._problem = self._clock(), ""
        except (OSError, ValueError, TimeoutError) as error:
            self._problem = str(error) or type(error).__name__
            log.warning("the keys of %s could not be read: %s", self._settings.issuer, self._problem)

    async def _document(self) -> Any:
        settings = self._settings
        if settings.jwks_file is not None:
            return json.loads(await asyncio.to_thread(settings.jwks_file.read_bytes))
        url = settings.jwks_url
        if not url:
            about = await self._fetch(f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration")
            if not isinstance(about, Mapping) or about.get("issuer") != settings.issuer:
                raise ValueError("the discovery document names another issuer")
            url = str(about.get("jwks_uri", ""))
            parts = urlsplit(url)
            if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
                raise ValueError(f"jwks_uri {url!r} is not https://")
        return await self._fetch(url)

    def _find(self, kid: str, algorithm: str) -> Any:
        fitting = [key for key in self._keys if _fits(key, algorithm)]
        named = [key for key in fitting if kid and key.get("kid") == kid]
        # Without an id, the choice must be unambiguous.
        chosen = named if kid else fitting
        return _made(chosen[0], algorithm) if len(chosen) == 1 else None


def _signs(key: Mapping[str, Any]) -> bool:
    """Whether a key is one of a pair that signs; never a shared secret."""
    return key.get("kty") in KINDS.values() and key.get("use", "sig") == "sig"


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    kind = KINDS[algorithm[:2]]
    curve = CURVES.get(algorithm)
    return key.get("kty") == kind and key.get("alg", algorithm) == algorithm and (not curve or key.get("crv") == curve)


def _made(key: Mapping[str, Any], algorithm: str) -> Any:
    import jwt

    try:
        made: Any = jwt.PyJWK(dict(key), algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        log.warning("a key of the identity provider is damaged: %s", error)
        return None
    if getattr(made, "key_size", MIN_RSA_BITS) < MIN_RSA_BITS and key.get("kty") == "RSA":
        log.warning("a key of the identity provider has fewer than %d bits: it is not used", MIN_RSA_BITS)
        return None
    return made


async def fetched(url: str) -> Any:
    """The JSON at ``url``; redirects are not followed. Raises ``OSError`` or ``ValueError``."""
    import aiohttp

    try:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url, allow_redirects=False) as answer:
            if answer.status != 200:
                raise ValueError(f"{url} answered {answer.status}")
            content = await answer.content.read(MAX_BYTES + 1)
            while len(content) <= MAX_BYTES and (more := await answer.content.read(MAX_BYTES + 1)):
                content += more
    except aiohttp.ClientError as error:
        raise OSError(f"{url}: {error}") from None
    if len(content) > MAX_BYTES:
        raise ValueError(f"{url} is longer than {MAX_BYTES} bytes")
    return json.loads(content)
