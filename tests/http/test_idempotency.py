"""Idempotency-Keys over a cache that fails."""

from __future__ import annotations

import pytest
from starlette.responses import Response

from mainspring.core.errors import StoreError
from mainspring.core.types import Context, Principal
from mainspring.http.idempotency import Idempotency


class Failing:
    """A cache that fails in what ``broken`` names."""

    def __init__(self, broken: str) -> None:
        self.broken = broken

    async def get(self, key: str) -> bytes | None:
        if self.broken == "get":
            raise StoreError("the cache is away")
        return None

    async def put(self, key: str, value: bytes, ttl_s: float, tags: frozenset[str]) -> None:
        if self.broken == "put":
            raise StoreError("the cache is away")


@pytest.mark.parametrize("broken", ["get", "put"])
async def test_a_cache_that_fails_costs_no_answer(broken: str, caplog: pytest.LogCaptureFixture) -> None:
    done = []

    async def work() -> Response:
        done.append(1)
        return Response(b"made")

    context = Context(Principal("acme", "key_1"))
    answer = await Idempotency(Failing(broken)).once("once", "route", [b"body"], context, work)
    assert (answer.body, len(done)) == (b"made", 1)
    assert "the cache is away" in caplog.text
