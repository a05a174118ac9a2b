"""The caches of mainspring keep what ``mainspring.testing`` asks of every cache: in memory and a file, and in Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring.stores.cache import answers as file_cache
from mainspring.stores.cache.answers import AnswerCache, AnswerStore
from mainspring.stores.cache.answers_redis import RedisCache
from mainspring.stores.sql.redis import Redis
from mainspring.testing import CacheSuite


class TestCaches(CacheSuite):
    written_s = file_cache.FLUSH_S * 3
    # The file is looked through once in a thousand writes.
    slack = file_cache.PRUNE_EVERY

    @pytest.fixture(params=["file", "redis"])
    async def cache(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AnswerStore]:
        if request.param == "file":
            made = AnswerCache(tmp_path / "cache.db", self.limit)
            yield made
            await made.close()
            return
        server = Redis(request.getfixturevalue("redis_url"))
        yield RedisCache(server, self.limit)
        await server.close()
