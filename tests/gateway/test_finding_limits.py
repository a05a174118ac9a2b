"""Searches count against the limits of their key, and end with their time."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import FastAPI

from mainspring.core.types import Context, Usage
from mainspring.gateway.routes import search
from mainspring.http.access import access_to
from mainspring.rag.search.search_service import Search, SearchRequest, SearchResult
from mainspring.serving.admit.rate_limits import Charge, Limits
from tests.gateway.asgi import Keys, Reply, ask, gateway
from tests.serving.house import Recited


class Metrics:
    def __init__(self) -> None:
        self.refused: list[str] = []

    def limited(self, limit: str) -> None:
        self.refused.append(limit)


class Searching:
    """Takes 400 tokens of the limits, spends 100; never ends for the query ``slow``."""

    def __init__(self) -> None:
        self.cancelled = False

    def tokens(self, wanted: SearchRequest) -> int:
        return 400

    async def search(self, context: Context, store: str, wanted: SearchRequest) -> SearchResult:
        if wanted.queries == ("slow",):
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled = True
        context.allowance.spend(Usage(90, 10))
        return SearchResult(wanted.queries, ())

    async def recommend(self, *_: Any) -> list[Any]:
        return []

    async def similar(self, *_: Any, **__: Any) -> list[Any]:
        return []


def application(searching: Searching, limits: Limits, metrics: Metrics) -> FastAPI:
    found: Any = searching
    return gateway(Recited(), search.router(found, access_to(Keys(), 9), Charge(limits, metrics)))  # type: ignore[arg-type]


async def post(app: FastAPI, route: str, **options: Any) -> Reply:
    body = {"search": {"query": options.pop("query", "x")}, "similar": {"text": "x"}, "recommendations": {}}[route]
    return await ask(app, "POST", f"/v1/vector_stores/s/{route}", body, **options)


async def test_tokens_that_a_search_spent_are_taken_and_the_rest_comes_back() -> None:
    metrics = Metrics()
    app = application(Searching(), Limits(100, 1000), metrics)
    left = []
    while (reply := await post(app, "search")).status == 200:
        left.append(int(reply.headers["x-ratelimit-remaining-tokens"][0]))
    # Each spends 100 (the bucket refills by 17 a second meanwhile) and is let in while 400 are there.
    assert 7 <= len(left) <= 9
    assert left[0] in range(900, 920)
    assert (reply.status, reply.error["param"]) == (429, "tokens_per_minute")
    assert metrics.refused == ["tokens"]


async def test_every_finding_route_is_a_request() -> None:
    for route in ("search", "similar", "recommendations"):
        app = application(Searching(), Limits(1, 1000), Metrics())
        assert (await post(app, route)).status == 200
        refused = await post(app, route)
        assert (refused.status, refused.error["param"]) == (429, "requests_per_minute")
        assert "retry-after" in refused.headers


async def test_a_search_ends_with_its_time() -> None:
    searching = Searching()
    limits = Limits(10, 1000)
    app = application(searching, limits, Metrics())
    reply = await post(app, "search", query="slow", headers={"x-request-timeout": "0.05"})
    assert (reply.status, reply.error["code"]) == (504, "deadline_exceeded")
    assert searching.cancelled
    assert (await post(app, "search")).headers["x-ratelimit-remaining-tokens"] == ["900"]


def test_what_a_search_may_take_is_estimated() -> None:
    class Writer:
        default_tokens = 256

    anything: Any = Writer()
    made: Any = Search.__new__(Search)
    made._ask, made._writer = anything, anything
    assert made.tokens(SearchRequest(("four",), 3, techniques=("spelling", "acronyms"))) == 1
    assert made.tokens(SearchRequest(("four", "more"), 3, techniques=("hyde",))) == 802
    assert made.tokens(SearchRequest(("four",), 3, summary="generative")) == 258
    made._ask = made._writer = None
    assert made.tokens(SearchRequest(("four",), 3, techniques=("condense",), summary="generative")) == 1
