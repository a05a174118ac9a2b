"""What a policy names is checked when it is set, by the services of a whole system: nobody finds out after a night."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import MissingExtra
from mainspring.core.settings import ModelsSettings
from mainspring.features.improve.demo import clerks, story
from mainspring.features.train import service
from tests.world import Key, World, echoing, opened, use_engines

POLICY: dict[str, Any] = {
    "data": {"export": {"kind": "sft"}},
    "rungs": [{"recipe": "given", "kind": "prompt", "options": {"value": {"text": "Be brief."}}}],
    "offline": {"dataset": "held-out", "gain": {"name": "f1"}},
}
SFT: dict[str, Any] = {"recipe": "sft", "options": {}, "kind": "model"}
EDITS: dict[str, Any] = {"data": {"edits": True}, "rungs": [{"recipe": "translate", "options": {}, "kind": "model"}]}
OPTIONS, SMALL = "rungs.0.options", "smollm2-135m-instruct"
# What ships is retrained, and does not begin anew.
SHIPPED: dict[str, Any] = {"recipe": "reader", "kind": "reader", "base": ModelsSettings().near_misses, "options": {}}
BASED: dict[str, Any] = {**SFT, "base": SMALL}


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async def nothing(*_: Any) -> None:
        pass

    use_engines(monkeypatch, echoing("small"))
    # Policies are set where torch is not installed, too.
    monkeypatch.setattr(service, "check_needs", nothing)
    async with opened(tmp_path) as found:
        yield found


async def admin(world: World) -> Key:
    if "all" not in world.keys:
        _, secret = await world.system.stores.keys.create("all", tenant="default", scopes=frozenset({"admin"}))
        world.keys["all"] = Key("all", "default", frozenset(), secret)
    return world.keys["all"]


async def put(world: World, name: str = "small", **changes: Any) -> tuple[int, Any]:
    answer = await world.call(await admin(world), "PUT", f"/v1/improve/policies/{name}", {**POLICY, **changes})
    return answer.status_code, answer.json()


def rung(**changes: Any) -> list[dict[str, Any]]:
    return [{**POLICY["rungs"][0], **changes}]


def offline(**changes: Any) -> dict[str, Any]:
    return {**POLICY["offline"], **changes}


async def held_out(world: World) -> None:
    examples = {"examples": [{"id": "e", "question": "Why?", "references": ["So."]}]}
    await world.call(await admin(world), "POST", "/v1/datasets/held-out/versions", examples)


async def test_what_cannot_be_is_refused_with_its_field(world: World) -> None:
    await held_out(world)
    raft = {"export": {"kind": "raft"}}
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"rungs": rung(recipe="giben")}, "rungs.0.recipe", "given"),
        ({"rungs": rung(options={"valeu": {}})}, "rungs.0.options.value", ""),
        ({"rungs": rung(recipe="answers-shown", options={"collection": "a"})}, "rungs.0.kind", "Write answering"),
        ({"rungs": rung(recipe="tokenizer", options={})}, "rungs.0.kind", "No application uses"),
        ({"rungs": rung(recipe="examples", options={})}, "rungs.0.kind", "Write examples"),
        ({"rungs": rung(recipe="translate", options={}, kind="model")}, "rungs.0.recipe", "Write data: {edits: true}"),
        ({"data": {"edits": True}}, "data.edits", "as translate and compose do"),
        ({"rungs": rung(data={"edits": True})}, "rungs.0.data.edits", "small keeps no edits"),
        ({"data": {"edits": True, "dataset": "held-out"}}, "data", "only one of them"),
        ({"rungs": rung(**SFT)}, "rungs.0.base", "kind chat"),
        ({"rungs": rung(base="smollm2-135m-instruct")}, "rungs.0.base", "starts from nothing"),
        ({"rungs": rung(**SFT, base="smollm")}, "rungs.0.base", SMALL),
        ({"rungs": rung(**SFT, base="gone@1")}, "rungs.0.base", "Of the kind chat there are: "),
        (
            {"rungs": rung(**{**BASED, "recipe": "distil", "options": {"teacher": "gone@2"}})},
            "rungs.0.options.teacher",
            "",
        ),
        (
            {"rungs": rung(**{**BASED, "recipe": "grpo", "options": {"reward_model": SMALL}})},
            f"{OPTIONS}.reward_model",
            "",
        ),
        ({"rungs": rung(**{**BASED, "options": {"scorers": [{"name": "f2"}]}})}, f"{OPTIONS}.scorers", "f1"),
        (EDITS, "data.edits", "small keeps no edits"),
        (
            {"rungs": [*rung(), {**EDITS["rungs"][0], "data": {"edits": True}}]},
            "rungs.1.data.edits",
            "small keeps no edits",
        ),
        ({"data": raft}, "rungs.0.recipe", "Export the kind sft or preference"),
        ({"rungs": rung(data=raft)}, "rungs.0.data", "reads sft or preference"),
        ({"data": {"export": {"kind": "sfd"}}}, "data.export.kind", ""),
        ({"data": {"export": {"kind": "sft", "aplications": ["a"]}}}, "data.export.aplications", ""),
        ({"data": {"export": {"kind": "sft", "format": "openai"}}}, "data.export.format", "Leave format out"),
        ({"data": {"dataset": "nothing"}}, "data.dataset", ""),
        ({"offline": offline(gain={"name": "f2"})}, "offline.gain", "f1"),
        ({"offline": offline(kept=[{"scorer": {"name": "refusals"}}])}, "offline.kept.0.scorer", "refusal"),
        ({"offline": offline(kept=[{"measure": "latency", "shown": True}])}, "offline.kept.0.shown", "Leave shown out"),
        ({"offline": offline(regression={"dataset": "held-out", "name": "f2"})}, "offline.regression", "f1"),
        ({"budget": {"usd": 5}}, "budget.usd", "bound the seconds"),
        ({"canary": {"metric": {"source": "thumbs"}}}, "canary.metric.source", ""),
        ({"canary": {"guards": [{"source": "latency", "worse_than": 0.1}]}}, "canary.guards.0.worse_than", ""),
    ]
    for changes, field, told in cases:
        status, found = await put(world, **changes)
        assert (status, found["error"]["param"]) == (400, field), (changes, found)
        assert told in found["error"]["message"], (changes, found)


async def test_edits_are_rows_of_the_kind_that_a_recipe_reads(world: World) -> None:
    await held_out(world)
    mails = {"data": {"edits": True}, "rungs": rung(recipe="compose", options={}, kind="model")}
    pairs = {"data": {"edits": True}, "rungs": rung(recipe="translate", options={}, kind="model")}
    for application, changes, told in (
        ("compose", pairs, "reads pairs, and cannot learn from edits, whose rows are text"),
        ("translate", mails, "reads text, and cannot learn from edits, whose rows are pairs"),
        ("compose", {"data": {"edits": True}}, "edits, whose rows are text"),
    ):
        status, found = await put(world, application, **changes)
        assert (status, found["error"]["param"]) == (400, "rungs.0.recipe"), found
        assert told in found["error"]["message"], found
    for application, changes in (("translate", pairs), ("compose", mails)):
        assert (await put(world, application, **changes))[0] == 200, await put(world, application, **changes)
    gone = {**EDITS, "rungs": rung(recipe="translate", options={"start": "gone@1"}, kind="model")}
    status, found = await put(world, "translate", **gone)
    assert (status, found["error"]["param"]) == (400, f"{OPTIONS}.start")


async def test_what_can_be_is_set(world: World) -> None:
    await held_out(world)
    status, found = await put(world, "small@current")
    assert (status, found["error"]["param"]) == (400, "application")
    kept = [{"measure": "latency"}, {"scorer": {"name": "refusal"}, "shown": True}]
    wanted = {"offline": offline(kept=kept), "canary": {"guards": [{"source": "latency", "worse_by": 0.1}]}}
    shown = rung(recipe="examples", options={}, kind="examples")
    for changes in (wanted, {"rungs": shown}, {"data": {"dataset": "held-out"}}, {"rungs": rung(**BASED)}):
        assert (await put(world, **changes))[0] == 200, await put(world, **changes)
    assert (await put(world, "translate", **EDITS))[0] == 200
    status, found = await put(world, data={"export": {"kind": "reader"}}, rungs=[SHIPPED])
    assert status == 200, found


async def test_a_recipe_that_nothing_here_can_run_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lacks(*_: Any) -> None:
        raise MissingExtra("the recipe given needs torch", remedy="Install it", param="recipe")

    await held_out(world)
    monkeypatch.setattr(service, "check_needs", lacks)
    headers = {"authorization": f"Bearer {world.keys['all'].secret}"}
    answer = await world.client.put("/v1/improve/policies/small", json=POLICY, headers=headers)
    assert (answer.status_code, answer.json()["error"]["param"]) == (501, "rungs.0.recipe")


async def test_the_policies_of_the_demonstration_pass(world: World) -> None:
    examples = {"examples": [{"id": "e", "question": "Why?", "references": ["So."]}]}
    for name in (story.HELD_OUT, story.KNOWN, story.MISLED, clerks.KNOWN, clerks.ROWS):
        await world.call(await admin(world), "POST", f"/v1/datasets/{name}/versions", examples)
    wanted = [story.policy(5), story.policy(5, planted=True), story.policy(5, planted=True, blind=True)]
    for each in (*wanted, clerks.policy(clerks.SLOW)):
        answer = await world.call(await admin(world), "PUT", "/v1/improve/policies/small", each)
        assert answer.status_code == 200, answer.text
