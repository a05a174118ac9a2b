"""Token buckets in Redis that several servers share: all buckets of one account in one atomic script, on Redis' clock.

A bucket holds ``capacity`` units and refills evenly within ``period_s``. One that is full is not kept at all, so an
account that rests long enough leaves nothing behind. The script takes any number of buckets: requests and tokens a
minute, requests a day.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.stores.sql.redis import PREFIX, Redis

ACCOUNTS = f"{PREFIX}limit:"
WORKERS = f"{PREFIX}limit-workers"
RUNNING = f"{PREFIX}running:"
ALIVE_S = 30.0
"""A server that has sent no sign of life for this long does not count."""
_RUNNING_S = 86_400

# KEYS[1]: the account. ARGV: now ('' for the server's clock), 'take' or 'give', then capacity, period and amount of
# each bucket. Answers with the number of the first bucket that lacks something (0: none, all is taken), the seconds
# until it would not, and each bucket's level.
_SCRIPT = """
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = tonumber(t[1]) + tonumber(t[2]) / 1000000
end
local count = (#ARGV - 2) / 3
local kept = redis.call('HMGET', KEYS[1], 'at', unpack((function()
  local names = {}
  for i = 1, count do names[i] = 'level' .. i end
  return names
end)()))
local passed = kept[1] and math.max(0, now - tonumber(kept[1])) or 0
local levels, failed, wait = {}, 0, 0
for i = 1, count do
  local capacity, period, amount = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
  local level = kept[i + 1] and math.min(capacity, tonumber(kept[i + 1]) + passed * capacity / period) or capacity
  if ARGV[2] == 'take' and failed == 0 and amount - level > 1e-9 then
    failed, wait = i, (amount - level) * period / capacity
  end
  levels[i] = level
end
if kept[1] then now = math.max(now, tonumber(kept[1])) end
local rest, fields = 0, {'at', string.format('%.17g', now)}
for i = 1, count do
  local capacity, period, amount = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
  if failed == 0 then
    local sign = ARGV[2] == 'take' and -1 or 1
    levels[i] = math.min(capacity, levels[i] + sign * amount)
  end
  rest = math.max(rest, (capacity - levels[i]) * period / capacity)
  levels[i] = string.format('%.17g', levels[i])
  fields[#fields + 1] = 'level' .. i
  fields[#fields + 1] = levels[i]
end
if rest > 0 then
  redis.call('HSET', KEYS[1], unpack(fields))
  redis.call('PEXPIRE', KEYS[1], math.ceil(rest * 1000) + 1000)
else
  redis.call('DEL', KEYS[1])
end
return {failed, string.format('%.17g', wait), unpack(levels)}
"""

# KEYS[1]: the workers. ARGV: this worker's name, seconds for which a worker counts. Returns the number of workers.
_BEAT = """
local t = redis.call('TIME')
redis.call('ZADD', KEYS[1], t[1], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', t[1] - ARGV[2])
redis.call('EXPIRE', KEYS[1], 10 * ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""

# KEYS[1]: how many requests of a tenant run at each worker, KEYS[2]: the workers. ARGV: this worker's name, the
# number of this message, the requests that run here, the limit over all workers (0: report only), seconds for which a
# worker counts, seconds until all this expires. Answers with -1, or with how many run without the last one where that
# may not.
_RUN = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[2], now, ARGV[1])
local number, mine, limit = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local all, others, old = redis.call('HGETALL', KEYS[1]), 0, false
for i = 1, #all, 2 do
  local told, count = string.match(all[i + 1], '(%d+) (%d+)')
  if all[i] == ARGV[1] then
    if tonumber(told) > number then mine, old = tonumber(count), true end
  else
    local seen = redis.call('ZSCORE', KEYS[2], all[i])
    if seen and tonumber(seen) > now - tonumber(ARGV[5]) then
      others = others + tonumber(count)
    else
      redis.call('HDEL', KEYS[1], all[i])
    end
  end
end
if limit > 0 and others + mine > limit then return others + mine - 1 end
if not old then
  if mine > 0 then
    redis.call('HSET', KEYS[1], ARGV[1], string.format('%d %d', number, mine))
    redis.call('EXPIRE', KEYS[1], ARGV[6])
  else
    redis.call('HDEL', KEYS[1], ARGV[1])
  end
end
return -1
"""


@dataclass(frozen=True, slots=True)
class BucketRequest:
    """An amount to take from one bucket, and the bucket's rate and size."""

    capacity: int
    period_s: float
    amount: float


@dataclass(frozen=True, slots=True)
class TakeResult:
    """``failed`` is the index of the first bucket with too little (None: all was taken), ``wait_s`` the seconds until
    it has enough; ``levels`` are the buckets' levels now."""

    failed: int | None
    wait_s: float
    levels: tuple[float, ...]


class SharedBuckets:
    """The buckets of all accounts. Every method raises ``StoreError`` if Redis does not answer.

    ``clock`` replaces the server's clock, for tests.
    """

    def __init__(self, redis: Redis, *, clock: Callable[[], float] | None = None) -> None:
        self._redis = redis
        self._clock = clock

    async def take(self, account: str, asked: Sequence[BucketRequest]) -> TakeResult:
        """Take all amounts, or nothing."""
        return await self._run(account, "take", asked)

    async def give(self, account: str, asked: Sequence[BucketRequest]) -> TakeResult:
        """Put amounts back, up to the brim; negative ones are debts that refilling pays off."""
        return await self._run(account, "give", asked)

    async def beat(self, worker: str) -> int:
        """Record a sign of life of ``worker``; returns the number of live workers."""
        return int(await self._redis.run_script(_BEAT, [WORKERS], worker, int(ALIVE_S)))

    async def run(self, tenant: str, worker: str, number: int, running: int, limit: int) -> int | None:
        """Report the number of requests of ``tenant`` that run at ``worker``, including one that has just arrived;
        ``number`` grows with each message. With a ``limit`` of all servers: None if it may run, else how many do
        without it."""
        told = (worker, number, running, limit, int(ALIVE_S), _RUNNING_S)
        ran = int(await self._redis.run_script(_RUN, [RUNNING + tenant, WORKERS], *told))
        return None if ran < 0 else ran

    async def leave(self, worker: str) -> None:
        """``worker`` has stopped."""
        await self._redis.call("ZREM", WORKERS, worker)

    async def _run(self, account: str, mode: str, asked: Sequence[BucketRequest]) -> TakeResult:
        now = "" if self._clock is None else repr(self._clock())
        arguments: list[Any] = [now, mode]
        for each in asked:
            arguments += [each.capacity, repr(float(each.period_s)), repr(float(each.amount))]
        failed, wait, *levels = await self._redis.run_script(_SCRIPT, [ACCOUNTS + account], *arguments)
        return TakeResult(int(failed) - 1 if int(failed) else None, float(wait), tuple(map(float, levels)))
