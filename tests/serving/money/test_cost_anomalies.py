from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from mainspring.serving.money import cost_anomalies as anomaly
from mainspring.serving.money.cost_anomalies import DAY, HISTORY, HOUR, WEEK, judge
from mainspring.serving.money.cost_watch import CostWatch, look
from mainspring.stores.sql import ids
from mainspring.telemetry.metrics import Metrics

START = 490_000


def rhythm(seed: int, hours: int = 5 * WEEK) -> dict[int, int]:
    """Costs with a day's rhythm: nights are a fifth of days, and each hour is a tenth off."""
    chosen = random.Random(seed)
    days = {hour: (5 if hour % DAY in range(8, 20) else 1) * 10**9 for hour in range(START, START + hours)}
    return {hour: round(cost * chosen.gauss(1, 0.1)) for hour, cost in days.items()}


def test_a_spike_is_reported_and_the_rhythm_is_not() -> None:
    series = rhythm(1)
    judged = range(START + 2 * WEEK, START + 5 * WEEK)
    assert anomaly.find(series, list(judged)) == []
    night = next(hour for hour in judged if hour % DAY == 3)
    # Four times a night's cost, and less than any day's.
    found = judge(series | {night: 4 * 10**9}, night)
    assert found is not None
    assert found.expected == pytest.approx(10**9, rel=0.3)
    assert 3 < found.ratio < 5
    assert judge(series | {night: round(1.5 * 10**9)}, night) is None


def test_earlier_spikes_do_not_hide_a_new_one() -> None:
    series = rhythm(2)
    hour = START + 4 * WEEK + 10
    for before in (hour - WEEK, hour - 2 * DAY, hour - 1, hour - 3 * WEEK):
        series[before] *= 50
    assert judge(series | {hour: 6 * series[hour]}, hour) is not None


def test_what_nobody_would_look_at_is_not_told() -> None:
    series = rhythm(3)
    hour = START + 4 * WEEK
    assert judge(series | {hour: 10**11}, hour, least=10**11) is None
    assert judge(series | {hour: 10**11}, hour, least=10**10) is not None


def test_too_little_is_known_of_a_new_model() -> None:
    assert judge({START: 10**12}, START) is None
    assert judge({}, START) is None
    assert judge({START - 1: 5, START: 10**12}, START) is None


def test_a_quiet_tenant_may_wake_up() -> None:
    """Of a tenant that asks now and then, one dearer request is no news; a runaway loop is."""
    chosen = random.Random(4)
    series = {hour: 10**7 for hour in range(START, START + 4 * WEEK) if chosen.random() < 0.1}
    hour = START + 4 * WEEK
    assert judge(series | {hour: 3 * 10**7}, hour) is None
    assert judge(series | {hour: 10**9}, hour) is not None


class Counts(Metrics):
    def __init__(self) -> None:
        self.models: Counter[str] = Counter()

    def anomaly(self, model: str) -> None:
        self.models[model] += 1


async def test_each_hour_is_reported_once_by_whoever_comes_first(tmp_path: Path) -> None:
    now = int(time.time()) // HOUR
    async with stores.open(Settings(home=tmp_path)) as opened:
        calls = []
        for hour in range(now - HISTORY // 4, now + 2):
            cost = 50 * 10**9 if hour in (now - 40, now, now + 1) else 10**9
            facts = {"model": "big", "key_id": "k", "cost_nanousd": cost, "prompt_tokens": 1, "completion_tokens": 1}
            calls.append(EventRecord(ids.new("evt_"), hour * HOUR + 60.0, "acme", "t", "a", read("call", facts)))
        await opened.events.append(*calls)
        one, two = Counts(), Counts()
        watches = [CostWatch(opened.ledger, opened.events, counts, least=10**9) for counts in (one, two)]
        # The first look tells of the last hour alone: the one before is old news.
        assert [await watch.look(now) for watch in watches] == [1, 0]
        assert [await watch.look(now + 1) for watch in reversed(watches)] == [1, 0]
        assert (one.models, two.models) == ({"big": 1}, {"big": 1})
        told = await opened.events.find("acme", kind="cost")
        assert [event.facts.plain()["cost_nanousd"] for event in told] == [50 * 10**9] * 2
        assert {event.subject for event in told} == {"big"}
        found = await look(opened.ledger, range(now - 48, now + 1), least=10**9)
        assert [(tenant, model, each.hour) for tenant, model, each in found] == [
            ("acme", "big", now - 40),
            ("acme", "big", now),
        ]
        assert await look(opened.ledger, range(now - 48, now + 1), least=0, tenant="other") == []
