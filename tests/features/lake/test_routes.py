"""The routes: each key sees its tenant's lake, as far as its groups reach."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Principal, TraceParent
from mainspring.features.lake.routes import router
from mainspring.gateway.edge.app import create_app
from mainspring.http.access import access_to
from tests.features.lake.world import World
from tests.gateway.asgi import Reply, ask


class Keys:
    """``ms-TENANT`` is a key of the tenant; ``ms-admin`` an admin's of acme; ``ms-board`` one of the board."""

    async def authenticate(self, secret: str) -> Principal:
        name = secret.removeprefix("ms-")
        if name == "admin":
            return Principal("acme", "key_admin", frozenset({"lake", "admin"}))
        if name == "board":
            return Principal("acme", "key_board", frozenset({"lake"}), frozenset({"board"}))
        return Principal(name, f"key_{name}", frozenset({"lake"}))


class Api:
    """Calls the routes."""

    def __init__(self, world: World) -> None:
        gateway = GatewaySettings()
        routes = router(world.lake, access_to(Keys(), gateway.request_timeout_s))
        self._app = create_app([routes], gateway, lambda _: TraceParent.new())

    async def __call__(self, method: str, path: str, body: object = b"", who: str = "acme") -> Reply:
        return await ask(self._app, method, f"/v1/lake{path}", body, headers={"authorization": f"Bearer ms-{who}"})


def made(world: World) -> World:
    return World(world.stores, world.settings.home, build={"workers": 0})


async def built(api: Api, **body: Any) -> dict[str, Any]:
    started = await api("POST", "/builds", body)
    assert started.status == 202, started.json
    for _ in range(200):
        found = (await api("GET", f"/builds/{started.json['id']}")).json
        if found["state"] != "running":
            return dict(found)
        await asyncio.sleep(0.05)
    raise AssertionError("the build does not end")


async def test_a_build_is_started_and_read(world: World) -> None:
    world = made(world)
    api = Api(world)
    asked = await world.say("May you learn from this?", consent=False)
    await world.say("How do I reset it?", "Press the button.")
    found = await built(api)
    assert (found["state"], found["interactions"], found["ready"]) == ("done", 2, 1)
    (sample,) = (await api("GET", "/builds/latest/samples?step=consent")).json["data"]
    assert (sample["answer_id"], sample["reason"]) == (asked, "no consent")
    assert (await built(api, without=["consent"]))["ready"] == 2
    assert [each["ready"] for each in (await api("GET", "/builds")).json["data"]] == [2, 1]
    assert (await api("GET", "/builds/latest", who="umbrella")).status == 404
    assert (await api("GET", f"/builds/{found['id']}", who="umbrella")).status == 404
    assert (await api("POST", "/builds", {"without": ["everything"]})).status == 400
    await world.lake.close()


async def test_lineage_goes_both_ways(world: World) -> None:
    world = made(world)
    api = Api(world)
    mine = await world.say("How do I reset it?", "Press the button.", groups=["board"])
    await world.lake.syncing.sync()
    await world.lake.building.build("acme")
    found = (await api("GET", f"/lineage?answer_id={mine}", who="board")).json
    assert sorted(each["kind"] for each in found["raw"]) == ["answer", "call"]
    assert [each["answer_id"] for each in found["ready"]] == [mine]
    assert set(found["ready"][0]["event_ids"]) == {each["id"] for each in found["raw"]}
    assert (await api("GET", f"/lineage?trace_id={found['trace_id']}", who="board")).json["clean"]
    assert (await api("GET", f"/lineage?answer_id={mine}")).status == 404
    assert (await api("GET", f"/lineage?trace_id={found['trace_id']}")).json["clean"] == []
    assert (await api("GET", "/lineage")).status == 400


async def test_a_server_makes_so_many_builds_at_a_time_of_all_tenants(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = made(world)
    api, on = Api(world), asyncio.Event()
    real = type(world.lake.syncing).sync

    async def waits(*given: Any, **more: Any) -> Any:
        await on.wait()
        return await real(*given, **more)

    monkeypatch.setattr(type(world.lake.syncing), "sync", waits)
    assert (await api("POST", "/builds", {})).status == 202
    assert (await api("POST", "/builds", {})).status == 409
    refused = await api("POST", "/builds", {}, who="umbrella")
    assert (refused.status, refused.headers["retry-after"]) == (503, ["60"])
    on.set()
    await asyncio.gather(*world.lake._running.values())
    assert (await api("POST", "/builds", {}, who="umbrella")).status == 202
    await asyncio.gather(*world.lake._running.values())


async def test_the_summary_counts(world: World) -> None:
    api = Api(world)
    assert (await api("GET", "/summary")).json["waiting_since"] is None
    await world.say("How do I reset it?")
    assert (await api("GET", "/summary")).json["waiting_since"] is not None
    await world.lake.syncing.sync()
    found = (await api("GET", "/summary")).json
    assert (found["zones"]["raw"]["rows"], found["zones"]["clean"]["rows"]) == (2, 1)
    assert [each["interactions"] for each in found["days"]] == [1]
    assert found["waiting_since"] is None
    assert found["set_aside"] == {"count": 0, "latest": []}
    assert (await api("GET", "/summary", who="umbrella")).json["zones"] == {}


async def test_consent_is_withdrawn_with_a_receipt(world: World) -> None:
    world = made(world)
    api = Api(world)
    await world.say("How do I reset it?", "Press the button.", user="ada")
    await world.say("Where is the sun?", "Up in the sky.", user="bob")
    await world.lake.syncing.sync()
    await world.lake.building.build("acme")
    assert (await api("POST", "/withdrawals", {"subject": "ada"})).status == 403
    receipt = (await api("POST", "/withdrawals", {"subject": "ada"}, who="admin")).json
    assert (receipt["answers"], receipt["events"], receipt["ready_rows"]) == (1, 2, 1)
    assert receipt["audit"]["hash"]
    rows = await world.lake.sql.query("acme", "SELECT subject, consent FROM interactions ORDER BY subject")
    assert rows.rows == [["ada", False], ["bob", True]]
    assert (await world.lake.sql.query("acme", "SELECT subject FROM ready")).rows == [["bob"]]
    assert (await world.lake.building.build("acme")).report["ready"] == 1


async def test_sql_sees_what_its_key_may_see(world: World) -> None:
    api = Api(world)
    await world.say("What does the board think?", groups=["board"])
    await world.lake.syncing.sync()
    asked = {"query": "SELECT count(*) FROM interactions"}
    assert (await api("POST", "/sql", asked, who="board")).json["rows"] == [[1]]
    assert (await api("POST", "/sql", asked)).json["rows"] == [[0]]
    refused = await api("POST", "/sql", {"query": "DROP TABLE interactions"})
    assert (refused.status, refused.json["error"]["param"]) == (400, "query")
