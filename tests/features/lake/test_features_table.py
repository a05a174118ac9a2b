"""The feature table: present values are the sum of changes, and no value comes from the future."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring import stores
from mainspring.core.errors import InvalidRequest
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from mainspring.features.lake.features_table.changes import AnswerEvent, changes, folded, grown
from mainspring.features.lake.features_table.following import Following
from mainspring.features.lake.features_table.holding import HeldFeatures
from mainspring.features.lake.features_table.reading import FeatureKey, FeatureTable
from mainspring.features.lake.features_table.tables import lake_feature_rows
from mainspring.stores.erase import erasing
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.erase.data_subjects import find as find_held
from mainspring.stores.events.audit_log import Actor
from mainspring.stores.schema import contents, events
from mainspring.stores.sql import ids
from tests.features.insights.world import Embedder
from tests.features.lake.world import World

ANSWER = AnswerFacts.from_json({"status": "completed", "operation": "chat"})


def thumb(rating: str, before: str = "") -> FeedbackFacts:
    return FeedbackFacts(key_id="k", rating=rating, comment=None, edited=False, instead_of=before)


histories = st.lists(
    st.tuples(st.floats(0, 100), st.lists(st.tuples(st.floats(0, 100), st.sampled_from(["up", "down"])), max_size=3)),
    max_size=6,
)


@given(histories, st.floats(0, 120))
@settings(max_examples=150, deadline=None)
def test_features_as_of_a_time_are_those_of_a_world_that_ends_then(history: Any, cut: float) -> None:
    """Whatever happens at ``cut`` or later, and in whichever order it is read, the features before it are the same."""

    def all_changes(until: float) -> list[Any]:
        made: list[Any] = []
        for number, (at, thumbs) in enumerate(history):
            told = [AnswerEvent(f"a{number}", at, ANSWER)]
            # Feedback comes after its answer.
            told += [
                AnswerEvent(f"f{number}.{place}", at + late, thumb(said)) for place, (late, said) in enumerate(thumbs)
            ]
            known = [each for each in told if each.at < until]
            made += changes(known, "ada", ["doc"])
        return made

    everything, then = all_changes(float("inf")), all_changes(cut)
    for entity, name in (("user", "ada"), ("document", "doc")):
        before = [each for each in everything if each.entity == entity and each.id == name and each.at < cut]
        assert sorted(before, key=repr) == sorted((each for each in then if each.entity == entity), key=repr)
        rows: dict[str, list[float]] = {}
        for each in before:
            row = rows.setdefault(each.name, [0.0, float("-inf")])
            row[0], row[1] = row[0] + each.value, max(row[1], each.at)
        assert folded(entity, [(key, value, at) for key, (value, at) in rows.items()]) == grown(
            entity, {}, list(reversed(before))
        )


async def say(world: World, user: str, at: float, cites: tuple[str, ...] = (), thumbs: Any = ()) -> str:
    """An answer at a time, and feedback at later times."""
    answer = ids.new("ans_")
    content: dict[str, Any] = {"messages": [{"role": "user", "content": f"question of {user} at {at}"}]}
    content |= {"choices": [{"text": "Yes."}], "citations": [{"document_id": each} for each in cites]}
    import json

    records = [EventRecord(answer, at, "acme", "t", answer, ANSWER, json.dumps(content), consent=True, person=user)]
    for when, facts in thumbs:
        records.append(EventRecord(ids.new("evt_"), when, "acme", "t", answer, facts))
    await world.stores.events.append(*records)
    return answer


async def test_present_values_are_those_of_all_changes_and_older_ones_of_their_time(world: World) -> None:
    table = FeatureTable(world.stores.database)
    await say(world, "ada", 100.0, ("doc", "map"), [(150.0, thumb("up"))])
    await say(world, "ada", 300.0, ("doc",), [(350.0, thumb("up")), (360.0, thumb("down", "up"))])
    await say(world, "bob", 200.0)
    following = Following(world.stores.database)
    assert await following.sync() == 6
    assert await following.sync() == 0
    now = (await table.now("acme", "user", "ada")).features
    assert now == {"questions": 2, "thumbs_up": 1, "thumbs_down": 1, "last_seen": 300.0}
    assert (await table.now("acme", "document", "doc")).features["cited"] == 2
    read = await table.read("acme", [FeatureKey("user", "ada", at) for at in (100.0, 100.1, 150.1, 355.0, 10.0**9)])
    assert [each.features for each in read] == [
        {},
        {"questions": 1, "last_seen": 100.0},
        {"questions": 1, "thumbs_up": 1, "last_seen": 100.0},
        {"questions": 2, "thumbs_up": 2, "last_seen": 300.0},
        now,
    ]
    assert (await table.now("other", "user", "ada")).features == {}
    with pytest.raises(InvalidRequest):
        FeatureKey("planet", "x")


async def test_opinions_that_come_before_their_answer_are_counted_with_it(world: World) -> None:
    """An import may bring them in this order."""
    event = EventRecord(ids.new("evt_"), 150.0, "acme", "t", "ans_late", thumb("up"))
    await world.stores.events.append(event)
    following = Following(world.stores.database)
    await following.sync()
    answer = EventRecord("ans_late", 100.0, "acme", "t", "ans_late", ANSWER, person="ada")
    await world.stores.events.append(answer)
    await following.sync()
    found = await FeatureTable(world.stores.database).now("acme", "user", "ada")
    assert found.features == {"questions": 1, "thumbs_up": 1, "last_seen": 100.0}


async def test_a_vector_is_the_mean_of_the_questions_of_its_time(world: World) -> None:
    embedder: Any = Embedder()
    for at in (100.0, 200.0, 300.0):
        await say(world, "ada", at)
    await Following(world.stores.database, embedder).sync()
    table = FeatureTable(world.stores.database)
    now, early = await table.read("acme", [FeatureKey("user", "ada"), FeatureKey("user", "ada", 250.0)])
    assert (now.embedded, early.embedded) == (3, 2)
    said = [f"question of ada at {at}" for at in (100.0, 200.0, 300.0)]
    vectors = (await embedder.embed(said)).vectors
    assert now.embedding is not None
    assert early.embedding is not None
    np.testing.assert_allclose(now.embedding, vectors.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(early.embedding, vectors[:2].mean(axis=0), atol=1e-6)


async def test_what_is_erased_is_counted_no_more(world: World) -> None:
    embedder: Any = Embedder()
    await say(world, "ada", 100.0, ("doc",), [(150.0, thumb("up"))])
    await say(world, "bob", 200.0, ("doc",))
    following, table = Following(world.stores.database, embedder), FeatureTable(world.stores.database)
    await following.sync()
    subject = Subject("acme", "user", "ada")
    held = await world.stores.database.read(lambda connection: find_held(connection, subject, 10.0**12))
    holding = HeldFeatures(world.stores.database, world.stores.blobs)
    assert [each["features"]["questions"] for each in await holding.find(subject, held, 10.0**12)] == [1]
    await world.stores.database.write(lambda it: erasing.answers(it, "acme", list(held.answers)) and None)
    assert await holding.erase(subject, held, 10.0**12) == 4
    assert (await table.now("acme", "user", "ada")).features == {}
    assert (await table.now("acme", "document", "doc")).features == {"cited": 1, "last_seen": 200.0}
    assert await holding.erase(subject, held, 10.0**12) == 0
    assert await holding.erase(Subject("acme", "tenant", "acme"), SubjectData(), 10.0**12) > 0
    count = sa.select(sa.func.count()).select_from(lake_feature_rows)
    assert await world.stores.database.read(lambda it: it.execute(count).scalar_one()) == 0


async def test_two_at_once_count_each_event_once(world: World) -> None:
    for number in range(20):
        await say(world, "ada", 100.0 + number)
    await asyncio.gather(*(Following(world.stores.database).sync() for _ in range(3)))
    await Following(world.stores.database).sync()
    found = await FeatureTable(world.stores.database).now("acme", "user", "ada")
    assert found.features["questions"] == 20


async def test_a_present_read_is_one_statement_by_key(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        said: list[str] = []
        table = FeatureTable(opened.database)
        await table.now("acme", "user", "ada")

        def note(*given: Any) -> None:
            said.append(str(given[2]))

        sa.event.listen(sa.Engine, "before_cursor_execute", note)
        try:
            await table.now("acme", "user", "ada")
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", note)
        assert len([each for each in said if each.lstrip().upper().startswith("SELECT")]) == 1


async def test_withdrawn_consent_takes_the_vectors_and_leaves_the_counts(world: World) -> None:
    embedder: Any = Embedder()
    await say(world, "ada", 100.0)
    await say(world, "bob", 200.0)
    following, table = Following(world.stores.database, embedder), FeatureTable(world.stores.database)
    await following.sync()
    await world.lake.withdrawing.withdraw(Subject("acme", "user", "ada"), Actor("key_0"))
    ada, bob = await table.read("acme", [FeatureKey("user", each) for each in ("ada", "bob")])
    assert (ada.embedded, ada.embedding, ada.features["questions"]) == (0, None, 1)
    assert bob.embedded == 1
    early = await table.read("acme", [FeatureKey("user", "ada", 10.0**9)])
    assert early[0].embedded == 0


async def test_consent_withdrawn_while_questions_are_embedded_counts(world: World) -> None:
    await say(world, "ada", 100.0)
    plain: Any = Embedder()

    class Slow:
        name = "slow"

        async def embed(self, texts: Any, kind: str = "document") -> Any:
            await world.lake.withdrawing.withdraw(Subject("acme", "user", "ada"), Actor("key_0"))
            return await plain.embed(texts, kind)

    slow: Any = Slow()
    await Following(world.stores.database, slow).sync()
    found = await FeatureTable(world.stores.database).now("acme", "user", "ada")
    assert (found.embedded, found.features["questions"]) == (0, 1)


@pytest.mark.parametrize("text", ["{no json", "[]", '{"citations": [7]}'])
async def test_an_answer_that_cannot_be_read_stops_no_other(world: World, text: str) -> None:
    bad = await world.say("Where is the sun?", user="ada")
    await world.say("Where is the moon?", user="bob")
    mine = sa.select(events.c.content_id).where(events.c.id == bad)
    damage = sa.update(contents).where(contents.c.sha256.in_(mine)).values(text=text)
    await world.stores.database.write(lambda connection: connection.execute(damage) and None)
    following = Following(world.stores.database)
    assert await following.sync() == 2
    found = await FeatureTable(world.stores.database).read("acme", [FeatureKey("user", "bob")])
    assert found[0].features["questions"] == 1
    assert await following.sync() == 0
