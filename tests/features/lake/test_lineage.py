"""From a trace to all that it became: rows, exports, and examples of data sets; and what is left of a build."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import tests.world as worlds
from mainspring.core.types import Message, Principal
from mainspring.evaluation.examples import Example, HeldExample
from mainspring.features.datasets.service import DataSetService
from mainspring.features.lake.exports.service import ExportWork
from mainspring.features.lake.service import Lake
from mainspring.stores.sql.worker import Lease
from tests.features.experiments.world import lab
from tests.features.lake.test_building import built
from tests.features.lake.test_routes import Api, made
from tests.features.lake.world import World


async def test_ready_rows_are_shown_as_training_reads_them(world: World) -> None:
    world = made(world)
    api = Api(world)
    first = await world.say("Mail me at ada@example.org please.", "I shall.")
    second = await world.say("What is two and two?", "It is 5.", groups=["board"])
    gone = await world.say("May you learn from this?", consent=False)
    await world.think(second, None, edit="It is 4.")
    report = await built(world)
    assert sorted(report["ready_samples"]) == sorted([first, second])
    shown = (await api("GET", "/builds/latest/samples?step=ready", who="board")).json["data"]
    found = {each["answer_id"]: each for each in shown}
    assert set(found) == {first, second}
    assert found[first]["question"] == "Mail me at [EMAIL] please."
    assert (found[second]["answer"], found[second]["edited"]) == ("It is 5.", "It is 4.")
    assert (found[second]["verdict"], found[second]["reason"]) == ("good", "")
    # What the board asked is not shown to others, and what was dropped is shown beside its step.
    others = (await api("GET", "/builds/latest/samples?step=ready")).json["data"]
    assert [each["answer_id"] for each in others] == [first]
    (dropped,) = (await api("GET", "/builds/latest/samples?step=consent")).json["data"]
    assert (dropped["answer_id"], dropped["verdict"], dropped["edited"]) == (gone, "", None)
    shown_build = (await api("GET", "/builds/latest")).json
    assert sorted(shown_build["ready_samples"]) == sorted([first, second])
    assert (await api("GET", "/builds/latest/samples?step=nonsense")).status == 400


async def test_samples_of_ready_rows_are_at_most_ten(world: World) -> None:
    for number in range(14):
        await world.say(f"What of case {number * 7919}?", f"Answer {number * 104_729}.")
    report = await built(world)
    assert (report["ready"], len(report["ready_samples"])) == (14, 10)


async def test_a_trace_leads_to_its_exports_and_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worlds.use_engines(monkeypatch, {})
    async with worlds.opened(tmp_path / "home") as world:
        head = {"authorization": f"Bearer {world.keys['both'].secret}"}

        async def call(method: str, path: str, **more: Any) -> Any:
            return (await world.client.request(method, f"/v1{path}", headers=head, **more)).json()

        lake = world.system.services[Lake]
        says = World(world.system.stores, tmp_path / "home")
        answer = await says.say("Where is the lamp?", "There.", tenant="default")
        other = await says.say("Where is the sea?", "Over there.", tenant="default")
        export = await call("POST", "/lake/exports", json={"kind": "sft", "name": "weekly"})
        while (job := await world.system.stores.jobs.lease("lake export", "lease_test", 60)) is not None:
            await ExportWork(lake.exports, world.system.stores.jobs)(Lease(job))
        await call("POST", "/datasets/asked/versions", json={"traces": {}})
        found = await call("GET", f"/lake/lineage?answer_id={answer}")
        (shown,) = found["exports"]
        assert (shown["id"], shown["kind"], shown["status"], shown["rows"]) == (export["id"], "sft", "completed", 2)
        assert (shown["name"], shown["answers"]) == ("weekly", [answer])
        (example,) = found["datasets"]
        listed = await call("GET", f"/datasets/asked/examples?trace_id={found['trace_id']}")
        assert [each["id"] for each in listed["data"]] == [example["example"]]
        assert (example["name"], example["since"], example["version"], example["current"]) == ("asked", 1, 1, True)
        assert found["clean"][0]["answer_id"] == answer
        (others,) = (await call("GET", f"/lake/lineage?answer_id={other}"))["exports"]
        assert others["answers"] == [other]
        # A key that may not read data sets is told nothing of them.
        who = Principal("default", "key_lake", frozenset({"lake"}), frozenset({"red", "blue"}))
        assert (await lake.became(who, found["trace_id"]))["datasets"] is None
        stranger = Principal("other", "key_x", frozenset({"admin"}))
        assert await lake.became(stranger, found["trace_id"]) == {"exports": [], "datasets": []}


async def test_examples_of_a_trace_are_told_with_their_versions(tmp_path: Path) -> None:
    async with lab(tmp_path) as home:
        data: DataSetService = home.data

        async def held(who: Principal = home.who, trace: str = "trace-1") -> list[HeldExample]:
            return list(await data.made_of(who, trace, 50))

        first = Example("one", (Message("user", "Where?"),), trace_id="trace-1", sources=("ans_1",))
        assert await data.add_examples(home.who, "asked", [first]) == 1
        assert await held() == [HeldExample("asked", "one", "test", 1, 1, True)]
        changed = dataclasses.replace(first, references=("Here.",))
        assert await data.add_examples(home.who, "asked", [changed]) == 2
        assert await held() == [HeldExample("asked", "one", "test", 2, 2, True)]
        await data.writing.remove(home.who, "asked", ["one"])
        assert await held() == [HeldExample("asked", "one", "test", 2, 2, False)]
        assert await held(trace="trace-2") == []
        assert await held(dataclasses.replace(home.who, tenant="other")) == []
        # What only a group may read is not told to others.
        board = dataclasses.replace(home.who, groups=frozenset({"board"}))
        await data.add_examples(board, "secret", [first])
        assert {each.name for each in await held(board)} == {"asked", "secret"}
        assert {each.name for each in await held()} == {"asked"}
        await data.drop(home.who, "asked")
        assert await held() == []
