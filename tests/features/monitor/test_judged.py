"""Judged answers of a whole system, over HTTP: who sees a verdict, where it is counted, and when it goes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import SettingsError
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.settings import RagSettings, TelemetrySettings
from mainspring.core.settings.serving.money import ModelPrice, PricesSettings
from mainspring.engines import ChatModel
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine
from mainspring.features.monitor.service import Monitor
from mainspring.features.monitor.settings import MonitorSettings
from mainspring.rag.answer.passages import Passages
from mainspring.stores.money.ledger import LedgerQuery
from tests.features.monitor.judging.test_live_judging import graded
from tests.world import Key, World, echoing, opened, use_engines

# Hours of traffic: seconds for each.
pytestmark = pytest.mark.slow

RED = frozenset({"red"})


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    use_engines(monkeypatch, echoing("echo"))


def judging(**settings: Any) -> MonitorSettings:
    return MonitorSettings.model_validate({"every_s": 0.05, "judging": {"share": 1.0, **settings}})


async def trace(world: World, key: Key, trace_id: str) -> dict[str, Any]:
    """The trace, once its answer was judged."""
    async with asyncio.timeout(30):
        while True:
            await world.system.telemetry.flush()
            found: dict[str, Any] = (await world.call(key, "GET", f"/v1/traces/{trace_id}")).json()
            if found.get("verdicts"):
                return found
            await asyncio.sleep(0.05)


async def metrics(world: World) -> str:
    return (await world.call(world.keys["red"], "GET", "/metrics")).text


async def test_a_verdict_is_seen_by_who_may_see_its_answer_and_goes_with_it(tmp_path: Path) -> None:
    async with opened(tmp_path, monitor=judging()) as world, world.system.services[Monitor].watching():
        red, blue, stranger = (world.keys[name] for name in ("red", "blue", "stranger"))
        doc = await world.add(red, await world.store(red, "shelf", RED), RED)
        answer = await world.chat(red, doc)
        assert doc.mark in answer.text
        trace_id = answer.headers["x-trace-id"]
        (verdict,) = (await trace(world, red, trace_id))["verdicts"]
        assert verdict["answer_id"] == answer.headers["x-answer-id"]
        assert verdict["application"] == "document-qa"
        assert verdict["judge"].startswith("words@")
        assert verdict["scores"].keys() == {"context_relevance", "faithfulness", "answer_relevancy"}
        assert all(0 <= score <= 1 for score in verdict["scores"].values())
        # Found verbatim in what was shown.
        assert verdict["claims"] >= verdict["supported"] >= 1
        for key in (blue, stranger):
            assert "verdicts" not in (await world.call(key, "GET", f"/v1/traces/{trace_id}")).json()
        async with asyncio.timeout(30):
            while 'mainspring_judged_total{outcome="judged"} 1.0' not in (page := await metrics(world)):
                await asyncio.sleep(0.05)
            while not (report := (await world.call(red, "GET", "/v1/quality")).json())["total"]["judged"]:
                await asyncio.sleep(0.05)
        assert 'mainspring_scores_count{application="document-qa",metric="faithfulness"} 1.0' in page
        assert {each["metric"] for each in report["total"]["scores"]} == verdict["scores"].keys()
        assert report["examples"]["low faithfulness"] == [trace_id]
        await world.call(red, "DELETE", f"/v1/vector_stores/{doc.store}/files/{doc.file_id}")
        await world.round()
        assert await world.system.stores.events.find("default", kind="score", trace_id=trace_id) == []


async def test_nothing_is_judged_unless_that_was_asked_for(tmp_path: Path) -> None:
    monitor = MonitorSettings.model_validate({"every_s": 0.05})
    async with opened(tmp_path, monitor=monitor) as world, world.system.services[Monitor].watching():
        red = world.keys["red"]
        doc = await world.add(red, await world.store(red, "shelf", RED), RED)
        await world.chat(red, doc)
        async with asyncio.timeout(30):
            while not (await world.call(red, "GET", "/v1/quality")).json()["total"]["ok"]:
                await asyncio.sleep(0.05)
        assert "mainspring_judged_total{" not in await metrics(world)
        assert await world.system.stores.events.find("default", kind="score") == []


async def test_passages_are_read_as_they_were_shown_or_not_at_all(tmp_path: Path) -> None:
    async with opened(tmp_path) as world:
        red = world.keys["red"]
        doc = await world.add(red, await world.store(red, "shelf", RED), RED)
        answer = await world.chat(red, doc)
        stores = world.system.stores
        found = await stores.events.find("default", kind="retrieval", subject=answer.headers["x-answer-id"])
        facts = [RetrievalFacts.of(each.facts) for each in found]
        passages = Passages(stores.collections, stores.vectors)
        read = await passages.read("default", facts, 8)
        assert read
        assert doc.mark in " ".join(read)
        assert await passages.read("default", facts, 1) == read[:1]
        assert await passages.read("elsewhere", facts, 8) is None
        await world.call(red, "DELETE", f"/v1/vector_stores/{doc.store}/files/{doc.file_id}")
        assert await passages.read("default", facts, 8) is None


async def test_a_model_judges_behind_its_call_ring_and_is_charged_to_judging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ScriptedEngine(graded, templates=True)
    judge = ChatModel("judge", engine, ModelResponder(engine, model_name="judge", fingerprint=None), True, "scripted")
    use_engines(monkeypatch, {**echoing("echo"), "judge": judge})
    sections: dict[str, Any] = {
        "monitor": judging(model="judge"),
        "prices": PricesSettings(models={"judge": ModelPrice(input=3.0, output=5.0)}),
        "telemetry": TelemetrySettings(store_prompts=True),
        # Else the judge, which is the only capable model here, would write the answer.
        "rag": RagSettings(refuse_below=0.0, mode="extractive"),
    }
    async with opened(tmp_path, **sections) as world, world.system.services[Monitor].watching():
        red = world.keys["red"]
        doc = await world.add(red, await world.store(red, "shelf", RED), RED)
        answer = await world.chat(red, doc)
        (verdict,) = (await trace(world, red, answer.headers["x-trace-id"]))["verdicts"]
        assert verdict["judge"].startswith("judge@")
        assert verdict["scores"] == {"context_relevance": 0.75, "faithfulness": 1.0, "answer_relevancy": 0.75}
        stores = world.system.stores
        calls = await stores.events.find("default", kind="call", subject=answer.headers["x-answer-id"])
        judged = [each for each in calls if each.facts.plain()["model"] == "judge"]
        assert len(judged) == len(engine.seen) >= 3
        assert all(each.content is None for each in judged), "no texts, although prompts are kept"
        assert {each.facts.plain()["key_id"] for each in judged} == {"judging"}
        lines = {
            line.of["application"]: line for line in await stores.ledger.sums(["application"], LedgerQuery("default"))
        }
        assert lines["judging"].cost_nanousd == sum(each.facts.plain()["cost_nanousd"] for each in judged) > 0
        assert lines["document-qa"].cost_nanousd == 0


@pytest.mark.parametrize(("name", "why"), [("echo", "too weak to judge"), ("none", "is not a chat model here")])
async def test_a_judge_that_is_not_there_or_too_weak_is_refused_at_the_start(
    tmp_path: Path, name: str, why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        async with opened(tmp_path, monitor=judging(model=name)):
            pass
