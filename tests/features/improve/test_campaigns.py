"""Campaigns from their trigger to their end, over doubles of other features."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from mainspring.core.errors import Conflict, InvalidRequest, MainspringError, MissingExtra, Overloaded
from mainspring.core.types import Context, Message, Principal
from mainspring.features.improve.policy.policy import Policy
from mainspring.features.improve.shapes import campaign_body
from mainspring.features.improve.stages.campaign import Move
from mainspring.features.improve.stages.online import CANDIDATE
from mainspring.stores import Stores
from mainspring.stores.events.audit_log import LOCAL
from mainspring.stores.sql.pages import Page
from mainspring.training.ports import Candidate, Placement
from mainspring.training.stages import OnlineVerdict
from tests.databases import opened, settings
from tests.features.improve.doubles import Killed, Said
from tests.features.improve.world import ADMIN, BETTER, WORSE, World, policy

__all__ = ["opened", "settings"]


@pytest.fixture
def world(opened: Stores, tmp_path: Path) -> World:
    return World(opened, tmp_path)


async def test_feedback_becomes_something_better_that_is_served_by_itself(world: World) -> None:
    await world.set()
    await world.traffic(0, 4)
    await world.look()
    assert await world.campaigns() == []
    await world.traffic(10, 1)
    await world.look()
    campaign = await world.last()
    assert (campaign.stage, campaign.trigger) == ("promoted", "5 pieces of feedback since the last")
    expected = ["exporting", "training", "comparing", "attacking", "shadow", "canary", "promoting", "watching"]
    assert await world.stages() == [*expected, "promoted"]
    placed = await world.door.placement("acme", "docs")
    assert placed.current is not None
    assert placed.current.id == campaign.candidate_id
    assert world.door.count("promote") == 1
    # Its lineage is recorded, and a repeated look changes nothing.
    assert (await world.improve.variants.sources("acme", campaign.candidate_id, 10))[1] == ["ans_1", "ans_2"]
    await world.look(3)
    assert len(await world.campaigns()) == 1


async def test_every_transition_is_an_event_with_its_figures(world: World) -> None:
    await world.set()
    await world.improve.run(ADMIN, "docs", "root")
    await world.look()
    by_stage = {each.stage: each for each in await world.events()}
    assert by_stage["exporting"].by == "root"
    assert (by_stage["attacking"].figures or {})["gain"] == pytest.approx(0.1)
    assert (by_stage["attacking"].figures or {})["n"] == 200
    assert by_stage["promoting"].reason.startswith("shown better: candidate 0.900 (n = 400) against current 0.800")
    assert by_stage["promoting"].candidate == (await world.last()).candidate_id


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Said(gain={"cheap": 0.01}), "not shown better"),
        (Said(gain={"cheap": -0.05}), "not shown better"),
        (Said(worse={"cheap": {"kept 1": -0.1}}), "score refusal falls by 0.100"),
        (Said(worse={"cheap": {"seconds": 1.5}}), "latency is worse by 50.0%"),
        (Said(worse={"cheap": {"topics": {"returns": -0.2}}}), "the slice topic returns falls by 0.200"),
        (Said(lost={"cheap": 1}), "1 examples of the regression list fail that passed"),
        (Said(through={"cheap": 2}), "2 attacks get through, 0 before (plain)"),
        (Said(failing=["cheap"]), "cheap failed: nothing was learned"),
        (Said(rows=3), "rows for training: 3, and 10 are the least"),
        (
            Said(rows=0, counts={"read": 40, "near-duplicate": 2, "consent": 38}),
            "are the least; of 40 answers that were read these were left out: consent 38, near-duplicate 2",
        ),
        (Said(answers=["ans_9"]), "1 examples that are held out are made of answers that are trained on"),
        (Said(verdict=WORSE), "what is current was shown better"),
        (Said(verdict=replace(BETTER, broken=["latency"])), "it breaks the guard on latency"),
    ],
)
async def test_what_is_not_better_is_refused_and_it_is_said_why(
    opened: Stores, tmp_path: Path, said: Said, reason: str
) -> None:
    if said.verdict == OnlineVerdict():
        said.verdict = BETTER
    world = World(opened, tmp_path, said)
    await world.set()
    await world.improve.run(ADMIN, "docs", "")
    await world.look()
    campaign = await world.last()
    assert campaign.stage == "refused"
    assert reason in campaign.reason
    assert [each["outcome"] for each in campaign.rungs] == ["refused"]
    placed = await world.door.placement("acme", "docs")
    assert (placed.current, placed.candidate) == (None, None)
    assert world.door.count("promote") == 0
    # After a refusal it rests.
    await world.traffic(0, 10)
    await world.look()
    assert len(await world.campaigns()) == 1


@pytest.mark.parametrize(
    ("said", "names"),
    [(Said(gain={"cheap": 0.0}), ["comparison"]), (Said(lost={"cheap": 1}), ["comparison", "regression"])],
)
async def test_what_is_refused_by_examples_names_the_comparison(
    opened: Stores, tmp_path: Path, said: Said, names: list[str]
) -> None:
    world = World(opened, tmp_path, said)
    await world.set()
    await world.improve.run(ADMIN, "docs", "")
    await world.look()
    campaign = await world.last()
    assert campaign.stage == "refused"
    made_with = campaign_body(campaign)["made_with"]
    assert [name for name in ("comparison", "regression") if name in made_with] == names
    assert made_with["comparison"] in world.comparisons.made


async def test_what_is_refused_before_any_traffic_is_withdrawn_at_the_door(opened: Stores, tmp_path: Path) -> None:
    world = World(opened, tmp_path, Said(gain={"cheap": 0.0}))
    await world.set()
    await world.improve.run(ADMIN, "docs", "")
    await world.look()
    campaign = await world.last()
    assert (campaign.stage, world.door.admitted, world.door.log) == ("refused", set(), [])


async def test_the_cheapest_recipe_that_suffices_wins_and_later_ones_are_not_run(
    opened: Stores, tmp_path: Path
) -> None:
    world = World(opened, tmp_path, Said(gain={"cheap": 0.0, "dear": 0.1}, verdict=BETTER))
    rungs = [{"recipe": name, "kind": "prompt"} for name in ("cheap", "dear", "dearest")]
    await world.set(rungs=rungs)
    await world.improve.run(ADMIN, "docs", "")
    await world.look()
    campaign = await world.last()
    assert campaign.stage == "promoted"
    assert [(each["recipe"], each["outcome"]) for each in campaign.rungs] == [
        ("cheap", "refused"),
        ("dear", "promoted"),
    ]
    assert campaign.rungs[0]["figures"]["gain"] == 0.0
    assert {each.recipe for each in world.training.orders.values()} == {"cheap", "dear"}
    assert campaign.seconds == 120


async def test_a_canary_grows_step_by_step_and_waits_until_it_is_decided(opened: Stores, tmp_path: Path) -> None:
    undecided = OnlineVerdict({"current": 50, "candidate": 50}, {"current": 0.8, "candidate": 0.82})
    world = World(opened, tmp_path, Said(verdict=undecided))
    await world.set(shadow=None)
    await world.improve.run(ADMIN, "docs", "")
    await world.look(3)
    assert (await world.last()).stage == "canary"
    assert [each[0] for each in world.door.log] == ["canary 0.1", "canary 0.5"]
    world.said.verdict = replace(BETTER, best=CANDIDATE)
    await world.look()
    assert (await world.last()).stage == "promoted"
    assert len(world.trials.begun) == len(world.trials.over) == 1


async def test_units_that_fall_to_the_wrong_arms_refuse_it_only_if_that_repeats(opened: Stores, tmp_path: Path) -> None:
    for repeats, stage in ((False, "promoted"), (True, "refused")):
        world = World(opened, tmp_path, Said(verdict=replace(BETTER, sound=False)), application=f"docs-{stage}")
        await world.set(shadow=None)
        await world.improve.run(ADMIN, world.application, "")
        tools = world.improve.tools
        tools.settings = tools.settings.model_copy(update={"every_s": 3600.0})
        await world.look(2)
        assert (await world.last()).stage == "canary"
        world.said.verdict = replace(BETTER, sound=not repeats)
        # The next look comes later.
        tools.settings = tools.settings.model_copy(update={"every_s": 0.0})
        await world.look()
        campaign = await world.last()
        assert campaign.stage == stage
        assert ("units do not fall to the arms as they should" in campaign.reason) == repeats


async def test_a_person_approves_before_there_is_traffic(world: World) -> None:
    await world.set(gate=True)
    await world.improve.run(ADMIN, "docs", "")
    await world.look(2)
    assert (await world.last()).stage == "waiting"
    asked = (await world.stores.approvals.page(ADMIN, Page(), "pending")).rows
    assert [each.call.name for each in asked] == ["promote"]
    assert world.door.log == []
    (shown,) = await world.improve.picture(ADMIN)
    stages = [each["stage"] for each in shown["campaigns"][0]["stages"]]
    assert stages[stages.index("waiting") - 1 : stages.index("shadow") + 1] == ["attacking", "waiting", "shadow"]
    assert [each["stage"] for each in shown["campaigns"][0]["stages"] if each["now"]] == ["waiting"]
    await world.stores.approvals.decide(Context(ADMIN), asked[0].id, approve=True, note="looks right")
    await world.look()
    assert (await world.last()).stage == "promoted"
    shadowed = next(each for each in await world.events() if each.before == "waiting")
    assert shadowed.by == "root"
    assert "looks right" in shadowed.reason


async def test_a_person_may_deny(world: World) -> None:
    await world.set(gate=True)
    await world.improve.run(ADMIN, "docs", "")
    await world.look()
    (asked,) = (await world.stores.approvals.page(ADMIN, Page(), "pending")).rows
    await world.stores.approvals.decide(Context(ADMIN), asked.id, approve=False)
    await world.look()
    assert ((await world.last()).stage, world.door.log) == ("refused", [])


async def test_what_breaks_a_guard_after_its_promotion_is_undone_by_itself(world: World) -> None:
    await world.set(after={"seconds": 3600})
    await world.traffic(0, 400, ups=0.8)
    await world.look()
    campaign = await world.last()
    assert campaign.stage == "watching"
    await world.traffic(1000, 400, ups=0.5, variant=campaign.candidate_id)
    await world.look()
    campaign = await world.last()
    assert campaign.stage == "rolled back"
    assert campaign.reason.startswith("thumbs up: 0.500 (n = 400) against 0.800 (n = 400) before")
    assert (await world.door.placement("acme", "docs")).current is None
    assert [each[0] for each in world.door.log if each[0] in ("promote", "undo")] == ["promote", "undo"]


async def test_what_holds_after_its_promotion_stays(world: World) -> None:
    await world.set(after={"seconds": 3600})
    await world.traffic(0, 400, ups=0.8)
    await world.look()
    campaign = await world.last()
    await world.traffic(1000, 400, ups=0.8, variant=campaign.candidate_id)
    await world.look()
    assert (await world.last()).stage == "watching"


async def test_one_call_undoes_a_promotion_also_a_day_later(world: World) -> None:
    await world.set()
    await world.improve.run(ADMIN, "docs", "")
    await world.look()
    assert (await world.last()).stage == "promoted"
    told = await world.improve.undo(ADMIN, "docs", "people complained")
    campaign = await world.last()
    assert (told["campaign"], told["undone"]) == (campaign.id, campaign.candidate_id)
    assert (campaign.stage, campaign.reason) == ("rolled back", "people complained")
    assert (await world.door.placement("acme", "docs")).current is None
    with pytest.raises(Conflict, match="nothing was promoted"):
        await world.improve.undo(ADMIN, "docs", "")


async def test_undo_takes_back_what_a_person_promoted_although_it_was_refused(opened: Stores, tmp_path: Path) -> None:
    world = World(opened, tmp_path, Said(gain={"cheap": 0.0}))
    await world.set()
    await world.improve.run(ADMIN, "docs", "")
    await world.look()
    campaign = await world.last()
    assert (campaign.stage, campaign.candidate is None) == ("refused", False)
    await world.door.promote(ADMIN, campaign.made)
    told = await world.improve.undo(ADMIN, "docs", "")
    assert (told["campaign"], told["undone"]) == (None, campaign.candidate_id)
    assert (await world.door.placement("acme", "docs")).current is None


async def test_undo_takes_back_a_promotion_that_is_not_recorded_yet(opened: Stores, tmp_path: Path) -> None:
    world = World(opened, tmp_path, Said(verdict=OnlineVerdict()))
    await world.set()
    await world.improve.run(ADMIN, "docs", "")
    await world.look()
    campaign = await world.last()
    # Whoever promotes it is killed behind the promotion.
    await world.improve.campaigns.move(campaign, Move("promoting", "shown better"))
    await world.door.promote(ADMIN, campaign.made)
    told = await world.improve.undo(ADMIN, "docs", "")
    assert told["undone"] == campaign.candidate_id
    assert (await world.last()).stage == "rolled back"
    assert (await world.door.placement("acme", "docs")).current is None


async def test_what_is_trained_on_is_not_held_out(world: World) -> None:
    """A data set that is split is compared with all its examples."""
    example = world.sets.sets["edits"][0]
    said = [
        replace(example, id=f"e{n}", messages=(Message("user", f"What  is {n}?"),), split="train" if n < 20 else "test")
        for n in range(30)
    ]
    shouted = [replace(example, id="h", messages=(Message("user", "WHAT IS 3?"),), sources=())]
    apart = [replace(example, id="h", messages=(Message("user", "What is 25?"),), sources=())]
    world.sets.sets = {**world.sets.sets, "edits": [replace(each, sources=()) for each in said]}
    for held, stage, why in (
        (None, "refused", "20 examples that are held out ask what is trained on: name another data set in offline"),
        (shouted, "refused", "1 examples that are held out ask what is trained on: name another data set in offline"),
        (apart, "promoted", "it held for 0 s"),
    ):
        world.sets.sets = {**world.sets.sets, "held": held or world.sets.sets["edits"]}
        offline = {"dataset": "held", "gain": {"name": "f1", "effect": 0.02}}
        await world.set(data={"dataset": "edits", "least_rows": 10}, offline=offline, cooldown_s=0)
        await world.improve.run(ADMIN, "docs", "")
        await world.look()
        assert ((await world.last()).stage, (await world.last()).reason) == (stage, why)
    assert len(world.training.orders) == 1


async def test_a_tag_that_no_example_has_is_no_slice_that_is_kept(world: World) -> None:
    await world.set(offline={**policy()["offline"], "slices": {"tags": ["topic", "langauge"]}})
    await world.improve.run(ADMIN, "docs", "")
    await world.look()
    campaign = await world.last()
    told = "no example that is held out has the tag langauge, whose slices may not fall"
    assert (campaign.stage, campaign.reason) == ("refused", told)
    assert not world.training.orders


async def test_what_is_stopped_waits_for_nobody(world: World) -> None:
    await world.set(gate=True)
    made = await world.improve.run(ADMIN, "docs", "")
    await world.look()
    assert (await world.last()).stage == "waiting"
    await world.improve.stop(ADMIN, made.id, "enough")
    await world.look()
    assert (await world.last()).stage == "stopped"
    assert not (await world.stores.approvals.page(ADMIN, Page(), "pending")).rows
    (asked,) = (await world.stores.approvals.page(ADMIN, Page(), "denied")).rows
    assert asked.note == "the campaign is over"


async def test_a_campaign_can_be_stopped_and_then_leaves_nothing_behind(opened: Stores, tmp_path: Path) -> None:
    world = World(opened, tmp_path, Said(verdict=OnlineVerdict()))
    await world.set()
    made = await world.improve.run(ADMIN, "docs", "")
    await world.look()
    assert (await world.last()).stage == "canary"
    await world.improve.stop(ADMIN, made.id, "enough")
    await world.look()
    campaign = await world.last()
    assert (campaign.stage, campaign.reason) == ("stopped", "enough")
    assert (await world.door.placement("acme", "docs")).candidate is None


async def test_one_application_has_one_campaign_at_a_time(opened: Stores, tmp_path: Path) -> None:
    world = World(opened, tmp_path, Said(verdict=OnlineVerdict()))
    await world.set()
    await world.improve.run(ADMIN, "docs", "")
    with pytest.raises(Conflict, match="is under way"):
        await world.improve.run(ADMIN, "docs", "")
    await world.traffic(0, 20)
    await world.look()
    assert len(await world.campaigns()) == 1


async def test_drift_and_the_schedule_begin_campaigns_and_a_used_up_budget_begins_none(world: World) -> None:
    await world.set(watch={"drift": True})
    await world.look()
    assert await world.campaigns() == []
    world.alarms.rules = ["drift"]
    await world.look()
    assert (await world.last()).trigger == "an alert of drift fires"
    await world.set(watch={"every_s": 60}, budget={"seconds": 30})
    await world.look()
    assert len(await world.campaigns()) == 1


async def test_what_nobody_has_installed_refuses_a_rung_at_once_and_what_passes_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem: MainspringError = Overloaded("too much work")

    async def order(*_: object) -> None:
        raise problem

    monkeypatch.setattr(world.training, "order", order)
    await world.set()
    await world.improve.run(ADMIN, "docs", "root")
    await world.look()
    assert (await world.last()).stage == "training"
    problem = MissingExtra("the recipe cheap needs torch", remedy="Install it")
    await world.look()
    assert (await world.last()).stage == "refused"
    assert any("needs torch" in each.reason for each in await world.events())


async def test_a_campaign_whose_key_is_gone_is_refused(world: World) -> None:
    gone = Principal("acme", "key_gone", frozenset({"admin"}))
    await world.improve.policies.put(gone, "docs", Policy.model_validate(policy()), LOCAL, enabled=True)
    await world.traffic(0, 10)
    await world.look()
    campaign = await world.last()
    assert (campaign.stage, campaign.reason) == ("refused", "the key that set the policy is revoked or has expired")


async def test_a_data_set_is_trained_on_as_it_was_frozen(world: World, tmp_path: Path) -> None:
    await world.set(data={"dataset": "edits", "least_rows": 10}, offline={**policy()["offline"], "dataset": "known"})
    world.sets.sets = {**world.sets.sets, "known": [replace(world.sets.sets["known"][0], sources=())]}
    await world.consent("ans_9")
    await world.improve.run(ADMIN, "docs", "")
    await world.look()
    assert (await world.last()).stage == "promoted"
    (order,) = world.training.orders.values()
    assert order.folder is not None
    assert list(world.training.rows.values()) == [30]


@pytest.mark.parametrize(
    ("application", "name"),
    [("judge:Tone", "judge-tone"), ("Our Handbook", "our-handbook"), ("지식", ""), ("x" * 256, "x" * 64)],
)
async def test_what_is_made_has_a_name_whatever_the_application_is_called(
    opened: Stores, tmp_path: Path, application: str, name: str
) -> None:
    world = World(opened, tmp_path, Said(verdict=BETTER), application=application)
    await world.set()
    await world.improve.run(ADMIN, application, "")
    await world.look()
    assert (await world.last()).stage == "promoted", (await world.last()).reason
    assert [each.suffix for each in world.training.orders.values()] == [name]


async def test_a_policy_that_names_what_there_is_not_is_refused_with_the_field(world: World) -> None:
    with pytest.raises(InvalidRequest) as found:
        await world.improve.put(ADMIN, "docs", Policy.model_validate(policy()), LOCAL, enabled=True)
    assert found.value.param == "rungs.0.recipe"


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.kills)])
async def test_a_kill_at_any_moment_leaves_one_promotion_and_nothing_half_done(
    opened: Stores, tmp_path: Path, step: int
) -> None:
    """Every moment before and after an effect, one after the other."""
    at, finished = 0, False
    while not finished:
        at += step
        world = World(opened, tmp_path, application=f"docs{at}")
        await world.set(after={"seconds": 0.05})
        await world.improve.run(ADMIN, world.application, "")
        world.hand.at, world.hand.seen = at, 0
        try:
            await world.look()
        except Killed:
            world.open()
        else:
            finished = True
        world.hand.at = None
        until = time.monotonic() + 10
        while (await world.last()).stage != "promoted" and time.monotonic() < until:
            await world.look()
        assert (await world.last()).stage == "promoted", at
        assert world.door.count("promote") == 1, at
        assert world.door.count("undo") == 0, at
        assert (await world.stages()).count("watching") == 1, at
        assert len(world.training.orders) == len(world.exports.made) == len(world.trials.begun) == 1, at
        assert len(world.comparisons.made) == 2, at
    assert at > 20


async def test_what_a_person_took_away_stays_away_after_a_kill(opened: Stores, tmp_path: Path) -> None:
    world = World(opened, tmp_path)
    promote, asked = world.door.promote, []

    async def killed(principal: Principal, candidate: Candidate) -> Placement:
        # Behind the promotion a person takes it back, and this process is killed.
        await promote(principal, candidate)
        await world.door.withdraw(ADMIN, candidate, "it is rude")
        raise Killed

    async def taken_back(tenant: str, candidate: Candidate, since: float) -> str:
        asked.append((tenant, candidate.id, since))
        return "it is rude" if world.door.count("promote") else ""

    world.door.taken_back = taken_back  # type: ignore[attr-defined]
    world.door.promote = killed  # type: ignore[method-assign]
    await world.set()
    await world.improve.run(ADMIN, "docs", "")
    with pytest.raises(Killed):
        await world.look()
    world.door.promote = promote  # type: ignore[method-assign]
    world.open()
    await world.look(3)
    campaign = await world.last()
    assert (campaign.stage, campaign.reason) == ("refused", "somebody withdrew it")
    assert world.door.count("promote") == 1
    assert (await world.door.placement("acme", "docs")).current is None
    assert asked[-1] == ("acme", campaign.candidate_id, campaign.created_at)
