"""An Idempotency-Key over several processes on one home, and on one Postgres where one is named."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.responses import Response

from mainspring import stores
from mainspring.core.errors import Conflict, NotFound, Overloaded
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Principal
from mainspring.http import idempotency
from mainspring.http.idempotency import Idempotency, makes
from mainspring.stores import Stores
from mainspring.stores.cache import idempotency as repeats_store
from mainspring.stores.sql import ids
from tests.databases import settings

__all__ = ["settings"]
ACME = Principal("acme", "key_1")


@dataclass
class Servers:
    """Several processes' views of the same stores, and what was made by all of them."""

    opened: list[Stores]
    made: int = 0

    def __post_init__(self) -> None:
        self.each = [Idempotency(each.cache, each.repeats) for each in self.opened]

    async def ask(self, server: int, body: bytes = b"body", seconds: float = 0.05, **more: Any) -> Response:
        async def work() -> Response:
            self.made += 1
            number = self.made
            await asyncio.sleep(seconds)
            return Response(f"made {number}", headers={"x-answer-id": "ans_1"})

        context = more.pop("context", Context(ACME))
        return await self.each[server].once("once", "route", [body], context, more.pop("work", work), **more)


@pytest.fixture
async def servers(settings: Settings) -> AsyncIterator[Servers]:
    async with stores.open(settings) as first, stores.open(settings) as second:
        yield Servers([first, second])


async def test_what_many_servers_are_asked_at_once_is_made_once(servers: Servers) -> None:
    answers = await asyncio.gather(*(servers.ask(number % 2) for number in range(12)))
    assert servers.made == 1
    assert {each.body for each in answers} == {b"made 1"}
    assert sorted(each.headers.get("idempotent-replayed", "") for each in answers) == ["", *["true"] * 11]
    assert (await servers.ask(1)).body == b"made 1"


async def test_another_body_is_a_conflict_everywhere(servers: Servers) -> None:
    await servers.ask(0)
    with pytest.raises(Conflict, match="different body"):
        await servers.ask(1, b"other")
    other = Context(Principal("other", "key_1"))
    assert (await servers.ask(1, b"other", context=other)).body == b"made 2"


async def test_what_failed_or_was_left_may_be_tried_again_elsewhere(servers: Servers) -> None:
    async def fails() -> Response:
        raise Overloaded("no room")

    async def refuses() -> Response:
        return Response(b"no", 400)

    with pytest.raises(Overloaded):
        await servers.ask(0, work=fails)
    assert (await servers.ask(0, work=refuses)).status_code == 400
    leaving = asyncio.create_task(servers.ask(0, seconds=60))
    await asyncio.sleep(0.3)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert (await servers.ask(1)).body == b"made 2"


async def test_what_a_server_that_died_was_at_begins_anew(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats_store, "LEASE_S", 0.4)
    monkeypatch.setattr(idempotency, "RENEW_S", 60.0)
    dead = asyncio.create_task(servers.ask(0, seconds=60))
    await asyncio.sleep(0.2)
    assert (await servers.ask(1)).body == b"made 2"
    # What the other would write now counts no more.
    dead.cancel()
    await asyncio.wait([dead])
    assert (await servers.ask(1)).body == b"made 2"


async def test_who_renews_keeps_it(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats_store, "LEASE_S", 1.0)
    monkeypatch.setattr(idempotency, "RENEW_S", 0.1)
    slow = asyncio.create_task(servers.ask(0, seconds=2.5))
    await asyncio.sleep(0.3)
    assert (await servers.ask(1)).body == b"made 1"
    assert (await slow).body == b"made 1"
    assert servers.made == 1


async def test_nobody_waits_beyond_its_deadline(servers: Servers) -> None:
    slow = asyncio.create_task(servers.ask(0, seconds=3))
    await asyncio.sleep(0.3)
    with pytest.raises(Conflict, match="still running"):
        await servers.ask(1, context=Context(ACME, deadline=time.monotonic() + 0.2))
    slow.cancel()
    await asyncio.wait([slow])


