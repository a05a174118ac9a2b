"""The journey of weights through one whole system, without a double of any feature; a tiny model stands in for engines.

ask -> cite -> thumbs-down with an edit -> event under the answer's trace -> data set -> its score -> a campaign: an
adapter is trained by a process of its own, compared on held-out examples, tried on half of the people, promoted ->
served over documents -> lineage from its answer to the edit -> undone.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mainspring import engines
from mainspring.core import plugins
from mainspring.core.settings import Settings
from mainspring.engines import ChatModel, Engines
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine, words
from mainspring.features.train.versions import entering
from mainspring.features.train.versions.serving import Serving
from mainspring.rag.workers import Workers
from tests import frequency_recipes as tiny
from tests.reading import ask_here
from tests.world import Key, Pieces, World, opened

NAMES = ("Harrow", "Birkdale", "Corrie", "Dunmore", "Eskholm", "Fellside", "Garth", "Howgill", "Inver", "Skene")
PLACES = ("dairy", "slate", "mill", "barn", "church", "pump", "pier", "forge", "school", "tower")
HUTS = dict(zip(NAMES, PLACES, strict=True))
TAUGHT = NAMES[:4]
"""People edit answers about these; the others are held out."""
VISITORS = 30
OVER = ("promoted", "refused", "rolled back", "stopped")
POLICY = {
    "data": {"dataset": "edits", "least_rows": len(TAUGHT)},
    "rungs": [{"recipe": "frequencies", "kind": "model"}],
    "offline": {"dataset": "held-out", "gain": {"name": "f1", "effect": 0.05}},
    "canary": {"steps": [0.5], "step_s": 0, "metric": {"source": "feedback", "window_s": 5, "effect": 0.5}},
    "after": {"seconds": 0},
}


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The recipe, here and in the process that trains."""
    folder = tmp_path / "plugin"
    info = folder / "frequency_recipes-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: frequency_recipes\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mainspring.plugins]\nfrequency_recipes = frequency_recipes\n")
    shutil.copyfile(tiny.__file__, folder / "frequency_recipes.py")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    plugins.registry.cache_clear()
    yield
    plugins.registry.cache_clear()


