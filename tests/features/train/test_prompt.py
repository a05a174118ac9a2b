"""The recipe ``prompt``: a run in a process of its own that asks the system's models, and what it may not ask."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import Forbidden, InvalidRequest, QuotaExceeded, UnknownModel
from mainspring.core.facts.answers import GivenFacts
from mainspring.core.types import Principal
from mainspring.engines import ChatModel
from mainspring.engines.base import Generation
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine, words
from mainspring.features.train.jobs import run_questions
from mainspring.features.train.service import Training
from mainspring.features.train.working import training
from mainspring.features.variants.service import Variants
from mainspring.stores import Stores
from mainspring.training.asking import AskedQuestion, RunSocket
from mainspring.training.folder import Folder
from mainspring.training.ports import Candidate, JobView, Order
from mainspring.training.prompts.options import SearchedPromptOptions
from mainspring.training.recipe import Interrupted
from tests.world import World, opened, use_engines

pytestmark = pytest.mark.slow
BETTER = "Say the number alone."
OPTIONS = {
    "application": "small",
    "parts": {"task": "Answer the question."},
    "scorer": {"name": "exact"},
    "calls": 40,
    "rows": 8,
}


def says(generation: Generation) -> list[str]:
    """Reflects if it is asked to; chatters unless its prompt says that it should not."""
    text = "\n".join(each.content for each in generation.messages)
    if "write a better instruction" in text:
        return words(f"```\n{BETTER}\n```")
    number = int(re.findall(r"What is (\d+) and one", text)[-1]) + 1
    return words(str(number) if BETTER in text else f"I believe that it may be {number}.")


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    def model(name: str) -> ChatModel:
        engine = ScriptedEngine(says, templates=True)
        return ChatModel(name, engine, ModelResponder(engine, model_name=name, fingerprint=name), False, "scripted")

    use_engines(monkeypatch, {name: model(name) for name in ("small", "other")})
    async with opened(tmp_path / "home") as found:
        yield found


def data(folder: Path) -> Path:
    """Questions with their answers, on all sides; rows have the answers of people that they are made of."""
    folder.mkdir(parents=True)
    start = 0
    for side, count in (("train", 8), ("validation", 6), ("test", 10)):
        rows = [
            {
                "messages": [
                    {"role": "user", "content": f"What is {n} and one?"},
                    {"role": "assistant", "content": str(n + 1)},
                ]
            }
            for n in range(start, start + count)
        ]
        (folder / f"{side}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
        start += count
    return folder


async def ended(service: Training, tenant: str, job: str) -> JobView:
    async with asyncio.timeout(120):
        while (view := await service.training_job(tenant, job)).state in ("queued", "running", "waiting"):
            await asyncio.sleep(0.1)
    return view


async def ordering(stores: Stores, **more: Any) -> Principal:
    info, _ = await stores.keys.create("trainer", tenant="default", scopes=frozenset({"train", "chat"}), **more)
    return info.principal()


async def test_a_better_prompt_is_found_and_served(world: World, tmp_path: Path) -> None:
    pytest.importorskip("gepa")
    service, door = world.system.services[Training], world.system.services[Variants]
    who = await ordering(world.system.stores)
    async with training(service):
        made = await service.order(who, Order("prompt", OPTIONS, folder=data(tmp_path / "data")))
        view = await ended(service, "default", made.id)
    assert view.state == "succeeded", view.error
    version = await service.version("default", view.version)
    assert version.made.value["text"] == BETTER
    assert (version.made.before["exact"], version.made.figures["exact"]) == (0.0, 1.0)
    assert version.made.counted["exact"] == 10

    # Each question is an event of the tenant, of the key that ordered the run, and nobody's traffic.
    events = world.system.stores.events
    calls = await events.find("default", kind="replay", limit=500)
    assert len(calls) >= version.made.figures["calls"]
    assert {GivenFacts.of(each.facts).key_id for each in calls} == {who.key_id}
    assert {each.parent_id for each in calls} == {made.id}
    assert not await events.find("default", kind="answer")
    assert run_questions.count(Folder(service.places.job(made.id))) >= len(calls)

    # What it made comes in by the door.
    admin = replace(who, scopes=frozenset({"admin"}))
    candidate = Candidate("prompt", "small", version.made.value, version.label)
    await door.promote(admin, candidate)
    key = world.keys["red"]
    body = {"model": "small", "messages": [{"role": "user", "content": "What is 41 and one?"}]}
    answer = (await world.call(key, "POST", "/v1/chat/completions", body)).json()
    assert answer["choices"][0]["message"]["content"] == "42"


async def test_what_it_asks_must_be_there_and_allowed(world: World, tmp_path: Path) -> None:
    service = world.system.services[Training]
    folder = data(tmp_path / "data")
    who = await ordering(world.system.stores)
    with pytest.raises(UnknownModel, match="nobody"):
        await service.order(who, Order("prompt", OPTIONS | {"application": "nobody"}, folder=folder))
    with pytest.raises(Forbidden, match="may not"):
        await service.order(replace(who, scopes=frozenset({"train"})), Order("prompt", OPTIONS, folder=folder))
    with pytest.raises(InvalidRequest, match="parts"):
        await service.order(who, Order("prompt", OPTIONS | {"parts": {"a b": "x"}}, folder=folder))
    service.checking.path = None
    with pytest.raises(InvalidRequest, match="served"):
        await service.order(who, Order("prompt", OPTIONS, folder=folder))


async def answering(
    world: World, folder: Path, who: Principal, left: int, usable: bool = True
) -> run_questions.Answering:
    async def key() -> bool:
        return usable

    folder.mkdir(exist_ok=True)
    allowed = run_questions.names(SearchedPromptOptions.model_validate(OPTIONS))
    return run_questions.Answering(world.system.rooms.path, who, allowed, "job", left, key, Folder(folder))


def question(model: str = "small", number: int = 1) -> AskedQuestion:
    return AskedQuestion(model, [{"role": "user", "content": f"What is {number} and one?"}], BETTER)


async def test_a_run_asks_no_more_than_its_order_says(world: World, tmp_path: Path) -> None:
    who = await ordering(world.system.stores)
    assert run_questions.chatting(who).scopes == frozenset({"chat"})

    async def tried(given: run_questions.Answering, *questions: AskedQuestion) -> Any:
        async with run_questions.answered(given) as end:
            assert end is not None
            line = RunSocket(end.dup())
            return await asyncio.to_thread(line.ask, questions)

    one = await answering(world, tmp_path / "one", who, 10)
    found = await tried(one, *(question(number=each) for each in range(6)))
    assert [each.text for each in found] == [str(each + 1) for each in range(6)]
    with pytest.raises(QuotaExceeded, match="may not ask other"):
        await tried(one, question("other"))
    few = await answering(world, tmp_path / "few", who, 2)
    with pytest.raises(QuotaExceeded, match="as often as it may"):
        await tried(few, question(), question(), question())
    assert run_questions.count(Folder(tmp_path / "few")) == 2
    revoked = await answering(world, tmp_path / "revoked", who, 5, usable=False)
    with pytest.raises(QuotaExceeded, match="revoked"):
        await tried(revoked, question())
    blind = replace(who, reach=replace(who.reach, models=frozenset({"other"})))
    with pytest.raises(QuotaExceeded, match="small"):
        await tried(await answering(world, tmp_path / "blind", blind, 5), question())


async def test_budgets_end_it(world: World, tmp_path: Path) -> None:
    who = await ordering(world.system.stores)
    key = world.keys["red"]
    made = await world.call(
        key, "POST", "/v1/budgets", {"scope": "key", "subject": who.key_id, "limit_tokens": 60, "hard": True}
    )
    assert made.status_code == 200, made.text
    given = await answering(world, tmp_path / "budget", who, 100)
    async with run_questions.answered(given) as end:
        assert end is not None
        line = RunSocket(end.dup())
        with pytest.raises(QuotaExceeded, match="budget"):
            await asyncio.to_thread(line.ask, [question(number=each) for each in range(20)])


async def test_the_line_ends_with_the_run(world: World, tmp_path: Path) -> None:
    who = await ordering(world.system.stores)
    given = await answering(world, tmp_path / "run", who, 10)
    async with run_questions.answered(given) as end:
        assert end is not None
        line = RunSocket(end.dup())
    with pytest.raises(Interrupted):
        await asyncio.to_thread(line.ask, [question()])


async def test_what_cannot_be_read_is_answered_so(world: World, tmp_path: Path) -> None:
    given = await answering(world, tmp_path / "run", await ordering(world.system.stores), 10)
    async with run_questions.answered(given) as end:
        assert end is not None
        own = end.dup()

        def raw() -> dict[str, Any]:
            own.setblocking(True)
            own.sendall(b"nonsense\n")
            return json.loads(own.makefile("rb").readline())  # type: ignore[no-any-return]

        told = await asyncio.to_thread(raw)
        assert "cannot be read" in told["error"]
        own.shutdown(socket.SHUT_RDWR)
