"""The answer cache in Redis: all servers share entries, and an entry dropped by one is gone for all.

Values live under ``mainspring:cache:KEY`` until their time is over. Each tag has a set of the keys that carry it, and
one set of all keys by age enforces the bound. Both are ordered by time, so that expired keys can be trimmed.
"""

from __future__ import annotations

import time

from mainspring.stores.sql.redis import PREFIX, Redis

_VALUE, _TAG, _TAGS, _ALL = f"{PREFIX}cache:", f"{PREFIX}cache-tag:", f"{PREFIX}cache-tags:", f"{PREFIX}cache-keys"

# Each is one step for all other clients: no invalidation can fall between a value and its tags.
_LEAVE = """
local function leave(key)
    for _, tag in ipairs(redis.call('SMEMBERS', ARGV[2] .. key)) do redis.call('ZREM', ARGV[3] .. tag, key) end
    redis.call('UNLINK', ARGV[1] .. key, ARGV[2] .. key)
    redis.call('ZREM', ARGV[4], key)
end
"""
_PUT = (
    _LEAVE
    + """
local key, value, ms, now, limit = ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
leave(key)
redis.call('SET', ARGV[1] .. key, value, 'PX', ms)
redis.call('ZADD', ARGV[4], now, key)
for index = 10, #ARGV do
    local name = ARGV[3] .. ARGV[index]
    redis.call('ZREMRANGEBYSCORE', name, '-inf', now)
    redis.call('ZADD', name, now + ms, key)
    redis.call('PEXPIRE', name, ms, 'NX')
    redis.call('PEXPIRE', name, ms, 'GT')
    redis.call('SADD', ARGV[2] .. key, ARGV[index])
end
if #ARGV >= 10 then redis.call('PEXPIRE', ARGV[2] .. key, ms) end
local over = redis.call('ZCARD', ARGV[4]) - limit
if over > 0 then
    for _, old in ipairs(redis.call('ZRANGE', ARGV[4], 0, over - 1)) do leave(old) end
end
"""
)
_DROP = (
    _LEAVE
    + """
local dropped = redis.call('ZRANGE', ARGV[3] .. ARGV[5], 0, -1)
for _, key in ipairs(dropped) do leave(key) end
redis.call('UNLINK', ARGV[3] .. ARGV[5])
return #dropped
"""
)
_DELETE = _LEAVE + "local there = redis.call('EXISTS', ARGV[1] .. ARGV[5])\nleave(ARGV[5])\nreturn there"
_NAMES = (_VALUE, _TAGS, _TAG, _ALL)


class RedisCache:
    """At most ``entries`` answers. Everything raises ``StoreError`` if the server is away or refuses."""

    def __init__(self, server: Redis, entries: int) -> None:
        self._server = server
        self._limit = entries

    async def get(self, key: str) -> bytes | None:
        """The value; None if there is none or it has expired."""
        value: bytes | None = await self._server.call("GET", f"{_VALUE}{key}")
        return value

    async def put(self, key: str, value: bytes, ttl_s: float, tags: frozenset[str] = frozenset()) -> None:
        """Keep ``value`` for ``ttl_s`` seconds."""
        milliseconds = int(ttl_s * 1000)
        if milliseconds <= 0:
            await self.delete(key)
            return
        now = int(time.time() * 1000)
        await self._server.run_script(_PUT, (), *_NAMES, key, value, milliseconds, now, self._limit, *sorted(tags))

    async def delete(self, key: str) -> bool:
        """Drop one entry; whether there was one."""
        return bool(await self._server.run_script(_DELETE, (), *_NAMES, key))

    async def invalidate(self, tag: str) -> int:
        """Drop every entry with this tag; returns their number."""
        return int(await self._server.run_script(_DROP, (), *_NAMES, tag))

    async def count(self, tag: str) -> int:
        """How many entries carry this tag."""
        return int(await self._server.call("ZCOUNT", f"{_TAG}{tag}", int(time.time() * 1000), "+inf"))

    async def expire(self) -> int:
        """The server drops expired entries by itself."""
        return 0

    async def compact(self) -> None:
        """Deleted values leave no copy, unless the server writes a log of its own: that log is rewritten."""
        # A server that keeps an append-only file would hold the deleted texts until its next rewrite.
        persistence = await self._server.call("INFO", "persistence")
        if persistence["aof_enabled"] and not persistence["aof_rewrite_in_progress"]:
            await self._server.call("BGREWRITEAOF")

    async def close(self) -> None:
        """The server is its owner's to close."""
