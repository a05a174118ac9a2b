"""Each event is taken once, by whichever process, also if one breaks off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from mainspring.stores.events.feed import Fact
from mainspring.stores.events.follower import Follower
from mainspring.stores.sql import ids


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
