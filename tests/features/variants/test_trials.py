"""Trials over what a candidate changes, from end to end behind HTTP: two prompts, and two thresholds."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from mainspring.features.trials.ordered import ApplicationTrials
from tests.features.variants.test_door import prompt, repeating
from tests.world import Key, World, opened, use_engines

UNITS = 60


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    use_engines(monkeypatch, repeating("small"))
    async with opened(tmp_path) as found:
        yield found


async def placed(world: World, key: Key, kind: str, application: str, value: dict[str, Any], action: str) -> str:
    """A candidate that is admitted and then promoted, or gets half of the traffic; its id."""
    body = {"kind": kind, "application": application, "value": value}
    made = (await world.call(key, "POST", "/v1/variants", body)).json()
    share = {"share": 0.5} if action == "canary" else {}
    done = await world.call(key, "POST", f"/v1/variants/candidates/{made['id']}", {"action": action, **share})
    assert done.status_code == 200, done.text
    return str(made["id"])


async def tried(world: World, key: Key, application: str, question: str, good: Callable[[str], bool]) -> dict[str, Any]:
    """A trial of the application's arms by an outcome that follows from the text of the answers; how it ends."""
    trial = {"route": application, "control": "current", "promote": True}
    trial["metric"] = {"source": "outcome", "name": "solved", "effect": 0.3, "window_s": 60}
    started = await world.call(key, "POST", "/v1/trials/which", trial)
    assert started.status_code < 300, started.text
    for number in range(UNITS):
        said = [{"role": "user", "content": question}]
        body = {"model": application, "messages": said, "user": f"visitor {number}"}
        answer = (await world.call(key, "POST", "/v1/chat/completions", body)).json()
        told = {"metric": "solved", "answer_id": answer["id"]}
        told["value"] = float(good(answer["choices"][0]["message"]["content"]))
        assert (await world.call(key, "POST", "/v1/outcomes", told)).status_code < 300
    # A minute later all windows are over.
    await world.system.services[ApplicationTrials].look(time.time() + 120)
    found: dict[str, Any] = (await world.call(key, "GET", "/v1/trials/which")).json()
    return found


async def test_of_two_prompts_the_better_one_is_named_and_gets_all_traffic(world: World) -> None:
    key = world.keys["both"]
    await placed(world, key, "prompt", "small", await prompt(world, "Be wordy."), "promote")
    terse = await placed(world, key, "prompt", "small", await prompt(world, "Be terse."), "canary")
    found = await tried(world, key, "small", "Hello?", lambda text: "terse" in text)
    assert (found["status"], found["winner"]) == ("ended", "candidate")
    for number in range(10):
        body = {"model": "small", "messages": [{"role": "user", "content": "Hello?"}], "user": f"new {number}"}
        answer = await world.call(key, "POST", "/v1/chat/completions", body)
        assert answer.headers["x-mainspring-variant"] == terse
        assert "terse" in answer.json()["choices"][0]["message"]["content"]


async def test_of_two_thresholds_the_one_that_answers_is_named(world: World) -> None:
    key = world.keys["both"]
    store = await world.store(key, "papers")
    doc = await world.add(key, store, frozenset())
    strict = {"weights": {"chunk": 1.0}, "constant": -9.0, "threshold": 0.9}
    await placed(world, key, "answering", "papers", {"calibration": strict}, "promote")
    await placed(world, key, "answering", "papers", {"calibration": {**strict, "threshold": 0.0}}, "canary")
    question = f"What do we know about {doc.topic}?"
    found = await tried(world, key, "papers", question, lambda text: doc.mark in text)
    assert (found["status"], found["winner"]) == ("ended", "candidate")
