"""Examples in the prompt, and a router, come in by the loop of a whole system, without a double of any feature: from
the feedback that begins a campaign to what is served, and back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.engines import ChatModel
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine, words
from tests.world import Key, World, opened, use_engines

pytestmark = pytest.mark.slow
PEOPLE = {"x-training-consent": "true"}
CANARY = {"steps": [0.5], "step_s": 0, "metric": {"source": "feedback", "window_s": 3, "effect": 0.2}}
TOPICS = (
    "leases of garden sheds", "the price of a blue bicycle", "trains to the mountains", "repairs of old radios",
    "the opening hours of our library", "insurance for travelling musicians", "a recipe with lentils and rice",
    "the weight of a parcel", "swimming lessons for beginners", "tickets for the spring concert",
    "planting tomatoes in clay", "the deposit on glass bottles", "washing wool by hand", "the ferry on Sundays",
    "sharpening kitchen knives", "renting a projector", "the nearest dentist", "painting a wooden fence",
    "the manual of the coffee machine", "registering a second dog", "winter tyres on vans", "the museum's new wing",
    "cleaning a camera lens", "bees on a balcony",
)  # fmt: skip


def models() -> dict[str, ChatModel]:
    """``small`` is polite when it is shown how, and ``large`` never is."""

    def model(name: str) -> ChatModel:
        def says(asked: Any) -> Any:
            shown = any(each.role == "assistant" and "Sir" in each.content for each in asked.messages)
            return words("Certainly, Sir." if shown and name == "small" else f"The {name} one says yes.")

        engine = ScriptedEngine(says, templates=True)
        return ChatModel(name, engine, ModelResponder(engine, model_name=name, fingerprint=name), False, "scripted")

    return {name: model(name) for name in ("small", "large")}


class People:
    """Those who use an application, and its administrator."""

    def __init__(self, world: World, key: Key, application: str, liked: str) -> None:
        self.world, self.key, self.application, self.liked = world, key, application, liked
        self.asked = 0

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.world.call(self.key, method, path, body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def ask(self, question: str, *, rate: bool = True, edit: str = "") -> str:
        """What is answered to the next person, who gives a thumb by taste, and perhaps an edit."""
        self.asked += 1
        said = {"role": "user", "content": question}
        body = {"model": self.application, "messages": [said], "user": f"u{self.asked}", "options": {"cache": False}}
        found = await self.world.call(self.key, "POST", "/v1/chat/completions", body, headers=PEOPLE)
        assert found.status_code == 200, found.text
        text = str(found.json()["choices"][0]["message"]["content"])
        if rate:
            rating = "up" if self.liked in text else "down"
            told = {
                "answer_id": found.json()["id"],
                "rating": rating,
                **({"edit": edit, "consent": True} if edit else {}),
            }
            await self.call("POST", "/v1/feedback", told)
        return text

    async def campaign(self) -> dict[str, Any]:
        """The first one, once there is one: the feedback of its canary begins another."""
        async with asyncio.timeout(60):
            while not (found := (await self.call("GET", "/v1/improve/campaigns"))["data"]):
                await asyncio.sleep(0.1)
        return dict(await self.call("GET", f"/v1/improve/campaigns/{found[-1]['id']}"))

    async def until_over(self) -> dict[str, Any]:
        """People ask as long as it takes."""
        until = time.monotonic() + 120
        while (now := await self.campaign())["ended_at"] is None:
            assert time.monotonic() < until, [each["reason"] for each in now["steps"]]
            if now["stage"] == "canary":
                for topic in TOPICS:
                    await self.ask(f"Do you know about {topic}?")
            await asyncio.sleep(0.1)
        return now


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    use_engines(monkeypatch, models())
    async with opened(tmp_path, improve={"every_s": 0.1}, trials={"every_s": 0.5}) as found, found.system.working():
        yield found


async def people(world: World, application: str, liked: str) -> People:
    # Of no group: what is made of their answers is for everybody.
    _, secret = await world.system.stores.keys.create("all", tenant="default", scopes=frozenset({"admin"}))
    found = People(world, Key("all", "default", frozenset(), secret), application, liked)
    held = [
        {"id": f"h{number}", "question": f"Tell me of {topic}, please.", "references": [liked], "split": "test"}
        for number, topic in enumerate(TOPICS)
    ]
    await found.call("POST", "/v1/datasets/held-out/versions", {"examples": held})
    return found


def stages(campaign: dict[str, Any]) -> list[str]:
    return [each["stage"] for each in campaign["steps"]]


async def test_examples_of_edits_are_compared_tried_promoted_and_undone(world: World) -> None:
    found = await people(world, "small", "Sir")
    policy = {
        "watch": {"feedback": len(TOPICS)},
        "data": {"export": {"kind": "sft", "options": {"good": True}}, "least_rows": 5},
        "rungs": [{"recipe": "examples", "kind": "examples", "options": {"nearest": 2}}],
        "offline": {"dataset": "held-out", "gain": {"name": "contains", "effect": 0.05}},
        "canary": CANARY,
        "after": {"seconds": 0},
    }
    await found.call("PUT", "/v1/improve/policies/small", policy)
    for topic in TOPICS:
        assert "Sir" not in await found.ask(f"What about {topic}?", edit=f"Sir, I know all about {topic}.")
    now = await found.until_over()
    assert now["stage"] == "promoted", [each["reason"] for each in now["steps"]]
    assert now["trigger"] == f"{len(TOPICS)} pieces of feedback since the last"
    assert stages(now) == [
        "exporting", "training", "comparing", "canary", "promoting", "watching", "promoted",
    ]  # fmt: skip
    assert "Sir" in await found.ask("And bees?", rate=False)
    # Its lineage names the answers whose edits are shown.
    made = await found.call("GET", f"/v1/improve/lineage/variants/{now['candidate']}")
    assert made["sources"]["total"] > 5, made
    await found.call("POST", "/v1/improve/applications/small/undo", {})
    # Whoever works on the campaign at the moment may take it back a moment later.
    until = time.monotonic() + 30
    while "Sir" in await found.ask("And bees?", rate=False):
        assert time.monotonic() < until
        await asyncio.sleep(0.05)


async def test_a_router_is_compared_tried_promoted_and_undone(world: World) -> None:
    found = await people(world, "auto", "small one")
    row = {"id": "r", "question": "Any?", "references": ["Any."], "split": "train"}
    await found.call("POST", "/v1/datasets/rows/versions", {"examples": [row]})
    policy = {
        "watch": {"feedback": 3},
        "data": {"dataset": "rows", "least_rows": 1},
        "rungs": [{"recipe": "given", "kind": "router", "options": {"value": {"policy": "rules"}}}],
        "offline": {"dataset": "held-out", "gain": {"name": "contains", "effect": 0.05}},
        "canary": CANARY,
        "after": {"seconds": 0},
    }
    await found.call("PUT", "/v1/improve/policies/auto", policy)
    for topic in TOPICS[:3]:
        assert "large one" in await found.ask(f"What about {topic}?")
    now = await found.until_over()
    assert now["stage"] == "promoted", [each["reason"] for each in now["steps"]]
    assert stages(now)[-4:] == ["canary", "promoting", "watching", "promoted"]
    assert "small one" in await found.ask("And bees?", rate=False)
    await found.call("POST", "/v1/improve/applications/auto/undo", {})
    assert "large one" in await found.ask("And bees?", rate=False)
