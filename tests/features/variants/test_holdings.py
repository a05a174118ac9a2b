"""Examples go with a document that is deleted, and with the consent to learn from the answers that they are of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.facts.trials import VariantFacts
from mainspring.core.settings import Settings
from mainspring.features.variants import placement_changes
from mainspring.features.variants.holdings import ExamplesOfPeople
from mainspring.features.variants.store import Place, VariantMove, VariantStore
from mainspring.features.variants.tables import variants
from mainspring.stores import Stores
from mainspring.stores.sql import rows
from mainspring.training.ports import Candidate


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


def example(number: int) -> dict[str, str]:
    return {"question": f"What is {number}?", "answer": f"It is {number}.", "source": f"ans_{number}"}


async def current(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> tuple[VariantStore, Candidate]:
    """A candidate of three answers, which is current."""
    monkeypatch.setattr("mainspring.features.variants.store._check_there", lambda *_: None)
    store = VariantStore(opened.database, kept=10, moves=10)
    candidate = Candidate("examples", "docs", {"examples": [example(number) for number in range(3)]})
    await store.admit("acme", candidate, [f"ans_{number}" for number in range(3)], "key")

    def promote(place: Place, _: object, find: object) -> tuple[Place, VariantMove]:
        return place.with_current(find(candidate.id)), VariantMove("promoted", candidate.id)  # type: ignore[operator]

    await store.change("acme", "docs", promote, "key")
    return store, candidate


@pytest.mark.parametrize(("hook", "why"), [("forget", "a document"), ("unlearn", "the consent")])
async def test_examples_of_these_answers_are_shown_no_more(
    opened: Stores, monkeypatch: pytest.MonkeyPatch, hook: str, why: str
) -> None:
    store, candidate = await current(opened, monkeypatch)
    holding = ExamplesOfPeople(opened.database, opened.blobs)
    for tenant, answers in (("other", ["ans_1"]), ("acme", ["ans_9"])):
        assert await getattr(holding, hook)(tenant, answers) in (0, None)
    assert (await store.place("acme", "docs")).ids == [candidate.id]
    for count in (1, 0):
        assert await getattr(holding, hook)("acme", ["ans_1", "ans_9"]) in (count, None)
    (left,) = (await store.place("acme", "docs")).currents
    assert [each["source"] for each in left.candidate.value["examples"]] == ["ans_0", "ans_2"]
    gone = await store.get("acme", candidate.id)
    assert (gone.status, dict(gone.candidate.value)) == ("erased", {})
    assert gone.reason.startswith(why)
    await getattr(holding, hook)("acme", ["ans_0", "ans_2"])
    assert (await store.place("acme", "docs")).currents == ()


async def test_what_is_left_is_reported_and_undone_to_what_was_there_before(
    opened: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.features.variants.store._check_there", lambda *_: None)
    store = VariantStore(opened.database, kept=10, moves=10)
    first = Candidate("examples", "docs", {"examples": [example(7)]})
    second = Candidate("examples", "docs", {"examples": [example(1), example(2)]})
    other = Candidate("prompt", "docs", {"prompt": "tone", "version": 1})
    for each in (first, second, other):
        await store.admit("acme", each, [], "key")
        await store.change("acme", "docs", placement_changes.promote(each.id), "key")
    subjects = rows.dump(["ans_1", "ans_2"])
    change = sa.update(variants).where(variants.c.id == second.id).values(subjects=subjects)
    await opened.database.write(lambda connection: connection.execute(change) and None)
    assert await ExamplesOfPeople(opened.database, opened.blobs).unlearn("acme", ["ans_1"]) == 1
    left = next(each for each in (await store.place("acme", "docs")).currents if each.candidate.kind == "examples")
    assert [each["source"] for each in left.candidate.value["examples"]] == ["ans_2"]
    told = [(each.action, each.candidate) for each in (await store.history("acme", "docs"))[:2]]
    assert told == [("promoted", left.id), ("withdrawn", second.id)]
    events = await opened.events.find("acme", kind="variant")
    assert [VariantFacts.of(each.facts).action for each in events][-2:] == ["withdrawn", "promoted"]
    place = await store.change("acme", "docs", placement_changes.undo(""), "key")
    assert sorted(place.ids) == sorted([first.id, other.id])
