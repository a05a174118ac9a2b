"""Pairs, and recorded questions: of a data set, and of answers that may be used for learning."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring.core.errors import Conflict
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.types import EventRecord, Message, Principal
from mainspring.evaluation.examples import Example
from mainspring.features.arena.battle.pairing import Met, chosen, weight
from mainspring.features.arena.battle.questions import Recorded
from mainspring.features.arena.definitions import Arena
from mainspring.stores.sql import ids
from tests.features.arena.test_battles import says
from tests.features.arena.world import World
from tests.serving.talk import Talk, talk


def test_uncertain_pairs_meet_more_often() -> None:
    met = {("a", "b"): Met(50, 100, 50.0, 100), ("a", "c"): Met(50, 100, 99.0, 100)}
    drawn = Counter(tuple(sorted(chosen("abc", met, random.Random(seed)) or ())) for seed in range(300))
    assert drawn["b", "c"] > drawn["a", "b"] > drawn["a", "c"]
    assert weight(Met()) > weight(Met(0, 1, 0.5, 1))
    assert chosen("ab", {}, random.Random(1), {("a", "b")}) is None


def test_the_model_that_stood_left_less_often_stands_there_next() -> None:
    assert chosen("ab", {("a", "b"): Met(3, 5)}, random.Random(1)) == ("b", "a")
    assert chosen("ab", {("a", "b"): Met(2, 5)}, random.Random(1)) == ("a", "b")
    assert {chosen("ab", {}, random.Random(seed)) for seed in range(20)} == {("a", "b"), ("b", "a")}


class OneExample:
    """A data set of one example. There is no way to read all of a data set."""

    async def drawn(self, principal: Principal, name: str, version: int | None, share: float) -> Example | None:
        assert 0 <= share < 1
        return Example("1", (Message("user", "From the set?"),), tags={"category": "shop"}, subject="carl")


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talk(tmp_path) as opened:
        opened.serve("one", says("the first answer"))
        opened.serve("two", says("the second answer is longer"))
        yield opened


async def test_a_question_of_a_data_set_is_asked_with_its_category_and_for_its_person(home: Talk) -> None:
    world, datasets = World(home), OneExample()
    world.arenas.use(datasets)
    await world.call("PUT", "/main", {"models": ["one", "two"], "dataset": "asked"}, "root")
    for who in ("ann", "bob"):
        battle = (await world.call("POST", "/main/battles", {}, who)).json
        assert (battle["question"], battle["category"]) == ("From the set?", "shop")
    answers = await home.stores.events.find("acme", kind="answer")
    # Erasing the person finds the answers.
    assert {AnswerFacts.of(each.facts).user for each in answers} == {"carl"}


async def test_of_recorded_answers_those_with_consent_are_asked_without_personal_data(home: Talk) -> None:
    world = World(home)
    await world.call("PUT", "/main", {"models": ["one", "two"], "traces": True}, "root")
    assert (await world.call("POST", "/main/battles", {})).status == 409
    for consent, said in ((False, "A secret?"), (True, "Write to jane.doe@example.com?")):
        name = ids.new("ans_")
        content = json.dumps({"messages": [{"role": "user", "content": said}]})
        facts = AnswerFacts.from_json({"status": "completed", "operation": "chat", "key_id": "key_1"})
        await home.stores.events.append(
            EventRecord(name, 1.0, "acme", name, name, facts, content=content, consent=consent)
        )
    for number in range(3):
        battle = (await world.call("POST", "/main/battles", {}, f"voter{number}")).json
        assert battle["question"].startswith("Write to")
        assert "jane" not in battle["question"]


async def test_without_recorded_questions_one_asks_its_own(home: Talk) -> None:
    world = World(home)
    await world.call("PUT", "/main", {"models": ["one", "two"]}, "root")
    refused = await world.call("POST", "/main/battles", {})
    assert (refused.status, refused.json["error"]["param"]) == (400, "question")


async def test_an_erased_example_is_asked_no_more(home: Talk) -> None:
    kept = [Example("1", (Message("user", "I am Ada."),), sources=("ans_gone",))]

    class Erased(OneExample):
        async def drawn(self, principal: Principal, name: str, version: int | None, share: float) -> Example | None:
            return kept[0] if kept else None

    recorded, arena = (
        Recorded(home.stores.events, Erased()),
        Arena.model_validate({"models": ["one", "two"], "dataset": "asked"}),
    )
    who = Principal("acme", "ann")
    assert (await recorded.draw(who, arena, random.Random(1))).shown == "I am Ada."
    kept.clear()
    with pytest.raises(Conflict):
        await recorded.draw(who, arena, random.Random(1))
