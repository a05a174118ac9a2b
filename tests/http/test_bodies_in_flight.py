"""The bytes of request bodies that a server holds at once are bounded, and a tenant has a share of them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import Overloaded, RateLimited
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Finish, Principal, Text, TraceParent
from mainspring.gateway.edge.app import create_app
from mainspring.gateway.routes import generate
from mainspring.http.access import access_to
from mainspring.http.bodies_in_flight import SMALL, BodiesInFlight, HeldBody
from mainspring.http.idempotency import Idempotency
from tests.gateway.asgi import Kept, NoModels, Reply, ask
from tests.serving.house import Recited

MOST = 8 * SMALL


class Tenants:
    """A key is its tenant's name."""

    async def authenticate(self, secret: str) -> Principal:
        return Principal(secret, "key_1", frozenset({"chat"}))


def serving(bodies: BodiesInFlight, said: Recited) -> FastAPI:
    settings = GatewaySettings()
    access = access_to(Tenants(), 30.0, bodies=bodies)
    routes = generate.router(said, NoModels(), settings, access, Idempotency(Kept()))  # type: ignore[arg-type]
    return create_app([routes], settings, lambda header: TraceParent.new())


def chat(size: int) -> bytes:
    empty = json.dumps({"model": "m", "messages": [{"role": "user", "content": ""}]}).encode()
    return empty.replace(b'""', b'"' + b"x" * (size - len(empty)) + b'"')


async def send(app: FastAPI, tenant: str, size: int, *, chunked: bool = False) -> Reply:
    body = chat(size)
    pieces = [body[start : start + 4096] for start in range(0, size, 4096)] if chunked else None
    return await ask(
        app, "POST", "/v1/chat/completions", body, headers={"authorization": f"Bearer {tenant}"}, pieces=pieces
    )


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_tenant_that_sends_much_leaves_room_for_others(chunked: bool) -> None:
    bodies, go = BodiesInFlight(MOST, 0.5), asyncio.Event()
    app = serving(bodies, Recited(go, Text("Yes"), Finish("stop")))
    many = [asyncio.create_task(send(app, "a", 2 * SMALL, chunked=chunked)) for _ in range(6)]
    while sum(each.done() for each in many) < 4:
        await asyncio.sleep(0)
    refused = [each.result() for each in many if each.done()]
    assert {(each.status, each.error["code"]) for each in refused} == {(429, "rate_limit_exceeded")}
    assert all(each.headers["retry-after"] == ["1"] for each in refused)
    assert bodies.held == 4 * SMALL
    # Small ones always pass, and those of another tenant.
    others = [asyncio.create_task(send(app, *each)) for each in (("a", SMALL), ("b", 3 * SMALL))]
    while bodies.held < 7 * SMALL:
        await asyncio.sleep(0)
    beyond = await send(app, "c", 2 * SMALL)
    assert (beyond.status, beyond.error["code"], beyond.headers["retry-after"]) == (503, "overloaded", ["1"])
    go.set()
    assert {each.status for each in await asyncio.gather(*others)} == {200}
    assert sorted(each.status for each in await asyncio.gather(*many)) == [200, 200, 429, 429, 429, 429]
    assert bodies.held == 0
    assert (await send(app, "c", 2 * SMALL)).status == 200


async def test_what_is_refused_for_another_reason_is_given_back() -> None:
    bodies = BodiesInFlight(MOST, 0.5)
    app = serving(bodies, Recited(Text("Yes"), Finish("stop")))
    body = b'{"model": "m", "messages": ' + b" " * 2 * SMALL
    assert (await ask(app, "POST", "/v1/chat/completions", body)).status == 400
    assert bodies.held == 0


def test_one_body_always_passes() -> None:
    bodies = BodiesInFlight(MOST, 0.5)
    alone = bodies.of("a")
    alone.expect(3 * MOST)
    for _ in range(3 * MOST // SMALL):
        alone.add(SMALL)
    assert bodies.held == 3 * MOST
    with pytest.raises(RateLimited, match="bodies_in_flight_bytes"):
        bodies.of("a").expect(SMALL + 1)
    with pytest.raises(Overloaded, match="bodies_in_flight_bytes"):
        bodies.of("b").expect(SMALL + 1)
    bodies.of("b").expect(SMALL)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.integers(1, 3 * SMALL)), max_size=80))
def test_the_bounds_hold_whatever_comes(steps: list[tuple[str, int, int]]) -> None:
    bodies = BodiesInFlight(MOST, 0.5)
    open_now: dict[tuple[str, int], HeldBody] = {}
    sizes: Counter[tuple[str, int]] = Counter()
    for tenant, number, size in steps:
        one = (tenant, number)
        body = open_now.setdefault(one, bodies.of(tenant))
        try:
            body.add(size)
            sizes[one] += size
        except (RateLimited, Overloaded):
            body.release()
            del open_now[one], sizes[one]
        counted = {each: seen for each, seen in sizes.items() if seen > SMALL}
        assert bodies.held == sum(counted.values())
        assert bodies.held <= MOST or len(counted) == 1
        for each in "ab":
            own = [seen for (owner, _), seen in counted.items() if owner == each]
            assert sum(own) <= MOST / 2 or len(own) == 1
    for body in open_now.values():
        body.release()
    assert bodies.held == 0
