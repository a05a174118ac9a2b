"""A Redis server: what several servers of ours share and may lose (cached answers, counters of limits).

A call ends within ``PATIENCE_S``. After one that failed, others fail at once, without asking the server, until a single
trial gets through: half a second later at first, then after twice as long each time. A dead Redis therefore costs one
request a fraction of a second and later requests nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from mainspring.core.errors import MissingExtra, SettingsError, StoreError
from mainspring.core.settings import Settings

PREFIX = "mainspring:"
PATIENCE_S = 0.25
CONNECTIONS = 32
# Seconds between attempts to reach a server that does not answer.
FIRST_REST_S, LONGEST_REST_S = 0.5, 30.0

Argument = str | bytes | int | float
_log = logging.getLogger(__name__)


class Redis:
    """One server, through a pool of connections. Keys begin with ``PREFIX`` by convention of the callers.

    ``name`` is the address without its password. Raises ``SettingsError`` for an invalid Redis URL, and
    ``MissingExtra``.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis.asyncio as client
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
            from redis.exceptions import RedisError
        except ImportError:
            raise MissingExtra("stores.redis needs the package redis", remedy="Install mainspring[redis]") from None
        self.name = _name(url)
        self._errors: tuple[type[BaseException], ...] = (RedisError, OSError, TimeoutError)
        try:
            self._pool = client.BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS,
                timeout=PATIENCE_S,
                socket_timeout=PATIENCE_S,
                socket_connect_timeout=PATIENCE_S,
                # A failed command may have been executed: the caller decides whether to repeat it.
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError:
            # The text may hold a password: it is not repeated.
            raise _not_a_url() from None
        self._client: Any = client.Redis(connection_pool=self._pool)
        self._rest_s = FIRST_REST_S
        self._next_trial = 0.0
        self._hashes: dict[str, str] = {}

    @property
    def available(self) -> bool:
        """Whether the last call got through (or the next one is the trial)."""
        return time.monotonic() >= self._next_trial

    async def call(self, *command: Argument) -> Any:
        """The answer to one command, as in ``call("GET", key)``; texts come as bytes. Raises ``StoreError``."""
        if not self.available:
            raise StoreError(f"{self.name} does not answer", remedy="The server tries again within half a minute")
        # While this call finds out whether a server that was away is back, the others need not wait for it.
        trial = self._next_trial > 0
        if trial:
            self._next_trial = time.monotonic() + PATIENCE_S
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await self._client.execute_command(*command)
        except self._errors as error:
            if _refusal(error):
                # The server is well; it is the command that it does not take.
                self._came_back()
                raise StoreError(f"{self.name} refused {command[0]!s}: {error}") from error
            if trial or self.available:
                # If the connection is lost with many commands in flight, only the first failure is news.
                self._went_away(error)
            raise StoreError(
                f"{self.name} does not answer ({error or 'timeout'})", remedy="Start it, or empty stores.redis"
            ) from error
        self._came_back()
        return answer

    async def run_script(self, script: str, keys: Sequence[str], *arguments: Argument) -> Any:
        """Run a Lua script, which is atomic; it is sent once and named by its hash then. Raises ``StoreError``."""
        digest = self._hashes.get(script)
        if digest is None:
            digest = self._hashes[script] = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        try:
            return await self.call("EVALSHA", digest, len(keys), *keys, *arguments)
        except StoreError as error:
            if "NoScript" not in type(error.__cause__).__name__:
                raise
        return await self.call("EVAL", script, len(keys), *keys, *arguments)

    async def close(self) -> None:
        """Disconnect."""
        await self._client.aclose()
        await self._pool.disconnect()

    def _went_away(self, error: BaseException) -> None:
        if not self._next_trial:
            _log.warning("%s does not answer (%s): doing without it", self.name, error or "timeout")
        self._next_trial = time.monotonic() + self._rest_s
        self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)

    def _came_back(self) -> None:
        if self._next_trial:
            _log.warning("%s answers again", self.name)
        self._next_trial = 0.0
        self._rest_s = FIRST_REST_S


@asynccontextmanager
async def open(settings: Settings) -> AsyncIterator[Redis | None]:  # noqa: A001
    """The server of ``stores.redis``, which answers; None if none is named. Disconnected on leaving.

    Raises ``StoreError`` (unreachable, wrong password), ``SettingsError`` or ``MissingExtra``.
    """
    if not settings.stores.redis:
        yield None
        return
    server = Redis(settings.stores.redis)
    try:
        await server.call("PING")
        yield server
    finally:
        await server.close()


def _refusal(error: BaseException) -> bool:
    import redis.exceptions as kinds

    # A wrong password is an error of the connection to redis-py; a server that still loads will answer later.
    return isinstance(error, kinds.ResponseError | kinds.AuthenticationError | kinds.AuthorizationError) and not (
        isinstance(error, kinds.BusyLoadingError)
    )


def _name(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _not_a_url() from None
    if parts.scheme == "unix":
        return f"Redis at {parts.path}"
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise _not_a_url()
    return f"Redis at {parts.hostname}:{port or 6379}"


def _not_a_url() -> SettingsError:
    return SettingsError("stores.redis is not a Redis URL", remedy="Write redis://user:password@host:6379/0")
