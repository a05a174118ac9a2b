"""Facts about persons: superseded ones are not told, forgotten ones stay forgotten, nobody else finds any."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import InvalidRequest, NotFound, QuotaExceeded
from mainspring.core.settings import Settings
from mainspring.core.types import CONFINED, Principal
from mainspring.features.memory.extract import facts_of
from mainspring.features.memory.holdings import PersonalMemories
from mainspring.features.memory.persons import People, Person
from mainspring.features.memory.settings import MemorySettings
from mainspring.features.memory.store import AddedFact, MemoryStore, New
from mainspring.features.memory.tables import memories, memory_forgotten, memory_people
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject, SubjectAnswer, SubjectData

ME = Principal("acme", "key_1", groups=frozenset({"staff"}))
LATER = 10.0**12


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


def kept(opened: Stores, **settings: Any) -> MemoryStore:
    return MemoryStore(opened.database, MemorySettings(**settings))


async def told(
    store: MemoryStore, text: str, who: Principal = ME, user: str = "", **more: Any
) -> list[AddedFact | None]:
    return [await store.add(who, user, New(each.text, each.kind, each.slot, **more)) for each in facts_of(text)]


async def texts(store: MemoryStore, who: Principal = ME, user: str = "", **more: Any) -> list[str]:
    return [each.text for each in await store.all(who, user, **more)]


async def test_a_later_fact_supersedes_and_the_old_one_is_history(opened: Stores) -> None:
    store = kept(opened)
    [old] = await told(store, "I live in Berlin.")
    [new] = await told(store, "I moved to Lisbon.")
    assert old is not None
    assert new is not None
    assert new.superseded == (old.memory.id,)
    assert await texts(store) == ["I moved to Lisbon"]
    [past] = await store.history(ME, "", new.memory.id)
    assert (past.text, past.superseded_by) == ("I live in Berlin", new.memory.id)
    await told(store, "I live in Porto.")
    assert await texts(store) == ["I live in Porto"]


async def test_the_opposite_supersedes(opened: Stores) -> None:
    store = kept(opened)
    await told(store, "I love coffee.")
    await told(store, "I don't like coffee any more.")
    assert await texts(store) == ["I don't like coffee any more"]


async def test_the_same_fact_is_kept_once(opened: Stores) -> None:
    store = kept(opened)
    await told(store, "I live in Berlin.")
    [again] = await told(store, "I live in Berlin.")
    assert again is not None
    assert not again.new
    await told(store, "I went to Paris with my wife last week.")
    await told(store, "Last week I went to Paris with my wife.")
    assert len(await texts(store)) == 2


async def test_independent_facts_do_not_supersede_each_other(opened: Stores) -> None:
    store = kept(opened)
    for text in (
        "My sister is called Ann.",
        "My brother is called Ben.",
        "I love tea.",
        "I love Rome.",
        "I own a car.",
    ):
        await told(store, text)
    assert len(await texts(store)) == 5


async def test_forgotten_stays_forgotten_with_its_history_and_vector(opened: Stores) -> None:
    store = kept(opened)
    await told(store, "I live in Berlin.")
    [new] = await told(store, "I moved to Lisbon.")
    assert new is not None
    await store.embed(Person.of(ME, ""), "small", {new.memory.id: np.ones(4)})
    assert await store.forget(ME, "", new.memory.id) == 2
    count = memories.select()
    assert await opened.database.read(lambda connection: connection.execute(count).all()) == []
    # Both are still in old conversations, from which nothing is taken up again.
    assert await told(store, "I live in Berlin.") == [None]
    assert await told(store, "I moved to Lisbon.") == [None]
    marks = await opened.database.read(lambda connection: connection.execute(memory_forgotten.select()).all())
    assert "Berlin" not in str(marks)
    assert "berlin" not in str(marks)
    # By hand it can be told again.
    assert await store.add(ME, "", New("I live in Berlin", "fact", "home", "person")) is not None


async def test_an_edit_keeps_the_former_words_as_history(opened: Stores) -> None:
    store = kept(opened)
    [first] = await told(store, "I live in Berlin.")
    assert first is not None
    made = await store.edit(ME, "", first.memory.id, "I live in Bern", "fact", "home")
    assert await texts(store) == ["I live in Bern"]
    assert [each.text for each in await store.history(ME, "", made.id)] == ["I live in Berlin"]
    with pytest.raises(NotFound, match="history"):
        await store.edit(ME, "", first.memory.id, "I live in Basel", "fact", "home")
    with pytest.raises(InvalidRequest):
        await store.edit(ME, "", made.id, "  ", "fact", "")


@pytest.mark.parametrize(
    ("other", "user"),
    [
        (Principal("acme", "key_2", groups=ME.groups), ""),
        (Principal("other", "key_1", groups=ME.groups), ""),
        (Principal("acme", "key_1"), ""),
        (Principal("acme", "key_1", groups=ME.groups | {CONFINED + "docs"}), ""),
        (ME, "ada"),
    ],
)
async def test_nobody_else_finds_a_fact(opened: Stores, other: Principal, user: str) -> None:
    store = kept(opened)
    [made] = await told(store, "I live in Berlin.")
    assert made is not None
    name = made.memory.id
    assert await texts(store, other, user) == []
    assert await store.unembedded(other, user, "small") == []
    for asked in (
        store.get(other, user, name),
        store.history(other, user, name),
        store.edit(other, user, name, "I live in Rome", "fact", "home"),
        store.forget(other, user, name),
    ):
        with pytest.raises(NotFound):
            await asked
    # What others say supersedes nothing of mine.
    await told(store, "I live in Rome.", other, user)
    assert "I live in Berlin" in await texts(store)


async def test_the_key_that_replaces_one_finds_its_facts(opened: Stores) -> None:
    await told(kept(opened), "I live in Berlin.")
    heir = Principal("acme", "key_9", groups=ME.groups, identity="key_1")
    assert await texts(kept(opened), heir) == ["I live in Berlin"]


async def test_a_sessions_facts_stay_in_it_and_expire(opened: Stores) -> None:
    store = kept(opened, session_hours=1)
    await told(store, "I live in Berlin.", session_id="s1")
    assert await texts(store, session_id="s1") == ["I live in Berlin"]
    assert await texts(store, session_id="s2") == []
    assert await texts(store, session_id="") == []
    late = memories.update().values(expires_at=time.time() - 1)
    await opened.database.write(lambda connection: connection.execute(late))
    assert await texts(store, session_id="s1") == []
    assert await store.expire() == 1


async def test_unused_facts_go_after_their_time(opened: Stores) -> None:
    store = kept(opened, retention_days=10)
    await told(store, "I live in Berlin. I love tea.")
    old = memories.update().where(memories.c.slot == "home").values(updated_at=time.time() - 11 * 86_400)
    await opened.database.write(lambda connection: connection.execute(old))
    assert await store.expire() == 1
    assert await texts(store) == ["I love tea"]


async def test_the_least_used_go_beyond_the_bound(opened: Stores) -> None:
    store = kept(opened, max_facts=2)
    [first] = await told(store, "I love tea.")
    assert first is not None
    await store.used(Person.of(ME, ""), [first.memory.id])
    await told(store, "I love Rome.")
    await told(store, "I own a car.")
    assert "I love tea" in await texts(store)
    assert len(await texts(store)) == 2


async def test_card_numbers_are_not_kept(opened: Stores) -> None:
    store = kept(opened)
    await store.add(ME, "", New("My card is 4111 1111 1111 1111", "fact", origin="person"))
    assert "4111" not in str(await texts(store))
    with pytest.raises(InvalidRequest):
        await store.all(ME, "4111 1111 1111 1111")


async def test_erasure_and_export_reach_users_keys_answers_and_sessions(opened: Stores) -> None:
    store, people = kept(opened), People(opened.database)
    holding = PersonalMemories(opened.database, opened.blobs)
    await people.decide(Person.of(ME, "ada"), "granted")
    await told(store, "I live in Berlin.", user="ada")
    [new] = await told(store, "I moved to Lisbon.", user="ada")
    assert new is not None
    await told(store, "I love tea.", user="bob", answer_id="ans_1")
    await told(store, "I own a car.", user="bob", session_id="s1")
    ada = Subject("acme", "user", "ada")
    # History is shown, too; groups that the reader lacks are not.
    assert len(await holding.find(ada, SubjectData(), LATER)) == 2
    assert await holding.find(ada, SubjectData(), LATER, frozenset()) == []
    assert len(await holding.find(Subject("acme", "session", "s1"), SubjectData(), LATER)) == 1
    assert await holding.erase(ada, SubjectData(), LATER) == 2
    assert await people.consent(Person.of(ME, "ada")) == ""
    held = SubjectData(answers={"ans_1": SubjectAnswer("ans_1", "t", 1.0)})
    assert await holding.erase(Subject("acme", "user", "eve"), held, LATER) == 1
    assert await texts(store, user="bob") == ["I own a car"]
    assert await holding.erase(Subject("acme", "key", "key_1"), SubjectData(), LATER) == 1
    for table in (memories, memory_people, memory_forgotten):
        assert await opened.database.read(partial(_count, table)) == 0


def _count(table: sa.Table, connection: sa.Connection) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


async def test_a_tenant_has_so_many_facts_and_persons(opened: Stores) -> None:
    store, deciding = kept(opened, tenant_facts=2), People(opened.database, 1)
    assert await told(store, "I live in Berlin.", user="ann")
    assert await told(store, "I like tea.", user="bob")
    # Nothing more is learnt of whoever it is; by hand it is refused by name, and others are not concerned.
    assert await told(store, "I like milk.", user="cy") == [None]
    with pytest.raises(QuotaExceeded, match=r"2 facts.*memory\.tenant_facts"):
        await told(store, "I like milk.", user="cy", origin="person")
    assert await told(store, "I like milk.", Principal("other", "key_1")) != [None]
    # What is known already is no more of it.
    [same] = await told(store, "I like tea.", user="bob")
    assert same is not None
    assert not same.new
    ann, bob = Person("acme", "key_1", "ann"), Person("acme", "key_1", "bob")
    await deciding.decide(ann, "granted")
    await deciding.decide(ann, "refused")
    with pytest.raises(QuotaExceeded, match=r"1 persons.*memory\.persons"):
        await deciding.decide(bob, "granted")
    await deciding.decide(Person("other", "key_1", "bob"), "granted")
