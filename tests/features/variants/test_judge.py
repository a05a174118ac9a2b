"""Versions of a judge come in by the door: refused with a reason, tried on a share, promoted and undone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context, Principal
from mainspring.features.judges.definitions.definition import Definition
from mainspring.features.judges.service import Judges
from mainspring.features.variants.service import Variants
from mainspring.training.ports import Candidate
from tests.features.variants.test_door import repeating
from tests.world import World, opened, use_engines

ADMIN = Principal("default", "root", frozenset({"admin"}))


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    use_engines(monkeypatch, repeating("small"))
    async with opened(tmp_path) as found:
        judges = found.system.services[Judges]
        for word in ("first", "second"):
            definition = Definition.model_validate({"kind": "rules", "rules": [{"contains": word}]})
            await judges.definitions.put("default", "strict", definition)
        yield found


async def judged(world: World, name: str = "judge:strict", item: Any = None, **more: Any) -> tuple[Any, str, str]:
    """What a judge says of an answer that only its first version likes, the arm and the variant."""
    content = json.dumps(item or {"question": "Which?", "answer": "The first."})
    body = {"model": name, "messages": [{"role": "user", "content": content}], **more}
    answer = await world.call(world.keys["red"], "POST", "/v1/chat/completions", body)
    if answer.status_code != 200:
        return answer.json()["error"], "", ""
    head = answer.headers
    told = json.loads(answer.json()["choices"][0]["message"]["content"])
    return told, head.get("x-mainspring-arm", ""), head.get("x-mainspring-variant", "")


async def test_a_version_is_tried_promoted_and_undone(world: World) -> None:
    door, judges = world.system.services[Variants], world.system.services[Judges]
    # The newest counts as long as nothing was promoted.
    assert (await judged(world))[0]["score"] == 0.0
    older = Candidate("judge", "judge:strict", {"judge": "strict", "version": 1})
    name = await door.admit(ADMIN, older)
    assert (await judged(world, name))[0]["score"] == 1.0
    assert (await judged(world))[0]["score"] == 0.0
    await door.canary(ADMIN, older, 0.5)
    found = [await judged(world, user=f"u{number}") for number in range(20)]
    assert {(told["score"], arm, variant) for told, arm, variant in found} == {
        (0.0, "current", ""),
        (1.0, "candidate", older.id),
    }
    await door.promote(ADMIN, older)
    assert (await judged(world))[0]["score"] == 1.0
    # Whoever names the judge, such as an experiment, has the promoted version, too; other tenants have their own.
    made = await judges.made("strict", Context(ADMIN))
    assert made.definition.rules[0].contains == "first"
    await door.undo(ADMIN, "judge:strict", "as it was")
    assert (await judged(world))[0]["score"] == 0.0
    assert (await judges.made("strict", Context(ADMIN))).definition.rules[0].contains == "second"


@pytest.mark.parametrize(
    ("application", "value", "why"),
    [
        ("small", {"judge": "strict", "version": 1}, "is not a judge"),
        ("judge:strict", {"judge": "strict", "version": 9}, "no version 9"),
        ("judge:strict", {"judge": "other", "version": 1}, "no version 1"),
        ("judge:nobody", {"judge": "nobody", "version": 1}, "judge:nobody"),
    ],
)
async def test_what_does_not_judge_is_refused(world: World, application: str, value: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        await world.system.services[Variants].admit(ADMIN, Candidate("judge", application, value))


async def test_a_judge_is_asked_items(world: World) -> None:
    for item, why in (("hello", "item as JSON"), ({"question": "Which?"}, "answer or answers"), ({"x": 1}, "Extra")):
        error, _, _ = await judged(world, item=item)
        assert (error["param"], why in error["message"]) == ("messages", True), error
    body = {"model": "judge:strict", "messages": [{"role": "user", "content": "{}"}]}
    other = await world.call(world.keys["stranger"], "POST", "/v1/chat/completions", body)
    assert other.status_code == 404
