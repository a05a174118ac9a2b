"""Responses in the background: made whether or not somebody reads, bounded, cancelled, and failed after a crash."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import EngineDied, RateLimited
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, Finish, Head, Message, Principal, Text
from mainspring.features.background.service import Background, BackgroundRun
from mainspring.features.background.settings import BackgroundSettings
from mainspring.features.background.store import LOST_S, BackgroundStates
from mainspring.features.background.tables import background_responses
from mainspring.http.openai.response_ids import answer_id
from mainspring.http.openai.responses_encode import Shell
from mainspring.stores import Stores
from tests.serving.house import Recited

ME = Principal("acme", "key_1")
ASKED = ChatRequest("m", (Message("user", "Hi"),))


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


class Made(Background):
    """Background work over one responder."""

    def __init__(self, responder: Recited, states: BackgroundStates, settings: BackgroundSettings) -> None:
        super().__init__(states, settings)
        self._over = responder

    async def begin(self, request: ChatRequest, context: Context, asked: dict[str, Any]) -> BackgroundRun:
        return await self.start(self._over, request, context, Shell.of(Head("m"), asked))


def background(opened: Stores, responder: Recited, **settings: Any) -> Made:
    return Made(responder, BackgroundStates(opened.database), BackgroundSettings(**settings))


async def over(run: BackgroundRun) -> list[str]:
    return [frame["type"].removeprefix("response.") async for frame in run.read(-1)]


async def test_a_response_is_queued_at_once_and_made_without_a_reader(opened: Stores) -> None:
    go = asyncio.Event()
    made = background(opened, Recited(go, Text("Yes."), Finish("stop")))
    run = await made.begin(ASKED, Context(ME), {"background": True})
    assert (run.body["status"], run.body["background"]) == ("queued", True)
    name = answer_id(run.body["id"])
    state = await made.state(ME, name)
    assert state is not None
    assert state.status in ("queued", "in_progress")
    go.set()
    kinds = await over(run)
    assert (kinds[:3], kinds[-1]) == (["created", "queued", "in_progress"], "completed")
    assert run.body["output"][0]["content"][0]["text"] == "Yes."
    assert run.task is not None
    await run.task
    state = await made.state(ME, name)
    assert state is not None
    assert state.status == "completed"


async def test_events_are_read_from_where_a_reader_left(opened: Stores) -> None:
    made = background(opened, Recited(Text("a"), Text("b"), Finish("stop")))
    run = await made.begin(ASKED, Context(ME), {})
    whole = [frame async for frame in run.read(-1)]
    assert [frame["sequence_number"] for frame in whole] == list(range(len(whole)))
    assert [frame async for frame in run.read(4)] == whole[5:]


async def test_a_failure_before_and_within_an_answer_is_reported(opened: Stores) -> None:
    for said in ([EngineDied("gone")], [Text("one"), EngineDied("gone")]):
        made = background(opened, Recited(*said))
        run = await made.begin(ASKED, Context(ME), {})
        assert (await over(run))[-1] == "failed"
        assert (run.body["status"], run.body["error"]["code"]) == ("failed", "engine_died")
        assert run.task is not None
        await run.task
        state = await made.state(ME, answer_id(run.body["id"]))
        assert state is not None
        assert (state.status, state.code) == ("failed", "engine_died")


async def test_a_response_is_cancelled_by_its_key_alone(opened: Stores) -> None:
    responder = Recited(Text("one"), asyncio.Event())
    made = background(opened, responder)
    run = await made.begin(ASKED, Context(ME), {})
    name = answer_id(run.body["id"])
    while run.body["status"] == "queued" or not responder.calls:
        await asyncio.sleep(0.01)
    other = Principal("acme", "key_2")
    assert made.run(other, name) is None
    assert await made.state(other, name) is None
    await made.cancel(ME, name)
    assert run.over
    assert run.body["status"] == "cancelled"
    assert responder.closed == ["responder"]
    state = await made.state(ME, name)
    assert state is not None
    assert state.status == "cancelled"


async def test_another_process_is_asked_to_cancel(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainspring.features.background.service.BEAT_S", 0.02)
    made, elsewhere = background(opened, Recited(asyncio.Event())), background(opened, Recited())
    run = await made.begin(ASKED, Context(ME), {})
    await elsewhere.cancel(ME, answer_id(run.body["id"]))
    await over(run)
    assert run.body["status"] == "cancelled"


async def test_a_tenant_has_so_many_in_progress_and_no_more(opened: Stores) -> None:
    made = background(opened, Recited(asyncio.Event()), per_tenant=2)
    for _ in range(2):
        await made.begin(ASKED, Context(ME), {})
    with pytest.raises(RateLimited, match="in progress in the background"):
        await made.begin(ASKED, Context(ME), {})
    await made.begin(ASKED, Context(Principal("other", "key_9")), {})
    await made.close()
    # What a server did not finish has failed, and makes room.
    await made.begin(ASKED, Context(ME), {})
    await made.close()


async def test_a_response_whose_process_died_has_failed(opened: Stores) -> None:
    made = background(opened, Recited(asyncio.Event()))
    run = await made.begin(ASKED, Context(ME), {})
    name = answer_id(run.body["id"])
    # Its last sign of life for a while.
    async with asyncio.timeout(30):
        while (seen := await made.state(ME, name)) is None or seen.status != "in_progress":
            await asyncio.sleep(0.01)
    late = sa.update(background_responses).values(beat_at=time.time() - LOST_S - 1)
    await opened.database.write(lambda connection: connection.execute(late) and None)
    state = await background(opened, Recited()).state(ME, name)
    assert state is not None
    assert (state.status, state.code) == ("failed", "interrupted")
    await made.close()
    assert run.body["status"] == "failed"
