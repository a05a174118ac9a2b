"""Batches on the real stores with a scripted engine: each line answered once, errors named, stops and crashes."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from openai.types import Batch as OpenAIBatch

from mainspring.core.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    EngineDied,
    EngineError,
    Forbidden,
    InvalidRequest,
    NotFound,
    Overloaded,
    TooLarge,
)
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Context, Principal
from mainspring.engines.base import Generation
from mainspring.features.batches import lines as batch_lines
from mainspring.features.batches import routes
from mainspring.features.batches.settings import BatchesSettings
from mainspring.features.batches.work import BatchWork, Slots
from mainspring.http.openai.past_responses import PastResponses
from mainspring.serving.judge.moderation import Moderated, ModerationVerdict
from mainspring.stores.sql.worker import Lease, Worker
from mainspring.stores.work.batches import KIND, OVER, Batch
from tests.serving.talk import Talk, talk

CHAT = "/v1/chat/completions"


def line(number: int, body: dict[str, Any] | None = None, **changes: Any) -> str:
    said = {"model": "chat", "messages": [{"role": "user", "content": f"Say {number}"}]}
    return json.dumps({"custom_id": f"c{number}", "method": "POST", "url": CHAT, "body": body or said} | changes)


class Desk:
    """A house with a worker for its batches."""

    def __init__(self, home: Talk, **settings: Any) -> None:
        self.home = home
        self.settings = BatchesSettings(**settings)
        self.key: Principal
        stores = home.stores
        self.work = BatchWork(
            stores.batches,
            stores.jobs,
            stores.files,
            stores.keys,
            batch_lines.LineAnswerer(home.ring, PastResponses(stores.events, 64), GatewaySettings()),
            self.settings,
            running=lambda: float(home.engine.live + home.engine.waiting),
        )
        self.leases: list[Lease] = []
        self.worker = Worker(stores.jobs, KIND, self._leased, lease_s=3.0, poll_s=0.02, give_up=self.work.give_up)

    async def _leased(self, lease: Lease) -> None:
        self.leases.append(lease)
        await self.work(lease)

    async def submit(self, lines: Sequence[str], *, endpoint: str = CHAT, window: str = "24h") -> Batch:
        stores = self.home.stores
        file = await stores.files.add("acme", "in.jsonl", "\n".join(lines).encode(), "batch", self.key.groups)
        return await routes.create(
            stores.batches, stores.files, self.settings, self.key,
            input_file_id=file.id, endpoint=endpoint, window=window, metadata={},
        )  # fmt: skip

    async def over(self, batch: Batch) -> Batch:
        async with asyncio.timeout(30):
            while (found := await self.home.stores.batches.get("acme", batch.id)).status not in OVER:
                await asyncio.sleep(0.02)
        return found

    async def lines(self, file_id: str | None) -> dict[str, Any]:
        if file_id is None:
            return {}
        data = await self.home.stores.files.content("acme", file_id, groups=self.key.groups)
        found = [json.loads(text) for text in data.decode().splitlines()]
        assert len({each["custom_id"] for each in found}) == len(found)
        return {each["custom_id"]: each for each in found}


def spoken(generation: Generation) -> str:
    return generation.messages[-1].content if generation.messages else generation.prompt


@asynccontextmanager
async def desk(tmp_path: Path, script: Any = None, *, start: bool = True, **settings: Any) -> AsyncIterator[Desk]:
    echo = lambda generation: [spoken(generation)]  # noqa: E731
    async with talk(tmp_path, script or echo) as home:
        made = Desk(home, **settings)
        info, _ = await home.stores.keys.create("k", tenant="acme", scopes=frozenset({"chat", "embed", "ingest"}))
        made.key = info.principal()
        if start:
            made.worker.start()
        try:
            yield made
        finally:
            await made.worker.close()


async def test_each_line_is_answered_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        batch = await at.over(await at.submit([line(n) for n in range(40)] + ["", "  "]))
        assert (batch.status, batch.total, batch.completed, batch.failed) == ("completed", 40, 40, 0)
        found = await at.lines(batch.output_file_id)
        assert list(found) == [f"c{n}" for n in range(40)]
        one = found["c7"]
        assert one["error"] is None
        assert one["response"]["status_code"] == 200
        assert one["response"]["body"]["choices"][0]["message"]["content"] == "Say 7"
        assert batch.error_file_id is None
        assert at.home.engine.peak <= at.settings.concurrency
        events = await at.home.stores.events.find("acme", kind="answer", trace_id=one["response"]["request_id"])
        assert [each.facts.plain()["key_id"] for each in events] == [at.key.key_id]
        calls = await at.home.stores.events.find("acme", kind="call")
        assert len(calls) == 40
        assert {generation.priority for generation in at.home.engine.seen} == {-2}


async def test_errors_are_kept_by_line(tmp_path: Path) -> None:
    def script(generation: Generation) -> list[Any]:
        return [EngineError("the cable was pulled")] if spoken(generation) == "Say 1" else ["fine"]

    body = {"model": "chat", "messages": [{"role": "user", "content": "x"}]}
    lines = [
        line(1),
        line(2),
        line(3, {**body, "model": "chta"}),
        line(4, {**body, "temprature": 1}),
        line(5, {**body, "stream": True}),
        line(6, {**body, "session_id": "s"}),
        line(7, {**body, "messages": []}),
        line(8, {**body, "modalities": ["audio"]}),
    ]
    async with desk(tmp_path, script) as at:
        batch = await at.over(await at.submit(lines))
        assert (batch.status, batch.completed, batch.failed) == ("completed", 1, 7)
        found = await at.lines(batch.error_file_id)
        told = {
            name: (each["response"]["status_code"], each["response"]["body"]["error"]) for name, each in found.items()
        }
        assert {name: (status, error["code"], error["param"]) for name, (status, error) in told.items()} == {
            "c1": (502, "engine_error", None),
            "c3": (404, "model_not_found", "model"),
            "c4": (400, "invalid_request", "temprature"),
            "c5": (400, "unsupported_parameter", "stream"),
            "c6": (400, "unsupported_parameter", "session_id"),
            "c7": (400, "invalid_request", "messages"),
            "c8": (400, "unsupported_parameter", "modalities"),
        }
        assert "Did you mean temperature?" in told["c4"][1]["message"]
        assert set(await at.lines(batch.output_file_id)) == {"c2"}


@pytest.mark.parametrize(
    ("text", "code", "param", "number"),
    [
        ("{", "invalid_json_line", None, 2),
        ("[]", "invalid_json_line", None, 2),
        (line(2, custom_id=""), "invalid_custom_id", "custom_id", 2),
        (line(1), "duplicate_custom_id", "custom_id", 2),
        (line(2, method="GET"), "invalid_method", "method", 2),
        (line(2, url="/v1/embeddings"), "mismatched_url", "url", 2),
        (line(2).replace('"body": {', '"body": [{') + "]}", "invalid_json_line", None, 2),
        (json.dumps({**json.loads(line(2)), "body": 3}), "invalid_body", "body", 2),
        (line(2, extra=1), "unknown_field", "extra", 2),
        ("\udcff", "invalid_json_line", None, 2),
    ],
)
def test_a_bad_file_is_refused_with_its_lines(text: str, code: str, param: str | None, number: int) -> None:
    data = f"{line(1)}\n".encode() + text.encode("utf-8", "surrogateescape")
    (error,) = batch_lines.read(data, CHAT, 10).errors
    assert (error["code"], error["param"], error["line"]) == (code, param, number)


async def test_a_bad_file_fails_its_batch(tmp_path: Path) -> None:
    async with desk(tmp_path, max_lines=3) as at:
        for lines, code in (
            ([], "empty_file"),
            (["{"], "invalid_json_line"),
            ([line(n) for n in range(4)], "too_many"),
        ):
            batch = await at.over(await at.submit(lines or [" "]))
            assert batch.status == "failed"
            assert batch.errors[0]["code"].startswith(code)
            assert at.home.engine.seen == []
            assert routes.batch_body(batch)["errors"]["data"][0]["line"] in (None, 1, 4)


async def test_other_endpoints(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        for endpoint, body in (
            ("/v1/completions", {"model": "chat", "prompt": "Go"}),
            ("/v1/responses", {"model": "chat", "input": "Go", "metadata": {"a": "b"}}),
        ):
            batch = await at.over(await at.submit([line(1, body, url=endpoint)], endpoint=endpoint))
            found = {**await at.lines(batch.output_file_id), **await at.lines(batch.error_file_id)}["c1"]["response"]
            assert found["status_code"] == 200, found
            if endpoint == "/v1/responses":
                assert found["body"]["output"][0]["content"][0]["text"] == "Go"
                assert found["body"]["metadata"] == {"a": "b"}
            else:
                assert found["body"]["choices"][0]["text"] == "Go"


async def test_a_bug_is_one_lines_error(tmp_path: Path) -> None:
    def script(generation: Generation) -> list[Any]:
        return ["fine"] if spoken(generation) != "Say 1" else [RuntimeError("a bug")]

    async with desk(tmp_path, script) as at:
        batch = await at.over(await at.submit([line(1), line(2)]))
        assert (batch.status, batch.completed, batch.failed) == ("completed", 1, 1)
        error = (await at.lines(batch.error_file_id))["c1"]["response"]
        assert error["status_code"] == 500
        assert "a bug" not in json.dumps(error)


async def test_what_an_engine_has_no_room_for_is_tried_again(tmp_path: Path) -> None:
    tries: dict[str, int] = {}

    def script(generation: Generation) -> list[Any]:
        said = spoken(generation)
        tries[said] = tries.get(said, 0) + 1
        if tries[said] < 3:
            return [Overloaded("full", retry_after=0.01) if tries[said] == 1 else EngineDied("died", retry_after=0.01)]
        return ["fine"]

    async with desk(tmp_path, script, retries=6) as at:
        batch = await at.over(await at.submit([line(n) for n in range(3)]))
        assert (batch.completed, batch.failed) == (3, 0)


async def test_an_engine_that_always_dies_of_a_line_is_left_alone(tmp_path: Path) -> None:
    def script(generation: Generation) -> list[Any]:
        return ["fine"] if spoken(generation) != "Say 1" else [EngineDied("died", retry_after=0.01)]

    async with desk(tmp_path, script, retries=2) as at:
        batch = await at.over(await at.submit([line(1), line(2)]))
        assert (batch.status, batch.completed, batch.failed) == ("completed", 1, 1)
        assert (await at.lines(batch.error_file_id))["c1"]["response"]["status_code"] == 503
        # The ring itself tries a call again, too.
        assert sum(spoken(each) == "Say 1" for each in at.home.engine.seen) >= 3


async def test_a_spent_budget_ends_a_batch(tmp_path: Path) -> None:
    def script(generation: Generation) -> list[Any]:
        return ["fine"] if spoken(generation) == "Say 0" else [BudgetExceeded("the budget is spent", retry_after=9e4)]

    async with desk(tmp_path, script, concurrency=1) as at:
        over = await at.over(await at.submit([line(n) for n in range(5)]))
        assert (over.status, over.completed, over.failed) == ("failed", 1, 0)
        assert [(each["code"], each["line"]) for each in over.errors] == [("budget_exceeded", 2)]
        assert set(await at.lines(over.output_file_id)) == {"c0"}


async def test_what_others_have_set_aside_of_a_budget_is_waited_for(tmp_path: Path) -> None:
    tries: dict[str, int] = {}

    def script(generation: Generation) -> list[Any]:
        said = spoken(generation)
        tries[said] = tries.get(said, 0) + 1
        if said == "Say 1":
            # What one line may spend is no budget of the batch's.
            return [BudgetExceeded("it has spent what was set aside")]
        if tries[said] > 1:
            return ["fine"]
        soon = BudgetExceeded("others have set it aside", retry_after=0.01)
        soon.headers = {"x-mainspring-budget": "exceeded"}
        return [soon]

    async with desk(tmp_path, script) as at:
        over = await at.over(await at.submit([line(n) for n in range(4)]))
        assert (over.status, over.completed, over.failed) == ("completed", 3, 1)
        assert list(await at.lines(over.error_file_id)) == ["c1"]


async def test_a_batch_that_waits_for_others_can_be_cancelled(tmp_path: Path) -> None:
    async with desk(tmp_path, concurrency_busy=0) as at:
        at.work.slots._running = lambda: 99.0
        batch = await at.submit([line(n) for n in range(3)])
        await asyncio.sleep(0.2)
        assert at.home.engine.seen == []
        await at.home.stores.batches.cancel("acme", batch.id, groups=at.key.groups)
        over = await at.over(batch)
        assert (over.status, over.failed) == ("cancelled", 3)


async def test_a_batch_is_cancelled_where_it_is(tmp_path: Path) -> None:
    gate = asyncio.Event()

    def script(generation: Generation) -> list[Any]:
        return [spoken(generation)] if spoken(generation) == "Say 0" else [gate, "late"]

    async with desk(tmp_path, script, concurrency=2) as at:
        batch = await at.submit([line(n) for n in range(6)])
        while len(at.home.engine.seen) < 3:
            await asyncio.sleep(0.01)
        await at.home.stores.batches.cancel("acme", batch.id, groups=at.key.groups)
        await asyncio.wait_for(at.leases[-1].cancelled.wait(), 30)
        gate.set()
        over = await at.over(batch)
        answered, refused = await at.lines(over.output_file_id), await at.lines(over.error_file_id)
        assert over.status == "cancelled"
        assert sorted(answered) == ["c0", "c1", "c2"]
        assert {each["error"]["code"] for each in refused.values()} == {"batch_cancelled"}
        assert sorted([*answered, *refused]) == [f"c{n}" for n in range(6)]


async def test_a_window_ends(tmp_path: Path) -> None:
    async with desk(tmp_path, start=False) as at:
        batch = await at.submit([line(n) for n in range(3)])
        late = sa.text("UPDATE batches SET expires_at = 1")
        await at.home.stores.database.write(lambda connection: connection.execute(late) and None)
        at.worker.start()
        over = await at.over(batch)
        assert (over.status, over.failed) == ("expired", 3)
        found = await at.lines(over.error_file_id)
        assert {(each["response"], each["error"]["code"]) for each in found.values()} == {(None, "batch_expired")}


async def test_a_revoked_key_stops_its_batches(tmp_path: Path) -> None:
    gate = asyncio.Event()

    def script(generation: Generation) -> list[Any]:
        return ["fine"] if spoken(generation) == "Say 0" else [gate, "fine"]

    async with desk(tmp_path, script, concurrency=1) as at:
        batch = await at.submit([line(n) for n in range(5)])
        while len(at.home.engine.seen) < 2:
            await asyncio.sleep(0.01)
        await at.home.stores.keys.revoke("acme", at.key.key_id)
        at.work._keys = at.home.stores.keys
        await asyncio.sleep(2.1)
        gate.set()
        over = await at.over(batch)
        assert over.status == "failed"
        assert over.errors[0]["code"] == "invalid_api_key"
        assert "revoked" in over.errors[0]["message"]
        assert len(at.home.engine.seen) == 2
        assert len(await at.lines(over.output_file_id)) == 2


async def test_groups_and_scopes_are_those_of_the_creation(tmp_path: Path) -> None:
    async with desk(tmp_path, start=False) as at:
        info, _ = await at.home.stores.keys.create(
            "g", tenant="acme", scopes=frozenset({"ingest", "chat"}), groups=frozenset({"red"})
        )
        at.key = info.principal()
        batch = await at.submit([line(1)])
        with pytest.raises(Forbidden, match="embed"):
            await at.submit([line(1, url="/v1/embeddings")], endpoint="/v1/embeddings")
        seen: list[Principal] = []
        respond = at.home.ring.respond

        async def spy(request: Any, context: Any) -> Any:
            seen.append(context.principal)
            return await respond(request, context)

        at.work._answer._responder = type("Spy", (), {"respond": staticmethod(spy)})()
        at.worker.start()
        over = await at.over(batch)
        assert [(each.groups, each.scopes) for each in seen] == [(frozenset({"red"}), frozenset({"ingest", "chat"}))]
        with pytest.raises(NotFound):
            await at.home.stores.files.get("acme", str(over.output_file_id))


async def test_what_cannot_be_a_batch_is_named(tmp_path: Path) -> None:
    async with desk(tmp_path, start=False, max_bytes=100) as at:
        stores = at.home.stores
        small = await stores.files.add("acme", "a", b"x", "assistants")
        large = await stores.files.add("acme", "a", b"x" * 101, "batch")
        good = await stores.files.add("acme", "a", b"x", "batch")
        for file_id, endpoint, window, error, param in (
            ("file-x", CHAT, "24h", NotFound, None),
            (small.id, CHAT, "24h", InvalidRequest, "input_file_id"),
            (large.id, CHAT, "24h", TooLarge, "input_file_id"),
            (good.id, "/v1/images", "24h", InvalidRequest, "endpoint"),
            (good.id, CHAT, "0h", InvalidRequest, "completion_window"),
        ):
            with pytest.raises(error) as refused:
                await routes.create(
                    stores.batches, stores.files, at.settings, at.key,
                    input_file_id=file_id, endpoint=endpoint, window=window, metadata={},
                )  # fmt: skip
            assert refused.value.param == param


async def test_a_batch_gives_way(tmp_path: Path) -> None:
    engine = {"running": 0.0}
    slots = Slots(4, 1, lambda: engine["running"])
    for _ in range(4):
        await asyncio.wait_for(slots.enter(generates=True), 30)
        engine["running"] += 1
    waiting = asyncio.create_task(slots.enter(generates=True))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    engine["running"] += 1
    for _ in range(3):
        slots.leave(generates=True)
        engine["running"] -= 1
    await asyncio.sleep(0.05)
    assert not waiting.done(), "somebody else is there and one line runs"
    engine["running"] -= 1
    await asyncio.wait_for(waiting, 30)


async def test_a_stopped_server_goes_on_at_its_next_start(tmp_path: Path) -> None:
    gate = asyncio.Event()

    def script(generation: Generation) -> list[Any]:
        return [spoken(generation)] if int(spoken(generation).split()[1]) < 3 or gate.is_set() else [gate, "never"]

    async with desk(tmp_path, script, concurrency=2) as at:
        batch = await at.submit([line(n) for n in range(8)])
        while len(at.home.engine.seen) < 5:
            await asyncio.sleep(0.01)
        await at.worker.close()
        assert (await at.home.stores.jobs.get("acme", batch.id)).state == "waiting"
        gate.set()
        second = Desk(at.home, concurrency=2)
        second.key = at.key
        second.worker.start()
        over = await at.over(batch)
        await second.worker.close()
        assert (over.status, over.completed) == ("completed", 8)
        bodies = [each["response"]["body"] for each in (await at.lines(over.output_file_id)).values()]
        texts = [body["choices"][0]["message"]["content"] for body in bodies]
        assert texts == [f"Say {n}" for n in range(8)]


async def test_a_job_that_breaks_off_is_given_up_in_the_end(tmp_path: Path) -> None:
    async with desk(tmp_path, start=False) as at:
        batch = await at.submit([line(1)])

        async def broken(lease: Any) -> None:
            raise RuntimeError("a bug")

        worker = Worker(
            at.home.stores.jobs, KIND, broken, lease_s=0.05, poll_s=0.02, attempts=3, give_up=at.work.give_up
        )
        worker.start()
        over = await at.over(batch)
        await worker.close()
        assert over.errors[0]["code"] == "internal_error"
        assert (await at.home.stores.jobs.get("acme", batch.id)).attempts == 3


def test_the_object_is_openais() -> None:
    now = time.time()
    made = Batch("a", "batch_1", "k", frozenset(), frozenset(), CHAT, "file-1", "24h", now, now + 9)
    body = routes.batch_body(dataclasses.replace(made, times={"in_progress": now}, total=3))
    assert body["in_progress_at"] == int(now)
    assert body["completed_at"] is None
    assert body["request_counts"] == {"total": 3, "completed": 0, "failed": 0}
    assert OpenAIBatch.model_validate(body).status == "validating"


@pytest.mark.parametrize(
    "passing",
    [
        BudgetExceeded("what runs now has set it aside", retry_after=0.01),
        DeadlineExceeded("no place became free before the deadline", retry_after=0.01),
    ],
)
async def test_what_is_in_the_way_for_a_moment_costs_no_line(tmp_path: Path, passing: Exception) -> None:
    tried: set[str] = set()

    def script(generation: Generation) -> list[Any]:
        said = spoken(generation)
        first = said not in tried
        tried.add(said)
        return [passing] if first else ["fine"]

    async with desk(tmp_path, script) as at:
        over = await at.over(await at.submit([line(n) for n in range(4)]))
        assert (over.status, over.completed, over.failed, list(over.errors)) == ("completed", 4, 0, [])


async def test_what_took_too_long_to_write_is_not_begun_again(tmp_path: Path) -> None:
    async with desk(tmp_path, lambda _: [DeadlineExceeded("it was not done in time")]) as at:
        over = await at.over(await at.submit([line(1)]))
        assert (over.status, over.completed, over.failed) == ("completed", 0, 1)
        assert len(at.home.engine.seen) == 1


def test_a_line_is_no_larger_than_the_body_of_a_request() -> None:
    data = f"{line(1)}\n{line(2, {'model': 'chat', 'user': 'x' * 600})}\n".encode()
    assert not batch_lines.read(data, CHAT, 10, 1000).errors
    (error,) = batch_lines.read(data, CHAT, 10, 500).errors
    assert (error["code"], error["line"]) == ("line_too_large", 2)
    assert "500 bytes" in error["message"]
    named_so = json.dumps({**json.loads(line(1)), "x" * 10_000: 1})
    (named,) = batch_lines.read(named_so.encode(), CHAT, 10).errors
    assert len(named["message"]) < 1000


async def test_the_files_of_answers_expire_if_that_is_wanted(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        stores = at.home.stores
        file = await stores.files.add("acme", "in.jsonl", line(1).encode(), "batch", at.key.groups)
        batch = await routes.create(
            stores.batches, stores.files, at.settings, at.key,
            input_file_id=file.id, endpoint=CHAT, window="24h", metadata={}, output_expires_s=3600,
        )  # fmt: skip
        done = await at.over(batch)
        assert done.output_file_id is not None
        made = await stores.files.get("acme", done.output_file_id, groups=at.key.groups)
        assert made.expires_at == made.created_at + 3600
        assert file.expires_at is None


async def test_lines_are_moderated_as_the_route_does(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    async def moderate(texts: Sequence[str], _: Context) -> Moderated:
        asked.append(list(texts))
        verdict = ModerationVerdict({"harassment": 0.9}, frozenset({"harassment"}))
        return Moderated([verdict for _ in texts], frozenset({"harassment"}), "1", len(texts))

    url = "/v1/moderations"
    parts = [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]
    image = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}]
    bodies: list[dict[str, Any]] = [{"input": ["a", "d"]}, {"input": parts}, {"input": image}]
    async with desk(tmp_path, start=False) as at:
        past = PastResponses(at.home.stores.events, 64)
        at.work._answer = batch_lines.LineAnswerer(at.home.ring, past, GatewaySettings(), moderate)
        at.worker.start()
        lines = [line(number, body, url=url) for number, body in enumerate(bodies)]
        batch = await at.over(await at.submit(lines, endpoint=url))
        assert (batch.completed, batch.failed) == (2, 1)
        found = await at.lines(batch.output_file_id)
        assert sorted(asked) == [["a", "d"], ["b\nc"]]
        results = [found[name]["response"]["body"]["results"] for name in ("c0", "c1")]
        assert [[each["flagged"] for each in one] for one in results] == [[True, True], [True]]
        failed = (await at.lines(batch.error_file_id))["c2"]["response"]
        assert (failed["status_code"], "image_url" in failed["body"]["error"]["message"]) == (400, True)
