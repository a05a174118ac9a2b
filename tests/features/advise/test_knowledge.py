"""What a collection tells of how often its facts change, and rows for training that an erasure takes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring.core.types import Principal
from mainspring.features.advise.trying import knowledge, learning
from mainspring.features.advise.trying.running import AdviceWork
from mainspring.features.variants.service import _subjects as variant_subjects
from mainspring.features.variants.store import VariantStore
from mainspring.stores.erase.data_subjects import Subject, SubjectAnswer, SubjectData
from mainspring.stores.schema import documents, events
from mainspring.stores.sql import rows
from tests.features.advise.world import World, examples, world

DAY_S = 86_400.0


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as opened:
        yield opened


async def dated(home: World, key: str, created: float, updated: float, generation: int) -> None:
    values = {"created_at": created, "updated_at": updated, "generation": generation}
    changed = sa.update(documents).where(documents.c.source_key == key).values(**values)
    await home.lab.rooms.stores.database.write(lambda connection: connection.execute(changed) and None)


async def test_days_on_which_documents_came_or_came_anew_are_changes(home: World) -> None:
    await home.collection(("one", "two", "three", "four"))
    now = time.time()
    began = now - 30 * DAY_S
    # Two of the first hour, one that came on the tenth day, and one of the first that came anew on the twentieth.
    await dated(home, "doc-0", began, began, 1)
    await dated(home, "doc-1", began + 3600, began + 3600, 1)
    await dated(home, "doc-2", began + 10 * DAY_S, began + 10 * DAY_S, 1)
    await dated(home, "doc-3", began + 60, began + 20 * DAY_S + 60, 3)
    found = await knowledge.history(home.lab.rooms, home.who, "docs", now)
    assert (found.count, found.days, found.rereads) == (4, 2, 2)
    assert found.changes == pytest.approx(2.0)
    cost = await knowledge.ingestion(home.lab.rooms, home.who, "docs", found)
    assert cost["pieces"] == 4
    assert cost["seconds"] > 0


async def test_a_young_collection_tells_nothing(home: World) -> None:
    await home.collection()
    found = await knowledge.history(home.lab.rooms, home.who, "docs")
    assert found.changes is None


async def test_measured_changes_are_what_the_rule_weighs_if_nobody_tells(home: World) -> None:
    await home.collection(("one", "two"))
    began = time.time() - 10 * DAY_S
    await dated(home, "doc-0", began, began, 1)
    await dated(home, "doc-1", began + 2 * DAY_S, began + 2 * DAY_S, 1)
    made = await home.submit(home.wish(collection="docs", ways=("prompt", "rag")), count=40)
    await home.work()
    report = rows.load((await home.advise.store.get(home.who, made)).report)
    assert report["facts"]["source"] == "measured"
    assert report["facts"]["changes_per_month"] == pytest.approx(3.0, rel=0.01)


async def test_an_erasure_takes_rows_that_wait_to_be_trained_on(home: World) -> None:
    root = Path(home.lab.rooms.settings.home) / "advice"
    place = learning.folder(root, home.who.tenant, "adv_1")
    learn = [replace(each, sources=(f"ans_{number}",)) for number, each in enumerate(examples(3))]
    await learning.write(place, learn)
    (holding,) = [each for each in home.lab.rooms.stores.holdings if each.name == "advice"]
    subject = Subject(home.who.tenant, "user", "ann")
    assert await holding.erase(subject, SubjectData({"ans_9": SubjectAnswer("ans_9", "", 1.0)}), 9e9) == 0
    assert place.exists()
    assert await holding.erase(subject, SubjectData({"ans_1": SubjectAnswer("ans_1", "", 1.0)}), 9e9) == 1
    assert not place.exists()


async def test_examples_whose_people_did_not_agree_teach_nothing(home: World) -> None:
    answer = await home.lab.say("How long is the lease?", "A year.")
    told = [replace(each, sources=(answer,), split="train") for each in examples(40)[:10]]
    await home.lab.data.add_examples(home.who, "mixed", [*told, *examples(40)[10:20]])
    made = await home.advise.submit(home.who, "mixed", None, home.wish())
    await home.work()
    row = await home.advise.store.get(home.who, made.id)
    notes = rows.load(row.notes)
    assert (notes["learn"], notes["left_out"]) == (10, 10)
    assert "few-shot" not in notes["names"]


async def test_examples_of_a_group_s_data_set_are_the_group_s_in_a_prompt(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.who = replace(home.who, groups=frozenset({"hr"}))

    async def asker(*_: object) -> Principal:
        return home.who

    monkeypatch.setattr(AdviceWork, "_principal", asker)
    await home.submit(home.wish(ways=("few-shot",)), count=40)
    await home.work()
    (shots,) = home.door.admitted.values()
    assert shots.value["examples"]
    assert shots.groups == {"hr"}


async def test_copies_of_examples_go_with_every_person_and_document_of_them(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.features.variants.store._check_there", lambda *_: None)
    two, suite, older, plain = examples(4)
    learn = [
        replace(two, sources=("ans_1", "ans_2"), subject="ann"),
        replace(suite, documents=("doc_1", "col_1")),
        replace(older, group="doc_2"),
        plain,
    ]
    candidate = learning.examples_of("writer", learn, 4)
    assert candidate is not None
    stores = home.lab.rooms.stores
    kept = VariantStore(stores.database, kept=10, moves=10)
    await kept.admit("acme", candidate, variant_subjects(candidate), "key")
    root = Path(home.lab.rooms.settings.home) / "advice"
    holdings: dict[str, Any] = {each.name: each for each in stores.holdings}

    async def left() -> list[str]:
        (found,) = [each for each in await kept.candidates("acme") if each.status == "admitted"]
        return [each["question"] for each in found.candidate.value["examples"]]

    assert len(await left()) == 4
    subject = Subject("acme", "user", "ben")
    acts: tuple[Callable[[Any], Awaitable[object]], ...] = (
        lambda each: each.erase(subject, SubjectData({"ans_2": SubjectAnswer("ans_2", "", 1.0)}), 9e9),
        lambda each: each.forget_documents("acme", ["col_1"]),
        lambda each: each.forget_documents("acme", ["doc_2"]),
    )
    for gone, act in enumerate(acts, 1):
        # Rows that wait to be trained on go with the same.
        place = learning.folder(root, "acme", "adv_1")
        await learning.write(place, learn)
        for name in ("advice", "variants"):
            await act(holdings[name])
        assert not place.exists()
        assert await left() == [each.question for each in learn][gone:]


async def test_examples_whose_copies_no_erasure_would_find_teach_nothing(home: World) -> None:
    answer = await home.lab.say("How long is the lease?", "A year.", user="ann")
    agreed = sa.update(events).where(events.c.id == answer).values(consent=True)
    await home.lab.rooms.stores.database.write(lambda connection: connection.execute(agreed) and None)
    told = [replace(each, split="train") for each in examples(40)]
    given = [
        replace(told[0], subject="ann"),
        replace(told[1], subject="ann", sources=(answer,)),
        replace(told[2], subject="ben", sources=(answer,)),
        replace(told[3], trace_id="t1"),
        *told[4:10],
        *examples(60)[40:],
    ]
    await home.lab.data.add_examples(home.who, "mixed", given)
    made = await home.advise.submit(home.who, "mixed", None, home.wish())
    await home.work()
    notes = rows.load((await home.advise.store.get(home.who, made.id)).notes)
    assert (notes["learn"], notes["left_out"]) == (10, 3)
    (shots,) = home.door.admitted.values()
    assert told[1].question in {each["question"] for each in shots.value["examples"]}
