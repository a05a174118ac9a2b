"""Limits of one address: requests, wrong credentials, open connections; and how the address is determined."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mainspring.core.errors import RateLimited, SettingsError, Unauthenticated
from mainspring.core.settings import GatewaySettings, load
from mainspring.core.settings.gateway import AddressSettings
from mainspring.core.types import Finish, Principal, Text, TraceParent
from mainspring.gateway.edge.addresses import Addresses, network
from mainspring.gateway.edge.app import create_app
from mainspring.gateway.edge.server import serving
from mainspring.gateway.routes import generate
from mainspring.http.access import access_to
from mainspring.http.idempotency import Idempotency
from tests.gateway.asgi import Kept, NoModels, ask, gateway
from tests.gateway.edge.test_connection import WHOLE, Wire, error
from tests.serving.house import Recited

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Counted:
    """Keys that count how often they are asked."""

    asked = 0

    async def authenticate(self, secret: str) -> Principal:
        self.asked += 1
        if secret != "ms-right":
            raise Unauthenticated("the API key is unknown")
        return Principal("acme", "key_1", frozenset({"chat"}))


def counted(keys: Counted, **addresses: Any) -> Any:
    settings = GatewaySettings.model_validate({"addresses": addresses})
    access = access_to(keys, 30.0)
    routes = generate.router(Recited(Text("Hello"), Finish("stop")), NoModels(), settings, access, Idempotency(Kept()))  # type: ignore[arg-type]
    return create_app([routes], settings, lambda _: TraceParent.new())


async def status(app: Any, secret: str) -> int:
    headers = {"authorization": f"Bearer {secret}"} if secret else {"authorization": ""}
    return (await ask(app, "POST", "/v1/chat/completions", CHAT, headers=headers)).status


async def test_after_so_many_wrong_keys_the_wrong_ones_are_told_to_wait() -> None:
    app = counted(Counted(), failures_per_minute=3)
    assert [await status(app, "ms-wrong") for _ in range(5)] == [401, 401, 401, 429, 429]
    reply = await ask(app, "POST", "/v1/chat/completions", CHAT, headers={"authorization": "Bearer ms-other"})
    assert (reply.status, reply.error["code"]) == (429, "rate_limit_exceeded")
    assert int(reply.headers["retry-after"][0]) >= 1
    assert reply.headers["x-content-type-options"] == ["nosniff"]
    assert "www-authenticate" not in reply.headers


async def test_a_right_key_is_never_refused_for_what_others_behind_its_address_send() -> None:
    app = counted(Counted(), failures_per_minute=1)
    seen = [(await status(app, "ms-wrong"), await status(app, "ms-right")) for _ in range(50)]
    assert {right for _, right in seen} == {200}
    assert [wrong for wrong, _ in seen[1:]] == [429] * 49


async def test_right_keys_and_no_keys_are_no_guesses() -> None:
    keys = Counted()
    app = counted(keys, failures_per_minute=2)
    for _ in range(5):
        assert await status(app, "ms-right") == 200
    served = counted(keys, failures_per_minute=2)
    for _ in range(5):
        found = await ask(served, "GET", "/nothing")
        assert found.status == 404


async def test_an_address_may_send_so_many_requests() -> None:
    app = counted(Counted(), requests_per_minute=2)
    assert [await status(app, "ms-right") for _ in range(3)] == [200, 200, 429]


def test_counts_refill() -> None:
    clock = Clock()
    addresses = Addresses(AddressSettings(failures_per_minute=2), clock)
    assert [addresses.failed("192.0.2.1") for _ in range(2)] == [None, None]
    assert isinstance(addresses.failed("192.0.2.1"), RateLimited)
    assert addresses.failed("192.0.2.2") is None
    clock.now = 30.0
    assert addresses.failed("192.0.2.1") is None
    assert isinstance(addresses.failed("192.0.2.1"), RateLimited)


def test_memory_is_bounded_for_every_caller() -> None:
    addresses = Addresses(AddressSettings(requests_per_minute=5, remembered=100), Clock())
    for number in range(5000):
        addresses.admit(f"10.0.{number // 250}.{number % 250}")
        addresses.failed(f"10.1.{number // 250}.{number % 250}")
    assert len(addresses) == 100


def test_who_has_a_network_has_one_address() -> None:
    assert network("2001:db8:1:2::5") == network("2001:db8:1:2:ffff::1") != network("2001:db8:1:3::5")
    assert network("::ffff:192.0.2.1") == network("192.0.2.1")
    assert len(network("x" * 10_000)) == 64


@asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[tuple[str, int]]:
    chosen = GatewaySettings.model_validate({"port": 0, "read_timeout_s": 0.6, **settings})
    app = gateway(Recited(Text("Hello"), Finish("stop")), **chosen.model_dump(exclude={"port"}))
    async with serving(app, chosen) as (server, url):
        host, _, port = url.removeprefix("http://").partition(":")
        yield host, int(port)
        server.should_exit = True


async def through(address: tuple[str, int], forwarded: str) -> int:
    """The status of a request with a wrong key that says it came for ``forwarded``."""
    wire = Wire(*await asyncio.open_connection(*address))
    head = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nonsense\r\n"
    await wire.send(head + b"X-Forwarded-For: " + forwarded.encode() + b"\r\n\r\n")
    found = (await wire.answer())[0]
    wire.writer.close()
    return found


async def test_nobody_gives_itself_another_address() -> None:
    async with served(addresses={"failures_per_minute": 2}) as address:
        assert [await through(address, f"192.0.2.{number}") for number in range(4)] == [401, 401, 429, 429]


async def test_a_trusted_proxy_says_for_whom_it_asks() -> None:
    bounds = {"addresses": {"failures_per_minute": 2}, "trusted_proxies": ["127.0.0.0/8"]}
    async with served(**bounds) as address:
        assert [await through(address, "192.0.2.1") for _ in range(3)] == [401, 401, 429]
        # Another client of the proxy, and one that claims to be it: the proxy wrote the last part.
        assert await through(address, "192.0.2.2") == 401
        assert await through(address, "192.0.2.9, 192.0.2.1") == 429


async def test_a_peer_that_names_others_and_is_not_trusted_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as address:
        for number in range(3):
            await through(address, f"192.0.2.{number}")
    told = [record.getMessage() for record in caplog.records if "X-Forwarded-For" in record.getMessage()]
    assert len(told) == 1
    assert told[0].startswith("127.0.0.1 ")
    assert "gateway.trusted_proxies" in told[0]


async def test_nobody_is_warned_of_a_trusted_proxy(caplog: pytest.LogCaptureFixture) -> None:
    async with served(trusted_proxies=["127.0.0.0/8"]) as address:
        await through(address, "192.0.2.1")
    assert not [record for record in caplog.records if "X-Forwarded-For" in record.getMessage()]


async def test_an_address_has_so_many_connections_open() -> None:
    async with served(addresses={"connections": 3}) as address:
        wires = [Wire(*await asyncio.open_connection(*address)) for _ in range(3)]
        for wire in wires:
            await wire.send(WHOLE)
            assert (await wire.answer())[0] == 200
        fourth = Wire(*await asyncio.open_connection(*address))
        code, told = error(await fourth.rest())
        assert (code, told["code"]) == (503, "overloaded")
        wires[0].writer.close()
        # The server needs a moment to hear of it.
        async with asyncio.timeout(30):
            while True:
                again = Wire(*await asyncio.open_connection(*address))
                await again.send(WHOLE)
                if (await again.answer())[0] == 200:
                    break
                again.writer.close()
                await asyncio.sleep(0.05)
        for wire in (*wires, fourth, again):
            wire.writer.close()


def test_a_proxy_that_is_no_address_is_refused_in_the_settings() -> None:
    with pytest.raises(SettingsError, match="neither an address nor a network"):
        load(environment={"MAINSPRING_GATEWAY__TRUSTED_PROXIES": json.dumps(["proxy.example.com"])})
