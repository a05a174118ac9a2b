"""Watching traffic: each fault raises only its alert, recovery clears the alert, and steady traffic raises none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring.core.facts.registry import read
from mainspring.core.types import EventRecord
from mainspring.evaluation.vitals import Vital
from mainspring.stores.schema import events
from mainspring.stores.sql import ids
from mainspring.stores.sql.pages import Page
from tests.features.monitor.visitors import HOUR, MINUTE, Shape, World, world

# Hours of traffic: seconds for each.
pytestmark = pytest.mark.slow

AVAILABILITY = {"availability": {"target": 0.999, "applications": ["bank"]}}


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_stationary_traffic_raises_nothing(tmp_path: Path, seed: int) -> None:
    async with world(tmp_path / "home", seed=seed) as here:
        await here.run(5 * HOUR, every=120, rate=15)
        assert await here.rules() == []


async def test_a_latency_fault_raises_its_alert_once_and_its_end_clears_it(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        await here.run(2 * HOUR)
        await here.run(20 * MINUTE, Shape(ttft=0.6, total=4.0))
        (alert,) = await here.alerts()
        assert (alert.rule, alert.application, alert.state) == ("latency", "support", "firing")
        assert "ttft" in alert.summary
        assert "total" in alert.summary
        await here.run(20 * MINUTE)
        assert await here.rules() == [("latency", "support", "resolved")]


async def test_slower_by_less_than_the_limit_is_no_fault(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        await here.run(2 * HOUR)
        await here.run(HOUR, Shape(ttft=0.13, total=1.3))
        assert await here.rules() == []


async def test_a_spike_shorter_than_the_minimum_raises_nothing(tmp_path: Path) -> None:
    async with world(tmp_path / "home", for_s=600) as here:
        await here.run(2 * HOUR)
        await here.run(4 * MINUTE, Shape(total=5.0))
        await here.run(HOUR)
        assert await here.rules() == []


async def test_values_between_raising_and_clearing_keep_the_alert_open(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"latency": {"total_s": 4.0, "ratio": 0}}
    async with world(tmp_path / "home", **settings) as here:
        await here.run(20 * MINUTE, Shape(total=3.0))
        assert [rule for rule, _, _ in await here.rules()] == ["latency"]
        # p95 of a mean of 1.85 is about 3.6: below 4, and above the 3.2 that clear.
        await here.run(30 * MINUTE, Shape(total=1.85))
        assert await here.rules() == [("latency", "support", "firing")]
        await here.run(30 * MINUTE, Shape(total=1.0))
        assert await here.rules() == [("latency", "support", "resolved")]


async def test_a_long_fault_does_not_become_what_is_usual(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        await here.run(2 * HOUR)
        await here.run(3 * HOUR, Shape(ttft=0.6, total=4.0), every=300, rate=10)
        assert await here.rules() == [("latency", "support", "firing")]


async def test_a_dear_request_is_reported_and_one_outlier_is_not(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        await here.run(2 * HOUR)
        outlier = here.request(Shape(cost=3e8), here.now, "support", "acme")
        await here.stores.events.append(*outlier)
        await here.run(10 * MINUTE)
        assert await here.rules() == []
        await here.run(15 * MINUTE, Shape(cost=5e6))
        (alert,) = await here.alerts()
        assert (alert.rule, alert.state) == ("cost", "firing")


async def test_failures_by_the_servers_fault_count_and_callers_mistakes_do_not(tmp_path: Path) -> None:
    async with world(tmp_path / "home", slos=AVAILABILITY) as here:
        await here.run(HOUR)
        await here.run(20 * MINUTE, Shape(failed=0.5, code="invalid_request"))
        await here.run(20 * MINUTE, Shape(failed=0.5, code="model_not_found"))
        assert await here.rules() == []
        await here.run(10 * MINUTE, Shape(failed=0.5, code="engine_died"))
        (alert,) = await here.alerts()
        assert (alert.rule, alert.severity) == ("errors", "critical")
        assert alert.details["signals"][0]["examples"]


async def test_names_that_nobody_serves_are_not_counted_as_applications(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        for number in range(50):
            shape = Shape(failed=1.0, code="model_not_found", rated=0)
            await here.stores.events.append(*here.request(shape, here.now, f"guess-{number}", "acme"))
        await here.look()
        assert {each["application"] for each in await here.monitor.slos("acme")} == {""}


async def test_a_drop_of_what_judged_answers_score_raises_exactly_its_alert_and_its_end_clears_it(
    tmp_path: Path,
) -> None:
    async with world(tmp_path / "home") as here:
        await here.run(3 * HOUR, every=120)
        await here.run(40 * MINUTE, Shape(faithful=0.5))
        (alert,) = await here.alerts()
        assert (alert.rule, alert.state) == ("quality", "firing")
        (wrong,) = [signal for signal in alert.details["signals"] if signal["wrong"]]
        assert wrong["name"] == "faithfulness"
        assert wrong["value"] < wrong["limit"] < wrong["before"]
        assert wrong["examples"]
        report = await here.monitor.quality("acme", here.now - HOUR, here.now, 60)
        (scored,) = [each for each in report["total"]["scores"] if each["metric"] == "faithfulness"]
        assert scored["judge"] == "judge@1"
        assert 0.5 < scored["mean"] < 0.8
        assert report["total"]["judged"] == scored["count"]
        await here.run(100 * MINUTE, every=120)
        assert await here.rules() == [("quality", "support", "resolved")]


async def test_another_judge_is_no_drop(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        await here.run(3 * HOUR, every=120)
        await here.run(HOUR, Shape(faithful=0.4, judge="judge@2"), every=120)
        assert await here.rules() == []


async def test_scores_below_their_floor_are_reported_without_a_time_before(tmp_path: Path) -> None:
    async with world(tmp_path / "home", quality={"floors": {"faithfulness": 0.7}}) as here:
        await here.run(30 * MINUTE, Shape(faithful=0.75))
        assert await here.rules() == []
        await here.run(HOUR, Shape(faithful=0.4))
        assert await here.rules() == [("quality", "support", "firing")]


async def test_more_thumbs_down_and_more_refusals_are_a_drop_of_quality(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        await here.run(2 * HOUR)
        await here.run(40 * MINUTE, Shape(down=0.6))
        (alert,) = await here.alerts()
        assert alert.rule == "quality"
        assert "feedback" in alert.summary
        assert "unanswered" not in alert.summary
    for name, shape in (("unanswered", Shape(unanswered=0.4)), ("unsupported", Shape(unsupported=0.5))):
        async with world(tmp_path / name) as here:
            await here.run(2 * HOUR)
            await here.run(40 * MINUTE, shape)
            (alert,) = await here.alerts()
            assert alert.rule == "quality"
            assert name in alert.summary


async def test_one_leak_is_told_at_once_and_a_dry_run_is_not(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        await here.run(10 * MINUTE)
        await leak(here, dry_run=True)
        assert await here.rules() == []
        await leak(here)
        (alert,) = await here.alerts()
        assert (alert.rule, alert.severity, alert.details["signals"][0]["examples"]) == ("safety", "critical", ["leak"])


async def leak(here: World, **facts: bool) -> None:
    answer = here.request(Shape(rated=0), here.now, "support", "acme")
    about = {"stage": "output", "guard": "prompt_leak", "action": "redact", "kind": "prompt_leak", "count": 1, **facts}
    told = EventRecord(ids.new("evt_"), here.now, "acme", "leak", answer[0].id, read("guard", about))
    await here.stores.events.append(*answer, told)
    await here.look()


async def test_a_wave_of_refused_requests_is_a_safety_event(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        await here.run(2 * HOUR, Shape(refused=0.01))
        await here.run(15 * MINUTE, Shape(refused=0.3))
        (alert,) = await here.alerts()
        assert alert.rule == "safety"
        assert "refused" in alert.summary


async def test_an_hour_that_cost_too_much_is_reported(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        facts = {"signal": "cost_anomaly", "model": "big", "cost_nanousd": 9, "expected_nanousd": 1}
        await here.stores.events.append(EventRecord("evt_cost_1", here.now, "acme", "", "big", read("cost", facts)))
        await here.run(5 * MINUTE, rate=0)
        assert await here.rules() == [("cost", "big", "firing")]
        await here.run(2 * HOUR, rate=0)
        assert await here.rules() == [("cost", "big", "resolved")]


async def test_rules_can_be_switched_off(tmp_path: Path) -> None:
    off: dict[str, Any] = {
        name: {"enabled": False} for name in ("latency", "errors", "cost", "quality", "safety", "drift")
    }
    async with world(tmp_path / "home", slos={}, **off) as here:
        await here.run(2 * HOUR)
        await here.run(20 * MINUTE, Shape(total=9, cost=9e6, failed=0.4, down=0.9, unanswered=0.9, refused=0.4))
        assert await here.rules() == []


async def test_tenants_and_applications_have_alerts_of_their_own(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        for _ in range(24):
            await here.run(5 * MINUTE, every=300)
            await here.run(0.01, application="bank", every=0.005, rate=300_000)
        await here.run(10 * MINUTE, Shape(ttft=0.6, total=4.0), tenant="other")
        assert await here.rules() == []
        await here.run(10 * MINUTE, Shape(ttft=0.6, total=4.0))
        assert await here.rules() == [("latency", "support", "firing")]
        assert (await here.monitor.alerts("other", Page())).rows == []


async def test_a_watcher_that_takes_over_goes_on_and_counts_nothing_twice(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        await here.run(2 * HOUR)
        await here.run(10 * MINUTE, Shape(ttft=0.6, total=4.0))
        before = await here.monitor.quality("acme", here.now - 2 * HOUR, here.now, 3600)
        here.watcher = here.monitor.watcher()
        await here.watcher.open(here.now)
        await here.look()
        assert await here.monitor.quality("acme", here.now - 2 * HOUR, here.now, 3600) == before
        await here.run(20 * MINUTE)
        # It knew the alert that the first one raised, and cleared it.
        assert await here.rules() == [("latency", "support", "resolved")]


class Lake:
    """Says what is wrong with a lake."""

    def __init__(self) -> None:
        self.wrong = True

    async def vitals(self, now: float) -> list[Vital]:
        if not self.wrong:
            return []
        return [
            Vital("acme", "set aside", 3, 1, "", 3, wrong=True, right=False),
            Vital("acme", "personal data", 0.3, 0.2, "share", 900, wrong=True, right=False, before=0.1),
            Vital("other", "waiting", 30, 600, "s", 1, wrong=False, right=True),
        ]


async def test_what_is_wrong_with_the_lake_is_an_alert_until_it_is_mended(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        lake = here.monitor.vitals = Lake()
        here.watcher = here.monitor.watcher()
        await here.watcher.open(here.now)
        await here.run(5 * MINUTE)
        (alert,) = await here.alerts()
        assert (alert.tenant, alert.rule, alert.application, alert.severity) == ("acme", "lake", "lake", "warning")
        assert alert.summary == (
            "lake: lake: set aside 3 (limit 1) in 3 rows; personal data 30 % (limit 20 %, usually 10 %) in 900 rows"
        )
        lake.wrong = False
        await here.run(20 * MINUTE)
        assert await here.rules() == [("lake", "lake", "resolved")]


async def test_an_event_that_cannot_be_read_does_not_end_the_watching(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        for facts in ("{no json", '{"status": "completed", "duration_s": "long"}'):
            records = here.request(Shape(rated=1.0), here.now, "support", "acme")
            await here.stores.events.append(*records)
            damage = sa.update(events).where(events.c.id == records[0].id).values(facts=facts)
            await here.stores.database.write(lambda link, damage=damage: link.execute(damage) and None)  # type: ignore[misc]
        await here.stores.events.append(*here.request(Shape(), here.now, "support", "acme"))
        await here.look()
        assert {each["application"] for each in await here.monitor.slos("acme")} >= {"support"}