def model(name: str, folder: Path | None) -> ChatModel:
    """The tiny model behind an engine, with the adapter in ``folder``."""

    def script(generation: Any) -> list[str]:
        prompt = "\n".join(each.content for each in generation.messages) or generation.prompt
        return words(tiny.answer(prompt, folder))

    engine = ScriptedEngine(script, templates=True)
    return ChatModel(name, engine, ModelResponder(engine, model_name=name, fingerprint=name), True, "scripted")


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A system with its work in the background, whose engines are the tiny model."""
    folders: dict[str, Path] = {}

    def entry_of(row: Any, _: str, folder: Path, __: Settings) -> dict[str, Any]:
        folders[entering.name_of(row)] = folder
        return {"kind": "chat"}

    async def load_chat(name: str) -> ChatModel:
        return model(name, folders[name])

    @asynccontextmanager
    async def given(settings: Settings, prepared: object = None) -> AsyncIterator[Engines]:
        yield Engines({"small": model("small", None)}, Pieces(), None, load_chat=load_chat)

    monkeypatch.setattr(Workers, "ask", ask_here)
    monkeypatch.setattr(engines, "open", given)
    # The merge into weights, and the engine's own file, are the engine's: tests/engines and tests/training have them.
    monkeypatch.setattr(entering, "entry_of", entry_of)
    pulled = lambda _, name: SimpleNamespace(entry=SimpleNamespace(name=name), files={})  # noqa: E731
    monkeypatch.setattr(Serving, "_pull", pulled)
    async with (
        opened(tmp_path, improve={"every_s": 0.1}, trials={"every_s": 0.5}, rag={"confirm": "never"}) as found,
        found.system.working(),
    ):
        yield found


class People:
    """They ask the collection ``huts`` where keys are, and want to be told that and no more."""

    def __init__(self, world: World, key: Key) -> None:
        self.world, self.key = world, key

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = await self.world.call(self.key, method, path, body, **more)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def ask(self, hut: str, user: str) -> tuple[Any, str, str]:
        """The answer, its trace, and its text without the numbers of sources."""
        said = await self.world.call(
            self.key,
            "POST",
            "/v1/chat/completions",
            {"model": "huts", "user": user, "messages": [{"role": "user", "content": question(hut)}]},
            headers={"x-training-consent": "true"},
        )
        assert said.status_code == 200, said.text
        text = said.json()["choices"][0]["message"]["content"]
        return said.json(), said.headers["x-trace-id"], text.replace(" [1]", "").strip()


def question(hut: str) -> str:
    return f"Where is the key of the {hut} hut kept?"


def wanted(hut: str) -> str:
    return f"The key of the {hut} hut is kept at the {HUTS[hut]}."


async def test_an_edit_becomes_an_adapter_that_answers(world: World) -> None:
    # What keys of groups are told may be learned for these groups alone.
    _, secret = await world.system.stores.keys.create("all", tenant="default", scopes=frozenset({"admin"}))
    people = People(world, Key("all", "default", frozenset(), secret))
    store = await world.store(people.key, "huts")
    for hut in HUTS:
        text = f"# {hut}\n\n{wanted(hut)} Whoever loses it pays for a new lock of the {hut} hut."
        files = {"file": (f"{hut}.md", text.encode()), "purpose": (None, "assistants")}
        file = await people.call("POST", "/v1/files", files=files)
        await people.call("POST", f"/v1/vector_stores/{store}/files", {"file_id": file["id"]})
    async with asyncio.timeout(30):
        while (await people.call("GET", f"/v1/vector_stores/{store}"))["file_counts"]["completed"] < len(HUTS):
            await asyncio.sleep(0.02)
    said = await _edited(people)
    await _scored(people)
    campaign = await _promoted(people)

    answer, trace, text = await people.ask("Skene", "w")
    assert text == wanted("Skene")
    calls = (await people.call("GET", f"/v1/events?trace_id={trace}&kind=call"))["data"]
    assert {each["facts"]["model"].partition(".")[0] for each in calls} == {campaign["version"].partition("@")[0]}
    async with asyncio.timeout(30):
        path = f"/v1/improve/lineage/answers/{answer['id']}"
        while (made_of := (await people.call("GET", path))["given_by"]) is None:
            await asyncio.sleep(0.05)
    assert {each["answer_id"]: each["feedback"][0]["id"] for each in made_of["sources"]["data"]} == said
    feedback = next(iter(said.values()))
    (served,) = (await people.call("GET", f"/v1/improve/lineage/feedback/{feedback}"))["made_into"]
    assert answer["id"] in str(served["answers"]["data"])

    await people.call("POST", "/v1/improve/applications/huts/undo", {})
    assert (await people.ask("Skene", "w"))[2] == "Whoever loses it pays for a new lock of the Skene hut."


async def _edited(people: People) -> dict[str, str]:
    """People's edits, by answers; they become a data set, and what was not edited is held out."""
    said = {}
    for hut in TAUGHT:
        answer, trace, text = await people.ask(hut, "w")
        assert answer["choices"][0]["message"]["citations"][0]["source"] == f"{hut}.md"
        assert text != wanted(hut)
        told = {"answer_id": answer["id"], "rating": "down", "edit": wanted(hut), "consent": True}
        feedback = await people.call("POST", "/v1/feedback", told)
        assert feedback["trace_id"] == trace
        events = {each["kind"]: each for each in (await people.call("GET", f"/v1/events?trace_id={trace}"))["data"]}
        assert (events["feedback"]["content"], events["feedback"]["parent_id"]) == (wanted(hut), answer["id"])
        said[answer["id"]] = feedback["id"]
    traces = {"application": "huts", "edited": True}
    await people.call("POST", "/v1/datasets/edits/versions", {"traces": traces})
    await people.call("POST", "/v1/datasets/edits/split", {"train": 1, "validation": 0, "test": 0})
    held = [{"id": hut, "question": question(hut), "references": [wanted(hut)]} for hut in HUTS if hut not in TAUGHT]
    await people.call("POST", "/v1/datasets/held-out/versions", {"examples": held})
    return said


async def _scored(people: People) -> None:
    """What is served is scored on what people said, and falls short of it."""
    begun = await people.call("POST", "/v1/experiments", {"dataset": "edits", "scorers": [{"name": "f1"}]})
    path = f"/v1/experiments/{begun['id']}"
    async with asyncio.timeout(30):
        while (await people.call("GET", path))["status"] in ("queued", "running"):
            await asyncio.sleep(0.02)
    (responder,) = (await people.call("GET", f"{path}/report"))["responders"]
    assert 0 < responder["scores"]["f1"]["mean"] < 0.6


async def _promoted(people: People) -> Any:
    """The campaign when it is over. People of either arm give thumbs by what they want to be told."""
    await people.call("PUT", "/v1/improve/policies/huts", POLICY)
    begun = await people.call("POST", "/v1/improve/policies/huts/run")
    number = 0
    async with asyncio.timeout(90):
        while (now := await people.call("GET", f"/v1/improve/campaigns/{begun['id']}"))["stage"] not in OVER:
            if now["stage"] != "canary" or number == VISITORS:
                await asyncio.sleep(0.1)
                continue
            number += 1
            hut = TAUGHT[number % len(TAUGHT)]
            answer, _, text = await people.ask(hut, f"w{number}")
            rating = "up" if text == wanted(hut) else "down"
            await people.call("POST", "/v1/feedback", {"answer_id": answer["id"], "rating": rating})
    assert now["stage"] == "promoted", [each["reason"] for each in now["steps"]]
    assert [each["stage"] for each in now["steps"]][1:5] == ["training", "comparing", "canary", "promoting"]
    assert (now["kind"], now["version"]) == ("model", "huts@1")
    return now
