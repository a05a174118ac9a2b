"""Each event is taken once, by whichever process, also if one breaks off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from mainspring.stores.events import feed
from mainspring.stores.events.feed import Fact
from mainspring.stores.events.follower import Follower
from mainspring.stores.events.tolerant import PASSED_OVER
from mainspring.stores.schema import events, watermarks
from mainspring.stores.sql import ids
from mainspring.stores.sql.database import Database, Work


def told(number: int) -> EventRecord:
    facts = FeedbackFacts(key_id="k", rating="up", comment=None, edited=False)
    return EventRecord(ids.new("evt_"), time.time(), "acme", "", f"ans_{number}", facts)


async def test_followers_of_one_name_take_each_event_once(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        taken: list[str] = []

        def take(_: sa.Connection, facts: Sequence[Fact]) -> None:
            assert len(facts) <= 7
            taken.extend(each.subject for each in facts)

        followers = [Follower(opened.database, "reader", ("feedback",), take, page=7) for _ in range(3)]
        for number in range(40):
            await opened.events.append(told(number))
        await asyncio.gather(*(each.follow() for each in followers))
        assert taken == [f"ans_{number}" for number in range(40)]
        assert await followers[0].follow() == 0
        # Another reader has a place of its own.
        other: list[str] = []
        all_of = Follower(opened.database, "other", ("feedback",), lambda _, facts: other.extend(f.id for f in facts))
        assert await all_of.follow() == len(other) == 40


async def test_what_broke_off_is_taken_again(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        taken: list[str] = []
        fails = True

        def take(_: sa.Connection, facts: Sequence[Fact]) -> None:
            if fails:
                raise RuntimeError("killed")
            taken.extend(each.subject for each in facts)

        follower = Follower(opened.database, "reader", ("feedback",), take)
        await opened.events.append(told(1))
        with pytest.raises(RuntimeError):
            await follower.follow()
        fails = False
        assert await follower.follow() == 1
        assert taken == ["ans_1"]


async def test_what_comes_while_it_reads_is_left_for_the_next_time(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        pages = 0

        class Busy(Database):
            """Settles another event before each page is read, as requests do."""

            async def read(self, work: Work[Any]) -> Any:
                nonlocal pages
                pages += 1
                if pages < 50:
                    await opened.events.append(told(100 + pages))
                return await opened.database.read(work)

            async def write(self, work: Work[Any], *, durable: bool | None = None, frees: bool = False) -> Any:
                return await opened.database.write(work, durable=durable, frees=frees)

            async def compact(self) -> None: ...

            async def close(self) -> None: ...

            async def upgrade(self) -> None: ...

        follower = Follower(Busy(), "reader", ("feedback",), lambda *_: None)
        await opened.events.append(told(1))
        assert await follower.follow() <= 4
        assert pages == 3, "where it ends, where it begins, one page"


async def test_what_nobody_wants_is_passed_over_unread(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        taken: list[str] = []
        follower = Follower(
            opened.database, "reader", ("feedback",), lambda _, facts: taken.extend(each.subject for each in facts)
        )
        await opened.events.append(told(1))
        assert await follower.pass_over(sa.select(sa.false()))
        await opened.events.append(told(2))
        assert not await follower.pass_over(sa.select(sa.true()))
        assert await follower.follow() == 1
        assert taken == ["ans_2"]


@pytest.mark.parametrize(
    "facts", ["{no json", "[1, 2]", '{"key_id": "k", "rating": ["up"]}', '{"key_id": 7, "rating": "up"}']
)
async def test_an_event_that_cannot_be_read_stops_no_other(tmp_path: Path, facts: str) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        taken: list[str] = []
        follower = Follower(
            opened.database,
            "reader",
            ("feedback",),
            lambda _, found: taken.extend(each.subject for each in found if isinstance(each.facts, FeedbackFacts)),
        )
        for number in range(3):
            await opened.events.append(told(number))
        bad = sa.update(events).where(events.c.subject == "ans_1").values(facts=facts)
        await opened.database.write(lambda connection: connection.execute(bad) and None)
        before = PASSED_OVER.count
        assert await follower.follow() == 3
        assert taken == ["ans_0", "ans_2"]
        assert PASSED_OVER.count > before
        assert await follower.follow() == 0


async def test_an_event_whose_values_cannot_be_taken_leaves_nothing_and_stops_no_other(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:

        def take(connection: sa.Connection, facts: Sequence[Fact]) -> None:
            for each in facts:
                feed.move(connection, each.subject, 1)
                if each.subject == "ans_1":
                    raise OverflowError("a number of 70 bits")

        follower = Follower(opened.database, "reader", ("feedback",), take)
        for number in range(3):
            await opened.events.append(told(number))
        assert await follower.follow() == 3
        query = sa.select(watermarks.c.name).where(watermarks.c.name.like("ans_%")).order_by(watermarks.c.name)
        found = await opened.database.read(lambda connection: connection.execute(query).scalars().all())
        assert found == ["ans_0", "ans_2"]
        assert await follower.follow() == 0


async def test_where_no_event_can_be_taken_none_is_passed_over(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        broken = {"ans_0", "ans_1", "ans_2"}
        taken: list[str] = []

        def take(_: sa.Connection, facts: Sequence[Fact]) -> None:
            for each in facts:
                if each.subject in broken:
                    raise TypeError("a fault of what takes them")
                taken.append(each.subject)

        follower = Follower(opened.database, "reader", ("feedback",), take)
        for number in range(3):
            await opened.events.append(told(number))
        before = PASSED_OVER.count
        for _ in range(2):
            with pytest.raises(TypeError):
                await follower.follow()
        assert PASSED_OVER.count == before
        # Of those that come with others, only these stay out.
        broken -= {"ans_0", "ans_2"}
        taken.clear()
        assert await follower.follow() == 3
        assert taken[-2:] == ["ans_0", "ans_2"]
        assert PASSED_OVER.count == before + 1
