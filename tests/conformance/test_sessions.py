"""What every SQL database must do for conversations."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest
import sqlalchemy as sa

from mainspring.core.errors import Conflict, InvalidRequest, NotFound
from mainspring.core.types import Message, ToolCall
from mainspring.stores import Stores
from mainspring.stores.events.audit_log import Actor
from mainspring.stores.sessions.conversations import SessionTurn, Summary
from mainspring.stores.sql.pages import Page
from tests.conformance.stored import SECRET, event, turn
from tests.databases import opened, settings

__all__ = ["opened", "settings"]


async def test_history_gives_the_last_messages_in_order(opened: Stores) -> None:
    call = ToolCall("c1", "search", '{"q": 1}')
    said = [
        Message("user", "one"),
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", "found", tool_call_id="c1"),
        Message("assistant", "two", name="helper"),
    ]
    await opened.events.settle([], [turn(*said[:2])])
    await opened.events.settle([], [turn(*said[2:])])
    assert await opened.sessions.history("a", "chat", 10) == said
    assert await opened.sessions.history("a", "chat", 3) == said[1:]
    assert await opened.sessions.history("b", "chat", 10) == []


async def test_a_deleted_session_is_gone(opened: Stores) -> None:
    await opened.events.settle([event(content="kept")], [turn(Message("user", "kept"), Message("user", "gone"))])
    await opened.events.settle([], [turn(Message("user", "other"), session="other")])
    assert await opened.sessions.delete("a", "chat") == 2
    assert await opened.sessions.history("a", "chat", 10) == []
    assert await opened.sessions.history("a", "other", 10) == [Message("user", "other")]
    count = sa.text("SELECT count(*) FROM contents WHERE text IN ('kept', 'gone')")
    assert await opened.database.read(lambda c: c.execute(count).scalar()) == 1


async def test_sessions_are_listed_by_owner_in_pages(opened: Stores) -> None:
    for number in range(5):
        said = turn(Message("user", f"m{number}"), session=f"us:s:{number}", trace_id=f"t{number}")
        await opened.events.settle([], [dataclasses.replace(said, at=float(number), spent=number)])
    await opened.events.settle([], [turn(Message("user", "x"), session="them:s:0")])
    await opened.events.settle([], [turn(Message("user", "x"), session="us:s:0", tenant="b")])
    page = await opened.sessions.page("a", "us", Page(2))
    assert [(each.name, each.spent, each.turns, each.messages) for each in page.rows] == [
        ("s:4", 4, 1, 1),
        ("s:3", 3, 1, 1),
    ]
    assert page.more
    rest = await opened.sessions.page("a", "us", Page(9, after="s:3"))
    assert [each.name for each in rest.rows] == ["s:2", "s:1", "s:0"]
    with pytest.raises(InvalidRequest):
        await opened.sessions.page("a", "us", Page(2, after="t"))
    with pytest.raises(NotFound):
        await opened.sessions.get("a", "them:s:1")


async def test_a_session_is_read_from_both_ends(opened: Stores) -> None:
    for number in range(6):
        said = [Message("system", "Be brief.")] * (number == 1) + [Message("user", f"m{number}")]
        await opened.events.settle([], [turn(*said, session="us:s")])
    assert (await opened.sessions.read("a", "us:t", limit=9)).revision is None
    read = await opened.sessions.read("a", "us:s", limit=2, first=3)
    assert [each.message.content for each in read.recent] == ["m4", "m5"]
    assert [each.message.content for each in read.first] == ["m0", "Be brief.", "m1"]
    assert (read.turns, read.instructions) == (6, (Message("system", "Be brief."),))
    page = await opened.sessions.messages("a", "us:s", Page(3, "asc", after=f"{read.first[0].turn}:0"))
    assert [each.message.content for each in page.rows] == ["Be brief.", "m1", "m2"]


async def test_what_is_derived_goes_with_its_turns(opened: Stores) -> None:
    memory = opened.memory
    for number in range(4):
        await opened.events.settle([], [turn(Message("user", f"m{number}"), session="us:s", trace_id=f"t{number}")])
    missing = await memory.unembedded("a", "us:s", "mini", 10)
    assert missing.revision == 0
    vectors = {(each.turn, each.position): [float(n), 0.5] for n, each in enumerate(missing.said)}
    assert await memory.embed("a", "us:s", "mini", vectors, 0)
    assert await memory.embed("a", "us:s", "mini", vectors, 0), "twice is no error"
    assert (await memory.unembedded("a", "us:s", "mini", 10)).said == ()
    upto = missing.said[2].turn
    assert await memory.summarise("a", "us:s", Summary(upto, 3, "extractive", "{}", 1.0), 0)
    assert not await memory.summarise("a", "us:s", Summary(upto, 3, "extractive", "other", 1.0), 0)
    older = await memory.older("a", "us:s", "mini", before=missing.said[3].turn, limit=2)
    assert [(each.said.message.content, each.vector.tolist()) for each in older] == [("m1", [1, 0.5]), ("m2", [2, 0.5])]
    fork = await opened.sessions.fork("a", "us:s", "us:f", upto=upto)
    assert (fork.turns, fork.forked_from, fork.summarised) == (3, "s", upto)
    await opened.events.append(event(subject="ans", trace_id="t1"))
    await opened.events.erase("a", "ans")
    for session, turns in (("us:s", 3), ("us:f", 2)):
        read = await opened.sessions.read("a", session, limit=9, summary=True)
        assert (read.turns, read.revision, read.summary) == (turns, 1, None)
        assert not await memory.summarise("a", session, Summary(upto, 3, "extractive", "late", 1.0), 0)
        assert not await memory.embed("a", session, "mini", vectors, 0)
    await opened.sessions.delete("a", "us:s")
    await opened.sessions.delete("a", "us:f")
    names = ("sessions", "turn_vectors", "session_summaries", "turns", "contents")

    def left(connection: sa.Connection) -> list[object]:
        return [connection.execute(sa.text(f"SELECT count(*) FROM {name}")).scalar() for name in names]

    assert await opened.database.read(left) == [0] * 5


async def test_a_fork_needs_a_turn_and_a_free_name(opened: Stores) -> None:
    await opened.events.settle([], [turn(Message("user", "m"), session="us:s")])
    with pytest.raises(NotFound):
        await opened.sessions.fork("a", "us:nobody", "us:f")
    with pytest.raises(NotFound, match="turn"):
        await opened.sessions.fork("a", "us:s", "us:f", upto="turn-x")
    with pytest.raises(Conflict):
        await opened.sessions.fork("a", "us:s", "us:s")
    with pytest.raises(NotFound):
        await opened.sessions.fork("b", "us:s", "us:f")


async def test_deleting_a_session_takes_the_texts_of_its_answers(opened: Stores) -> None:
    facts = {"session_id": "s"}
    await opened.events.settle(
        [event(content=SECRET, facts=facts, subject="a1"), event(content="other", subject="a2")],
        [turn(Message("user", SECRET), session="us:s")],
    )
    await opened.events.append(event(content="edited " + SECRET, kind="feedback", subject="a1", trace_id="t7"))
    assert await opened.sessions.delete("a", "us:s", by=Actor("key_1", "t9")) == 1
    found = await opened.events.find("a")
    assert [each.content for each in found if each.kind != "erased"] == [None, "other", None]
    assert [each.trace_id for each in found if each.kind == "erased"] == ["t9"]
    held = sa.text("SELECT count(*) FROM contents WHERE text LIKE '%launch%'")
    assert await opened.database.read(lambda c: c.execute(held).scalar()) == 0


async def test_no_more_is_reserved_than_a_session_may_take(opened: Stores) -> None:
    said = turn(Message("user", "m"), session="us:s")
    await opened.events.settle([], [dataclasses.replace(said, spent=100)])

    async def reserve(tokens: int) -> int | None:
        return await opened.sessions.reserve("a", "us:s", tokens, 1000, lease_s=60)

    granted = await asyncio.gather(*(reserve(100) for _ in range(30)))
    assert granted.count(None) == 9
    assert set(granted) == {None, 0}
    settled = SessionTurn("a", "us:s", (), "t2", time.time(), spent=30, reserved=100)
    await opened.events.settle([], [settled])
    assert (await opened.sessions.get("a", "us:s")).spent == 130
    assert await reserve(71) == 70
    assert await reserve(70) is None
    # What nobody settles lapses.
    await opened.sessions.reserve("a", "us:s", 0, 1000, lease_s=-1)
    assert await reserve(870) is None
