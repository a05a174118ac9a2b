"""Battles over HTTP: blind answers, votes that count once, and one model's failure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring.core.errors import EngineError
from mainspring.core.facts.opinions import VoteFacts
from mainspring.core.types import Context, Message, Principal
from mainspring.engines.scripted import Script
from mainspring.features.arena.battle.questions import Question
from tests.features.arena.world import World
from tests.serving.talk import Talk, talk


def says(text: str) -> Script:
    return lambda _: [f"{word} " for word in text.split()]


def fails(_: object) -> list[str]:
    raise EngineError("it is broken")


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talk(tmp_path) as opened:
        opened.serve("one", says("the first answer"))
        opened.serve("two", says("the second answer is longer"))
        opened.serve("broken", fails)
        yield opened


@pytest.fixture
async def world(home: Talk) -> World:
    made = World(home, open_battles=5)
    assert (await made.call("PUT", "/main", {"models": ["one", "two"]}, "root")).status == 200
    return made


async def test_two_blind_answers_a_vote_and_the_leaderboard(home: Talk, world: World) -> None:
    battle = await world.battle("Which?")
    assert {battle["left"]["text"].strip(), battle["right"]["text"].strip()} == {
        "the first answer",
        "the second answer is longer",
    }
    assert '"one"' not in json.dumps(battle)
    assert '"two"' not in json.dumps(battle)
    winner = "left" if "first" in battle["left"]["text"] else "right"
    told = await world.vote(battle, winner)
    assert (told.status, told.json[winner]["model"]) == (201, "one")
    (event,) = await home.stores.events.find("acme", kind="vote")
    facts = VoteFacts.of(event.facts)
    assert (facts.arena, facts.winner, facts.by) == ("main", winner, "ann")
    assert {facts.left_model, facts.right_model} == {"one", "two"}
    assert {facts.left_tokens, facts.right_tokens} == {3, 5}
    answers = {each.id for each in await home.stores.events.find("acme", kind="answer")}
    assert {facts.left, facts.right} == answers
    board = (await world.call("GET", "/main/leaderboard")).json
    assert [(each["model"], each["wins"], each["losses"]) for each in board["data"]] == [("one", 1, 0), ("two", 0, 1)]


async def test_a_vote_counts_once_however_often_it_is_sent(home: Talk, world: World) -> None:
    battle = await world.battle("Which?")
    first, again = await world.vote(battle, "left"), await world.vote(battle, "left")
    assert (again.status, again.json) == (201, first.json)
    assert (await world.vote(battle, "right")).status == 409
    assert len(await home.stores.events.find("acme", kind="vote")) == 1


async def test_a_person_votes_once_on_a_question_and_two_models(home: Talk, world: World) -> None:
    one, other = await world.battle("Which?"), await world.battle("Which?")
    assert (await world.vote(one, "left")).status == 201
    assert (await world.vote(other, "left")).status == 409
    refused = await world.call("POST", "/main/battles", {"question": "Which?"})
    assert (refused.status, refused.json["error"]["param"]) == (409, "question")
    assert (await world.vote(await world.battle("Which?", "bob"), "tie", "bob")).status == 201


async def test_votes_a_day_and_open_battles_are_bounded(world: World) -> None:
    await world.call("PUT", "/main", {"models": ["one", "two"], "votes_per_day": 1}, "root")
    battles = [await world.battle(f"question {number}") for number in range(5)]
    full = await world.call("POST", "/main/battles", {"question": "one more"})
    assert (full.json["error"]["param"], full.status >= 400) == ("arena", True)
    assert (await world.vote(battles[0], "left")).status == 201
    assert (await world.vote(battles[1], "left")).json["error"]["param"] == "arena"


async def test_the_other_answer_stays_when_one_model_fails(world: World) -> None:
    await world.call("PUT", "/main", {"models": ["one", "broken"]}, "root")
    battle = await world.battle("Which?")
    sides = {side: battle[side] for side in ("left", "right")}
    (worked,) = (each for each in sides.values() if each["error"] is None)
    assert worked["text"].strip() == "the first answer"
    assert battle["open"] is False
    assert (await world.vote(battle, "left")).status == 404
    # It is not open: the next ones are not refused.
    for number in range(6):
        await world.battle(f"question {number}")


async def test_a_battle_that_its_voter_leaves_is_not_open(home: Talk, world: World) -> None:
    definition = await world.arenas.get("acme", "main")
    context = Context(Principal("acme", "ann", frozenset({"arena"})))
    for number in range(7):
        question = Question((Message("user", f"Which, {number}?"),))
        duel = await world.arenas.duel(context, "main", definition, question)
        await anext(duel.pieces)
        await duel.close()
    assert (await world.battle("Which?"))["open"] is True


async def test_a_battle_streams_both_sides_and_ends_with_itself(world: World) -> None:
    found = await world.call("POST", "/main/battles", {"question": "Which?", "stream": True})
    frames = [line.removeprefix("data: ") for line in found.body.decode().split("\n\n") if line]
    assert frames.pop() == "[DONE]"
    battle = json.loads(frames.pop())
    deltas = [json.loads(each) for each in frames]
    for side in ("left", "right"):
        assert "".join(each["delta"] for each in deltas if each["side"] == side) == battle[side]["text"]
    assert battle["open"] is True
    assert (await world.vote(battle, "tie")).status == 201


async def test_sides_are_balanced(world: World) -> None:
    sides: Counter[str] = Counter()
    for number in range(10):
        battle = await world.battle(f"question {number}")
        sides["one left" if "first" in battle["left"]["text"] else "one right"] += 1
        await world.vote(battle, "tie")
    assert sides == {"one left": 5, "one right": 5}


async def test_another_persons_and_another_tenants_battles_do_not_exist(world: World) -> None:
    battle = await world.battle("Which?")
    assert (await world.vote(battle, "left", "bob")).status == 404
    assert (await world.call("GET", "/main/leaderboard", who="other-ann")).status == 404
    assert (await world.call("POST", "/main/battles", {"question": "?"}, "chat")).status == 403
