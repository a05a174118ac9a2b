"""Data residency: data for some regions only is sent to no other region by any path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import SettingsError
from mainspring.core.settings import AutoSettings, ModelsSettings, ServingSettings, load
from mainspring.core.settings.serving.routing import BalanceSettings, RouteSettings
from mainspring.core.types import Context, Principal, Reach
from mainspring.engines import ChatModel, Replica
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine
from mainspring.serving.route.residency import Residency
from tests.world import Key, World, opened, use_engines

CHAT = "/v1/chat/completions"


@dataclass
class Elsewhere:
    """Engines by model and region, each with what it has seen."""

    engines: dict[tuple[str, str], ScriptedEngine] = field(default_factory=dict)

    def seen(self, region: str) -> int:
        return sum(len(engine.seen) for (_, where), engine in self.engines.items() if where == region)

    def model(self, name: str, regions: tuple[str, ...], *, failing: bool = False) -> ChatModel:
        replicas = []
        for region in regions:
            script = (lambda _: [RuntimeError("broken")]) if failing else (lambda g: [g.messages[-1].content])
            engine = ScriptedEngine(script, templates=True)
            self.engines[name, region] = engine
            responder = ModelResponder(engine, model_name=name, fingerprint=f"{name} weights")
            replicas.append(Replica(region or "none", engine, responder, local=False, region=region))
        first = replicas[0]
        return ChatModel(name, first.engine, first.responder, False, "scripted", replicas=tuple(replicas))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    made = Elsewhere()
    models = {
        "near": made.model("near", ("eu",)),
        "far": made.model("far", ("us",)),
        "both": made.model("both", ("us", "eu")),
        "unsaid": made.model("unsaid", ("",)),
    }
    use_engines(monkeypatch, models)
    return made


def arms(*models: str, **more: Any) -> RouteSettings:
    return RouteSettings.model_validate(
        {"arms": {name: {"model": name} for name in models}, "sticky": "request", **more}
    )


@asynccontextmanager
async def house(home: Path, **serving: Any) -> AsyncIterator[World]:
    settings = {
        "requests_per_minute": 10**6,
        "tokens_per_minute": 10**9,
        "auto": AutoSettings(policy="rules", small="far", large="near"),
        "routes": {
            "split": arms("near", "far"),
            "rescued": arms("far", fallback=["near"]),
            "watched": arms("near", shadows={"copy": {"model": "far"}}),
            "lost": arms("far", fallback=["unsaid"]),
        },
        **serving,
    }
    models = ModelsSettings(chat=("near", "far", "both", "unsaid"), region="eu")
    async with opened(home, serving=ServingSettings.model_validate(settings), models=models) as world:
        yield world


async def say(world: World, model: str, *regions: str, key: Key | None = None, text: str = "Hi", **more: Any) -> Any:
    body = {"model": model, "messages": [{"role": "user", "content": text}], "temperature": 0, **more}
    headers = {"x-region": ", ".join(regions)} if regions else {}
    return await world.call(key or world.keys["red"], "POST", CHAT, body, headers=headers)


async def limited(world: World, *regions: str, tenant: str = "default") -> Key:
    reach = Reach(regions=frozenset(regions))
    _, secret = await world.system.stores.keys.create("r", tenant=tenant, scopes=frozenset({"chat"}), reach=reach)
    return Key("r", tenant, frozenset(), secret)


async def test_a_request_is_sent_to_none_but_its_regions(elsewhere: Elsewhere, tmp_path: Path) -> None:
    async with house(tmp_path) as world:
        assert (await say(world, "near", "eu")).status_code == 200
        assert (await say(world, "near", "ch", "eu")).status_code == 200
        for model in ("far", "unsaid"):
            answer = await say(world, model, "eu")
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["param"]) == (400, "region_unavailable", "x-region")
            assert "the request asks for eu" in error["message"]
            assert model in error["message"]
        assert "far is in us" in (await say(world, "far", "eu")).json()["error"]["message"]
        assert elsewhere.seen("us") == elsewhere.seen("") == 0
        # Nobody who asks for nothing is kept from anything.
        for model in ("far", "unsaid"):
            assert (await say(world, model)).status_code == 200


async def test_anthropics_field_asks_for_a_region_too(elsewhere: Elsewhere, tmp_path: Path) -> None:
    async def ask(geo: str, model: str, *regions: str, stream: bool = False) -> Any:
        headers = {"x-region": ",".join(regions)} if regions else {}
        body = {"model": model, "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}], "inference_geo": geo}
        return await world.call(world.keys["red"], "POST", "/v1/messages", body | {"stream": stream}, headers=headers)

    async with house(tmp_path) as world:
        assert (await ask("eu", "near")).status_code == 200
        assert (await ask("global", "far")).status_code == 200
        before = elsewhere.seen("us")
        for stream in (False, True):
            answer = await ask("EU", "far", stream=stream)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["param"]) == (400, "region_unavailable", "inference_geo")
        assert elsewhere.seen("us") == before
        assert (await ask("eu", "near", "eu", "ch")).status_code == 200
        assert (await ask("us", "far", "eu")).json()["error"]["param"] == "inference_geo"
        assert (await ask("??", "near")).status_code == 400


async def test_of_several_endpoints_those_within_are_used(elsewhere: Elsewhere, tmp_path: Path) -> None:
    balance = BalanceSettings(policy="weighted", hedge_share=0.5, hedge_minimum_s=0.0)
    async with house(tmp_path, balance=balance) as world:
        answers = [await say(world, "both", "eu", text=f"Hi {number}") for number in range(60)]
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.headers["x-mainspring-replica"] for answer in answers} == {"eu"}
        assert elsewhere.seen("us") == 0
        # A broken one within is not stood in for by one without.
        elsewhere.engines["both", "eu"].script = lambda _: [RuntimeError("broken")]
        assert (await world.client.request("GET", "/healthz")).status_code == 200
        for number in range(10):
            with suppress(RuntimeError):
                assert (await say(world, "both", "eu", text=f"Ho {number}")).status_code != 200
        assert elsewhere.seen("us") == 0


async def test_routes_fallbacks_and_the_router_keep_to_them(elsewhere: Elsewhere, tmp_path: Path) -> None:
    async with house(tmp_path) as world:
        for number in range(40):
            answer = await say(world, "split", "eu", text=f"Hi {number}")
            assert answer.headers["x-mainspring-arm"] == "near"
        answer = await say(world, "rescued", "eu")
        assert (answer.status_code, answer.headers["x-mainspring-instead-of"]) == (200, "far")
        answer = await say(world, "auto", "eu")
        assert (answer.status_code, answer.headers["x-mainspring-route"]) == (200, "model=near; by=region")
        assert (await say(world, "watched", "eu")).status_code == 200
        answer = await say(world, "lost", "eu")
        assert answer.json()["error"]["code"] == "region_unavailable"
        await asyncio.sleep(0.1)
        assert elsewhere.seen("us") == elsewhere.seen("") == 0
        # The same ways are open to others.
        assert (await say(world, "watched")).status_code == 200
        async with asyncio.timeout(30):
            while not elsewhere.seen("us"):
                await asyncio.sleep(0.02)
        assert elsewhere.seen("us") == 1


async def test_keys_and_tenants_ask_for_regions_too_and_all_of_them_count(elsewhere: Elsewhere, tmp_path: Path) -> None:
    async with house(tmp_path, residency={"bank": ["eu", "ch"]}) as world:
        european, banker = await limited(world, "eu"), await limited(world, tenant="bank")
        both = await limited(world, "us", "eu", tenant="bank")
        assert (await say(world, "near", key=european)).status_code == 200
        for key, who in ((european, "the key asks for eu"), (banker, "the tenant asks for ch, eu")):
            error = (await say(world, "far", key=key)).json()["error"]
            assert (error["code"], error["param"]) == ("region_unavailable", "model")
            assert who in error["message"]
        assert (await say(world, "near", key=both)).status_code == 200
        assert (await say(world, "far", key=both)).status_code == 400
        # A request narrows what its key may do, and never widens it.
        assert (await say(world, "far", "us", key=european)).status_code == 400
        assert (await say(world, "near", "us", key=european)).status_code == 400
        assert elsewhere.seen("us") == 0


async def test_cached_answers_are_of_those_who_ask_for_the_same(elsewhere: Elsewhere, tmp_path: Path) -> None:
    async with house(tmp_path) as world:
        cached: dict[str, Any] = {"options": {"cache": True}}
        assert (await say(world, "both", **cached)).headers["x-cache"] == "miss"
        assert (await say(world, "both", **cached)).headers["x-cache"] == "hit"
        assert (await say(world, "both", "eu", **cached)).headers["x-cache"] == "miss"
        assert (await say(world, "both", "eu", **cached)).headers["x-cache"] == "hit"
        assert (await say(world, "both", "eu", "us", **cached)).headers["x-cache"] == "miss"


async def test_what_reads_for_a_request_is_within_too(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """The embedding model runs on this machine, which is in eu."""
    async with house(tmp_path) as world:
        body = {"model": "words", "input": "Hi"}
        red = world.keys["red"]
        for region, status in (("eu", 200), ("us", 400)):
            answer = await world.call(red, "POST", "/v1/embeddings", body, headers={"x-region": region})
            assert answer.status_code == status
        store = await world.store(red, "plans")
        await world.add(red, store, frozenset())
        path = f"/v1/vector_stores/{store}/search"
        for region, status in (("eu", 200), ("us", 400)):
            # (What was asked before need not be read again.)
            body = {"query": f"word {region}"}
            answer = await world.call(red, "POST", path, body, headers={"x-region": region})
            assert answer.status_code == status, answer.text


@pytest.mark.parametrize("regions", ["", ",", "eu;us", "e" * 40, "eu,,us", " "])
async def test_a_header_that_names_no_regions_is_refused(elsewhere: Elsewhere, tmp_path: Path, regions: str) -> None:
    async with house(tmp_path) as world:
        answer = await world.call(
            world.keys["red"],
            "POST",
            CHAT,
            {"model": "near", "messages": [{"role": "user", "content": "Hi"}]},
            headers={"x-region": regions},
        )
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "x-region")


def test_what_nobody_said_is_nowhere() -> None:
    residency = Residency({"bank": ["eu"]}, {"near": ["eu"], "unsaid": [""]})
    context = Context(Principal("bank", "k"))
    assert residency.serves("near", context)
    assert not residency.serves("unsaid", context)
    assert not residency.serves("unknown", context)
    assert residency.serves("unknown", Context(Principal("other", "k")))


def test_regions_are_written_in_one_way() -> None:
    for name, value in (("MODELS__REGION", "EU West"), ("SERVING__RESIDENCY", "{bank: ['']}")):
        with pytest.raises(SettingsError):
            load(environment={f"MAINSPRING_{name}": value})
