"""Suites: questions that documents answer, or that were asked; near misses and attacks; what a model makes up is
dropped, and what repeats a document goes with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from mainspring.core.errors import GuardRefused, InvalidRequest, Unsupported
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.types import Context, Principal
from mainspring.evaluation.examples import ExampleAnswer
from mainspring.feature import Rooms
from mainspring.features.datasets.make.suites import SuiteWish
from mainspring.features.datasets.make.traces import TraceFilter
from mainspring.features.experiments.work.running import score
from mainspring.features.redteam.probing import RedTeam
from mainspring.features.redteam.scorers import SCORERS
from mainspring.rag.ingest.forget import Forgetter
from mainspring.stores.schema import forgetting
from mainspring.stores.sql.pages import Slice
from tests.features.experiments.world import Lab, lab

PASSAGES = {
    "leases": "The lease of garage 12 in Leeds began in spring and it lasts two years, after which it may be renewed.",
    "pets": "Dogs and cats may live in the flat if the owner of the house agrees to it in a letter before they come.",
    "short": "Too short.",
}
WRITTEN = {
    "leases": {"question": "How long does the lease of garage 12 last?", "answer": "two years"},
    "pets": {"question": "What may live in the flat?", "answer": "elephants"},
}


class Library:
    """Documents of one chunk each."""

    async def get(self, *_: Any) -> Any:
        return SimpleNamespace(id="vs_houses")

    async def documents_page(self, *_: Any) -> Slice[Any]:
        return Slice([SimpleNamespace(document_id=name) for name in PASSAGES], False)

    async def chunks(self, _principal: Any, _name: str, document: str) -> tuple[None, list[Any]]:
        return None, [SimpleNamespace(text=PASSAGES[document])]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as opened:
        object.__setattr__(opened.rooms, "library", Library())
        yield opened


async def test_questions_with_their_passage_and_near_misses_and_nothing_made_up(home: Lab) -> None:
    told = {PASSAGES[name]: json.dumps(written) for name, written in WRITTEN.items()}
    home.home.serve("writer", lambda generation: [told[generation.messages[-1].content]])
    assert await home.data.from_suite(Context(home.who), "suite", SuiteWish("houses", "writer")) == 1
    answerable, miss = await home.data.examples(home.who, "suite")
    assert (answerable.question, answerable.references) == (WRITTEN["leases"]["question"], ("two years",))
    assert (answerable.passages, answerable.refused, answerable.group) == ((PASSAGES["leases"],), False, "leases")
    assert (miss.refused, miss.references, miss.passages, miss.group) == (True, (), (), "leases")
    assert miss.question.startswith("How long does the lease of garage ")
    assert "12" not in miss.question


async def test_a_model_that_writes_nothing_of_use_is_reported(home: Lab) -> None:
    home.home.serve("writer", lambda _: ["I cannot do that."])
    with pytest.raises(InvalidRequest, match="wrote no question"):
        await home.data.from_suite(Context(home.who), "suite", SuiteWish("houses", "writer"))


@pytest.mark.parametrize("gone", [("vs_houses", "leases"), ("vs_houses", "")])
async def test_what_repeats_a_document_goes_with_it_and_with_its_collection(home: Lab, gone: tuple[str, str]) -> None:
    told = {PASSAGES[name]: json.dumps(written) for name, written in WRITTEN.items()}
    home.home.serve("writer", lambda generation: [told[generation.messages[-1].content]])
    await home.data.from_suite(Context(home.who), "suite", SuiteWish("houses", "writer"))
    stores = home.rooms.stores
    note = {"collection_id": gone[0], "document_id": gone[1], "tables": "[]", "at": 0.0}

    async def forget(tenant: str) -> None:
        row = sa.insert(forgetting).values(tenant=tenant, **note)
        await stores.database.write(lambda connection: connection.execute(row) and None)
        await Forgetter(stores, again_s=0).round()

    await forget("umbrella")
    assert len(await home.data.examples(home.who, "suite")) == 2
    await forget("acme")
    assert await home.data.examples(home.who, "suite") == []
    assert (await home.data.version(home.who, "suite")).erased == 2


async def _rated(home: Lab, text: str, answer: str, rating: str, edit: str | None = None) -> str:
    facts = FeedbackFacts(key_id=home.who.key_id, rating=rating, comment=None, edited=edit is not None)
    return await home.say(text, answer, [(facts, edit)])


async def test_a_suite_of_traces_has_what_people_approved_and_attacks_on_it(home: Lab) -> None:
    good = await _rated(home, "How long does the lease of garage 12 last?", "Two years.", "up")
    edited = await _rated(home, "Who signs it?", "Nobody.", "down", "The owner.")
    await _rated(home, "how long does the lease of garage 12 last", "Two years.", "up")
    await _rated(home, "Is it cold?", "Maybe.", "down")
    wish = SuiteWish(traces=TraceFilter(), attacks=6)
    with pytest.raises(Unsupported):
        await home.data.from_suite(Context(home.who), "suite", wish)
    home.data.suites.attacks = RedTeam(cast(Rooms, None), None)
    await home.data.from_suite(Context(home.who), "suite", wish)
    found = await home.data.examples(home.who, "suite")
    kept = [each for each in found if each.tags["suite"] == "regression"]
    assert {each.references for each in kept} == {("Two years.",), ("The owner.",)}
    assert len(kept) == 2
    assert {source for each in kept for source in each.sources} >= {edited}
    attacks = [each for each in found if each.tags["suite"] == "attack"]
    assert len(attacks) == 6
    assert {each.tags["category"] for each in attacks} == {"direct", "encoded"}
    words = [each.extra["attack"]["word"] for each in attacks]
    assert len(set(words)) == 6
    for each, word in zip(attacks, words, strict=True):
        assert word in each.messages[0].content
        assert each.question.startswith(("How long", "how long", "Who signs"))
        # Whoever is erased takes the attacks on the own question along.
        assert each.sources
    assert good
    # The same wish makes the same suite.
    await home.data.from_suite(Context(home.who), "again", wish)
    assert [each.id for each in await home.data.examples(home.who, "again")] == [each.id for each in found]


async def test_an_attack_is_resisted_or_obeyed_and_a_refusal_resists(home: Lab) -> None:
    await _rated(home, "How long does it last?", "Two years.", "up")
    home.data.suites.attacks = RedTeam(cast(Rooms, None), None)
    await home.data.from_suite(Context(home.who), "suite", SuiteWish(traces=TraceFilter(), attacks=1))
    plain, attack = await home.data.examples(home.who, "suite")
    word = attack.extra["attack"]["word"]
    scorers = {"resists": SCORERS["resists"](cast(Rooms, None), {})}

    async def scored(answered: ExampleAnswer) -> float | None:
        found, _ = await score(scorers, attack, answered, Context(Principal("acme", "key")))
        return found["resists"]

    assert await scored(ExampleAnswer("Two years.")) == 1
    assert await scored(ExampleAnswer(f"All right: {word}")) == 0
    assert await scored(ExampleAnswer(attack.question)) == 1
    assert await scored(ExampleAnswer("", error=f"{GuardRefused.code}: no")) == 1
    assert await scored(ExampleAnswer("", error="engine_error: no")) == 0
    found, _ = await score(scorers, plain, ExampleAnswer("Two years."), Context(Principal("acme", "key")))
    assert found == {"resists": None}


@pytest.mark.parametrize("wish", [SuiteWish(), SuiteWish("houses"), SuiteWish("houses", "m", traces=TraceFilter())])
async def test_a_suite_is_of_a_collection_with_a_model_or_of_traces(home: Lab, wish: SuiteWish) -> None:
    with pytest.raises(InvalidRequest):
        await home.data.from_suite(Context(home.who), "suite", wish)


async def test_no_recorded_answer_with_a_right_answer_is_reported(home: Lab) -> None:
    with pytest.raises(InvalidRequest, match="right answer"):
        await home.data.from_suite(Context(home.who), "suite", SuiteWish(traces=TraceFilter()))
