"""Tasks: sent, streamed, followed, continued, listed and cancelled, over both bindings."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import tests.world as worlds
from mainspring.core.errors import EngineDied, InvalidRequest
from mainspring.core.types import Notice, Progress, Text
from mainspring.features.a2a.service import A2aAgents
from mainspring.features.a2a.shapes import EXTENSION
from tests.features.a2a.house import ASKS_BACK, CITED, Script, Told, frames, message, opened, until


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds.use_engines(monkeypatch, {})


def texts(task: dict[str, Any]) -> list[str]:
    return ["".join(part.get("text", "") for part in each["parts"]) for each in task.get("artifacts", ())]


async def test_a_message_becomes_a_task_with_its_answer_sources_and_session(tmp_path: Path) -> None:
    async with opened(tmp_path / "home", Told(CITED)) as house:
        task = await house.send("What colour is it?", metadata={"user": "ana", "options": {"mode": "short"}})
        assert (task["status"]["state"], texts(task)) == ("TASK_STATE_COMPLETED", ["It is red."])
        [artifact] = task["artifacts"]
        assert artifact["extensions"] == [EXTENSION]
        assert artifact["metadata"]["citations"] == [
            {"index": 1, "source": "a.md", "documentId": "doc", "quote": "red", "start": 3, "end": 6}
            | {"heading": "Colours"}
        ]
        assert [each["role"] for each in task["history"]] == ["ROLE_USER"]
        [asked] = house.agent.asked
        assert (asked.messages[-1].content, asked.user, asked.options["mode"]) == (
            "What colour is it?",
            "ana",
            "short",
        )
        # One trace, and the request ring's own record of the answer.
        assert task["metadata"]["traceId"] == house.agent.contexts[0].trace.trace_id
        events = await house.world.call(
            house.world.keys["red"], "GET", f"/v1/events?trace_id={task['metadata']['traceId']}&kind=answer"
        )
        assert [each["id"] for each in events.json()["data"]] == [task["metadata"]["answerId"]]
        # The context is a session of the caller's own, and the next task of the context knows it.
        path = f"/v1/sessions/own:{task['contextId']}/messages"
        said = (await house.world.call(house.world.keys["red"], "GET", path)).json()["data"]
        assert [each["role"] for each in said] == ["assistant", "user"]
        again = await house.send("And that one?", message={"contextId": task["contextId"]})
        assert (again["contextId"], again["id"] != task["id"]) == (task["contextId"], True)
        assert [each.content for each in house.agent.asked[-1].messages] == [
            "What colour is it?",
            "It is red.",
            "And that one?",
        ]


async def test_a_stream_begins_with_the_task_and_ends_with_its_last_status(tmp_path: Path) -> None:
    script: Script = [Progress("search", "3 documents"), Text("One "), Text("two.")]
    async with opened(tmp_path / "home", Told(list(script))) as house:
        answer = await house.rest("POST", "/told/message:stream", {"message": message()})
        assert answer.headers["content-type"].startswith("text/event-stream")
        first, *updates = frames(answer.text)
        assert first["task"]["status"]["state"] in ("TASK_STATE_SUBMITTED", "TASK_STATE_WORKING")
        pieces = [each["artifactUpdate"] for each in updates if "artifactUpdate" in each]
        assert "".join(each["artifact"]["parts"][0].get("text", "") for each in pieces) == "One two."
        assert [each.get("append", False) for each in pieces] == [False] + [True] * (len(pieces) - 1)
        assert [each.get("lastChunk", False) for each in pieces] == [False] * (len(pieces) - 1) + [True]
        states = [each["statusUpdate"]["status"] for each in updates if "statusUpdate" in each]
        assert [each["state"].removeprefix("TASK_STATE_") for each in states][-1] == "COMPLETED"
        assert "search: 3 documents" in [each["message"]["parts"][0]["text"] for each in states if "message" in each]
        # Progress is not kept.
        kept = await house.task(first["task"]["id"])
        assert (len(kept["history"]), texts(kept)) == (1, ["One two."])


async def test_json_rpc_does_the_same_and_clients_of_0_3_are_answered(tmp_path: Path) -> None:
    async with opened(tmp_path / "home", legacy_cards=True) as house:
        sent = (await house.rpc("SendMessage", {"message": message()}))["result"]["task"]
        found = (await house.rpc("GetTask", {"id": sent["id"], "historyLength": 0}))["result"]
        assert (texts(found), found.get("history")) == (["Yes."], None)
        missing = (await house.rpc("GetTask", {"id": "task_x"}))["error"]
        assert (missing["code"], missing["data"][0]["reason"]) == (-32001, "TASK_NOT_FOUND")
        stream = await house.rest(
            "POST",
            "/told",
            {"jsonrpc": "2.0", "id": 7, "method": "SendStreamingMessage", "params": {"message": message()}},
        )
        assert {each["id"] for each in frames(stream.text)} == {7}
        old = {"messageId": "m", "role": "user", "kind": "message", "parts": [{"kind": "text", "text": "Hi"}]}
        answer = await house.world.call(
            house.world.keys["red"],
            "POST",
            "/a2a/told",
            {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": old}},
        )
        assert answer.json()["result"]["status"]["state"] == "completed"
        # Without the header a request of the new kind is taken for one of the old version.
        body = {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": sent["id"]}}
        answer = await house.world.call(house.world.keys["red"], "POST", "/a2a/told", body)
        assert answer.json()["error"]["code"] == -32009


async def test_an_agent_asks_back_and_goes_on_with_the_same_task(tmp_path: Path) -> None:
    async with opened(tmp_path / "home", Told(list(ASKS_BACK))) as house:
        task = await house.send("Delete it")
        assert task["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
        assert task["status"]["message"]["parts"] == [{"text": "Which one?"}]
        wrong = {"taskId": task["id"], "contextId": "other"}
        answer = await house.rest("POST", "/told/message:send", {"message": message("That", **wrong)})
        assert (answer.status_code, "another context" in answer.text) == (400, True)
        house.agent.script = [Text("Done.")]
        again = await house.send("The second", message={"taskId": task["id"]})
        assert (again["id"], again["status"]["state"], texts(again)) == (task["id"], "TASK_STATE_COMPLETED", ["Done."])
        said = [each["parts"][0]["text"] for each in again["history"]]
        assert said == ["Delete it", "Which one?", "The second"]
        over = await house.rest("POST", "/told/message:send", {"message": message("More", taskId=task["id"])})
        assert (over.status_code, over.json()["error"]["details"][0]["reason"]) == (400, "UNSUPPORTED_OPERATION")


async def test_an_approval_is_waited_for_and_the_same_run_goes_on(tmp_path: Path) -> None:
    waits = Told([Notice("approval_pending", "The refund waits.", id="apr_1")], headers={"x-mainspring-run": "run_1"})
    async with opened(tmp_path / "home", waits) as house:
        task = await house.send("Refund it")
        assert task["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
        assert task["status"]["message"]["metadata"] == {"code": "approval_pending", "id": "apr_1"}
        house.agent.script = [Text("Refunded.")]
        done = await house.send("It is approved", message={"taskId": task["id"]})
        assert texts(done) == ["Refunded."]
        assert [each.options.get("run") for each in house.agent.asked] == [None, "run_1"]
        # A new task begins a new run.
        await house.send("Something else", message={"contextId": task["contextId"]})
        assert "run" not in house.agent.asked[-1].options


async def test_faults_reject_or_fail_a_task_and_say_why(tmp_path: Path) -> None:
    async with opened(tmp_path / "home") as house:
        faults: tuple[tuple[Script, str, str], ...] = (
            ([InvalidRequest("No such mode", param="options.mode")], "REJECTED", "invalid_request"),
            ([Text("One"), EngineDied("gone")], "FAILED", "engine_died"),
        )
        for script, state, code in faults:
            house.agent.script = list(script)
            task = await house.send()
            assert task["status"]["state"] == f"TASK_STATE_{state}"
            assert task["status"]["message"]["metadata"]["code"] == code
        for part in ({"raw": "AAAA", "mediaType": "image/png"}, {"url": "https://example.com/a.txt"}):
            answer = await house.rest("POST", "/told/message:send", {"message": {**message(), "parts": [part]}})
            assert answer.json()["error"]["details"][0]["reason"] == "CONTENT_TYPE_NOT_SUPPORTED"
        house.agent.script = [Text("Fine.")]
        parts = [{"data": {"a": 1}}, {"raw": "aGVsbG8=", "mediaType": "text/plain", "filename": "a.txt"}]
        await house.send(message={"parts": parts})
        assert house.agent.asked[-1].messages[-1].content == '{"a": 1}\n\na.txt:\nhello'


async def test_data_is_answered_to_those_who_take_nothing_else(tmp_path: Path) -> None:
    async with opened(tmp_path / "home", Told([Text('{"city":'), Text(' "Paris"}')])) as house:
        task = await house.send(configuration={"acceptedOutputModes": ["application/json"]})
        assert task["artifacts"][0]["parts"] == [{"data": {"city": "Paris"}, "mediaType": "application/json"}]
        assert texts(await house.send()) == ['{"city": "Paris"}']


async def test_a_task_is_cancelled_and_its_agent_stops(tmp_path: Path) -> None:
    async with opened(tmp_path / "home", Told([Text("One"), Text("two")], gate=asyncio.Event())) as house:
        task = await house.send(configuration={"returnImmediately": True})
        assert task["status"]["state"] == "TASK_STATE_SUBMITTED"
        following = asyncio.create_task(house.rest("GET", f"/told/tasks/{task['id']}:subscribe"))
        await until(lambda: _asked(house.agent))
        done = (await house.rest("POST", f"/told/tasks/{task['id']}:cancel", {})).json()
        assert done["status"]["state"] == "TASK_STATE_CANCELED"
        updates = frames((await following).text)
        assert updates[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_CANCELED"
        await until(lambda: _closed(house.agent))
        assert (await house.task(task["id"]))["status"]["state"] == "TASK_STATE_CANCELED"
        again = await house.rest("POST", f"/told/tasks/{task['id']}:cancel", {})
        assert again.json()["error"]["details"][0]["reason"] == "TASK_NOT_CANCELABLE"
        over = await house.rest("GET", f"/told/tasks/{task['id']}:subscribe")
        assert over.json()["error"]["details"][0]["reason"] == "UNSUPPORTED_OPERATION"


async def _asked(agent: Told) -> bool:
    return bool(agent.asked)


async def _closed(agent: Told) -> bool:
    return agent.closed > 0


async def test_a_tenant_has_so_many_tasks_in_progress(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with opened(tmp_path / "home", Told([Text("x")], gate=gate), per_tenant=2) as house:
        for _ in range(2):
            await house.send(configuration={"returnImmediately": True})
        for path, body in (
            ("/told/message:send", {"message": message()}),
            ("/told/message:stream", {"message": message()}),
        ):
            answer = await house.rest("POST", path, body)
            assert (answer.status_code, int(answer.headers["retry-after"])) == (429, 5)
        assert "2 tasks" in (await house.rpc("SendMessage", {"message": message()}))["error"]["message"]
        # Another tenant has room of its own.
        await house.send(key="stranger", configuration={"returnImmediately": True})
        gate.set()


async def test_tasks_are_listed_in_pages_latest_first(tmp_path: Path) -> None:
    async with opened(tmp_path / "home", Told(list(CITED))) as house:
        made = [await house.send(str(number)) for number in range(5)]
        names = [each["id"] for each in reversed(made)]
        seen, token = [], ""
        for _ in range(3):
            page = (await house.rest("GET", f"/told/tasks?pageSize=2&pageToken={token}")).json()
            seen += [each["id"] for each in page["tasks"]]
            assert (page["totalSize"], page["pageSize"]) == (5, 2)
            assert not any("artifacts" in each for each in page["tasks"])
            token = page["nextPageToken"]
        assert (seen, token) == (names, "")
        one = (await house.rest("GET", f"/told/tasks?contextId={made[2]['contextId']}&includeArtifacts=true")).json()
        assert [(each["id"], texts(each)) for each in one["tasks"]] == [(made[2]["id"], ["It is red."])]
        when = made[3]["status"]["timestamp"]
        since = (await house.rest("GET", f"/told/tasks?statusTimestampAfter={when}")).json()
        assert [each["id"] for each in since["tasks"]] == names[:2]
        none = (await house.rest("GET", "/told/tasks?status=TASK_STATE_FAILED")).json()
        assert (none["tasks"], none["nextPageToken"]) == ([], "")
        for wrong in ("pageSize=0", "pageSize=101", "pageToken=nonsense", "color=red"):
            assert (await house.rest("GET", f"/told/tasks?{wrong}")).status_code == 400, wrong


async def test_finished_tasks_are_forgotten_in_time(tmp_path: Path) -> None:
    async with opened(tmp_path / "home") as house:
        task = await house.send()
        store = house.world.system.services[A2aAgents].store
        assert await store.expire(1.0) == 0
        assert await store.expire(0.0) == 1
        assert (await house.rest("GET", f"/told/tasks/{task['id']}")).status_code == 404


async def test_what_holds_too_many_values_is_refused_before_the_sdk_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path / "home", Told()) as house:
        await house.send("Hello")
        from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
        from a2a.server.routes.rest_dispatcher import RestDispatcher

        from mainspring.features.a2a.wire.dispatch import MOST_VALUES

        async def never(*_: Any) -> None:
            raise AssertionError("the SDK was asked")

        monkeypatch.setattr(JsonRpcDispatcher, "handle_requests", never)
        monkeypatch.setattr(RestDispatcher, "on_message_send", never)
        many = {**message(), "parts": [{"text": "a"}] * MOST_VALUES}
        answer = await house.rest("POST", "/told/message:send", {"message": many})
        assert answer.status_code == 413
        body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": many}}
        refused = await house.world.call(house.world.keys["red"], "POST", "/a2a", body)
        assert refused.status_code == 413
        assert "an A2A request" in refused.text
