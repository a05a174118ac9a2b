"""Topics of real conversations: found, kept, renamed, merged, and seen by those who may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mainspring import stores
from mainspring.core.errors import Conflict, NotFound
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.features.insights.cmd import topic_rows
from mainspring.features.insights.store.views import Counted, Period
from mainspring.stores import Stores
from tests.features.insights.world import READER, World

EVER = Period(0.0, 10.0**12)
DELIVERY = [f"where is my parcel delivery {each}" for each in ("today", "please", "friends", "again", "this week")]
REFUND = [f"refund money for broken {each}" for each in ("lamp", "chair", "clock", "radio", "table")]


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def filled(opened: Stores) -> World:
    world = World(opened)
    for place, text in enumerate([*DELIVERY, *REFUND]):
        await world.say(text, session=f"s{place}")
    await world.insights.look()
    return world


async def named(world: World, who: Principal = READER) -> dict[str, str]:
    return {row.id: row.name for row in await world.insights.views.topics(who)}


async def counted(world: World, who: Principal = READER) -> Counted:
    return await world.insights.views.counted(who, EVER)


async def test_topics_are_found_and_named_by_their_words(opened: Stores) -> None:
    world = await filled(opened)
    names = await named(world)
    assert sorted(names.values()) == ["broken, money, refund", "delivery, parcel"]
    found = await counted(world)
    assert sorted(each.count for each in found.topics.values()) == [5, 5]
    assert found.total.outcomes["resolved"] == 10


async def test_a_topic_keeps_its_identity_and_name_when_conversations_arrive(opened: Stores) -> None:
    world = await filled(opened)
    before = await named(world)
    for place in range(8):
        await world.say(f"parcel delivery courier late number {place}", session=f"late{place}")
    texts = world.embedder.texts
    await world.insights.look()
    assert await named(world) == before
    assert sorted(each.count for each in (await counted(world)).topics.values()) == [5, 13]
    # What was read is not read again.
    assert world.embedder.texts == texts + 8
    await world.insights.look()
    assert world.embedder.texts == texts + 8


async def test_what_few_conversations_say_makes_no_topic_and_no_name(opened: Stores) -> None:
    world = World(opened)
    for _ in range(6):
        await world.say("my neighbour Gwendolyn stole the parcel", session="one talk")
    await world.insights.look()
    assert await named(world) == {}
    for place in range(2):
        await world.say("my neighbour Bartholomew stole the parcel", session=f"other {place}")
    await world.insights.look()
    (name,) = (await named(world)).values()
    assert "gwendolyn" not in name
    assert "bartholomew" not in name


async def test_a_person_renames_pins_and_merges_topics(opened: Stores) -> None:
    world = await filled(opened)
    by_name = {name: topic for topic, name in (await named(world)).items()}
    parcel, refund = by_name["delivery, parcel"], by_name["broken, money, refund"]
    await world.insights.topics.change(READER, parcel, name="Where is it?", pinned=True)
    await world.insights.topics.merge(READER, refund, parcel)
    assert await named(world) == {parcel: "Where is it?"}
    for place in range(3):
        await world.say("refund money for broken window", session=f"more{place}")
    await world.insights.look()
    found = await counted(world)
    assert {topic: each.count for topic, each in found.topics.items()} == {parcel: 13}
    with pytest.raises(Conflict):
        await world.insights.topics.merge(READER, parcel, parcel)
    with pytest.raises(NotFound):
        await world.insights.topics.merge(Principal("other", "key_9"), parcel, refund)


async def test_nobody_sees_conversations_of_other_groups_or_tenants(opened: Stores) -> None:
    world = World(opened)
    staff = Principal("acme", "key_staff", groups=frozenset({"staff"}))
    for place, text in enumerate(DELIVERY):
        await world.say(f"{text} secretproject", session=f"s{place}", who=staff)
        await world.say(text, session=f"s{place}")
    await world.insights.look()
    assert (await counted(world)).total.count == 5
    assert "secretproject" not in str(await named(world))
    reader = Principal("acme", "key_2", groups=frozenset({"staff", "more"}))
    assert (await counted(world, reader)).total.count == 10
    assert "secretproject" in str(await named(world, reader))
    assert (await counted(world, Principal("other", "key_3"))).total.count == 0
    assert await named(world, Principal("other", "key_3")) == {}


async def test_a_broken_embedder_loses_no_conversation(opened: Stores) -> None:
    world = World(opened)
    world.embedder.broken = True
    await world.say(DELIVERY[0], session="s")
    await world.insights.look()
    found = await counted(world)
    assert (found.total.count, found.total.sentiment) == (1, None)


async def test_one_process_looks_at_a_time(opened: Stores) -> None:
    world = await filled(opened)
    lease = await opened.jobs.claim("insights", "another process", 0.0, 60.0)
    assert lease is not None
    assert await world.insights.look() is None
    await opened.jobs.release(lease)
    assert await world.insights.look() is not None
    assert await world.insights.look(every_s=600) is None


def test_conversations_without_a_topic_are_listed_where_there_are_any() -> None:
    none = {"conversations": 0, "share": 0.0, "resolved": None, "sentiment": None}
    some = {"conversations": 2, "share": 1.0, "resolved": 0.5, "sentiment": -0.25}
    assert topic_rows({"data": [], "other": none}) == []
    (row,) = topic_rows({"data": [], "other": some})
    assert row == ("other", "(no topic yet)", 2, "100 %", "50 %", "-0.25")
