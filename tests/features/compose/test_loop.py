"""Mails that people sent become a better model by the loop of a whole system, with the recipe that ships."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import tests.world as worlds
from mainspring.core.types import Principal
from mainspring.features.compose.evaluating import right
from mainspring.features.compose.model.packed import load
from mainspring.features.compose.service import Compose

pytestmark = pytest.mark.slow
ADMIN = Principal("default", "root", frozenset({"admin"}))
CONSENT = {"x-training-consent": "true"}
MAILS = [
    f"the brass kettle audit of the {where} depot was moved to {when}, so please forward the sealed ledger to {whom}"
    for where, when, whom in product(
        ("north", "south", "harbour", "valley", "upper", "lower", "old", "new"),
        ("noon", "the evening", "the morning", "midnight"),
        ("the clerks", "our auditors", "the porters", "my office"),
    )
]


class People:
    """Those who write such mails, and accept what is right; and their administrator."""

    def __init__(self, world: worlds.World, admin: worlds.Key) -> None:
        self.world, self.admin, self.written = world, admin, 0

    async def call(self, method: str, path: str, body: Any = None, key: worlds.Key | None = None, **more: Any) -> Any:
        answer = await self.world.call(key or self.admin, method, path, body, **more)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def ask(self, mail: str, key: str = "red", words: int = 5, **more: Any) -> Any:
        body = {"body": " ".join(mail.split()[:words]) + " ", "subject": "Audit", "to": "staff", **more}
        return await self.call("POST", "/v1/compose", body, self.world.keys[key], headers=CONSENT)

    async def send(self, mail: str, key: str = "red") -> None:
        self.written += 1
        name = f"mail {self.written}"
        found = await self.ask(mail, key, session_id=name, user=f"u{self.written % 5}")
        body = {"text": mail, "subject": "Audit", "to": "staff", "session_id": name, "consent": True}
        await self.call("POST", f"/v1/compose/{found['answer']}/sent", body, self.world.keys[key])

    async def judge(self, mail: str) -> None:
        """Somebody accepts a suggestion if it is what the mail says."""
        found = await self.ask(mail, "blue", words=3)
        if found["id"]:
            accepts = right(found["suggestions"][0]["text"], " ".join(mail.split()[3:]))
            told = {"outcome": "accepted" if accepts else "dismissed"}
            await self.call("POST", f"/v1/compose/{found['id']}/outcome", told, self.world.keys["blue"])

    async def until_over(self) -> dict[str, Any]:
        """The first campaign, once it is over. People write meanwhile."""
        until, now = time.monotonic() + 240, dict[str, Any]()
        while not now.get("ended_at"):
            assert time.monotonic() < until, [each["reason"] for each in now.get("steps", ())]
            await asyncio.sleep(0.1)
            if listed := (await self.call("GET", "/v1/improve/campaigns"))["data"]:
                now = dict(await self.call("GET", f"/v1/improve/campaigns/{listed[-1]['id']}"))
            for mail in MAILS[:20] if now.get("stage") == "canary" else ():
                await self.judge(mail)
        return now


@pytest.fixture
async def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[People]:
    worlds.use_engines(monkeypatch, worlds.echoing("echo"))
    async with (
        worlds.opened(tmp_path / "home", improve={"every_s": 0.1}, trials={"every_s": 0.5}) as world,
        world.system.working(),
    ):
        _, secret = await world.system.stores.keys.create("all", tenant="default", scopes=frozenset({"admin"}))
        yield People(world, worlds.Key("all", "default", frozenset(), secret))


async def test_sent_mails_become_a_model_that_is_compared_tried_promoted_and_undone(people: People) -> None:
    packaged = load().version
    for mail in MAILS[:60]:
        await people.send(mail)
    held = await people.call("POST", "/v1/compose/sent/held-out", {"dataset": "held-out"})
    assert held["examples"] >= 12, held
    outcome = {"source": "outcome", "name": "compose_accepted", "window_s": 3, "effect": 0.2}
    policy = {
        "watch": {"feedback": 4},
        "data": {"edits": True, "least_rows": 20},
        "rungs": [{"recipe": "compose-phrases", "kind": "model"}],
        "offline": {"dataset": "held-out", "gain": {"name": "exact", "effect": 0.05}},
        "canary": {"steps": [0.5], "step_s": 0, "metric": outcome},
        "after": {"seconds": 0},
    }
    await people.call("PUT", "/v1/improve/policies/compose", policy)
    for mail in MAILS[60:66]:
        await people.send(mail)
    now = await people.until_over()
    assert now["stage"] == "promoted", [each["reason"] for each in now["steps"]]
    assert now["version"] == "compose@1"
    assert (await people.ask(MAILS[-1], "blue"))["model"] == "compose@1"
    assert (await people.call("GET", "/v1/compose/models"))["serving"] == "compose@1"
    # Each learned answer is in its lineage, and none that is held out.
    made = await people.call("GET", f"/v1/improve/lineage/variants/{now['candidate']}?limit=100")
    learned = {each["answer_id"] for each in made["sources"]["data"]}
    sets = await people.call("GET", "/v1/datasets/held-out/examples?limit=100")
    kept_out = {source for each in sets["data"] for source in each["sources"]}
    assert len(learned) >= 20
    assert learned.isdisjoint(kept_out)
    # The curve over the shares of the phrases, and suggestions before and after.
    job = (await people.call("GET", "/v1/training/jobs"))["data"][0]["id"]
    assert len((await people.call("GET", f"/v1/training/jobs/{job}/metrics"))["data"]) > 2
    assert {each["step"] for each in (await people.call("GET", f"/v1/training/jobs/{job}/samples"))["data"]} == {0, 1}
    await people.call("POST", "/v1/improve/applications/compose/undo", {})
    assert (await people.ask(MAILS[-1], "blue"))["model"] == packaged


async def test_mails_are_kept_with_consent_alone_once_each_and_for_their_owner(people: People) -> None:
    red, service = people.world.keys["red"], people.world.system.services[Compose]
    found = await people.ask(MAILS[0])
    path = f"/v1/compose/{found['answer']}/sent"

    async def told(key: worlds.Key = red, where: str = path, **body: Any) -> tuple[int, str]:
        answer = await people.world.call(key, "POST", where, {"text": MAILS[0], "consent": True, **body})
        return answer.status_code, (answer.json().get("error") or {}).get("param", "")

    assert await told(consent=False) == (403, "consent")
    silent = await people.call("POST", "/v1/compose", {"body": MAILS[0] + " "}, red)
    assert await told(where=f"/v1/compose/{silent['answer']}/sent") == (403, "consent")
    assert (await told(people.world.keys["stranger"]))[0] == 404
    assert (await told(text="to ann@example.com: " + MAILS[0]))[0] == (await told(session_id="a"))[0] == 201
    assert (await told(session_id="a", text="Please: " + MAILS[0]))[0] == 201
    # Others may name their mails alike.
    theirs = await people.ask(MAILS[1], "blue")
    where = f"/v1/compose/{theirs['answer']}/sent"
    assert (await told(people.world.keys["blue"], where, session_id="a", text=MAILS[1]))[0] == 201
    rows = await service.sent.learnable(ADMIN)
    assert sorted(row.text for row in rows) == ["Please: " + MAILS[0], MAILS[1], "to [EMAIL]: " + MAILS[0]]
    both = await service.learnable_edits(ADMIN, "compose")
    assert {each.split for each in both} <= {"train", "validation", "test"}
    assert await service.learnable_edits(ADMIN, "echo") == ()


async def test_what_is_held_out_is_learned_from_no_other_mail(people: People) -> None:
    for mail in MAILS[:40]:
        await people.send(mail)
    service = people.world.system.services[Compose]

    async def sides() -> tuple[set[str], set[str], set[str]]:
        found = await service.learnable_edits(ADMIN, "compose")
        learned = [each for each in found if each.split != "test"]
        out = {source for each in found if each.split == "test" for source in each.sources}
        return {each.question for each in learned}, {source for each in learned for source in each.sources}, out

    learned, of_learned, of_held = await sides()
    held = set(MAILS[:40]) - learned
    assert learned
    assert held
    assert of_learned.isdisjoint(of_held)
    for mail in MAILS[:40]:
        await people.send(mail)
    again, of_learned, of_held = await sides()
    assert held.isdisjoint(again)
    assert of_learned.isdisjoint(of_held)


async def test_without_mails_nothing_is_held_out(people: People) -> None:
    answer = await people.world.call(people.admin, "POST", "/v1/compose/sent/held-out", {"dataset": "held-out"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "dataset")
