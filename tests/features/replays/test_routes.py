"""Replays over HTTP: one, a batch behind everybody else, and who gets to see them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from mainspring.core.errors import Unauthenticated
from mainspring.core.facts.registry import read
from mainspring.core.path import Answer
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import TOKEN, EventRecord, Principal, Sampling, TraceParent
from mainspring.features.replays import routes as replays
from mainspring.features.replays.routes import KIND
from mainspring.features.replays.work import ReplayWork
from mainspring.gateway.edge.app import create_app
from mainspring.http.access import access_to
from mainspring.http.idempotency import Idempotency
from mainspring.stores.keys.api_keys import KeyInfo
from mainspring.stores.sql.worker import Worker
from tests.features.replays.test_service import script
from tests.gateway.asgi import Kept, Reply, ask
from tests.serving.house import visitor
from tests.serving.talk import Talk, talk

GREEDY = Sampling(temperature=0, max_tokens=32)


class Keys:
    """``ms-NAME`` is the key of that name of tenant acme with the scope replay; ``ms-chat`` lacks it."""

    def __init__(self, ids: dict[str, str]) -> None:
        self._ids = ids

    async def authenticate(self, secret: str) -> Principal:
        name = secret.removeprefix("ms-")
        if name not in self._ids:
            raise Unauthenticated("the API key is unknown")
        return Principal("acme", self._ids[name], frozenset({"chat"} if name == "chat" else {"chat", "replay"}))


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talk(tmp_path, script) as opened:
        opened.serve("other", lambda _: ["none", ": ", "Goodbye"])
        yield opened


@pytest.fixture
async def keys(home: Talk) -> dict[str, str]:
    made = {}
    for name in ("me", "them", "chat"):
        info, _ = await home.stores.keys.create(name, tenant="acme", scopes=frozenset({"chat", "replay"}))
        made[name] = info.id
    return made


@pytest.fixture
def app(home: Talk, keys: dict[str, str]) -> FastAPI:
    settings = GatewaySettings()
    access = access_to(Keys(keys), settings.request_timeout_s)
    routes = replays.router(home.replays, home.stores.jobs, access, Idempotency(Kept()))
    return create_app([routes], settings, lambda header: TraceParent.new())


async def call(app: FastAPI, method: str, path: str, body: object = b"", who: str = "me") -> Reply:
    return await ask(app, method, f"/v1/replays{path}", body, headers={"authorization": f"Bearer ms-{who}"})


async def say(home: Talk, keys: dict[str, str], text: str, **fields: Any) -> tuple[Answer, str]:
    context = visitor()
    principal = Principal("acme", keys["me"], frozenset({"chat"}))
    context = type(context)(principal)
    answer = await home.say(text, context, **{"session_id": None, "sampling": GREEDY, **fields})
    return answer, context.trace.trace_id


async def test_both_answers_stand_side_by_side(home: Talk, app: FastAPI, keys: dict[str, str]) -> None:
    answer, trace_id = await say(home, keys, "Hello")
    made = await call(app, "POST", "", {"trace_id": trace_id, "model": "other"})
    assert made.status == 201
    body = made.json
    assert (body["object"], body["of"], body["status"]) == ("replay", answer.head.answer_id, "completed")
    original, other = body["original"], body["replay"]
    assert (original["text"], other["text"]) == ("none: Hello at 0 of 1", "none: Goodbye")
    assert (original["model"], other["model"], other["requested"]) == ("chat", "other", "other")
    assert other["finish"] == ["stop"]
    assert other["cost_usd"] > 0
    assert other["duration_ms"] > 0
    assert {"kind": "added", "text": "Goodbye"} in body["diff"]
    assert body["agreement"]["exact"] is False
    assert body["agreement"]["similarity"] < 1
    assert (await call(app, "GET", f"/{body['id']}")).json == body
    (listed,) = (await call(app, "GET", "")).json["data"]
    assert (listed["id"], listed["model"]) == (body["id"], "other")
    drawn = await call(app, "POST", "", {"answer_id": answer.head.answer_id, "parameters": {"temperature": 0.5}})
    assert drawn.json["replay"]["sampling"] == {"temperature": 0.5, "max_tokens": 32}


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "trace_id"),
        ({"trace_id": "x", "answer_id": "y"}, 400, "trace_id"),
        ({"trace_id": "x"}, 404, "trace_id"),
        ({"answer_id": "ans_x"}, 404, "answer_id"),
        ({"answer_id": "x", "parameters": {"temprature": 1}}, 400, "parameters.temprature"),
        ({"filter": {"limit": 5000}}, 400, "filter.limit"),
    ],
)
async def test_what_cannot_be_replayed_is_refused(app: FastAPI, body: dict[str, Any], status: int, param: str) -> None:
    reply = await call(app, "POST", "", body)
    assert (reply.status, reply.error["param"]) == (status, param)


async def test_a_key_without_the_scope_and_another_key_are_refused(
    home: Talk, app: FastAPI, keys: dict[str, str]
) -> None:
    answer, _ = await say(home, keys, "Hello")
    body = {"answer_id": answer.head.answer_id}
    assert (await call(app, "POST", "", body, "chat")).status == 403
    assert (await call(app, "POST", "", body, "them")).status == 404
    made = (await call(app, "POST", "", body)).json
    assert (await call(app, "GET", f"/{made['id']}", who="them")).status == 404
    assert (await call(app, "GET", "", who="them")).json["data"] == []


async def finished(app: FastAPI, batch: str) -> dict[str, Any]:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found: dict[str, Any] = (await call(app, "GET", f"/{batch}")).json
        if found["status"] not in ("queued", "running"):
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("the batch did not end")


async def test_a_batch_replays_what_a_filter_finds(home: Talk, app: FastAPI, keys: dict[str, str]) -> None:
    answers = [(await say(home, keys, text))[0].head.answer_id for text in ("one", "two", "three")]
    unstored = (await say(home, keys, "unkept", store=False))[0].head.answer_id
    for number, answer in enumerate((answers[0], answers[2], unstored)):
        rated = EventRecord(f"f{number}", time.time(), "acme", "t", answer, read("feedback", {"rating": "down"}))
        await home.stores.events.append(rated)
    queued = await call(app, "POST", "", {"filter": {"feedback": "down"}, "model": "other"})
    assert queued.status == 202
    assert queued.json["counts"] == {"total": 3, "completed": 0, "not_replayed": 0}
    assert (await call(app, "GET", f"/{queued.json['id']}", who="them")).status == 404
    worker = Worker(home.stores.jobs, KIND, ReplayWork(home.replays, home.stores.jobs, home.stores.keys))
    worker.start()
    try:
        done = await finished(app, queued.json["id"])
    finally:
        await worker.close()
    assert done["status"] == "completed"
    assert done["counts"] == {"total": 3, "completed": 2, "not_replayed": 1}
    assert done["summary"]["exact"] == 0
    assert 0 < done["summary"]["mean_similarity"] < 1
    assert done["summary"]["cost_usd"] > 0
    rows = (await call(app, "GET", f"?batch={done['id']}")).json["data"]
    assert {row["of"] for row in rows} == {answers[0], answers[2], unstored}
    (skipped,) = [row for row in rows if row["status"] == "skipped"]
    assert skipped["of"] == unstored
    assert "is not kept" in skipped["error"]["message"]
    # Replays are no answers: the same filter finds what it found.
    again = await call(app, "POST", "", {"filter": {"feedback": "down"}})
    assert again.json["counts"]["total"] == 3
    cancelled = await call(app, "POST", f"/{again.json['id']}/cancel")
    assert cancelled.status == 200


async def test_what_was_replayed_before_a_crash_is_not_replayed_again(
    home: Talk, app: FastAPI, keys: dict[str, str]
) -> None:
    for text in ("one", "two", "three"):
        await say(home, keys, text)
    queued = (await call(app, "POST", "", {"filter": {}, "model": "other"})).json
    job = await home.stores.jobs.get("acme", queued["id"])
    context = type(visitor())(
        Principal("acme", keys["me"], frozenset({"chat", "replay"})),
        TraceParent(job.payload["trace_id"], "1" * 16),
    )
    from mainspring.features.replays.recorded_requests import Changes

    await home.replays.run(job.payload["answers"][1], Changes("other"), context)
    worker = Worker(home.stores.jobs, KIND, ReplayWork(home.replays, home.stores.jobs, home.stores.keys))
    worker.start()
    try:
        done = await finished(app, queued["id"])
    finally:
        await worker.close()
    assert done["counts"] == {"total": 3, "completed": 3, "not_replayed": 0}


async def test_the_batch_of_a_revoked_key_ends(home: Talk, app: FastAPI, keys: dict[str, str]) -> None:
    await say(home, keys, "one")
    queued = (await call(app, "POST", "", {"filter": {}})).json
    await home.stores.keys.revoke("acme", keys["me"])
    worker = Worker(home.stores.jobs, KIND, ReplayWork(home.replays, home.stores.jobs, home.stores.keys))
    worker.start()
    try:
        done = await finished(app, queued["id"])
    finally:
        await worker.close()
    assert (done["status"], done["counts"]["completed"]) == ("failed", 0)
    assert "revoked" in done["error"]


async def test_the_batch_of_a_key_that_is_revoked_meanwhile_ends_there(
    home: Talk, app: FastAPI, keys: dict[str, str]
) -> None:
    for text in ("one", "two", "three"):
        await say(home, keys, text)
    queued = (await call(app, "POST", "", {"filter": {}})).json

    class Revoking:
        """The keys, of which one is revoked after the first request of its batch."""

        async def get(self, tenant: str, key_id: str) -> KeyInfo:
            if await home.replays.replayed(Principal("acme", keys["me"]), job.payload["trace_id"]):
                await home.stores.keys.revoke(tenant, key_id)
            return await home.stores.keys.get(tenant, key_id)

    job = await home.stores.jobs.get("acme", queued["id"])
    worker = Worker(home.stores.jobs, KIND, ReplayWork(home.replays, home.stores.jobs, Revoking()))  # type: ignore[arg-type]
    worker.start()
    try:
        done = await finished(app, queued["id"])
    finally:
        await worker.close()
    assert (done["status"], done["counts"]["completed"]) == ("failed", 1)
    assert "revoked" in done["error"]


async def test_a_batch_is_refused_that_could_not_be_held_to_its_request(
    home: Talk, app: FastAPI, keys: dict[str, str]
) -> None:
    """A token ends, and the regions of a request are no key's: later nobody would know of them."""
    keys["token"] = f"{TOKEN}0123"
    refused = await call(app, "POST", "", {"filter": {}}, who="token")
    assert (refused.status, "would outlive the token" in refused.error["message"]) == (403, True)
    headers = {"authorization": "Bearer ms-me", "x-region": "eu"}
    refused = await ask(app, "POST", "/v1/replays", {"filter": {}}, headers=headers)
    assert (refused.status, refused.error["param"]) == (400, "x-region")
    assert (await call(app, "GET", "")).json["data"] == []
