"""Insights of data subjects: found and erased with their answers, and with the documents behind an entry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.core.types import Context
from mainspring.features.insights.holdings import CountedTurns
from mainspring.features.insights.store.turns import Turns
from mainspring.features.insights.store.views import Period
from mainspring.features.insights.tables import insight_turns
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.erase.data_subjects import find as find_held
from mainspring.stores.erase.holdings import RepeatsAnswers
from mainspring.stores.schema import contents
from tests.features.insights.test_faq import CITED
from tests.features.insights.world import READER, World

EVER = Period(0.0, 10.0**12)
LATER = 10.0**12


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def filled(opened: Stores) -> World:
    world = World(opened)
    for place in range(3):
        user = "ada" if place == 0 else ""
        text = "return period for a lamp"
        await world.say(text, "Within 30 days.", session=f"s{place}", citations=CITED, user=user)
    await world.insights.look()
    await world.insights.drafting.draft(Context(READER), EVER, 20)
    return world


@pytest.mark.parametrize(
    ("subject", "left"),
    [
        (Subject("acme", "user", "ada"), 2),
        (Subject("acme", "session", "s0"), 2),
        (Subject("acme", "tenant", "acme"), 0),
    ],
)
async def test_a_subjects_turns_and_what_repeats_them_are_erased(opened: Stores, subject: Subject, left: int) -> None:
    world, holding = await filled(opened), CountedTurns(opened.database, opened.blobs)
    held = await opened.database.read(lambda connection: find_held(connection, subject, LATER))
    assert len(await holding.find(subject, held, LATER)) == 3 - left
    assert await holding.find(subject, held, LATER, frozenset()) != []
    assert await holding.erase(subject, held, LATER) == 3 - left
    assert await holding.find(subject, held, LATER) == []
    assert (await world.insights.views.counted(READER, EVER)).total.count == left
    assert await world.insights.drafting.entries.all(READER) == []
    assert await holding.erase(subject, held, LATER) == 0


async def test_an_entry_goes_with_the_documents_behind_its_answers(opened: Stores) -> None:
    world, holding = await filled(opened), CountedTurns(opened.database, opened.blobs)
    assert isinstance(holding, RepeatsAnswers)
    (entry,) = await world.insights.drafting.entries.all(READER)
    await holding.forget("acme", ["ans_other"])
    assert len(await world.insights.drafting.entries.all(READER)) == 1
    await holding.forget("acme", [entry.answers[1]])
    assert await world.insights.drafting.entries.all(READER) == []
    assert (await world.insights.views.counted(READER, EVER)).total.count == 3


async def test_nothing_of_others_is_erased(opened: Stores) -> None:
    world, holding = await filled(opened), CountedTurns(opened.database, opened.blobs)
    assert await holding.erase(Subject("other", "tenant", "other"), SubjectData(), LATER) == 0
    assert await holding.erase(Subject("acme", "user", "eve"), SubjectData(), LATER) == 0
    assert (await world.insights.views.counted(READER, EVER)).total.count == 3


async def test_a_vector_goes_when_its_text_has_expired(opened: Stores) -> None:
    await filled(opened)
    turns = Turns(opened.database)
    await turns.expire(0.0)
    query = sa.select(sa.func.count()).where(insight_turns.c.vector.is_not(None))
    assert await opened.database.read(lambda connection: connection.execute(query).scalar_one()) == 3
    await opened.database.write(lambda connection: connection.execute(sa.delete(contents)) and None)
    await turns.expire(0.0)
    assert await opened.database.read(lambda connection: connection.execute(query).scalar_one()) == 0
    assert await turns.expire(10.0**12) == 3
