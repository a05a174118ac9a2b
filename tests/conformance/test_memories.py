"""Facts about persons on every SQL database: superseded, forgotten, confined, erased."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.core.errors import NotFound
from mainspring.core.types import CONFINED, Principal
from mainspring.features.memory.holdings import PersonalMemories
from mainspring.features.memory.persons import People, Person
from mainspring.features.memory.settings import MemorySettings
from mainspring.features.memory.store import MemoryStore, New
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from tests.databases import opened, settings

__all__ = ["opened", "settings"]
ME = Principal("a", "key_1", groups=frozenset({"staff"}))
LATER = 10.0**12


def home(text: str) -> New:
    return New(text, "fact", "home")


async def test_a_fact_is_superseded_embedded_forgotten_and_not_learned_again(opened: Stores) -> None:
    store, who = MemoryStore(opened.database, MemorySettings()), Person.of(ME, "ada")
    await People(opened.database).decide(who, "granted")
    assert await People(opened.database).consent(who) == "granted"
    old = await store.add(ME, "ada", home("I live in Berlin"))
    new = await store.add(ME, "ada", home("I moved to Lisbon"))
    assert old is not None
    assert new is not None
    assert new.superseded == (old.memory.id,)
    [found] = await store.unembedded(ME, "ada", "small")
    await store.embed(who, "small", {found.id: np.ones(4)})
    [present] = await store.all(ME, "ada", vectors=True)
    assert present.vector.tolist() == [1, 1, 1, 1]
    assert [each.text for each in await store.history(ME, "ada", present.id)] == ["I live in Berlin"]
    await store.used(who, [present.id])
    assert (await store.get(ME, "ada", present.id)).uses == 1
    assert await store.forget(ME, "ada", present.id) == 2
    assert await store.add(ME, "ada", home("I moved to Lisbon")) is None


@pytest.mark.parametrize(
    ("other", "user"),
    [
        (Principal("b", "key_1", groups=ME.groups), "ada"),
        (Principal("a", "key_2", groups=ME.groups), "ada"),
        (Principal("a", "key_1"), "ada"),
        (Principal("a", "key_1", groups=ME.groups | {CONFINED + "plans"}), "ada"),
        (ME, "bob"),
    ],
)
async def test_nobody_else_sees_or_changes_it(opened: Stores, other: Principal, user: str) -> None:
    store = MemoryStore(opened.database, MemorySettings())
    made = await store.add(ME, "ada", home("I live in Berlin"))
    assert made is not None
    assert await store.all(other, user) == []
    with pytest.raises(NotFound):
        await store.forget(other, user, made.memory.id)
    await store.add(other, user, home("I live in Rome"))
    assert (await store.get(ME, "ada", made.memory.id)).superseded_by == ""


async def test_bounds_and_expiry(opened: Stores) -> None:
    store = MemoryStore(opened.database, MemorySettings(max_facts=2, session_hours=1e-9))
    for number in range(4):
        await store.add(ME, "", New(f"I own boat number {number}", "fact"))
    assert len(await store.all(ME, "")) == 2
    await store.add(ME, "", New("I am in a hurry today", "fact", session_id="s1"))
    assert await store.expire() == 1


async def test_erasure_takes_everything(opened: Stores) -> None:
    store, holding = MemoryStore(opened.database, MemorySettings()), PersonalMemories(opened.database, opened.blobs)
    await People(opened.database).decide(Person.of(ME, "ada"), "granted")
    for text in ("I live in Berlin", "I moved to Lisbon"):
        await store.add(ME, "ada", home(text))
    ada = Subject("a", "user", "ada")
    assert len(await holding.find(ada, SubjectData(), LATER)) == 2
    assert await holding.erase(ada, SubjectData(), LATER) == 2
    assert await holding.find(ada, SubjectData(), LATER) == []
    assert await People(opened.database).consent(Person.of(ME, "ada")) == ""
