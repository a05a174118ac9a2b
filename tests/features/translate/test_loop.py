"""Edits of translations become a better translator by the loop of a whole system; only its weights are made before."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import tests.world as worlds
from mainspring.core import plugins
from mainspring.core.types import Principal
from mainspring.features.translate.feature import Translation
from mainspring.features.translate.settings import TranslateSettings
from tests.features.translate.tiny import translator

pytestmark = pytest.mark.slow
ADMIN = Principal("default", "root", frozenset({"admin"}))
PEOPLE = {"x-training-consent": "true"}
SENTENCES = [
    f"the {what} is {how} {when}"
    for what, how, when in product(
        ("house", "station", "garden", "river", "tower", "bridge", "school", "market"),
        ("red", "old", "far", "new"),
        ("today", "again", "now", "at night"),
    )
]


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The recipe, here and in the child that trains."""
    folder = tmp_path / "plugin"
    info = folder / "translator_recipes-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: translator_recipes\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mainspring.plugins]\ntranslator_recipes = translator_recipes\n")
    shutil.copyfile(Path(__file__).with_name("translator_recipes.py"), folder / "translator_recipes.py")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    plugins.registry.cache_clear()
    yield
    plugins.registry.cache_clear()


class People:
    """Those who translate, and want what one translator would say; and their administrator."""

    def __init__(self, world: worlds.World, admin: worlds.Key) -> None:
        self.world, self.admin, self.asked = world, admin, 0
        self.known: dict[str, str] = {}

    async def right(self, sentence: str) -> str:
        """What the translator says that is trained later; it lies in the folder, behind the one that translates."""
        if sentence not in self.known:
            body = {"text": sentence, "source": "en", "target": "fr", "model": "wanted"}
            answer = await self.world.call(self.world.keys["both"], "POST", "/v1/translate", body)
            self.known[sentence] = answer.json()["text"]
        return self.known[sentence]

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.world.call(self.admin, method, path, body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def ask(self, sentence: str, key: str = "red") -> Any:
        self.asked += 1
        body = {"text": sentence, "source": "en", "target": "fr", "user": f"u{self.asked}"}
        answer = await self.world.call(self.world.keys[key], "POST", "/v1/translate", body, headers=PEOPLE)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def edit(self, sentence: str, *, consent: bool = True) -> None:
        found = await self.ask(sentence)
        edit = {
            "source": sentence,
            "translation": found["text"],
            "edit": await self.right(sentence),
            "consent": consent,
        }
        edit |= {"source_language": "en", "target_language": "fr"}
        answer = await self.world.call(self.world.keys["red"], "POST", f"/v1/translate/{found['id']}/edit", edit)
        assert answer.status_code == 201, answer.text

    async def rate(self, sentence: str) -> None:
        """Somebody else, who has edited nothing, says what a translation is worth."""
        found = await self.ask(sentence, "blue")
        rating = "up" if found["text"] == await self.right(sentence) else "down"
        told = {"answer_id": found["id"], "rating": rating}
        assert (await self.world.call(self.world.keys["blue"], "POST", "/v1/feedback", told)).status_code < 300

    async def until_over(self) -> dict[str, Any]:
        """The first campaign, once it is over. People translate meanwhile."""
        until, now = time.monotonic() + 90, dict[str, Any]()
        while not now.get("ended_at"):
            assert time.monotonic() < until, [each["reason"] for each in now.get("steps", ())]
            await asyncio.sleep(0.1)
            if listed := (await self.call("GET", "/v1/improve/campaigns"))["data"]:
                now = dict(await self.call("GET", f"/v1/improve/campaigns/{listed[-1]['id']}"))
            for sentence in SENTENCES[:20] if now.get("stage") == "canary" else ():
                await self.rate(sentence)
        return now


@pytest.fixture
async def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[People]:
    worlds.use_engines(monkeypatch, worlds.echoing("echo"))
    translator(tmp_path / "folder" / "general")
    shutil.copytree(translator(tmp_path / "made", seed=1, pairs=("en-fr",)), tmp_path / "folder" / "wanted")
    own = TranslateSettings(folder=str(tmp_path / "folder"))
    async with (
        worlds.opened(tmp_path / "home", translate=own, improve={"every_s": 0.1}, trials={"every_s": 0.5}) as world,
        world.system.working(),
    ):
        _, secret = await world.system.stores.keys.create("all", tenant="default", scopes=frozenset({"admin"}))
        yield People(world, worlds.Key("all", "default", frozenset(), secret))


async def test_edits_become_a_translator_that_is_compared_tried_promoted_and_undone(
    people: People, tmp_path: Path
) -> None:
    service = people.world.system.services[Translation]
    for number, sentence in enumerate(SENTENCES[:120], 1):
        await people.edit(sentence)
        # Which answers are held out is decided by their ids.
        if number >= 40 and sum(each.split == "test" for each in await service.learnable_edits(ADMIN, "translate")) > 8:
            break
    held = await people.call("POST", "/v1/translate/edits/held-out", {"dataset": "held-out"})
    assert held["examples"] > 8, held
    policy = {
        "watch": {"feedback": 4},
        "data": {"edits": True, "least_rows": 10},
        "rungs": [{"recipe": "copied", "kind": "model", "options": {"folder": str(tmp_path / "made")}}],
        "offline": {"dataset": "held-out", "gain": {"name": "chrf", "effect": 0.02}},
        "canary": {"steps": [0.5], "step_s": 0, "metric": {"source": "feedback", "window_s": 3, "effect": 0.2}},
        "after": {"seconds": 0},
    }
    await people.call("PUT", "/v1/improve/policies/translate", policy)
    for sentence in SENTENCES[120:126]:
        await people.edit(sentence)
    now = await people.until_over()
    assert now["stage"] == "promoted", [each["reason"] for each in now["steps"]]
    assert now["version"] == "translate@1"
    assert (await people.ask(SENTENCES[-1], "blue"))["model"] == "translate@1"
    # Each learned answer is in its lineage, and none that is held out.
    made = await people.call("GET", f"/v1/improve/lineage/variants/{now['candidate']}?limit=100")
    learned = {each["answer_id"] for each in made["sources"]["data"]}
    sets = await people.call("GET", "/v1/datasets/held-out/examples?limit=100")
    kept_out = {source for each in sets["data"] for source in each["sources"]}
    assert len(learned) >= 10
    assert learned.isdisjoint(kept_out)
    await people.call("POST", "/v1/improve/applications/translate/undo", {})
    assert (await people.ask(SENTENCES[-1], "blue"))["model"] == "general"


async def test_what_is_held_out_is_learned_from_no_other_answer(people: People) -> None:
    for sentence in SENTENCES[:40]:
        await people.edit(sentence)
    service = people.world.system.services[Translation]

    async def sides() -> dict[str, dict[str, Any]]:
        found = await service.learnable_edits(ADMIN, "translate")
        return {each.question: {"side": each.split, "sources": set(each.sources)} for each in found}

    before = await sides()
    assert {each["side"] for each in before.values()} == {"train", "validation", "test"}
    out = {text for text, each in before.items() if each["side"] == "test"}
    # The same sentences of other answers, and texts of several of them.
    for number in range(12):
        await people.edit(f"{SENTENCES[number]}. {SENTENCES[number + 12]}.")
        await people.edit(SENTENCES[number])
    await people.edit("the secret is out", consent=False)
    after = await sides()
    assert all(after[text]["side"] == "test" for text in out)
    assert "the secret is out" not in after
    learned = set().union(*(each["sources"] for each in after.values() if each["side"] != "test"))
    kept_out = set().union(*(each["sources"] for each in after.values() if each["side"] == "test"))
    assert learned
    assert learned.isdisjoint(kept_out)
    assert await service.learnable_edits(ADMIN, "small") == ()


async def test_without_edits_nothing_is_held_out(people: People) -> None:
    answer = await people.world.call(people.admin, "POST", "/v1/translate/edits/held-out", {"dataset": "held-out"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "dataset")


async def test_translators_are_compared_by_what_they_say_and_not_by_the_edits_of_who_compares(people: People) -> None:
    people.world.keys["red"] = people.admin
    await people.edit(SENTENCES[0])
    assert (await people.ask(SENTENCES[0]))["text"] == await people.right(SENTENCES[0])
    asked = {"source": "en", "target": "fr"}
    example = {
        "id": "e",
        "question": SENTENCES[0],
        "references": [await people.right(SENTENCES[0])],
        "asked_with": asked,
    }
    await people.call("POST", "/v1/datasets/held/versions", {"examples": [example]})
    body = {"dataset": "held", "responders": [{"model": "translate"}], "scorers": [{"name": "exact"}]}
    made = await people.call("POST", "/v1/experiments", body)
    async with asyncio.timeout(30):
        while (now := await people.call("GET", f"/v1/experiments/{made['id']}"))["status"] not in (
            "completed",
            "failed",
        ):
            await asyncio.sleep(0.1)
    report = await people.call("GET", f"/v1/experiments/{made['id']}/report")
    (said,) = report["responders"]
    assert (said["failed"], said["scores"]["exact"]["mean"]) == (0, 0.0), (now, said)
