"""Anthropic's message batches: created with their requests, in the official client's types, confined to a tenant."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from anthropic.types.messages import DeletedMessageBatch, MessageBatch, MessageBatchIndividualResponse
from fastapi import FastAPI

from mainspring.core.errors import NotFound
from mainspring.core.settings import GatewaySettings
from mainspring.features.batches.message_batches import PREFIX, router
from mainspring.features.batches.routes import create
from mainspring.http.access import access_to
from mainspring.http.idempotency import Idempotency
from mainspring.stores.work.batches import answer_of, without
from tests.features.batches.test_routes import CHAT, Desk, desk
from tests.gateway.asgi import Kept, Reply, ask, gateway

CHAT_LINE = json.dumps(
    {"custom_id": "1", "method": "POST", "url": CHAT, "body": {"model": "chat", "messages": []}}
).encode()


async def app(at: Desk) -> tuple[FastAPI, str]:
    """The routes over the desk's stores, and the secret of a key."""
    stores = at.home.stores
    access = access_to(stores.keys, GatewaySettings().request_timeout_s)
    made = router(stores.batches, stores.files, at.settings, access, Idempotency(Kept()))
    _, secret = await stores.keys.create("m", tenant="acme", scopes=frozenset({"chat", "ingest"}))
    return gateway(at.home.ring, made), secret


def asked(number: int, **params: Any) -> dict[str, Any]:
    said = {"model": "chat", "max_tokens": 32, "messages": [{"role": "user", "content": f"Say {number}"}]}
    return {"custom_id": f"c{number}", "params": said | params}


class Caller:
    def __init__(self, app: FastAPI, secret: str) -> None:
        self.app = app
        self.secret = secret

    async def __call__(self, method: str, path: str = "", body: object = b"") -> Reply:
        return await ask(self.app, method, PREFIX + path, body, headers={"authorization": f"Bearer {self.secret}"})

    async def over(self, batch_id: str) -> MessageBatch:
        async with asyncio.timeout(30):
            while (found := (await self("GET", f"/{batch_id}")).json)["processing_status"] != "ended":
                await asyncio.sleep(0.02)
        return MessageBatch.model_validate(found, strict=False)


