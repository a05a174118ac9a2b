"""What was acknowledged reaches an agent or people, whatever fails in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import StoreError, Unavailable
from mainspring.core.settings import Settings
from mainspring.core.types import Context
from mainspring.features.desk.store.cases import CaseFilter
from mainspring.features.desk.tables import desk_inbound
from mainspring.stores import Stores
from tests.features.desk.desk_world import ADA, case, tool
from tests.features.desk.test_channels import Killed, _all_due, letter, office


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def kept(opened: Stores) -> list[tuple[str, str]]:
    """State and text of each message that came in."""
    query = sa.select(desk_inbound.c.state, desk_inbound.c.text).order_by(desk_inbound.c.at)
    return [tuple(row) for row in await opened.database.read(lambda connection: connection.execute(query).all())]


@pytest.mark.parametrize("method", ["for_people", "answered"])
async def test_a_message_outlives_a_kill_at_each_step_of_giving_it_to_people(
    opened: Stores, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    desk, agent = office(opened, attempts=1)
    agent.error = Unavailable("the engine is down")
    await desk.channels.receive_mail(letter())

    async def dies(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(desk if method == "for_people" else desk.channels.store, method, dies)
        with pytest.raises(Killed):
            await desk.channels.answer_waiting()
    assert await kept(opened) == [("waits", "My order\n\nWhere is my order?")]
    await _all_due(opened)
    again, other = office(opened, attempts=1)
    other.error = Unavailable("the engine is down")
    await again.channels.answer_waiting()
    [found] = await again.store.queue(ADA, CaseFilter(), 5)
    assert found.body == "My order\n\nWhere is my order?"
    assert [each.author for each in (await again.store.get(ADA, found.number))[1]] == []
    assert await kept(opened) == [("done", "")]


async def test_a_message_waits_while_no_case_can_be_opened(opened: Stores) -> None:
    desk, agent = office(opened, attempts=1)
    desk.settings = desk.store._settings = desk.settings.model_copy(update={"max_open": 1})
    full = await desk.open_case(case(), tool("a", "other"))
    agent.error = Unavailable("the engine is down")
    await desk.channels.receive_mail(letter())
    for _ in range(3):
        assert await desk.channels.answer_waiting() == 1
        assert [state for state, _ in await kept(opened)] == ["waits"]
        await _all_due(opened)
    await desk.close_case(Context(ADA), full.number)
    await desk.channels.answer_waiting()
    assert await kept(opened) == [("done", "")]
    [found] = await desk.store.queue(ADA, CaseFilter(statuses=("open",)), 5)
    assert found.body == "My order\n\nWhere is my order?"


async def test_one_message_that_fails_keeps_no_other_from_its_answer(
    opened: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, agent = office(opened, attempts=1)
    await desk.channels.receive_mail(letter("First", "<1@ann>"))
    await desk.channels.receive_mail(letter("Second", "<2@bob>", From="bob@home.example"))
    answered = desk.channels.store.answered
    failing = [StoreError("the disk is full")]

    async def fails_once(*given: Any) -> None:
        if failing:
            raise failing.pop()
        await answered(*given)

    monkeypatch.setattr(desk.channels.store, "answered", fails_once)
    assert await desk.channels.answer_waiting() == 2
    assert sorted(state for state, _ in await kept(opened)) == ["done", "waits"]
    assert len(agent.asked) == 2


async def test_a_long_message_with_a_long_subject_reaches_people(opened: Stores) -> None:
    desk, agent = office(opened, attempts=1)
    agent.error = Unavailable("the engine is down")
    await desk.channels.receive_mail(letter("word " * 4100, Subject="My order " * 20))
    await desk.channels.answer_waiting()
    [found] = await desk.store.queue(ADA, CaseFilter(), 5)
    assert found.body.endswith("[cut off]")
    assert len(found.body) == 20_000
    assert [state for state, _ in await kept(opened)] == ["done"]


async def test_what_comes_while_a_person_has_the_conversation_is_a_message_of_the_case(opened: Stores) -> None:
    desk, agent = office(opened, attempts=1)
    agent.error = Unavailable("the engine is down")
    for number, text in ((1, "First"), (2, "Second")):
        await desk.channels.receive_mail(letter(text, f"<{number}@ann>", In_Reply_To="<1@ann>"))
        await desk.channels.answer_waiting()
    [found] = await desk.store.queue(ADA, CaseFilter(), 5)
    said = (await desk.store.get(ADA, found.number))[1]
    assert [(each.author, each.text) for each in said] == [("customer", "Second")]
