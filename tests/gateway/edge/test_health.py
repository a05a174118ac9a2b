"""Who is shown the metrics, and who is shown what names tenants."""

from __future__ import annotations

import pytest

from mainspring.core.errors import Unauthenticated
from mainspring.core.facts.registry import read
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import EventRecord, Principal, TraceParent
from mainspring.gateway.edge import health
from mainspring.gateway.edge.app import create_app
from mainspring.http.access import access_to
from mainspring.telemetry.metrics import Metrics
from tests.gateway.asgi import Reply, ask

KEY = "scrape-4711"


class Keys:
    """``ms-admin`` administers a tenant, ``ms-chat`` does not."""

    async def authenticate(self, secret: str) -> Principal:
        if secret not in ("ms-admin", "ms-chat"):
            raise Unauthenticated("the API key is unknown")
        return Principal("acme", secret, frozenset({secret.removeprefix("ms-")}))


class Health:
    """A server whose engine has been ``down`` for so many seconds."""

    def __init__(self, down: float = 0.0) -> None:
        self._down = down

    @property
    def dead(self) -> bool:
        return self._down > 120

    async def readiness(self) -> dict[str, str]:
        return {}

    async def weaknesses(self) -> dict[str, str]:
        return {}

    def liveness(self) -> dict[str, float]:
        return {"m": self._down} if self._down else {}


@pytest.mark.parametrize(("down", "status", "said"), [(0, 200, "alive"), (30, 200, "alive"), (200, 503, "dead")])
async def test_liveness_names_an_engine_that_does_not_come_back(down: float, status: int, said: str) -> None:
    routes = health.router(Health(down), Metrics(["m"]), "", access_to(Keys(), 1.0))  # type: ignore[arg-type]
    app = create_app([routes], GatewaySettings(), lambda header: TraceParent.new())
    reply = await ask(app, "GET", "/healthz")
    assert (reply.status, reply.json["status"]) == (status, said)
    assert reply.json.get("down_s") == ({"m": down} if down else None)


async def metrics(metrics_key: str = "", who: str = "", address: str = "127.0.0.1", **headers: str) -> Reply:
    counted = Metrics(["m"])
    counted.facts.count([EventRecord("e1", 0.0, "hush-hush", "t", "a", read("call", {"prompt_tokens": 7}))])

    routes = health.router(Health(), counted, metrics_key, access_to(Keys(), 1.0))  # type: ignore[arg-type]
    app = create_app([routes], GatewaySettings(), lambda header: TraceParent.new())
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    sent["authorization"] = f"Bearer {who}" if who else ""
    return await ask(app, "GET", "/metrics", headers=sent, client=(address, 5555))


async def test_what_names_tenants_is_for_this_machine() -> None:
    assert b'tenant="hush-hush"' in (await metrics()).body
    assert b'tenant="hush-hush"' in (await metrics(address="::1")).body
    for reply in (
        await metrics(address="192.0.2.7"),
        await metrics(address="not-an-address"),
        await metrics(who="ms-admin", address="192.0.2.7"),
        await metrics(x_forwarded_for="192.0.2.7"),
        await metrics(forwarded="for=192.0.2.7"),
    ):
        assert reply.status == 200
        assert b"mainspring_requests_total" in reply.body
        assert b"hush-hush" not in reply.body
        assert b"tenant_cost" not in reply.body


@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.7"])
async def test_with_a_key_of_its_own_it_is_for_who_brings_it(address: str) -> None:
    assert b"hush-hush" in (await metrics(KEY, KEY, address)).body
    shown = await metrics(KEY, "ms-admin", address)
    assert (shown.status, b"hush-hush" in shown.body) == (200, False)
    for who, status in (("", 401), ("ms-chat", 403), (KEY[:-1], 401), ("\u00e9", 401)):
        refused = await metrics(KEY, who, address)
        assert (refused.status, b"mainspring_" in refused.body) == (status, False), who