async def test_each_request_has_a_result(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        call = Caller(*await app(at))
        requests = [asked(1), asked(2, top_k="many"), asked(3)]
        made = MessageBatch.model_validate((await call("POST", "", {"requests": requests})).json)
        assert made.request_counts.processing == 3
        ended = await call.over(made.id)
        counts = ended.request_counts
        assert (counts.succeeded, counts.errored, counts.processing) == (2, 1, 0)
        assert ended.results_url == f"{PREFIX}/{made.id}/results"
        lines = (await call("GET", f"/{made.id}/results")).body.splitlines()
        found = [MessageBatchIndividualResponse.model_validate_json(line) for line in lines]
        results: dict[str, Any] = {each.custom_id: each.result for each in found}
        assert results["c1"].message.content[0].text == "Say 1"
        assert results["c2"].error.error.type == "invalid_request_error"
        listed = (await call("GET")).json
        assert [each["id"] for each in listed["data"]] == [made.id] == [listed["first_id"]]
        assert not listed["has_more"]


async def test_pages_hold_message_batches_alone(tmp_path: Path) -> None:
    async with desk(tmp_path, start=False) as at:
        call = Caller(*await app(at))
        made = [(await call("POST", "", {"requests": [asked(number)]})).json["id"] for number in range(2)]
        principal = await at.home.stores.keys.authenticate(call.secret)
        file = await at.home.stores.files.add("acme", "in.jsonl", CHAT_LINE, "batch", principal.groups)
        for _ in range(3):
            await create(
                at.home.stores.batches, at.home.stores.files, at.settings, principal,
                input_file_id=file.id, endpoint=CHAT, window="24h", metadata={},
            )  # fmt: skip
        first = (await call("GET", "?limit=1")).json
        assert ([each["id"] for each in first["data"]], first["has_more"]) == ([made[1]], True)
        second = (await call("GET", f"?limit=1&after_id={first['last_id']}")).json
        assert ([each["id"] for each in second["data"]], second["has_more"]) == ([made[0]], False)


async def test_a_cancelled_batch_says_which_were_not_answered(tmp_path: Path) -> None:
    async with desk(tmp_path, start=False) as at:
        call = Caller(*await app(at))
        made = (await call("POST", "", {"requests": [asked(n) for n in range(4)]})).json
        early = await call("GET", f"/{made['id']}/results")
        assert (early.status, early.json["type"]) == (409, "error")
        await call("POST", f"/{made['id']}/cancel")
        at.worker.start()
        ended = await call.over(made["id"])
        assert ended.request_counts.canceled == 4
        assert ended.cancel_initiated_at
        lines = (await call("GET", f"/{made['id']}/results")).body.splitlines()
        assert {json.loads(line)["result"]["type"] for line in lines} <= {"canceled"}


async def test_a_batch_that_has_ended_is_deleted_with_its_files(tmp_path: Path) -> None:
    async with desk(tmp_path, start=False) as at:
        call = Caller(*await app(at))
        made = (await call("POST", "", {"requests": [asked(1), asked(2)]})).json
        early = await call("DELETE", f"/{made['id']}")
        assert (early.status, early.json["error"]["message"]) == (
            409, f"{made['id']} has not ended yet. Ask again when its processing_status is ended"
        )  # fmt: skip
        at.worker.start()
        await call.over(made["id"])
        stores = at.home.stores
        batch = await stores.batches.get("acme", made["id"])
        # A deletion that was cut short has taken a file with it already.
        await stores.files.delete("acme", batch.input_file_id, groups=None)
        gone = (await call("DELETE", f"/{made['id']}")).json
        assert DeletedMessageBatch.model_validate(gone) == DeletedMessageBatch(
            id=made["id"], type="message_batch_deleted"
        )
        assert batch.output_file_id
        with pytest.raises(NotFound):
            await stores.files.get("acme", batch.output_file_id, groups=frozenset())
        for method, path in (("GET", ""), ("GET", "/results"), ("DELETE", "")):
            assert (await call(method, f"/{made['id']}{path}")).status == 404
        assert (await call("GET")).json["data"] == []


async def test_a_cursor_of_no_batch_is_named(tmp_path: Path) -> None:
    async with desk(tmp_path, start=False) as at:
        call = Caller(*await app(at))
        for name in ("after_id", "before_id"):
            reply = await call("GET", f"?{name}=batch_x")
            assert (reply.status, reply.json["error"]["message"]) == (
                400, f"{name} is not an ID from this list. Send an ID from the list"
            )  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_another_tenant_finds_no_batch(tmp_path: Path, method: str) -> None:
    async with desk(tmp_path, start=False) as at:
        call = Caller(*await app(at))
        made = (await call("POST", "", {"requests": [asked(1)]})).json
        _, secret = await at.home.stores.keys.create("o", tenant="other", scopes=frozenset({"chat", "ingest"}))
        other = Caller(call.app, secret)
        path = f"/{made['id']}" + ("/cancel" if method == "POST" else "/results")
        assert (await other(method, path)).status == 404
        assert (await other("GET")).json["data"] == []


async def test_requests_are_named_and_bounded(tmp_path: Path) -> None:
    async with desk(tmp_path, start=False) as at:
        call = Caller(*await app(at))
        for requests in ([], [asked(1), {"custom_id": "has space", "params": {}}]):
            reply = await call("POST", "", {"requests": requests})
            assert (reply.status, reply.json["type"]) == (400, "error")


@pytest.mark.parametrize("prefix", ["ans_", "resp_", "msg_"])
def test_an_answer_is_found_under_every_prefix_that_it_is_shown_with(prefix: str) -> None:
    line = json.dumps({"id": "r", "custom_id": "c", "response": {"body": {"id": f"{prefix}01", "said": "x"}}})
    assert "said" not in without(line, {"ans_01"})
    assert without(line, {"ans_02"}) == line
    assert answer_of({"id": f"{prefix}01"}) == "ans_01"
    assert answer_of({"id": 7}) == answer_of({}) == ""
