"""Whose a task is, what a restart leaves of it, which agents a caller sees, and what an erasure takes away."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import tests.world as worlds
from mainspring.core.types import TOKEN, Context, Principal, Text
from mainspring.features.a2a.holdings import A2aTasks
from mainspring.features.a2a.service import A2aAgents
from mainspring.features.a2a.tables import a2a_tasks
from mainspring.serving.ring.registry import Served
from mainspring.stores.erase.data_subjects import Subject, SubjectAnswer, SubjectData
from mainspring.stores.schema import jobs
from tests.features.a2a.house import ASKS_BACK, House, Told, message, opened, until


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds.use_engines(monkeypatch, {})


HOOK = {"id": "h1", "url": "https://example.com/hook", "token": "secret-token"}


async def test_the_tasks_of_others_do_not_exist(tmp_path: Path) -> None:
    async with opened(tmp_path / "home", Told(list(ASKS_BACK))) as house:
        task = await house.send("My number is 4711")
        name = task["id"]
        hooks = f"/told/tasks/{name}/pushNotificationConfigs"
        assert (await house.rest("POST", hooks, HOOK)).status_code == 200
        calls: tuple[tuple[str, str, Any], ...] = (
            ("GET", "/told/tasks/ID", None),
            ("POST", "/told/tasks/ID:cancel", {}),
            ("GET", "/told/tasks/ID:subscribe", None),
            ("POST", "/told/message:send", {"message": message(taskId="ID")}),
            ("POST", "/told/message:stream", {"message": message(taskId="ID")}),
            ("GET", "/told/tasks/ID/pushNotificationConfigs", None),
            ("GET", "/told/tasks/ID/pushNotificationConfigs/h1", None),
            ("DELETE", "/told/tasks/ID/pushNotificationConfigs/h1", None),
            ("POST", "/told/tasks/ID/pushNotificationConfigs", HOOK),
        )
        for method, path, body in calls:
            for key in ("blue", "both", "stranger"):
                seen = [await _replace(house, method, path, body, each, key) for each in (name, "task_nonsense")]
                assert seen[0][0] == seen[1][0] == 404, (method, path, key)
                assert seen[0][1].replace(name, "") == seen[1][1].replace("task_nonsense", "")
        for key in ("blue", "both", "stranger"):
            assert (await house.rest("GET", "/told/tasks", key=key)).json()["totalSize"] == 0
        # Another agent's address does not show it either, and another tenant's name leads nowhere.
        assert (await house.rest("GET", f"/other/tasks/{name}")).status_code == 404
        foreign = await house.rpc("GetTask", {"id": name, "tenant": "elsewhere"})
        assert foreign["error"]["code"] == -32001
        assert (await house.rpc("GetTask", {"id": name, "tenant": "default"}))["result"]["id"] == name
        assert (await house.task(name))["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"


async def _replace(house: House, method: str, path: str, body: Any, name: str, key: str) -> tuple[int, str]:
    if body and "message" in body:
        body = {"message": {**body["message"], "taskId": name}}
    answer = await house.rest(method, path.replace("ID", name), body, key)
    return answer.status_code, answer.text


async def test_a_turn_that_a_dead_process_left_is_done_by_another(tmp_path: Path) -> None:
    async with opened(tmp_path / "home", works=False) as house:
        task = await house.send(configuration={"returnImmediately": True})
        agents = house.world.system.services[A2aAgents]
        # The process that took the turn has died within it, and what it had said is dropped.
        found = await agents.store.load("default", task["id"])
        assert found is not None
        leased = await house.world.system.stores.jobs.lease("a2a", "lease_dead", 0.0)
        assert leased is not None
        half = {**found.task, "artifacts": [{"artifactId": "art_0", "name": "answer", "parts": [{"text": "Ye"}]}]}
        half["status"] = {**half["status"], "state": "TASK_STATE_WORKING"}
        assert await agents.store.save(found, half, leased)
        agents._turns.contexts.clear()
        agents._feeds._feeds.clear()
        async with house.world.system.working():
            done = await until(lambda: _in(house, task["id"], "TASK_STATE_COMPLETED"))
        assert [each["parts"][0]["text"] for each in done["artifacts"]] == ["Yes."]
        [context] = house.agent.contexts
        assert context.principal.groups == {"red"}
        assert context.trace.trace_id == done["metadata"]["traceId"]


async def _in(house: House, task_id: str, state: str) -> dict[str, Any] | None:
    found = await house.task(task_id)
    return found if found["status"]["state"] == state else None


async def test_a_turn_without_a_usable_key_is_refused_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path / "home", works=False) as house:
        agents, stores = house.world.system.services[A2aAgents], house.world.system.stores
        task = await house.send(configuration={"returnImmediately": True})
        found = await agents.store.load("default", task["id"])
        assert found is not None
        await stores.keys.revoke("default", found.key_id)
        token = Context(Principal("default", f"{TOKEN}ana", frozenset({"chat"})))
        other = await agents.send(token, "told", message(), {})
        agents._turns.contexts.clear()
        async with house.world.system.working():
            for name in (task["id"], other.id):
                over = await until(lambda name=name: _over(agents, name))
                assert over.task["status"]["message"]["metadata"]["code"] == "invalid_api_key"
        assert house.agent.asked == []


async def _over(agents: A2aAgents, task_id: str) -> Any:
    found = await agents.store.load("default", task_id)
    return found if found is not None and found.state == "TASK_STATE_REJECTED" else None


@pytest.mark.slow
async def test_a_follower_in_another_process_sees_what_was_written_down(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with opened(tmp_path / "home", Told([Text("One"), Text(" two.")], gate=gate)) as house:
        task = await house.send(configuration={"returnImmediately": True})
        agents = house.world.system.services[A2aAgents]
        other = A2aAgents(house.world.system.rooms, agents.settings)
        found = await other.store.load("default", task["id"])
        assert found is not None
        following = other.follow(found, time.monotonic() + 20)
        first = await anext(following)
        assert first["task"]["id"] == task["id"]
        gate.set()
        updates = [each async for each in following]
        texts = [each["artifactUpdate"]["artifact"]["parts"][0]["text"] for each in updates if "artifactUpdate" in each]
        assert "".join(texts) == "One two."
        assert updates[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"


async def test_cards_name_what_a_caller_may_ask(tmp_path: Path) -> None:
    async with opened(tmp_path / "home", agent="told", public=("open",)) as house:
        registry, client = house.world.system.registry, house.world.client
        registry.add(Served("secret", "application", Told(description="For blue."), groups=frozenset({"blue"})))
        registry.add(Served("open", "application", Told(description="For all.")))
        card = await client.get("/.well-known/agent-card.json")
        body = card.json()
        assert [each["id"] for each in body["skills"]] == ["open"]
        assert {(each["protocolBinding"], each["url"]) for each in body["supportedInterfaces"]} == {
            ("JSONRPC", "http://here/a2a"),
            ("HTTP+JSON", "http://here/a2a"),
        }
        assert body["securitySchemes"]["key"]["httpAuthSecurityScheme"]["scheme"] == "Bearer"
        same = await client.get("/.well-known/agent-card.json", headers={"if-none-match": card.headers["etag"]})
        assert same.status_code == 304
        for key, has in (("red", False), ("blue", True)):
            skills = {each["id"] for each in (await house.rest("GET", "/extendedAgentCard", key=key)).json()["skills"]}
            assert ("secret" in skills, {"told", "open", "document-qa"} <= skills) == (has, True)
            answer = await house.rest("GET", "/secret/.well-known/agent-card.json", key=key)
            assert answer.status_code == (200 if has else 404)
        assert answer.json()["description"] == "For blue."
        assert answer.json()["supportedInterfaces"][0]["url"] == "http://here/a2a/secret"
        assert (await client.get("/a2a/open/.well-known/agent-card.json")).json()["name"] == "open"
        for name in ("told", "secret", "nonsense"):
            assert (await client.get(f"/a2a/{name}/.well-known/agent-card.json")).status_code == 404
        # An agent that a key may not ask does not exist for it.
        refused = await house.rest("POST", "/secret/message:send", {"message": message()})
        assert (refused.status_code, "secret" in refused.text) == (400, True)
        nonsense = await house.rest("POST", "/nonsense/message:send", {"message": message()})
        assert _without_remedy(refused, "secret") == _without_remedy(nonsense, "nonsense")


def _without_remedy(answer: Any, name: str) -> tuple[Any, str]:
    """The error as far as it does not say what is near."""
    error = answer.json()["error"]
    return error["details"], error["message"].partition(".")[0].replace(name, "")


async def test_an_erasure_takes_the_tasks_of_a_subject(tmp_path: Path) -> None:
    async with opened(tmp_path / "home") as house:
        ana = await house.send("I am Ana", metadata={"user": "ana"})
        await house.rest("POST", f"/told/tasks/{ana['id']}/pushNotificationConfigs", HOOK)
        bob = await house.send("I am Bob", metadata={"user": "bob"})
        session = await house.send("In a session")
        holdings = A2aTasks(house.world.system.stores.database, house.world.system.stores.blobs)
        now = time.time()
        [told] = await holdings.find(Subject("default", "user", "ana"), SubjectData(), now)
        assert (told["id"], told["task"]["history"][0]["parts"]) == (ana["id"], [{"text": "I am Ana"}])
        assert await holdings.erase(Subject("default", "user", "ana"), SubjectData(), now) == 1
        answer_id = session["metadata"]["answerId"]
        answers = {answer_id: SubjectAnswer(answer_id, "", now)}
        assert await holdings.erase(Subject("default", "session", "own:x"), SubjectData(answers), now) == 1
        rows = await house.world.system.stores.database.read(
            lambda connection: connection.execute(sa.select(a2a_tasks.c.id)).scalars().all()
        )
        assert list(rows) == [bob["id"]]
        # The jobs name tasks and hold no text.
        payloads = await house.world.system.stores.database.read(
            lambda connection: connection.execute(sa.select(jobs.c.payload).where(jobs.c.kind == "a2a")).scalars().all()
        )
        assert payloads
        assert all("Ana" not in each for each in payloads)
