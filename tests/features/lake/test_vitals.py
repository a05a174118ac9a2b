"""What the lake tells of itself: events that cannot be read or wait, and builds and days that are unlike the others."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

import mainspring.features.lake.vitals as vitals_module
import mainspring.stores.sql.rows as rows
from mainspring.evaluation.vitals import Vital, Vitals
from mainspring.features.lake.tables import lake_builds, lake_files
from mainspring.features.lake.vitals import _date
from mainspring.stores.schema import contents
from tests.features.lake.world import World


async def told(world: World, later: float = 0.0, **lake: Any) -> dict[str, Vital]:
    of = World(world.stores, world.settings.home, **lake).lake
    assert isinstance(of, Vitals)
    return {each.name: each for each in await of.vitals(time.time() + later)}


async def insert(world: World, table: sa.Table, *found: dict[str, Any]) -> None:
    await world.stores.database.write(lambda link: link.execute(sa.insert(table), list(found)) and None)


async def built(world: World, *reports: dict[str, Any]) -> None:
    """Builds, the oldest first."""
    for place, report in enumerate(reports):
        row = {"tenant": "acme", "id": f"b{place}", "state": "done", "created_at": float(place)}
        await insert(world, lake_builds, {**row, "report": rows.dump(report)})


async def test_a_healthy_lake_tells_nothing_that_is_wrong(world: World) -> None:
    await world.say("Hello?")
    await world.lake.syncing.sync()
    await world.lake.building.build("acme")
    assert not any(each.wrong for each in (await told(world, mode="stream")).values())


async def test_events_that_wait_and_events_that_cannot_be_read(world: World) -> None:
    await world.say("Hello?", ago=60.0)
    assert (await told(world, mode="stream"))["waiting"].wrong is False
    late = (await told(world, 3600, mode="stream"))["waiting"]
    assert (late.tenant, late.wrong, late.unit) == ("acme", True, "s")
    assert late.value > 3600
    # Where only commands bring events in, nothing follows.
    assert "waiting" not in await told(world, 3600)
    await world.stores.database.write(lambda link: link.execute(sa.update(contents).values(text="{")) and None)
    await world.lake.syncing.sync()
    found = await told(world, 3600, mode="stream")
    assert "waiting" not in found
    assert (found["set aside"].value, found["set aside"].wrong) == (1, True)


@pytest.mark.parametrize(
    ("newest", "name", "wrong"),
    [
        ({"personal_data_rate": 0.25}, "personal data", True),
        ({"personal_data_rate": 0.15}, "personal data", False),
        ({"duplicate_rate": 0.4}, "duplicate", True),
        ({"quality_rate": 0.6}, "quality", True),
        ({"quality_rate": 1.0}, "quality", False),
    ],
)
async def test_a_build_that_is_unlike_those_before(
    world: World, newest: dict[str, float], name: str, wrong: bool
) -> None:
    usual = {"interactions": 1000, "ready": 900, "quality_rate": 0.9, "personal_data_rate": 0.1, "duplicate_rate": 0.2}
    await built(world, usual, usual, {**usual, **newest})
    found = (await told(world))[name]
    assert found.wrong is wrong
    assert found.before == pytest.approx(usual[f"{name.replace(' ', '_')}_rate"])


async def test_what_is_new_is_compared_and_not_what_all_builds_have(world: World) -> None:
    usual = {"interactions": 100_000, "personal_data_rate": 0.1}
    new = {"interactions": 5_000, "rated": 0, "personal_data_rate": 0.1}
    bad = {**usual, "personal_data_rate": 0.13, "new": {**new, "personal_data_rate": 0.7}}
    await built(world, usual, {**usual, "new": new}, bad)
    found = (await told(world))["personal data"]
    assert (found.value, found.before, found.samples, found.wrong) == (0.7, 0.1, 5_000, True)


async def test_a_build_tells_of_its_new_interactions_by_themselves(world: World) -> None:
    for number in range(3):
        await world.say(f"Question {number}: where does the lease of garage {number} end, please?", ago=3600.0)
    await world.lake.syncing.sync()
    first = (await world.lake.building.build("acme")).report
    assert first["new"]["interactions"] == first["interactions"] == 3
    assert first["new"]["personal_data_rate"] == first["personal_data_rate"] == 0
    later = await world.say("Write to ann.miller@example.com about the lease of garage 7, please.", ago=0.0)
    await world.think(later, "up")
    await world.say("Question 1: where does the lease of garage 1 end, please?", ago=0.0)
    await world.lake.syncing.sync()
    second = (await world.lake.building.build("acme")).report
    assert (second["interactions"], second["personal_data_rate"]) == (5, 0.2)
    assert second["new"] == {
        "interactions": 2,
        "rated": 1,
        "quality_rate": 1.0,
        "personal_data_rate": 0.5,
        "duplicate_rate": 0.5,
    }


async def test_few_interactions_are_not_compared(world: World) -> None:
    usual = {"interactions": 100, "personal_data_rate": 0.0}
    await built(world, usual, usual, {**usual, "personal_data_rate": 0.5})
    assert await told(world) == {}


def file(day: int, count: int) -> dict[str, Any]:
    """The row of a file with interactions of some days ago."""
    date = _date(time.time() - 86_400 * day)
    base = {"tenant": "acme", "id": f"f{day}", "zone": "clean", "kind": "", "date": date, "path": f"f{day}"}
    return {**base, "rows": count, "first_at": 0.0, "last_at": 0.0, "created_at": 0.0}


async def test_a_day_with_half_of_the_usual_interactions(world: World) -> None:
    await insert(world, lake_files, file(1, 100), *(file(day, 400) for day in range(2, 16)))
    found = (await told(world))["volume"]
    assert (found.value, found.before, found.limit, found.wrong) == (100, 400, 200, True)


async def test_a_quiet_day_of_the_week_is_as_it_always_is(world: World) -> None:
    # An office: yesterday was a Saturday, and so were the eighth day before and the fifteenth.
    days = {day: 250 if day % 7 == 1 else 5_000 for day in range(1, 22)}
    await insert(world, lake_files, *(file(day, count) for day, count in days.items()))
    found = (await told(world))["volume"]
    assert (found.value, found.before, found.wrong) == (250, 250, False)
    # Seen in the first week, there is nothing to compare it with.
    gone = sa.delete(lake_files).where(lake_files.c.id.in_([f"f{day}" for day in days if day > 7]))
    await world.stores.database.write(lambda link: link.execute(gone) and None)
    assert "volume" not in await told(world)


async def test_an_event_of_long_ago_has_waited_since_it_came(world: World) -> None:
    await world.say("Hello?", ago=100 * 86_400.0)
    assert (await told(world, mode="stream"))["waiting"].value < 60
    assert (await told(world, 3600, mode="stream"))["waiting"].wrong


async def test_only_new_interactions_tell_how_long_data_takes(world: World) -> None:
    await world.say("Hello?", ago=86_400.0)
    await world.lake.syncing.sync()
    first = await world.lake.building.build("acme")
    assert first.report["latency_s"]["p95"] > 86_000
    await world.say("And now?", ago=0.0)
    await world.lake.syncing.sync()
    second = await world.lake.building.build("acme")
    assert second.report["latency_s"]["p95"] < 3600
    found = (await told(world, alerts={"latency_s": 0.001}))["latency"]
    assert found.wrong


async def test_only_the_newest_builds_of_whom_there_is_a_new_one_are_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = {"interactions": 1000, "personal_data_rate": 0.1}
    await built(world, *[usual] * 20, {**usual, "personal_data_rate": 0.3})
    other = {"tenant": "other", "state": "done", "report": rows.dump(usual)}
    await insert(world, lake_builds, {**other, "id": "b0", "created_at": 1.0})
    of = World(world.stores, world.settings.home).lake
    read: list[str] = []

    def load(text: str) -> Any:
        read.append(text)
        return rows.load(text)

    monkeypatch.setattr(vitals_module, "rows", SimpleNamespace(load=load))

    async def wrong() -> list[str]:
        read.clear()
        return [each.tenant for each in await of.vitals(time.time()) if each.wrong]

    assert (await wrong(), len(read)) == (["acme"], 6 + 1)
    assert (await wrong(), len(read)) == (["acme"], 0)
    worse = rows.dump({**usual, "personal_data_rate": 0.5})
    await insert(world, lake_builds, {**other, "id": "b1", "created_at": 2.0, "report": worse})
    failed = {**other, "id": "b2", "created_at": 3.0, "state": "failed"}
    await insert(world, lake_builds, failed)
    assert (await wrong(), len(read)) == (["acme", "other"], 2)
    gone = sa.delete(lake_builds).where(lake_builds.c.tenant == "acme")
    await world.stores.database.write(lambda link: link.execute(gone) and None)
    assert (await wrong(), len(read)) == (["other"], 0)


async def test_no_table_of_all_builds_or_files_is_read_through(world: World) -> None:
    seen: list[tuple[str, Any]] = []

    def watch(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "lake_builds" in statement or "lake_files" in statement:
            seen.append((statement, parameters))

    await built(world, {"interactions": 1})
    sa.event.listen(sa.Engine, "before_cursor_execute", watch)
    try:
        await told(world)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", watch)
    assert len(seen) == 3

    def plans(connection: sa.Connection) -> list[str]:
        explained = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {each}", of).all() for each, of in seen]
        return [str(row[3]) for found in explained for row in found if "lake_" in row[3]]

    found = await world.stores.database.read(plans)
    assert found
    assert not [each for each in found if each.startswith("SCAN")], found
    assert any("tenant=? AND zone=? AND kind=? AND date=?" in each for each in found), found
