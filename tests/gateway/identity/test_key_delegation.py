"""No key creates or replaces a key with more rights than its own; only ``operate`` changes the operator's values."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from mainspring import stores
from mainspring.core import settings as configuration
from mainspring.core.facts.registry import read
from mainspring.core.scopes import SCOPES
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord, Reach, TraceParent
from mainspring.gateway.edge.app import create_app
from mainspring.gateway.identity import key_routes, quota_routes
from mainspring.gateway.routes import costs, feedback
from mainspring.http.access import access_to
from mainspring.http.idempotency import Idempotency
from mainspring.stores import Stores
from mainspring.stores.keys.api_keys import KeyInfo
from mainspring.stores.sql import ids
from tests.gateway.asgi import Kept, Reply, ask

# Of each tier what it is granted, in an order that is none of one number: (requests, tokens, a day, class).
TIERS = {"": (600, 400_000, 0, 2), "free": (10, 1_000, 50, 0), "gold": (5_000, 900_000, 0, 2), "slow": (600, 500, 9, 1)}
CLASSES = {"free": "batch", "slow": "background"}
DAY = 86_400


def configured(home: Path) -> Settings:
    tiers = {
        name: {"requests_per_minute": rates[0], "tokens_per_minute": rates[1], "requests_per_day": rates[2]}
        for name, rates in TIERS.items()
        if name
    }
    serving = {"tiers": tiers, "admission": {"tiers": CLASSES}}
    return configuration.load(environment={}).settings.model_copy(
        update={"home": home, "serving": configuration.ServingSettings.model_validate(serving)}
    )


@dataclass
class House:
    """The routes of keys and budgets over real stores."""

    stores: Stores
    app: FastAPI

    async def ask(self, secret: str, method: str, path: str, body: Any = b"") -> Reply:
        return await ask(self.app, method, path, body, headers={"authorization": f"Bearer {secret}"})

    async def info(self, key_id: str) -> KeyInfo:
        return await self.stores.keys.get("acme", key_id)

    async def key(self, *scopes: str, **more: Any) -> tuple[KeyInfo, str]:
        return await self.stores.keys.create("k", tenant="acme", scopes=frozenset(scopes), **more)


@asynccontextmanager
async def house_at(home: Path) -> AsyncIterator[House]:
    settings = configured(home)
    async with stores.open(settings) as opened:
        access = access_to(opened.keys, 30.0, settings.serving.admission.tiers)
        routers = [
            key_routes.router(opened.keys, settings.serving, access, settings.gateway.roles),
            quota_routes.router(opened.quotas, access),
            feedback.router(opened.events, ids.new, access, Idempotency(Kept()), opened.quotas),
            costs.router(opened.budgets, opened.ledger, access, Idempotency(Kept()), opened.audit),
        ]
        yield House(opened, create_app(routers, settings.gateway, lambda _: TraceParent.new()))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with house_at(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.AbstractEventLoop, House]]:
    """One house for all examples, with a loop of its own."""
    loop = asyncio.new_event_loop()
    opening = house_at(tmp_path_factory.mktemp("house"))
    found = loop.run_until_complete(opening.__aenter__())
    loop.run_until_complete(found.stores.quotas.change("acme", {"keys": 0}))
    yield loop, found
    loop.run_until_complete(opening.__aexit__(None, None, None))
    loop.close()


def more(child: KeyInfo, parent: KeyInfo) -> list[str]:
    """In what a key is more than another; written anew here, so that it does not repeat what the product does."""
    operates = "operate" in parent.scopes
    held = parent.scopes | (set(SCOPES) - {"operate"} if "admin" in parent.scopes else frozenset())
    ours, theirs = TIERS[parent.tier], TIERS[child.tier]
    found = [
        name for name, exceeds in (("scopes", child.scopes - held), ("groups", child.groups - parent.groups)) if exceeds
    ]
    for name in ("models", "collections", "regions"):
        mine, its = getattr(parent.reach, name), getattr(child.reach, name)
        if mine and not (its and its <= mine):
            found.append(name)
    if not operates and any((theirs[n] or 10**12) > (ours[n] or 10**12) for n in range(3)):
        found.append("tier")
    if not operates and theirs[3] > ours[3]:
        found.append("class")
    if parent.expires_at is not None and (child.expires_at is None or child.expires_at > parent.expires_at):
        found.append("end")
    return found


GROUPS = st.frozensets(st.sampled_from(["a", "b", "c"]))
REGIONS = st.frozensets(st.sampled_from(["eu", "us", "ch"]), max_size=2)
DAYS = st.sampled_from([None, 1, 10, 100])
TIER = st.sampled_from(list(TIERS))
PARENT_SCOPES = st.sampled_from([("admin",), ("admin", "operate"), ("chat", "ingest"), ("operate",)])
CHILD_SCOPES = st.frozensets(st.sampled_from(sorted(SCOPES)), min_size=1)
key_of = st.fixed_dictionaries({"groups": GROUPS, "regions": REGIONS, "days": DAYS, "tier": TIER})


@examples(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scopes=PARENT_SCOPES, parent=key_of, child=key_of, wanted=CHILD_SCOPES, there=key_of, had=CHILD_SCOPES)
def test_no_key_makes_or_replaces_one_that_is_more_than_itself(
    lasting: tuple[asyncio.AbstractEventLoop, House],
    scopes: tuple[str, ...],
    parent: dict[str, Any],
    child: dict[str, Any],
    wanted: frozenset[str],
    there: dict[str, Any],
    had: frozenset[str],
) -> None:
    loop, house = lasting

    async def stored(scopes: frozenset[str], of: dict[str, Any]) -> tuple[KeyInfo, str]:
        end = None if of["days"] is None else time.time() + of["days"] * DAY
        reach = Reach(regions=of["regions"])
        return await house.key(*scopes, groups=of["groups"], tier=of["tier"], expires_at=end, reach=reach)

    async def tried() -> None:
        giver, secret = await stored(frozenset(scopes), parent)
        body = {**child, "name": "made", "scopes": sorted(wanted)}
        body |= {name: sorted(body[name]) for name in ("groups", "regions")}
        reply = await house.ask(secret, "POST", "/v1/keys", body)
        if reply.status == 201:
            assert "admin" in giver.scopes
            made = await house.info(reply.json["id"])
            assert more(made, giver) == []
            assert (made.parent, made.lineage) == (giver.id, (giver.id,))
        else:
            assert (reply.status, reply.error["code"]) == (403, "insufficient_scope")
            ends = (time.time() + child["days"] * DAY) if child["days"] else giver.expires_at
            wish = KeyInfo("", "acme", "", "", wanted, child["groups"], 0, ends, tier=child["tier"] or giver.tier)
            asked = more(KeyInfo(**{**_fields(wish), "reach": Reach(regions=child["regions"])}), giver)
            assert "admin" not in giver.scopes or asked, "what it may give was refused"

        old, _ = await stored(had, there)
        reply = await house.ask(secret, "POST", f"/v1/keys/{old.id}/rotate", {})
        if reply.status == 201:
            assert "admin" in giver.scopes
            assert more(await house.info(reply.json["id"]), giver) == []
        else:
            assert reply.status == 403
            assert "admin" not in giver.scopes or more(old, giver)

    loop.run_until_complete(tried())


def _fields(info: KeyInfo) -> dict[str, Any]:
    return {name: getattr(info, name) for name in KeyInfo.__slots__}


async def test_what_is_not_said_is_as_the_key_that_makes_it(house: House) -> None:
    end = time.time() + 10 * DAY
    _, secret = await house.key("admin", tier="free", expires_at=end)
    made = (await house.ask(secret, "POST", "/v1/keys", {"name": "x"})).json
    assert (made["tier"], made["expires_at"]) == ("free", end)


async def test_revoking_a_key_asks_what_becomes_of_those_that_it_made(house: House) -> None:
    _, boss = await house.key("admin")
    middle = (await house.ask(boss, "POST", "/v1/keys", {"name": "middle", "scopes": ["admin"]})).json
    leaf = (await house.ask(middle["secret"], "POST", "/v1/keys", {"name": "leaf"})).json
    at = f"/v1/keys/{middle['id']}"
    refused = await house.ask(boss, "DELETE", at)
    assert (refused.status, refused.error["code"], refused.error["param"]) == (409, "conflict", "children")
    assert "leaf" in refused.error["message"]
    assert "children=revoke" in refused.error["message"]
    assert (await house.info(middle["id"])).revoked_at is None
    gone = await house.ask(boss, "DELETE", f"{at}?children=revoke")
    assert (gone.status, gone.json["revoked_children"]) == (200, [leaf["id"]])
    for each in (middle, leaf):
        assert (await house.ask(each["secret"], "GET", "/v1/me")).status == 401
    told = [entry.object for entry in await house.stores.audit.after("acme", 0) if entry.action == "key.revoked"]
    assert told == [middle["id"], leaf["id"]]


async def test_what_is_kept_hangs_on_the_maker_of_its_maker(house: House) -> None:
    boss_info, boss = await house.key("admin")
    middle = (await house.ask(boss, "POST", "/v1/keys", {"name": "middle", "scopes": ["admin"]})).json
    leaf = (await house.ask(middle["secret"], "POST", "/v1/keys", {"name": "leaf"})).json
    kept = await house.ask(boss, "DELETE", f"/v1/keys/{middle['id']}?children=keep")
    assert (kept.status, kept.json["revoked_children"]) == (200, [])
    assert (await house.ask(leaf["secret"], "GET", "/v1/me")).status == 200
    assert (await house.info(leaf["id"])).parent == boss_info.id


async def test_no_key_takes_the_place_of_the_one_that_made_it(house: House) -> None:
    boss_info, boss = await house.key("admin")
    child = (await house.ask(boss, "POST", "/v1/keys", {"name": "child", "scopes": ["admin"]})).json
    for method, path in (("POST", "/rotate"), ("DELETE", "?children=revoke"), ("DELETE", "?children=keep")):
        reply = await house.ask(
            child["secret"], method, f"/v1/keys/{boss_info.id}{path}", {} if method == "POST" else b""
        )
        assert (reply.status, reply.error["code"]) == (403, "insufficient_scope")
    # Replaced, it is still above what it made.
    new = (await house.ask(boss, "POST", f"/v1/keys/{boss_info.id}/rotate", {})).json
    assert (await house.info(child["id"])).parent == new["id"]
    assert (await house.ask(child["secret"], "POST", f"/v1/keys/{new['id']}/rotate", {})).status == 403


async def test_only_operators_revoke_an_operators_key(house: House) -> None:
    operator, operating = await house.key("admin", "operate")
    _, admin = await house.key("admin")
    assert (await house.ask(admin, "DELETE", f"/v1/keys/{operator.id}")).status == 403
    other, _ = await house.key("admin", "operate")
    assert (await house.ask(operating, "DELETE", f"/v1/keys/{other.id}")).status == 200


async def test_a_key_that_was_revoked_meanwhile_makes_none(house: House) -> None:
    info, _ = await house.key("admin")
    maker = info.principal()
    await house.stores.keys.revoke("acme", info.id)
    with pytest.raises(Exception, match="has expired or was revoked"):
        await house.key("chat", maker=maker)


async def test_what_the_operator_set_no_administrator_changes(house: House) -> None:
    hard = await house.stores.budgets.create("acme", "tenant", window="month", limit_tokens=1_000)
    _, admin = await house.key("admin")
    _, operator = await house.key("admin", "operate")
    at = f"/v1/budgets/{hard.id}"
    for method, body in (("POST", {"limit_tokens": 10**9}), ("POST", {"name": "mine"}), ("DELETE", b"")):
        reply = await house.ask(admin, method, at, body)
        assert (reply.status, reply.error["code"]) == (403, "insufficient_scope")
    # One of the same kind beside it holds as well, and is the tenant's own; what the operator makes over HTTP is not.
    own = await house.ask(admin, "POST", "/v1/budgets", {"limit_tokens": 500})
    assert (own.status, own.json["setter"]) == (200, "tenant")
    assert (await house.ask(admin, "DELETE", f"/v1/budgets/{own.json['id']}")).status == 200
    made = (await house.ask(operator, "POST", "/v1/budgets", {"limit_tokens": 700, "window": "day"})).json
    assert (await house.ask(admin, "DELETE", f"/v1/budgets/{made['id']}")).status == 403
    assert (await house.ask(operator, "POST", at, {"limit_tokens": 2_000})).json["limit_tokens"] == 2_000
    assert (await house.ask(operator, "DELETE", at)).status == 200


async def test_neither_a_new_key_nor_a_replaced_one_escapes_the_budget_of_a_key(house: House) -> None:
    boss, secret = await house.key("admin")
    child = (await house.ask(secret, "POST", "/v1/keys", {"name": "child", "scopes": ["admin"]})).json
    budget = await house.stores.budgets.create("acme", "key", boss.id, window="total", limit_tokens=100)
    new = (await house.ask(secret, "POST", f"/v1/keys/{boss.id}/rotate", {})).json
    leaf = (await house.ask(child["secret"], "POST", "/v1/keys", {"name": "leaf"})).json
    other, _ = await house.key("admin")
    budgets = house.stores.budgets
    held = {
        each: [found.id for found in await budgets.concerning((await house.info(each)).principal(), "m")]
        for each in (new["id"], child["id"], leaf["id"], other.id)
    }
    assert held == {new["id"]: [budget.id], child["id"]: [budget.id], leaf["id"]: [budget.id], other.id: []}
    # Nor one that is set on the key in whose place it stands now: what was made before counts, too.
    later = await house.stores.budgets.create("acme", "key", new["id"], window="day", limit_tokens=100)
    assert later.id in {found.id for found in await budgets.concerning((await house.info(leaf["id"])).principal(), "m")}


async def test_only_operators_set_what_a_tenant_may_have(house: House) -> None:
    _, admin = await house.key("admin")
    _, operator = await house.key("admin", "operate")
    for method, body in (("POST", {"keys": 10**6}), ("GET", b"")):
        assert (await house.ask(admin, method, "/v1/limits/tenants/acme", body)).status == 403
    set_to = await house.ask(operator, "POST", "/v1/limits/tenants/acme", {"keys": 3, "files": 0})
    assert set_to.status == 200
    shown = {row["name"]: row for row in (await house.ask(admin, "GET", "/v1/limits/tenant")).json["data"]}
    assert (shown["keys"]["limit"], shown["keys"]["used"], shown["files"]["limit"]) == (3, 2, None)
    assert (await house.ask(admin, "POST", "/v1/keys", {"name": "third"})).status == 201
    refused = await house.ask(admin, "POST", "/v1/keys", {"name": "fourth"})
    assert (refused.status, refused.error["code"], refused.error["param"]) == (403, "quota_exceeded", "keys")
    assert "3 of 3 API keys" in refused.error["message"]
    assert "limits.tenant.keys" in refused.error["message"]
    assert (await house.ask(operator, "POST", "/v1/limits/tenants/acme", {})).status == 400
    assert (await house.ask(operator, "POST", "/v1/limits/tenants/acme", {"keys": None})).status == 200
    assert (await house.ask(admin, "POST", "/v1/keys", {"name": "fourth"})).status == 201


async def test_an_answer_gets_so_much_feedback(house: House) -> None:
    info, secret = await house.key("chat")
    facts = {"key_id": info.id, "groups": [], "answer_id": "ans_1"}
    await house.stores.events.append(EventRecord("ans_1", time.time(), "acme", "t", "ans_1", read("answer", facts)))
    await house.stores.quotas.change("acme", {"feedback_per_answer": 2})
    said = [await house.ask(secret, "POST", "/v1/feedback", {"answer_id": "ans_1", "rating": "up"}) for _ in range(3)]
    assert [each.status for each in said] == [201, 201, 403]
    assert said[-1].error["param"] == "feedback_per_answer"


async def test_a_tenant_makes_few_budgets_a_minute_for_all_wait_for_it(house: House) -> None:
    _, admin = await house.key("admin")
    _, operator = await house.key("admin", "operate")
    wanted = [{"scope": "application", "subject": f"a{number}", "limit_tokens": 1} for number in range(20)]
    made = [(await house.ask(admin, "POST", "/v1/budgets", each)).status for each in wanted[:10]]
    assert made == [200] * 6 + [429] * 4
    assert {(await house.ask(operator, "POST", "/v1/budgets", each)).status for each in wanted[10:]} == {200}
