"""A judge comes in by the loop of a whole system, without a double of any feature: what a person wrote is compared,
promoted and undone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.world import Key, World, echoing, opened, use_engines

APPLICATION = "judge:strict"
POLICY: dict[str, Any] = {
    "data": {"dataset": "rows", "least_rows": 1},
    "rungs": [{"recipe": "given", "kind": "judge", "options": {"value": {"judge": "strict", "version": 1}}}],
    "offline": {"dataset": "held-out", "gain": {"name": "contains", "effect": 0.05}},
    "after": {"seconds": 0},
}


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    use_engines(monkeypatch, echoing("small"))
    async with opened(tmp_path, improve={"every_s": 0.1}) as found, found.system.working():
        yield found


async def test_a_version_of_a_judge_is_compared_promoted_and_undone(world: World) -> None:
    _, secret = await world.system.stores.keys.create("all", tenant="default", scopes=frozenset({"admin"}))
    key = Key("all", "default", frozenset(), secret)

    async def call(method: str, path: str, body: Any = None) -> Any:
        answer = await world.call(key, method, path, body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def judged(word: str) -> float:
        said = {"role": "user", "content": item(word)}
        answer = await call("POST", "/v1/chat/completions", {"model": APPLICATION, "messages": [said]})
        return float(json.loads(answer["choices"][0]["message"]["content"])["score"])

    # The newest version counts, and people want what the first one said.
    for word in ("first", "second"):
        await call("PUT", "/v1/judges/strict", {"definition": {"kind": "rules", "rules": [{"contains": word}]}})
    assert (await judged("first"), await judged("second")) == (0.0, 1.0)
    held = [
        {"id": f"h{n}", "question": item(f"first {n}"), "references": ['"score": 1.0'], "split": "test"}
        for n in range(12)
    ]
    await call("POST", "/v1/datasets/held-out/versions", {"examples": held})
    row = {"id": "r", "question": item("any"), "references": ["1.0"], "split": "train"}
    await call("POST", "/v1/datasets/rows/versions", {"examples": [row]})
    await call("PUT", f"/v1/improve/policies/{APPLICATION}", POLICY)
    made = await call("POST", f"/v1/improve/policies/{APPLICATION}/run")
    async with asyncio.timeout(60):
        while (now := await call("GET", f"/v1/improve/campaigns/{made['id']}"))["ended_at"] is None:
            await asyncio.sleep(0.1)
    assert now["stage"] == "promoted", [each["reason"] for each in now["steps"]]
    assert now["version"] == "judge-strict@1"
    assert (await judged("first"), await judged("second")) == (1.0, 0.0)
    await call("POST", f"/v1/improve/applications/{APPLICATION}/undo", {})
    assert (await judged("first"), await judged("second")) == (0.0, 1.0)


def item(word: str) -> str:
    return json.dumps({"question": "Which?", "answer": f"The {word}."})
