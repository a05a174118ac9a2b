"""Judges over HTTP."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from mainspring import stores
from mainspring.core.errors import EngineError, InvalidRequest, Unauthenticated
from mainspring.core.settings import GatewaySettings, Settings
from mainspring.core.types import ChatRequest, Context, Message, Principal, Request, Response, TraceParent
from mainspring.feature import Services
from mainspring.features.judges.definitions.definition import Definition
from mainspring.features.judges.named import JudgeNames, JudgeResponder
from mainspring.features.judges.requests import JudgeRequests
from mainspring.features.judges.routes import router
from mainspring.gateway.edge.app import create_app
from mainspring.http.access import access_to
from mainspring.serving.ring.registry import Served
from tests.features.judges.test_measuring import reads, work
from tests.features.judges.world import CALLER, Model, World, context
from tests.gateway.asgi import Reply, ask

ASKED = {"shows": ["question", "answer"], "criteria": {"right": {"question": "Right?"}}}


class Keys:
    """``ms-TENANT`` is a key of that tenant, which is stored."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    async def authenticate(self, secret: str) -> Principal:
        tenant = secret.removeprefix("ms-")
        if tenant not in self._names:
            raise Unauthenticated("the API key is unknown")
        return Principal(tenant, self._names[tenant], frozenset({"judges"}))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with stores.open(Settings.model_validate({"home": str(tmp_path)})) as opened:
        yield World(opened, Model("judge", reads))


@pytest.fixture
async def app(world: World) -> FastAPI:
    names = {}
    for tenant in ("acme", "other"):
        made, _ = await world.stores.keys.create("k", tenant=tenant, scopes=frozenset({"judges"}))
        names[tenant] = made.id
    settings = GatewaySettings()
    access = access_to(Keys(names), settings.request_timeout_s)
    requests = JudgeRequests(world.judges, world.stores, Services())
    return create_app([router(world.judges, requests, access)], settings, lambda header: TraceParent.new())


async def call(app: FastAPI, method: str, path: str, body: object = b"", who: str = "acme") -> Reply:
    return await ask(app, method, f"/v1/judges{path}", body, headers={"authorization": f"Bearer ms-{who}"})


async def test_a_judge_is_defined_asked_and_deleted_by_its_tenant_alone(app: FastAPI) -> None:
    made = await call(app, "PUT", "/mine", {"definition": ASKED})
    assert (made.status, made.json["number"], made.json["shipped"]) == (200, 1, False)
    assert (await call(app, "GET", "/mine", who="other")).status == 404
    item = {"id": "a", "question": "Well?", "answer": "good"}
    found = (await call(app, "POST", "/mine/run", {"items": [item]})).json["data"][0]
    assert (found["item"], found["score"], found["contradicts"]) == ("a", pytest.approx(0.9), False)
    assert len(found["trace_id"]) == 32
    assert (await call(app, "DELETE", "/mine", who="other")).status == 404
    assert (await call(app, "DELETE", "/mine")).status == 200
    assert "mine" not in {each["name"] for each in (await call(app, "GET", "")).json["data"]}


@pytest.mark.parametrize("model", ["judge:mine", "judge:other", "judge:mine@current"])
async def test_a_judge_is_no_model_of_a_judge(app: FastAPI, world: World, model: str) -> None:
    await call(app, "PUT", "/mine", {"definition": ASKED})
    await call(app, "PUT", "/other", {"definition": ASKED})
    world.rooms.path.registry.attach(JudgeNames(world.judges))
    found = await call(app, "PUT", "/mine", {"definition": {**ASKED, "model": model}})
    assert (found.status, found.error["param"]) == (400, "model")
    assert "is a judge" in found.error["message"]
    assert (await call(app, "GET", "/mine")).json["number"] == 1


async def test_a_judge_whose_model_asks_it_in_turn_ends(world: World) -> None:
    judges = world.judges

    class Around:
        """An application that answers by the judge itself."""

        asked = 0

        def fingerprint(self, request: Request, context: Context) -> None:
            return None

        async def respond(self, request: Request, context: Context) -> Response:
            self.asked += 1
            assert self.asked < 50
            told = (Message("user", '{"answer": "x"}'),)
            asked = dataclasses.replace(request, messages=told)  # type: ignore[arg-type]
            return await JudgeResponder(judges, "round").respond(asked, context)

    around = Around()
    world.rooms.path.registry.add(Served("around", "application", around))
    definition = Definition.model_validate({**ASKED, "model": "around"})
    await judges.definitions.put(CALLER.tenant, "round", definition)
    request = ChatRequest("judge:round", (Message("user", '{"answer": "x"}'),))
    with pytest.raises(InvalidRequest, match="levels deep"):
        await JudgeResponder(judges, "round").respond(request, context())
    assert around.asked < 20


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/mine/run", {"items": [{"question": "x"}]}, 400, "answer"),
        ("/mine/run", {"items": [{"answer": "x", "answers": ["y"]}]}, 400, "answer"),
        ("/mine/run", {"items": [{"answers": ["x", "y"]}]}, 400, "judges one answer"),
        ("/mine/run", {"items": [{"answer": "x", "model": "judge"}]}, 400, "wrote the answer itself"),
        ("/nobody/run", {"items": [{"answer": "x"}]}, 404, "no judge"),
        ("/mine/measure", {}, 404, "no labels"),
        ("/mine/measure", {"items": [{"answer": "x", "label": 2}]}, 400, "label"),
        ("/mine/estimate", {"application": "shop"}, 400, "estimate needs 10"),
    ],
)
async def test_what_does_not_fit_is_refused(app: FastAPI, path: str, body: Any, status: int, said: str) -> None:
    await call(app, "PUT", "/mine", {"definition": ASKED})
    found = await call(app, "POST", path, body)
    assert found.status == status
    assert said in str(found.error)


async def test_an_item_that_cannot_be_judged_keeps_the_others(app: FastAPI, world: World) -> None:
    def breaks(shown: str) -> dict[str, float]:
        if "broken" in shown:
            raise EngineError("the engine is gone")
        return reads(shown)

    world.rooms.path.chat["judge"].script = breaks  # type: ignore[attr-defined]
    await call(app, "PUT", "/mine", {"definition": ASKED})
    items = [{"answer": "good"}, {"answer": "broken"}, {"answer": "bad"}]
    found = (await call(app, "POST", "/mine/run", {"items": items})).json["data"]
    assert [each["score"] for each in found] == [pytest.approx(0.9), None, pytest.approx(0.1)]
    assert found[1]["error"]["message"] == "the engine is gone"


async def test_figures_are_published_and_say_whether_they_count(app: FastAPI, world: World) -> None:
    await call(app, "PUT", "/mine", {"definition": ASKED})
    items = [{"answer": word, "label": float(word == "good")} for word in ("good", "bad") * 10]
    started = await call(app, "POST", "/mine/measure", {"items": items})
    assert (started.status, started.json["status"]) == (202, "queued")
    await work(world)
    address = f"/measurements/{started.json['id']}"
    assert (await call(app, "GET", address)).json["figures"]["agreement"]["kappa"] == 1
    assert (await call(app, "GET", address, who="other")).status == 404
    assert (await call(app, "GET", "/measurements", who="other")).json["data"] == []
    assert (await call(app, "GET", "/mine")).json["published"]["current"] is True
    await call(app, "PUT", "/mine", {"definition": {**ASKED, "task": "Be strict."}})
    assert (await call(app, "GET", "/mine")).json["published"]["current"] is False
    assert (await call(app, "DELETE", address)).status == 200
    assert (await call(app, "GET", "/mine")).json["published"] is None
