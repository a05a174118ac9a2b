"""Suspicious voters are found, honest ones are not, and excluded ones do not count. Votes are erased."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from mainspring.features.arena.holdings import Votes
from mainspring.features.arena.rating.board import GivenVote
from mainspring.features.arena.rating.voters import voters
from mainspring.features.arena.tables import arena_votes
from mainspring.statistics.bradley_terry import Vote
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.erase.data_subjects import find as find_held
from mainspring.stores.schema import keys
from tests.features.arena.test_battles import says
from tests.features.arena.world import World
from tests.serving.talk import Talk, talk


def given(
    voter: str, *, seed: int, votes: int = 60, side: bool = False, quick: bool = False, turned: bool = False
) -> list[GivenVote]:
    """Votes on two models of which ``good`` wins three of four."""
    draw, found = random.Random(seed), []
    for number in range(votes):
        left = "good" if draw.random() < 0.5 else "bad"
        right = "bad" if left == "good" else "good"
        good_wins = draw.random() < (0.25 if turned else 0.75)
        score = 1.0 if side else float((left == "good") == good_wins)
        vote = Vote(left, right, score, voter)
        found.append(GivenVote(vote, 1000.0 * number, 0.5 if quick else 12.0, "", ""))
    return found


def test_each_suspicion_is_found_and_honest_voters_have_none() -> None:
    votes = [each for seed in range(20) for each in given(f"honest{seed}", seed=seed)]
    votes += given("one side", seed=90, side=True) + given("in a hurry", seed=91, quick=True)
    votes += given("contrary", seed=92, turned=True) + given("new", seed=93, votes=5, side=True, quick=True)
    found = {each.name: each.suspicions for each in voters(votes, 10)}
    assert "side" in found["one side"]
    assert found["in a hurry"] == ("quick",)
    assert found["contrary"] == ("against",)
    assert found["new"] == ()
    assert [name for name, suspicions in found.items() if name.startswith("honest") and suspicions] == []


def test_a_voter_who_turns_round_drifts() -> None:
    votes = [each for seed in range(10) for each in given(f"honest{seed}", seed=seed)]
    later = [GivenVote(each.vote, each.at + 1e6, 12.0, "", "") for each in given("turns", seed=95, turned=True)]
    found = {each.name: each for each in voters([*votes, *given("turns", seed=94), *later], 10)}
    assert found["turns"].drift < -3
    assert len(found["turns"].weeks) == 2
    assert abs(found["honest1"].drift) < 3


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talk(tmp_path) as opened:
        opened.serve("one", says("the first answer"))
        opened.serve("two", says("the second answer is longer"))
        yield opened


async def test_an_excluded_persons_votes_do_not_count_until_they_do_again(home: Talk) -> None:
    world = World(home)
    await world.call("PUT", "/main", {"models": ["one", "two"]}, "root")
    for who in ("ann", "bob"):
        await world.vote(await world.battle("Which?", who), "left", who)
    assert (await world.call("PUT", "/main/voters/bob", {"excluded": True, "reason": "a test"}, "root")).status == 200
    assert (await world.call("GET", "/main/leaderboard")).json["votes"] == 1
    listed = (await world.call("GET", "/main/voters", who="root")).json["data"]
    assert {each["id"]: each["excluded"] for each in listed} == {"ann": None, "bob": "a test"}
    await world.call("PUT", "/main/voters/bob", {"excluded": False}, "root")
    assert (await world.call("GET", "/main/leaderboard")).json["votes"] == 2
    assert (await world.call("GET", "/main/voters")).status == 403


async def test_votes_go_with_the_key_that_gave_them_and_with_their_answers(home: Talk) -> None:
    world, holding = World(home), Votes(home.stores.database, home.stores.blobs)
    await world.call("PUT", "/main", {"models": ["one", "two"]}, "root")
    for who in ("ann", "bob"):
        await world.vote(await world.battle("Which?", who), "left", who)
    await world.battle("Another?", "ann")
    subject = Subject("acme", "key", "ann")
    held = await home.stores.database.read(lambda connection: find_held(connection, subject, 1e12))
    assert {each["type"] for each in await holding.find(subject, held, 1e12)} == {"vote", "battle"}
    assert await holding.erase(subject, held, 1e12) == 2
    left = await home.stores.database.read(lambda connection: connection.execute(sa.select(arena_votes.c.voter)).all())
    assert [row.voter for row in left] == ["bob"]


async def test_votes_go_with_a_key_that_has_replaced_the_one_that_gave_them(home: Talk) -> None:
    world, holding = World(home), Votes(home.stores.database, home.stores.blobs)
    await world.call("PUT", "/main", {"models": ["one", "two"]}, "root")
    await world.vote(await world.battle("Which?", "ann"), "left", "ann")
    made, _ = await home.stores.keys.create("new", tenant="acme", scopes=frozenset({"arena"}))
    replaced = sa.update(keys).where(keys.c.id == made.id).values(identity="ann")
    await home.stores.database.write(lambda connection: connection.execute(replaced) and None)
    subject = Subject("acme", "key", made.id)
    assert [each["type"] for each in await holding.find(subject, SubjectData(), 1e12)] == ["vote"]
    assert await holding.erase(subject, SubjectData(), 1e12) == 1