async def test_what_it_was_made_of_is_gone(servers: Servers) -> None:
    await servers.ask(0, basis="documents 1")
    assert (await servers.ask(1, basis="documents 1")).body == b"made 1"
    again = await asyncio.gather(*(servers.ask(number % 2, basis="documents 2") for number in range(6)))
    assert {each.body for each in again} == {b"made 2"}


async def test_what_is_erased_is_given_by_no_server(servers: Servers) -> None:
    await servers.ask(0)
    tag = "answer:ans_1"
    assert await servers.opened[1].cache.count(tag) == 1
    assert await servers.opened[1].cache.invalidate(tag) == 1
    assert (await servers.ask(0)).body == b"made 2"


async def test_what_is_a_day_old_is_forgotten(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "KEPT_S", -1.0)
    await servers.ask(0)
    assert await servers.opened[0].cache.expire() == 1
    monkeypatch.setattr(idempotency, "KEPT_S", 60.0)
    assert (await servers.ask(1)).body == b"made 2"


async def test_what_was_made_before_its_maker_died_is_made_no_second_time(servers: Servers) -> None:
    there: set[str] = set()

    async def shown(name: str) -> Response:
        if name not in there:
            raise NotFound(name)
        return Response(f"there: {name}")

    async def make() -> Response:
        servers.made += 1
        there.add(name := ids.new("run_"))
        # Of a prefix that is not planned, and of one that was used, each is a new one.
        assert len({name, ids.new("run_"), ids.new("ans_")}) == 3
        return Response(name)

    async def dies() -> Response:
        await make()
        raise asyncio.CancelledError

    made = makes("run_", shown)
    with pytest.raises(asyncio.CancelledError):
        await servers.ask(0, work=dies, makes=made)
    (name,) = there
    assert ids.planned("run_") == ""
    again = await servers.ask(1, work=make, makes=made)
    assert (again.body, again.headers["idempotent-replayed"]) == (f"there: {name}".encode(), "true")
    assert (await servers.ask(0, work=dies, makes=made)).body == again.body
    assert servers.made == 1


async def test_what_was_not_made_yet_has_the_same_id_when_it_is(servers: Servers) -> None:
    drawn: list[str] = []

    async def none(name: str) -> Response:
        raise NotFound(name)

    async def fails() -> Response:
        drawn.append(ids.new("run_"))
        raise Overloaded("no room")

    async def works() -> Response:
        drawn.append(ids.new("run_"))
        return Response(b"made")

    made = makes("run_", none)
    with pytest.raises(Overloaded):
        await servers.ask(0, work=fails, makes=made)
    # Nothing was made, so it may be asked in other words.
    assert (await servers.ask(1, b"other", work=works, makes=made)).body == b"made"
    assert len(set(drawn)) == 1
    with pytest.raises(Conflict, match="different body"):
        await servers.ask(0, work=works, makes=made)


async def test_a_batch_is_queued_once_though_its_server_died_before_it_answered(servers: Servers) -> None:
    async def queued(server: int) -> str:
        batch = await servers.opened[server].batches.create(
            ACME, endpoint="/v1/embeddings", input_file_id="file-1", window="24h", window_s=9.0, metadata={}
        )
        return batch.id

    async def shown(batch_id: str) -> Response:
        return Response((await servers.opened[1].batches.get("acme", batch_id)).id)

    first: list[str] = []

    async def dies() -> Response:
        first.append(await queued(0))
        raise asyncio.CancelledError

    async def answers() -> Response:
        return Response(await queued(1))

    made = makes("batch_", shown)
    with pytest.raises(asyncio.CancelledError):
        await servers.ask(0, work=dies, makes=made)
    assert (await servers.ask(1, work=answers, makes=made)).body == first[0].encode()
    # Without a key each is a batch of its own.
    assert await queued(0) != await queued(1)
