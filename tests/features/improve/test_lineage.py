"""Lineage in both directions, and what an erasure withdraws."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.errors import NotFound
from mainspring.core.settings import Settings
from mainspring.features.improve.holdings import MadeOfAnswers
from mainspring.features.improve.policy.policy import Policy
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject, SubjectAnswer, SubjectData
from mainspring.stores.events.audit_log import LOCAL
from tests.event_plans import plans
from tests.features.improve.doubles import Said
from tests.features.improve.world import ADMIN, BETTER, World, policy


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def promoted(opened: Stores, home: Path, **changes: object) -> World:
    """A world in which feedback on the answers 0 to 4 became something that gave the answers 100 to 102."""
    world = World(opened, home, Said(verdict=BETTER, answers=[f"ans_{number}" for number in range(5)]))
    await world.set(**changes)
    await world.traffic(0, 5)
    await world.look()
    await world.traffic(100, 3, ups=1, variant=(await world.last()).candidate_id)
    await world.look()
    return world


async def test_from_an_answer_to_the_feedback_that_what_gave_it_is_made_of(opened: Stores, tmp_path: Path) -> None:
    world = await promoted(opened, tmp_path)
    campaign = await world.last()
    found = await world.improve.tracing.of_answer(ADMIN, "ans_101")
    given = found["given_by"]
    assert (given["id"], given["campaign"], given["version"]) == (campaign.candidate_id, campaign.id, "cheap@1")
    assert given["export"] == campaign.notes["export"]
    assert [each["answer_id"] for each in given["sources"]["data"]] == [f"ans_{number}" for number in range(5)]
    assert given["sources"]["data"][0]["trace_id"] == "trace-ans_0"
    assert given["sources"]["data"][0]["feedback"][0]["rating"] == "down"
    assert [each["line"] for each in given["rows"]] == [1, 2, 3, 4, 5]
    assert given["answers"]["total"] == 3
    assert found["made_into"] == []
    # What the settings say gave the earlier ones.
    assert (await world.improve.tracing.of_answer(ADMIN, "ans_1"))["given_by"] is None


async def test_from_feedback_to_the_answers_that_it_served(opened: Stores, tmp_path: Path) -> None:
    world = await promoted(opened, tmp_path)
    (told,) = await world.stores.events.find("acme", kind="feedback", subject="ans_2")
    found = await world.improve.tracing.of_feedback(ADMIN, told.id)
    (made,) = found["made_into"]
    assert made["id"] == (await world.last()).candidate_id
    assert sorted(made["answers"]["data"]) == ["ans_100", "ans_101", "ans_102"]
    by_version = await world.improve.tracing.of_variant(ADMIN, "cheap@1")
    assert by_version["id"] == made["id"]
    for asking in (
        world.improve.tracing.of_feedback(ADMIN, "evt_none"),
        world.improve.tracing.of_feedback(ADMIN, "ans_1"),
        world.improve.tracing.of_answer(ADMIN, "ans_none"),
        world.improve.tracing.of_variant(ADMIN, "cand_none"),
    ):
        with pytest.raises(NotFound):
            await asking


async def test_what_a_group_s_campaign_made_is_shown_to_the_group_alone(opened: Stores, tmp_path: Path) -> None:
    world = World(opened, tmp_path, Said(verdict=BETTER, answers=["ans_0"]))
    red = replace(ADMIN, groups=frozenset({"red"}))
    await world.improve.policies.put(red, "docs", Policy.model_validate(policy()), LOCAL, enabled=True)
    await world.traffic(0, 5)
    await world.look()
    candidate = (await world.last(red)).candidate_id
    await world.traffic(100, 1, ups=1, variant=candidate)
    await world.look()
    for who, seen in ((red, [candidate]), (ADMIN, [])):
        found = await world.improve.tracing.of_answer(who, "ans_0")
        assert [each["id"] for each in found["made_into"]] == seen
        given = (await world.improve.tracing.of_answer(who, "ans_100"))["given_by"]
        assert [each["id"] for each in (given,) if each is not None] == seen
    assert (await world.improve.tracing.of_variant(red, candidate))["id"] == candidate
    with pytest.raises(NotFound):
        await world.improve.tracing.of_variant(ADMIN, candidate)


async def test_lineage_is_looked_up_and_not_searched_for(opened: Stores, tmp_path: Path) -> None:
    """Both directions, over an index of each table."""
    world = await promoted(opened, tmp_path)
    variant = (await world.last()).candidate_id
    plans = []
    for query in (
        "SELECT variant FROM improve_answers WHERE tenant = 'acme' AND answer = 'ans_1'",
        "SELECT variant FROM improve_sources WHERE tenant = 'acme' AND answer = 'ans_1'",
        f"SELECT answer FROM improve_sources WHERE tenant = 'acme' AND variant = '{variant}'",
        f"SELECT answer FROM improve_answers WHERE tenant = 'acme' AND variant = '{variant}' ORDER BY at DESC LIMIT 9",
    ):
        found = await world.row(lambda each, query=query: each.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all())  # type: ignore[misc]
        plans += [row[-1] for row in found]
    assert all("SEARCH" in plan and "INDEX" in plan for plan in plans), plans


async def test_what_people_said_is_found_by_its_answers(opened: Stores, tmp_path: Path) -> None:
    """However many events the tenant has: no query of a lineage goes through them in the order of their ids."""
    world = await promoted(opened, tmp_path)
    told = await plans(opened, lambda: world.improve.tracing.of_answer(ADMIN, "ans_100"))
    assert len(told) > 2
    assert all("id=?" in each or "subject=?" in each for each in told), told


def of(answers: list[str]) -> SubjectData:
    return SubjectData(answers={each: SubjectAnswer(each, f"trace-{each}", time.time()) for each in answers})


async def test_an_erasure_withdraws_what_is_made_of_the_subject_s_answers_and_says_which(
    opened: Stores, tmp_path: Path
) -> None:
    world = await promoted(opened, tmp_path)
    campaign, subject = await world.last(), Subject("acme", "user", "ada")
    holding, held = MadeOfAnswers(opened.database, opened.blobs), of(["ans_2", "ans_101"])
    (told,) = await holding.find(subject, held, time.time() + 1)
    assert (told["id"], told["answers"], told["served"]) == (campaign.candidate_id, ["ans_2"], True)
    assert await holding.find(subject, of(["ans_77"]), time.time() + 1) == []
    assert await holding.erase(subject, held, time.time() + 1) == 3
    variant = await world.improve.variants.find("acme", campaign.candidate_id)
    assert variant is not None
    assert variant.value == {}
    await world.look()
    campaign = await world.last()
    assert (campaign.stage, campaign.reason) == ("rolled back", "data of people that it is made of was erased")
    assert (await world.door.placement("acme", "docs")).current is None
    assert await holding.find(subject, held, time.time() + 1) == []
    # It is done once.
    assert await holding.erase(subject, held, time.time() + 1) == 0
    await world.look(2)
    assert len(await world.campaigns()) == 1


async def test_an_erasure_trains_another_one_where_the_policy_says_so(opened: Stores, tmp_path: Path) -> None:
    world = await promoted(opened, tmp_path, on_erasure="retrain")
    await MadeOfAnswers(opened.database, opened.blobs).erase(
        Subject("acme", "user", "ada"), of(["ans_2"]), time.time() + 1
    )
    await world.look(2)
    newest, oldest = await world.campaigns()
    assert oldest.stage == "rolled back"
    assert (newest.stage, newest.trigger) == ("promoted", "data of people that it is made of was erased")


async def test_a_tenant_s_erasure_leaves_nothing_and_another_tenant_s_all(opened: Stores, tmp_path: Path) -> None:
    world = await promoted(opened, tmp_path)
    holding = MadeOfAnswers(opened.database, opened.blobs)
    await holding.erase(Subject("beta", "tenant", "beta"), of([]), time.time() + 1)
    assert len(await world.campaigns()) == 1
    await holding.erase(Subject("acme", "tenant", "acme"), of([]), time.time() + 1)
    assert await world.campaigns() == []
    assert await world.improve.policies.all("acme") == []


@pytest.mark.parametrize("hook", ["forget", "unlearn"])
async def test_a_deleted_document_and_withdrawn_consent_withdraw_what_is_made_of_the_answers(
    opened: Stores, tmp_path: Path, hook: str
) -> None:
    world = await promoted(opened, tmp_path)
    holding = MadeOfAnswers(opened.database, opened.blobs)
    assert await getattr(holding, hook)("acme", ["ans_77"]) in (0, None)
    assert await getattr(holding, hook)("other", ["ans_2"]) in (0, None)
    assert await getattr(holding, hook)("acme", ["ans_2", "ans_101"]) in (1, None)
    await world.look()
    assert (await world.last()).stage == "rolled back"
    assert (await world.door.placement("acme", "docs")).current is None
    # It is done once. What gave an answer is still known while the answer is there.
    assert await getattr(holding, hook)("acme", ["ans_2"]) in (0, None)
    given = (await world.improve.tracing.of_answer(ADMIN, "ans_101"))["given_by"] if hook == "unlearn" else None
    assert (given is None) == (hook == "forget")


async def test_what_a_candidate_is_made_of_is_recorded_in_parts(opened: Stores, tmp_path: Path) -> None:
    world = World(opened, tmp_path, Said(verdict=BETTER))
    writing = asyncio.create_task(world.improve.variants.link("acme", "cand_x", [f"ans_{n}" for n in range(20_000)]))
    passed = 0
    while not writing.done():
        await opened.database.write(lambda _: None, durable=False)
        passed += 1
    await writing
    assert passed >= 10
    assert (await world.improve.variants.sources("acme", "cand_x", 5))[0] == 20_000
