"""An erasure reaches results, and what is about to be written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.features.datasets.make.traces import TraceFilter
from mainspring.features.experiments.holdings import ExperimentResults
from mainspring.stores.erase.data_subjects import Subject, find
from tests.features.experiments.world import Lab, lab, spec, sums


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as opened:
        yield opened


async def test_results_of_an_erased_person_are_gone(home: Lab) -> None:
    up = FeedbackFacts(key_id=home.who.key_id, rating="up", comment=None, edited=False)
    await home.say("How long is the lease?", "A year.", [(up, None)], user="ann")
    await home.data.from_traces(home.who, "all", TraceFilter())
    await home.data.add_examples(home.who, "all", sums(2))
    made = await home.experiments.submit(home.who, "all", None, spec("good"))
    await home.run()
    subject = Subject("acme", "user", "ann")
    held = await home.rooms.stores.database.read(lambda connection: find(connection, subject, 9e9))
    (holding,) = [each for each in home.rooms.stores.holdings if each.name == "experiments"]
    assert len(await holding.find(subject, held, 9e9, None)) == 1
    assert await holding.erase(subject, held, 9e9) == 1
    kept = await home.experiments.results.places("acme", made.id, 10, 0)
    assert [each.example_id for each in kept] == ["sum-0", "sum-1"]


async def test_an_answer_that_is_erased_while_it_is_read_comes_into_no_data_set_and_no_result(home: Lab) -> None:
    answer = await home.say("How long is the lease?", "A year.")
    await home.data.from_traces(home.who, "before", TraceFilter())
    (example,) = await home.data.examples(home.who, "before")
    made = await home.experiments.submit(home.who, "before", None, spec("good"))
    await home.rooms.stores.events.erase("acme", answer)
    await home.data.add_examples(home.who, "late", [example, *sums(1)])
    assert [each.id for each in await home.data.examples(home.who, "late")] == ["sum-0"]
    await home.run()
    assert await home.experiments.results.places("acme", made.id, 10, 0) == []


async def test_nothing_is_written_of_an_experiment_that_was_deleted_while_it_ran(home: Lab) -> None:
    await home.data.add_examples(home.who, "sums", sums(2))
    made = await home.experiments.submit(home.who, "sums", None, spec("good"))
    await home.experiments.results.delete(home.who, made.id)
    await home.run()
    assert await home.experiments.results.places("acme", made.id, 10, 0) == []


async def test_one_answer_that_goes_hides_no_other_of_the_same_example_from_an_erasure(home: Lab) -> None:
    answer = await home.say("How long is the lease?", "A year.")
    await home.data.from_traces(home.who, "all", TraceFilter())
    made = await home.experiments.submit(home.who, "all", None, spec("good", "bad"))
    await home.run()
    first, second = await home.experiments.results.places("acme", made.id, 10, 0)
    holding = ExperimentResults(home.rooms.stores.database, home.rooms.stores.blobs)
    # A document behind the first one is gone.
    await holding.forget("acme", [first.answer_id])
    (left,) = await home.experiments.results.places("acme", made.id, 10, 0)
    assert left.responder == second.responder
    await holding.forget("acme", [answer])
    assert await home.experiments.results.places("acme", made.id, 10, 0) == []
