"""The contract of every SQL database for readers of events, for counts and for alerts."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from mainspring.core.errors import NotFound
from mainspring.core.facts.registry import read
from mainspring.core.types import EventRecord
from mainspring.features.monitor.service import Monitor
from mainspring.features.monitor.settings import MonitorSettings
from mainspring.features.monitor.store.alerts import Alert, Alerts, Notice, Silence
from mainspring.features.monitor.store.tallies import Tallies, TallyRow
from mainspring.stores import Stores
from mainspring.stores.events import commit_numbers
from mainspring.stores.events.feed import Feed, move
from mainspring.stores.sql import ids
from mainspring.stores.sql.pages import Page
from tests.databases import opened, settings

__all__ = ["opened", "settings"]


def event(kind: str = "answer", tenant: str = "a", **facts: object) -> EventRecord:
    name = ids.new("ans_")
    return EventRecord(name, time.time(), tenant, "t", name, read(kind, {"requested": "support", **facts}), "text")


async def test_a_reader_misses_nothing_whoever_writes_meanwhile(opened: Stores) -> None:
    feed = Feed(opened.database)
    written: list[str] = []
    read: list[str] = []
    position = await feed.begin("reader")

    async def write(number: int) -> None:
        for _ in range(20):
            records = [event() for _ in range(number % 3 + 1)]
            await opened.events.append(*records)
            written.extend(record.id for record in records)

    writers = asyncio.gather(*(write(number) for number in range(6)))
    async with asyncio.timeout(60):
        while not writers.done() or len(read) < len(written):
            facts = await feed.after(position, ("answer",), 7)
            read += [fact.id for fact in facts]
            position = facts[-1].settled if facts else position
    await writers
    assert await feed.after(position, ("answer",), 7) == []
    assert len(read) == len(set(read))
    assert set(read) == set(written)


async def test_a_clock_that_is_set_back_lets_nothing_be_counted_twice(
    opened: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed(opened.database)
    await opened.events.append(event())
    async with asyncio.timeout(60):
        while not (facts := await feed.after(0, ("answer",), 7)):
            await asyncio.sleep(0.01)
    position = facts[-1].settled
    await opened.database.write(lambda connection: move(connection, "reader", position))
    an_hour_ago = time.time_ns() - 3600 * 10**9
    monkeypatch.setattr(commit_numbers, "time", SimpleNamespace(time_ns=lambda: an_hour_ago))
    assert await feed.begin("reader") == position


async def test_commits_are_read_whole_and_kinds_apart(opened: Stores) -> None:
    feed = Feed(opened.database)
    await opened.events.append(*(event() for _ in range(5)), event("call"))
    await opened.events.append(*(event() for _ in range(5)), event("guard"))
    # A commit is shown when nothing that is older runs on the server any more, in other databases either.
    async with asyncio.timeout(60):
        while len(await feed.after(0, ("answer",), 100)) < 10:
            await asyncio.sleep(0.01)
    first = await feed.after(0, ("answer",), 7)
    assert len(first) == 5
    # One commit that is larger than a page is read whole.
    assert len(await feed.after(0, ("answer",), 2)) == 5
    second = await feed.after(first[-1].settled, ("answer", "guard"), 100)
    assert [fact.kind for fact in second].count("guard") == 1
    assert len(second) == 6
    assert await feed.applications([("a", second[0].id), ("b", second[0].id)]) == {("a", second[0].id): "support"}
    assert second[0].content_id is not None
    assert await feed.text("a", second[0].content_id) == "text"
    assert await feed.text("b", second[0].content_id) is None


async def test_counts_are_written_with_the_position_and_under_the_lease(opened: Stores) -> None:
    tallies, feed = Tallies(opened.database), Feed(opened.database)
    await opened.jobs.ensure("", "monitor", "monitor")
    await opened.jobs.ensure("", "monitor", "monitor")
    dead = await opened.jobs.lease("monitor", "dead", -1.0)
    alive = await opened.jobs.lease("monitor", "alive", 60)
    assert dead is not None
    assert alive is not None
    row = TallyRow("a", "support", 60, 120, {"n": {"ok": 1}})
    assert not await tallies.write([row], "monitor", 7, dead)
    assert await tallies.load(60, 0) == []
    assert await tallies.write([row], "monitor", 7, alive)
    again = TallyRow("a", "support", 60, 120, {"n": {"ok": 2}})
    other = TallyRow("b", "support", 60, 180, {"n": {"ok": 3}})
    assert await tallies.write([again, other], "monitor", 9, alive)
    assert await feed.begin("monitor") == 9
    assert await tallies.load(60, 0) == [again, other]
    assert await tallies.load(60, 0, tenant="b") == [other]
    assert await tallies.load(60, 121, 180) == []
    assert await tallies.known("a") == [("a", "support")]
    await tallies.expire(60, 180)
    assert await tallies.load(60, 0) == [other]
    await tallies.accept("a", "support", 5.0)
    await tallies.accept("a", "support", 6.0)
    assert await tallies.accepted() == {("a", "support"): 6.0}


def alert(number: int = 1, **changes: object) -> Alert:
    fields: dict[str, object] = {"tenant": "a", "rule": "latency", "application": "support", "name": ""}
    fields |= {"id": f"alert_{number}", "severity": "warning", "state": "firing", "summary": "slow"}
    return Alert(**{**fields, "raised_at": float(number), **changes})  # type: ignore[arg-type]


async def test_alerts_and_their_notices_are_one_commit(opened: Stores) -> None:
    alerts = Alerts(opened.database)
    assert await alerts.write([alert(1), alert(2)], [Notice("webhook:ops", "a", {"n": 1})], None)
    found = await opened.jobs.lease("alert:webhook:ops", "w", 60)
    assert found is not None
    assert found.payload == {"n": 1}
    assert [each.id for each in (await alerts.page("a", Page())).rows] == ["alert_2", "alert_1"]
    assert (await alerts.page("b", Page())).rows == []
    done = alert(1, state="resolved", cleared_at=9.0, told="resolved")
    assert await alerts.write([done, alert(2, told="firing")], [], None)
    assert [each.id for each in await alerts.open()] == ["alert_2"]
    assert [each.id for each in (await alerts.page("a", Page(), state="resolved")).rows] == ["alert_1"]


async def test_who_acknowledges_first_stays(opened: Stores) -> None:
    alerts = Alerts(opened.database)
    await alerts.write([alert()], [], None)
    with pytest.raises(NotFound):
        await alerts.acknowledge("b", "alert_1", "stranger")
    assert (await alerts.acknowledge("a", "alert_1", "anna")).acknowledged_by == "anna"
    assert (await alerts.acknowledge("a", "alert_1", "bert")).acknowledged_by == "anna"
    # Whoever watches writes what it knows, and that is not who acknowledged.
    await alerts.write([alert(told="firing")], [], None)
    assert (await alerts.get("a", "alert_1")).acknowledged_by == "anna"
    assert (await alerts.acknowledged([alert()]))["alert_1"][0] == "anna"


async def test_silences_end_by_themselves_or_by_hand(opened: Stores) -> None:
    alerts = Alerts(opened.database)
    await alerts.silence(Silence("a", "s1", "latency", "", "works", "anna", 0.0, 100.0))
    assert [each.id for each in await alerts.silences(50.0)] == ["s1"]
    assert await alerts.silences(50.0, "b") == []
    assert await alerts.silences(100.0) == []
    with pytest.raises(NotFound):
        await alerts.speak("b", "s1")
    await alerts.speak("a", "s1")
    assert await alerts.silences(50.0) == []


async def test_one_of_several_servers_watches_and_another_takes_over(opened: Stores) -> None:
    chosen = MonitorSettings(every_s=0.05, bucket_s=1, lease_s=1)
    one, two = (Monitor(chosen, opened.database, opened.jobs) for _ in range(2))

    async def counted() -> int:
        rows = await Tallies(opened.database).load(1, 0)
        return sum(row.counted["n"].get("ok", 0) for row in rows)

    async def until(count: int) -> None:
        async with asyncio.timeout(30):
            while await counted() < count:
                await asyncio.sleep(0.05)

    async with two.watching():
        async with one.watching():
            await opened.events.append(*(event(status="completed") for _ in range(10)))
            await until(10)
            job = await opened.jobs.get("", "monitor")
            await asyncio.sleep(0.5)
            assert (await opened.jobs.get("", "monitor")).owner == job.owner
        await opened.events.append(*(event(status="completed") for _ in range(5)))
        await until(15)
        await asyncio.sleep(0.3)
        assert await counted() == 15
    assert (await opened.jobs.get("", "monitor")).state == "waiting"
