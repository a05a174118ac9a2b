"""Decisions as functions of figures: of examples, of traffic, and when a campaign begins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from mainspring.features.improve.policy.policy import After, Budget, Canary, Offline, Policy, RedTeam, Shadow, Watch
from mainspring.features.improve.policy.store import Watched
from mainspring.features.improve.policy.triggers import left, reason
from mainspring.features.improve.stages import offline, online
from mainspring.features.improve.stages.online import Counted
from mainspring.training.stages import OnlineVerdict, Probed
from tests.features.improve.doubles import report
from tests.features.improve.world import policy


def wanted(**changes: Any) -> Offline:
    return Offline.model_validate({"dataset": "d", "gain": {"name": "f1", "effect": 0.02}, **changes})


def test_more_recipes_need_more_evidence_each() -> None:
    found = report({"gain": 0.06}, ["gain"])
    found["comparisons"][0]["p"] = 0.02
    assert offline.rule(wanted(), found, 1).passes
    assert not offline.rule(wanted(), found, 4).passes


def test_what_must_be_shown_is_not_shown_by_a_few_examples() -> None:
    found = report({"gain": 0.1, "kept 1": 0.0}, ["gain", "kept 1"])
    kept = {"scorer": {"name": "refusal"}, "worse_by": 0.02}
    assert offline.rule(wanted(kept=[kept]), found, 1).passes
    # Its interval is .04 wide on each side.
    assert not offline.rule(wanted(kept=[{**kept, "shown": True}]), found, 1).passes
    assert offline.rule(wanted(kept=[{**kept, "shown": True, "worse_by": 0.05}]), found, 1).passes


def test_failures_and_cost_are_held_against_the_current_ones() -> None:
    found = report({"gain": 0.1}, ["gain"], failed=10)
    ruling = offline.rule(wanted(kept=[{"measure": "failed", "worse_by": 0.02}]), found, 1)
    assert ruling.reason == "failed is worse by 5.0%, for at most 2.0%"
    assert offline.rule(wanted(kept=[{"measure": "cost"}]), found, 1).passes


def test_an_example_of_the_regression_list_is_lost_once_it_crosses_its_threshold() -> None:
    scores = [(0.9, 0.6), (0.9, 0.4), (0.3, 0.1), (None, 0.0)]
    assert offline.regressed(scores, 0.5, 0).figures == {"regression lost": 1, "regression n": 3}
    assert offline.regressed(scores, 0.5, 1).passes


def test_attacks_that_all_fail_say_nothing() -> None:
    fine = Probed(10, 0, harmless=10)
    assert offline.probed(RedTeam(), fine, fine).passes
    assert not offline.probed(RedTeam(), fine, Probed(10, 0, failed=10)).passes
    assert not offline.probed(RedTeam(), fine, Probed(0, 0)).passes
    assert not offline.probed(RedTeam(), fine, Probed(10, 0, harmless=10, refused=3)).passes


def test_a_canary_ends_undecided_after_its_time_or_its_units() -> None:
    verdict = OnlineVerdict({"current": 50, "candidate": 50})
    short = Canary.model_validate({"longest_s": 100, "units": 1000})
    assert online.canary(short, verdict, 1, 0, 0, 99).action == "wait"
    assert online.canary(short, verdict, 1, 0, 0, 100).action == "go"
    few = Canary.model_validate({"longest_s": 100, "units": 50})
    assert online.canary(few, verdict, 1, 0, 0, 1).action == "go"


def test_copies_that_fail_end_a_shadow_before_its_time() -> None:
    wished = Shadow.model_validate({"seconds": 100})
    assert online.shadow(wished, 40, 20, 0, 1).action == "go"
    assert online.shadow(wished, 40, 1, 0, 1).action == "wait"
    assert online.shadow(wished, 40, 1, 0, 100).action == "win"


def test_looking_after_every_answer_rolls_back_one_in_twenty_at_most() -> None:
    """At the floor itself; and a rate far below it is seen."""
    draw, wrong, seen = np.random.default_rng(5), 0, 0
    for _ in range(400):
        good = np.cumsum(draw.random(400) < 0.8)
        wrong += any(online.worse_than(int(good[n - 1]), n, 0.8, 0.05) for n in range(1, 401, 5))
        good = np.cumsum(draw.random(400) < 0.6)
        seen += any(online.worse_than(int(good[n - 1]), n, 0.8, 0.05) for n in range(1, 401, 5))
    assert wrong <= 30
    assert seen >= 380


def test_a_watch_knows_its_baseline_only_so_well() -> None:
    after = After.model_validate({"thumbs": 0.05})
    now = Counted(answers=300, ups=180, downs=120)
    assert online.after(after, Counted(answers=1000, ups=800, downs=200), now).action == "go"
    assert online.after(after, Counted(answers=12, ups=10, downs=2), now).action == "wait"
    # One that fails is seen soon.
    assert online.after(after, Counted(answers=1000), Counted(answers=30, failed=10)).action == "go"


@pytest.mark.parametrize(("n", "rate"), [(30, 0.6), (30, 0.8), (100, 0.6)])
def test_what_has_not_changed_is_hardly_ever_undone(n: int, rate: float) -> None:
    """Looked at 80 times; of three measures each has a third of the chance of an error."""
    draw, undone, runs = np.random.default_rng(11), 0, 1_000
    for _ in range(runs):
        ups = int(draw.binomial(n, rate))
        before = Counted(answers=n, ups=ups, downs=n - ups)
        good = np.cumsum(draw.random(4_000) < rate)
        undone += any(
            online.after(
                After(), before, Counted(answers=at, ups=int(good[at - 1]), downs=at - int(good[at - 1]))
            ).action
            == "go"
            for at in range(50, 4_001, 50)
        )
    assert undone / runs <= 0.05 / 3


@pytest.mark.parametrize(
    ("watched", "alarms", "expected"),
    [
        (Watched(feedback=9), [], ""),
        (Watched(feedback=110, begun=100), [], "10 pieces of feedback since the last"),
        (Watched(feedback=110, begun=100, rest_until=2000.0), [], ""),
        (Watched(), ["drift"], "an alert of drift fires"),
        (Watched(due="erased", rest_until=2000.0), [], "erased"),
    ],
)
def test_when_a_campaign_begins(watched: Watched, alarms: list[str], expected: str) -> None:
    assert reason(Watch.model_validate({"feedback": 10, "drift": True}), watched, alarms, 1000.0) == expected


def test_budgets_in_time_and_money() -> None:
    assert left(Budget(), 1e6, 1.0) is None
    assert left(Budget(seconds=100), 40, 0) == 60
    assert left(Budget(seconds=10_000, usd=1), 1800, 1.0) == 1800
    assert left(Budget(usd=1), 5000, 1.0) == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rungs": []}, "rungs"),
        ({"data": {"dataset": "a", "export": {"kind": "sft"}}}, "data"),
        ({"canary": {"steps": [0.5, 0.1]}}, "canary"),
        ({"offline": {"dataset": "d", "gain": {"name": "f1"}, "kept": [{"measure": "score"}]}}, "offline"),
        ({"after": {"alpha": 0.9}}, "after"),
    ],
)
def test_a_policy_that_says_nothing_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as found:
        Policy.model_validate(policy(**changes))
    assert found.value.errors()[0]["loc"][0] == field
