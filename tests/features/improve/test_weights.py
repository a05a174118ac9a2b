"""Weights come in by the loop: the real services of training, of the door and of the loop. Engines are doubles."""

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

import numpy as np
import pytest
import sqlalchemy as sa

from mainspring import engines
from mainspring.core import plugins
from mainspring.core.errors import Conflict
from mainspring.core.settings import Settings
from mainspring.core.types import Message
from mainspring.engines import ChatModel, Engines
from mainspring.engines.base import Reranked
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine, words
from mainspring.evaluation.examples import Example
from mainspring.feature import Services
from mainspring.features.improve.policy.policy import Policy
from mainspring.features.improve.service import Improve
from mainspring.features.improve.stages.campaign import Campaign
from mainspring.features.improve.tables import improve_variants
from mainspring.features.train.service import Training
from mainspring.features.train.versions import entering
from mainspring.features.train.versions.serving import Serving
from mainspring.features.train.working import training
from mainspring.features.variants.service import Variants
from mainspring.rag.workers import Workers
from mainspring.stores.events.audit_log import LOCAL
from tests.features.improve.doubles import Comparisons, Hand, Said, Sets, TheTrials
from tests.features.improve.world import BETTER, policy
from tests.reading import ask_here
from tests.world import Pieces, World, opened

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The recipes, here and in the children that train."""
    folder = tmp_path / "plugin"
    info = folder / "weights_recipes-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: weights_recipes\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mainspring.plugins]\nweights_recipes = weights_recipes\n")
    shutil.copyfile(Path(__file__).with_name("weights_recipes.py"), folder / "weights_recipes.py")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    plugins.registry.cache_clear()
    yield
    plugins.registry.cache_clear()


def model(name: str, says: str) -> ChatModel:
    engine = ScriptedEngine(lambda _: words(says), templates=True)
    return ChatModel(name, engine, ModelResponder(engine, model_name=name, fingerprint=name), False, "scripted")


class Preferring:
    """Prefers passages with its word."""

    computes_here = True
    name = fingerprint = "preferring"

    def __init__(self) -> None:
        self.asked = 0

    async def rerank(self, _: str, passages: Any) -> Reranked:
        self.asked += 1
        return Reranked(np.array([float("we know" in each) for each in passages]), 1)

    async def close(self) -> None:
        pass


class Doubting:
    """A reader to which no passage answers anything."""

    computes_here = True
    name = fingerprint = "doubting"

    async def rerank(self, _: str, passages: Any) -> Reranked:
        return Reranked(np.full(len(passages), 0.01), 1)

    async def close(self) -> None:
        pass


class Loop:
    """The loop of one system. What it compares and tries is a double, as ``said``."""

    def __init__(self, world: World, reranker: Preferring) -> None:
        services = world.system.services
        self.world, self.reranker = world, reranker
        self.improve, self.training, self.door = services[Improve], services[Training], services[Variants]
        self.who = world.system.rooms.local
        self.said = Said(verdict=BETTER)
        comparisons = Comparisons(Hand(), self.said)
        comparisons.recipes = Named()
        rows = [
            # Of nobody's traffic: nobody's consent is needed.
            Example(f"e{n}", (Message("user", f"Q{n}?"),), ("A.",), split="train")
            for n in range(20)
        ]
        given = Services()
        for each in (self.training, self.door, comparisons, TheTrials(Hand(), self.said)):
            given.add(each)
        given.add(Sets({"edits": rows, "held-out": []}))
        self.improve.ready(given)

    async def run(self, application: str, kind: str, gain: float) -> Campaign:
        """A campaign from its beginning to its end."""
        self.said.gain = {"weights": gain}
        wanted = policy(
            data={"dataset": "edits", "least_rows": 10},
            rungs=[{"recipe": f"weights-{'chat' if kind == 'model' else kind}", "kind": kind}],
            offline={"dataset": "held-out", "gain": {"name": "f1", "effect": 0.02}},
            shadow=None,
        )
        found = Policy.model_validate(wanted)
        await self.improve.policies.put(self.who, application, found, LOCAL, enabled=True)
        made = await self.improve.run(self.who, application, "")
        async with asyncio.timeout(90):
            while (campaign := await self.improve.campaigns.get(self.who, made.id)).ended_at is None:
                await self.improve.running.look()
                await asyncio.sleep(0.1)
        return campaign

    async def ask(self, key: str, application: str, text: str) -> str:
        asked = {"model": application, "messages": [{"role": "user", "content": text}]}
        answer = await self.world.call(self.world.keys[key], "POST", "/v1/chat/completions", asked)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["choices"][0]["message"]["content"])


class Named(dict[str, str]):
    def __missing__(self, _: str) -> str:
        return "weights"


@pytest.fixture
async def loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Loop]:
    reranker = Preferring()

    async def load_chat(name: str) -> ChatModel:
        return model(name, "The trained one says so.")

    @asynccontextmanager
    async def given(settings: Settings, prepared: object = None) -> AsyncIterator[Engines]:
        found = {"small": model("small", "As it was.")}
        yield Engines(found, Pieces(), None, load_chat=load_chat, load_reranker=lambda _: reranker)

    monkeypatch.setattr(Workers, "ask", ask_here)
    monkeypatch.setattr(engines, "open", given)
    # The entry of the catalogue and the conversion are the engine's.
    monkeypatch.setattr(entering, "entry_of", lambda row, *_: {"kind": row.makes})
    pulled = lambda _, name: SimpleNamespace(entry=SimpleNamespace(name=name), files={})  # noqa: E731
    monkeypatch.setattr(Serving, "_pull", pulled)
    monkeypatch.setattr(Serving, "_encoder", lambda *_: Doubting())
    async with opened(tmp_path) as world, training(world.system.services[Training]):
        yield Loop(world, reranker)


async def test_a_trained_chat_model_is_promoted_or_taken_out_of_service(loop: Loop) -> None:
    campaign = await loop.run("small", "model", -0.1)
    assert (campaign.stage, "not shown better" in campaign.reason) == ("refused", True)
    refused = campaign.candidate
    assert refused is not None
    with pytest.raises(Conflict, match="is not served"):
        loop.training.chat_model("default", refused.version)
    assert (await loop.training.version("default", refused.version)).withdrawn
    assert (await loop.door.store.get("default", refused.id)).status == "withdrawn"
    assert await loop.ask("red", "small", "Hello?") == "As it was."

    campaign = await loop.run("small", "model", 0.1)
    assert campaign.stage == "promoted", campaign.reason
    assert campaign.made.value == {"model": campaign.made.version}
    assert await loop.ask("red", "small", "Hello?") == "The trained one says so."
    # It is its tenant's alone.
    assert await loop.ask("stranger", "small", "Hello?") == "As it was."
    await loop.improve.undo(loop.who, "small", "as it was")
    assert await loop.ask("red", "small", "Hello?") == "As it was."
    # A person may want it back.
    assert not (await loop.training.version("default", campaign.made.version)).withdrawn


async def test_weights_of_people_who_were_erased_answer_nobody(loop: Loop) -> None:
    campaign = await loop.run("small", "model", 0.1)
    assert campaign.stage == "promoted", campaign.reason
    of = improve_variants.c
    mine = sa.update(improve_variants).where(of.id == campaign.candidate_id).values(erased_at=1.0)
    await loop.world.system.stores.database.write(lambda it: it.execute(mine) and None, durable=True)
    await loop.improve.running.look()
    assert await loop.ask("red", "small", "Hello?") == "As it was."
    assert (await loop.improve.campaigns.get(loop.who, campaign.id)).stage == "rolled back"
    assert (await loop.training.version("default", campaign.made.version)).withdrawn
    with pytest.raises(Conflict, match="is not served"):
        loop.training.chat_model("default", campaign.made.version)


async def test_a_trained_reranker_is_promoted_or_taken_out_of_service(loop: Loop) -> None:
    campaign = await loop.run("document-qa", "reranker", -0.1)
    assert (campaign.stage, "not shown better" in campaign.reason) == ("refused", True)
    with pytest.raises(Conflict, match="is not served"):
        await loop.training.engine("default", campaign.made.version)
    campaign = await loop.run("document-qa", "reranker", 0.1)
    assert campaign.stage == "promoted", campaign.reason
    assert campaign.made.value == {"version": campaign.made.version}
    store = await loop.world.store(loop.world.keys["red"], "papers")
    doc = await loop.world.add(loop.world.keys["red"], store, frozenset())
    await loop.world.add(loop.world.keys["red"], store, frozenset())
    text = await loop.ask("red", "document-qa", f"What do we know about {doc.topic}?")
    assert doc.mark in text
    assert loop.reranker.asked


async def test_a_trained_reader_refuses_what_it_doubts_until_it_is_undone(loop: Loop) -> None:
    store = await loop.world.store(loop.world.keys["red"], "papers")
    doc = await loop.world.add(loop.world.keys["red"], store, frozenset())
    asked = f"What do we know about {doc.topic}?"

    async def refused(question: str) -> bool:
        return (await loop.ask("red", "document-qa", question)).startswith("The documents do not")

    assert not await refused(asked)
    campaign = await loop.run("document-qa", "reader", 0.1)
    assert campaign.stage == "promoted", campaign.reason
    assert campaign.made.value == {"version": campaign.made.version}
    assert await refused(asked)
    # A process that has not loaded it answers as before, and does not fail.
    loop.training.serving._loaded.clear()  # type: ignore[union-attr]
    assert not await refused(f"{asked} Please.")
    await loop.improve.undo(loop.who, "document-qa", "as it was")
    assert not await refused(asked)


async def test_a_reranker_that_is_not_loaded_yet_fails_no_search(loop: Loop) -> None:
    campaign = await loop.run("document-qa", "reranker", 0.1)
    assert campaign.stage == "promoted", campaign.reason
    store = await loop.world.store(loop.world.keys["red"], "papers")
    doc = await loop.world.add(loop.world.keys["red"], store, frozenset())
    # One hit alone is not ordered.
    await loop.world.add(loop.world.keys["red"], store, frozenset())
    loop.training.serving._loaded.clear()  # type: ignore[union-attr]
    assert doc.mark in await loop.ask("red", "document-qa", f"What do we know about {doc.topic}?")
    assert not loop.reranker.asked


async def test_a_trained_chat_model_writes_over_documents(loop: Loop) -> None:
    campaign = await loop.run("document-qa", "model", 0.1)
    assert campaign.stage == "promoted", campaign.reason
    store = await loop.world.store(loop.world.keys["red"], "papers")
    doc = await loop.world.add(loop.world.keys["red"], store, frozenset())
    asked = {
        "model": "document-qa",
        "messages": [{"role": "user", "content": f"What do we know about {doc.topic}?"}],
        "options": {"mode": "generative"},
    }
    answer = await loop.world.call(loop.world.keys["red"], "POST", "/v1/chat/completions", asked)
    assert answer.status_code == 200, answer.text
    calls = await loop.world.system.stores.events.find("default", kind="call", limit=100)
    label = campaign.made.version.partition("@")[0]
    assert any(label in str(each.facts) for each in calls), [each.facts for each in calls]


async def test_a_version_that_is_withdrawn_says_so_and_leaves_what_was_there_before(loop: Loop) -> None:
    campaign = await loop.run("small", "model", 0.1)
    assert campaign.stage == "promoted", campaign.reason
    label = campaign.made.version
    assert await loop.ask("red", label, "Hello?") == "The trained one says so."
    await loop.training.withdraw_version(loop.who, label)
    await loop.door.follow()
    assert await loop.ask("red", "small", "Hello?") == "As it was."
    (moved, *_) = await loop.door.history("default", "small")
    assert (moved.action, moved.by, moved.reason) == ("withdrawn", "server", f"{label} was withdrawn")

    async def refused(key: str, name: str) -> str:
        asked = {"model": name, "messages": [{"role": "user", "content": "Hello?"}]}
        answer = await loop.world.call(loop.world.keys[key], "POST", "/v1/chat/completions", asked)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
        return str(answer.json()["error"]["message"])

    assert (await refused("red", label)).startswith(f"{label} was withdrawn")
    # The loop's own candidate, too; and other tenants are told nothing of either.
    name = f"small@{campaign.candidate_id}"
    assert (await refused("red", name)).startswith(f"{name} was withdrawn: {label} was withdrawn")
    for each in (label, name):
        assert "withdrawn" not in await refused("stranger", each)
