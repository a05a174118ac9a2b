"""Questions that were answered, by their vectors, in Redis (8 or newer: it has vector sets).

Each scope is a vector set of entry ids; each entry's content is a hash of its own, which expires. An element whose hash
is gone does not count and is removed when it is found.
"""

from __future__ import annotations

import time

import numpy as np

from mainspring.stores.cache.similar_questions import Floats, Question
from mainspring.stores.sql.redis import PREFIX, Redis

_SCOPE, _ENTRY = f"{PREFIX}similar-scope:", f"{PREFIX}similar:"
_TAG, _TAGS, _ALL = f"{PREFIX}similar-tag:", f"{PREFIX}similar-tags:", f"{PREFIX}similar-ids"
_SAME, _WRONG = f"{PREFIX}similar-same:", f"{PREFIX}similar-wrong:"
_NAMES = (_SCOPE, _ENTRY, _TAGS, _TAG, _ALL, _SAME)
_FIELDS = ("scope", "tenant", "question", "answer", "vector", "expires_at", "at")
# Seconds for which the report of a wrong answer is remembered.
_WRONG_S = 90 * 86_400

_LEAVE = """
local function leave(id)
    local entry = redis.call('HMGET', ARGV[2] .. id, 'scope', 'same')
    if entry[1] then redis.call('VREM', ARGV[1] .. entry[1], id) end
    if entry[2] then redis.call('DEL', ARGV[6] .. entry[2]) end
    for _, tag in ipairs(redis.call('SMEMBERS', ARGV[3] .. id)) do redis.call('ZREM', ARGV[4] .. tag, id) end
    redis.call('UNLINK', ARGV[2] .. id, ARGV[3] .. id)
    redis.call('ZREM', ARGV[5], id)
end
"""
_ADD = (
    _LEAVE
    + """
local id, scope, ms, now = ARGV[7], ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local limit, same = tonumber(ARGV[11]), ARGV[12]
local earlier = redis.call('GET', ARGV[6] .. same)
if earlier then leave(earlier) end
local ended = redis.call('ZRANGEBYSCORE', ARGV[5], '-inf', now, 'LIMIT', 0, 100)
for _, each in ipairs(ended) do leave(each) end
redis.call('VADD', ARGV[1] .. scope, 'FP32', ARGV[13], id)
redis.call('HSET', ARGV[2] .. id, 'scope', scope, 'tenant', ARGV[14], 'question', ARGV[15], 'answer', ARGV[16],
    'vector', ARGV[13], 'expires_at', ARGV[17], 'at', ARGV[18], 'same', same)
redis.call('SET', ARGV[6] .. same, id, 'PX', ms)
redis.call('ZADD', ARGV[5], now + ms, id)
for index = 19, #ARGV do
    local name = ARGV[4] .. ARGV[index]
    redis.call('ZADD', name, now + ms, id)
    redis.call('SADD', ARGV[3] .. id, ARGV[index])
end
local over = redis.call('ZCARD', ARGV[5]) - limit
if over > 0 then
    for _, old in ipairs(redis.call('ZRANGE', ARGV[5], 0, over - 1)) do leave(old) end
end
"""
)
_NEAREST = """
local found = redis.call('VSIM', ARGV[1] .. ARGV[3], 'FP32', ARGV[4], 'COUNT', ARGV[5])
local rows = {}
for _, id in ipairs(found) do
    local entry = redis.call('HMGET', ARGV[2] .. id, 'scope', 'tenant', 'question', 'answer', 'vector', 'expires_at',
        'at')
    if entry[1] then table.insert(rows, {id, entry}) end
end
return rows
"""
_REMOVE = (
    _LEAVE
    + """
if redis.call('HGET', ARGV[2] .. ARGV[7], 'tenant') ~= ARGV[8] then return 0 end
leave(ARGV[7])
return 1
"""
)
_INVALIDATE = (
    _LEAVE
    + """
local found = redis.call('ZRANGE', ARGV[4] .. ARGV[7], 0, -1)
for _, id in ipairs(found) do leave(id) end
redis.call('UNLINK', ARGV[4] .. ARGV[7])
return #found
"""
)


class RedisSimilar:
    """At most ``entries`` questions; those that end first leave first. Everything raises ``StoreError``."""

    def __init__(self, server: Redis, entries: int) -> None:
        self._server = server
        self._limit = entries

    async def add(self, question: Question) -> None:
        now = int(time.time() * 1000)
        milliseconds = max(1, int(question.expires_at * 1000) - now)
        same = f"{question.scope}:{question.question}"
        texts = (question.tenant, question.question, question.answer, repr(question.expires_at), repr(question.at))
        vector = question.vector.astype(np.float32).tobytes()
        await self._server.run_script(
            _ADD,
            (),
            *_NAMES,
            question.id,
            question.scope,
            milliseconds,
            now,
            self._limit,
            same,
            vector,
            *texts,
            *sorted(question.tags),
        )

    async def nearest(self, scope: str, vector: Floats, limit: int) -> list[tuple[Question, float]]:
        unit = vector.astype(np.float32)
        rows = await self._server.run_script(_NEAREST, (), _SCOPE, _ENTRY, scope, unit.tobytes(), limit)
        found = []
        now = time.time()
        for entry_id, values in rows:
            entry = dict(zip(_FIELDS, values, strict=True))
            kept = np.frombuffer(entry["vector"], np.float32)
            question = Question(
                entry_id.decode(),
                entry["scope"].decode(),
                entry["tenant"].decode(),
                entry["question"].decode(),
                entry["answer"].decode(),
                kept,
                float(entry["expires_at"]),
                float(entry["at"]),
            )
            if question.expires_at > now and kept.shape == unit.shape:
                # The set itself compares vectors in eight bits.
                found.append((question, float(kept @ unit)))
        return sorted(found, key=lambda each: -each[1])

    async def remove(self, tenant: str, entry_id: str) -> bool:
        return bool(await self._server.run_script(_REMOVE, (), *_NAMES, entry_id, tenant))

    async def invalidate(self, tag: str) -> int:
        return int(await self._server.run_script(_INVALIDATE, (), *_NAMES, tag))

    async def count(self, tag: str) -> int:
        return int(await self._server.call("ZCOUNT", f"{_TAG}{tag}", int(time.time() * 1000), "+inf"))

    async def note_wrong(self, tenant: str) -> None:
        now = time.time()
        await self._server.call("ZADD", f"{_WRONG}{tenant}", now, repr(now))
        await self._server.call("ZREMRANGEBYSCORE", f"{_WRONG}{tenant}", "-inf", now - _WRONG_S)

    async def wrong_since(self, tenant: str, since: float) -> int:
        return int(await self._server.call("ZCOUNT", f"{_WRONG}{tenant}", since, "+inf"))

    async def expire(self) -> int:
        """An expired entry leaves the set when the next one is added; its text is already gone by then."""
        return 0

    async def compact(self) -> None:
        """The answer cache sees to the server's log."""

    async def close(self) -> None:
        """The server is its owner's to close."""
