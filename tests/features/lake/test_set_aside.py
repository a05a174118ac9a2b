"""What is wrong with one event stops no other: it is set aside, counted, told, and tried again."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from mainspring.features.lake.files.columns import raw_row
from mainspring.features.lake.holdings import LakeRows
from mainspring.features.lake.stream import preparing, set_aside_events
from mainspring.stores.erase.data_subjects import Subject, SubjectAnswer, SubjectData
from mainspring.stores.schema import contents, events
from tests.features.lake.world import World


async def _change(world: World, table: sa.Table, found: Any, **values: object) -> None:
    await world.stores.database.write(
        lambda link: link.execute(sa.update(table).where(found).values(**values)) and None
    )


async def _damage(world: World, answer_id: str, text: str = "{no json") -> str:
    """Damage the stored text of an answer; the text that it had."""
    mine = sa.select(events.c.content_id).where(events.c.id == answer_id)
    query = sa.select(contents.c.text).where(contents.c.sha256.in_(mine))
    before = await world.stores.database.read(lambda link: link.execute(query).scalar_one())
    await _change(world, contents, contents.c.sha256.in_(mine), text=text)
    return str(before)


async def _told(world: World) -> dict[str, Any]:
    found = await world.lake.summary("acme", frozenset())
    return dict(found["set_aside"])


async def test_an_answer_that_cannot_be_joined_stops_no_other(world: World) -> None:
    bad = await world.say("Where is the sun?")
    good = await world.say("Where is the moon?")
    before = await _damage(world, bad)
    done = await world.lake.syncing.sync()
    assert done is not None
    assert (done.interactions, done.set_aside, done.events) == (1, 1, 4)
    assert [each.answer_id for each in await world.interactions()] == [good]
    told = await _told(world)
    assert told["count"] == 1
    assert {"what": "answer", "id": bad, "error": "JSONDecodeError", "tries": 1}.items() <= told["latest"][0].items()
    assert "sun" not in str(told)
    # It is not due yet; asked for by hand, it is tried and fails once more.
    await world.lake.syncing.sync()
    assert (await _told(world))["latest"][0]["tries"] == 1
    await world.lake.syncing.sync(retry=True)
    assert (await _told(world))["latest"][0]["tries"] == 2
    await _change(world, contents, contents.c.text == "{no json", text=before)
    done = await world.lake.syncing.sync(retry=True)
    assert done is not None
    assert done.interactions == 1
    assert sorted(each.answer_id for each in await world.interactions()) == sorted([bad, good])
    assert (await _told(world)) == {"count": 0, "latest": []}


@pytest.mark.parametrize(
    "values", [{"facts": "[1, 2]"}, {"at": 1e18}, {"facts": '{"status": "completed", "groups": [{}], "key_id": []}'}]
)
async def test_an_event_that_is_no_row_comes_once_when_it_can_be_read(world: World, values: dict[str, object]) -> None:
    bad = await world.say("Where is the sun?")
    good = await world.say("Where is the moon?")
    row = await world.stores.database.read(
        lambda link: link.execute(sa.select(events.c.facts, events.c.at).where(events.c.id == bad)).one()
    )
    await _change(world, events, events.c.id == bad, **values)
    assert (await world.lake.syncing.sync()) is not None
    assert good in [each.answer_id for each in await world.interactions()]
    assert bad not in [each.answer_id for each in await world.interactions()]
    assert (await _told(world))["count"] >= 1
    await _change(world, events, events.c.id == bad, facts=row.facts, at=row.at)
    await world.lake.syncing.sync(retry=True)
    await world.lake.syncing.sync(retry=True)
    assert (await _told(world))["count"] == 0
    found = await world.lake.sql.query("acme", "SELECT id, count(*) FROM answer GROUP BY 1 ORDER BY 1")
    assert found.rows == sorted([[bad, 1], [good, 1]])
    assert sorted(each.answer_id for each in await world.interactions()) == sorted([bad, good])


async def test_a_row_that_its_columns_cannot_hold_is_set_aside(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.say("Where is the sun?")
    await world.say("Where is the moon?")
    seen: list[str] = []

    def odd(head: dict[str, Any], kind: str, facts: dict[str, Any]) -> dict[str, Any]:
        made = raw_row(head, kind, facts)
        if kind == "answer":
            seen.append(head["id"])
        return {**made, "consent": "perhaps"} if kind == "answer" and len(seen) == 1 else made

    with monkeypatch.context() as patched:
        patched.setattr(preparing, "raw_row", odd)
        await world.lake.syncing.sync()
    assert (await _told(world))["count"] == 1
    assert len((await world.lake.sql.query("acme", "SELECT id FROM answer")).rows) == 1
    await world.lake.syncing.sync(retry=True)
    assert len((await world.lake.sql.query("acme", "SELECT id FROM answer")).rows) == 2


async def test_what_is_erased_is_set_aside_no_longer(world: World) -> None:
    bad = await world.say("Where is the sun?", user="ada")
    other = await world.say("Where is the moon?", user="bob")
    for each in (bad, other):
        await _damage(world, each)
    await world.lake.syncing.sync()
    holding = LakeRows(world.stores.database, world.stores.blobs)
    held = SubjectData(answers={bad: SubjectAnswer(bad, "", 0.0)})
    await holding.erase(Subject("acme", "user", "ada"), held, 9e9)
    assert [each["id"] for each in (await _told(world))["latest"]] == [other]
    await world.stores.database.write(lambda link: link.execute(sa.delete(events).where(events.c.id == other)) and None)
    await world.lake.syncing.sync(retry=True)
    assert (await _told(world))["count"] == 0


async def test_tries_come_less_and_less_often(world: World) -> None:
    found = set_aside_events.Aside("acme", "event", "event-1", "ValueError")
    waits = []
    for _ in range(14):
        await world.stores.database.write(lambda link: set_aside_events.put(link, [found], 1000.0))
        waits.append((await _told(world))["latest"][0]["retry_at"] - 1000)
    assert waits[:3] == [60, 120, 240]
    assert waits[-1] == 86_400
