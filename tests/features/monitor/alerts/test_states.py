"""Alerts over time: minimum durations, groups, silences, reminders, acknowledgement."""

from __future__ import annotations

import dataclasses
from typing import Any

from mainspring.features.monitor.alerts.signals import Condition, Signal
from mainspring.features.monitor.alerts.states import States
from mainspring.features.monitor.settings import MonitorSettings, RuleName
from mainspring.features.monitor.store.alerts import Alert, Silence


def condition(
    rule: RuleName = "latency", *, wrong: bool = True, application: str = "support", **more: Any
) -> Condition:
    signal = Signal("ttft", 2.0 if wrong else 0.1, 1.0, "s", 50, wrong, not wrong)
    return Condition(rule, "acme", application, "warning", [signal], **more)


def states(*alerts: Alert, **settings: Any) -> States:
    chosen = {"for_s": 60, "clear_s": 300, "group_s": 15, "repeat_s": 3600, **settings}
    return States(MonitorSettings.model_validate(chosen), alerts)


def silence(**changes: Any) -> Silence:
    return dataclasses.replace(Silence("acme", "s", "", "", "", "key", 0.0, 10_000.0), **changes)


def told(here: States, now: float, *silences: Silence) -> list[list[tuple[str, str]]]:
    return [[(alert.rule, alert.state) for alert in each.alerts] for each in here.tell(silences, now)]


def test_it_must_be_wrong_without_a_break() -> None:
    here = states()
    assert here.step([condition()], 0) == []
    assert here.step([condition(wrong=False)], 30) == []
    assert here.step([condition()], 60) == []
    assert here.step([condition()], 119) == []
    (alert,) = here.step([condition()], 120)
    assert (alert.state, alert.raised_at) == ("firing", 120)
    # It is one alert, however long it lasts.
    assert here.step([condition()], 500) == []


def test_it_must_be_right_without_a_break_and_a_new_fault_is_a_new_alert() -> None:
    here = states(for_s=0)
    (first,) = here.step([condition()], 0)
    assert here.step([condition(wrong=False)], 100) == []
    assert here.step([condition()], 300) == []
    assert here.step([condition(wrong=False)], 301) == []
    (ended,) = here.step([condition(wrong=False)], 601)
    assert (ended.id, ended.state, ended.cleared_at) == (first.id, "resolved", 601)
    (second,) = here.step([condition()], 700)
    assert second.id != first.id


def test_without_traffic_an_alert_ends() -> None:
    here = states(for_s=0)
    here.step([condition()], 0)
    assert here.step([], 10) == []
    (ended,) = here.step([], 310)
    assert ended.state == "resolved"


def test_alerts_of_one_application_are_told_together() -> None:
    here = states(for_s=0)
    here.step([condition("latency")], 0)
    assert told(here, 0) == []
    here.step([condition("latency"), condition("errors"), condition("errors", application="bank")], 10)
    assert told(here, 10) == []
    assert told(here, 15) == [[("latency", "firing"), ("errors", "firing")]]
    assert told(here, 25) == [[("errors", "firing")]]
    assert told(here, 60) == []


def test_what_was_over_before_anybody_was_told_is_not_told() -> None:
    here = states(for_s=0, clear_s=0)
    here.step([condition()], 0)
    assert told(here, 0) == []
    here.step([condition(wrong=False)], 5)
    assert told(here, 100) == []


def test_its_end_is_reported_once() -> None:
    here = states(for_s=0, group_s=0, clear_s=0)
    here.step([condition()], 0)
    assert told(here, 0) == [[("latency", "firing")]]
    here.step([condition(wrong=False)], 5)
    assert told(here, 5) == [[("latency", "resolved")]]
    assert told(here, 6) == []


def test_it_is_told_again_until_somebody_acknowledges() -> None:
    here = states(for_s=0, group_s=0)
    (alert,) = here.step([condition()], 0)
    assert told(here, 0) == [[("latency", "firing")]]
    assert told(here, 3599) == []
    assert told(here, 3600) == [[("latency", "firing")]]
    here.acknowledged({alert.id: ("key_1", 4000.0)})
    assert told(here, 9000) == []


def test_silences_cover_their_tenant_rule_and_application_for_their_time() -> None:
    for covering in (silence(), silence(rule="latency"), silence(application="support")):
        here = states(for_s=0, group_s=0)
        here.step([condition()], 0)
        assert told(here, 1, covering) == []
        # When it is over, what still fires is told.
        assert told(here, 10_001, covering) == [[("latency", "firing")]]
    for other in (silence(tenant="other"), silence(rule="cost"), silence(application="bank"), silence(until=1.0)):
        here = states(for_s=0, group_s=0)
        here.step([condition()], 0)
        assert told(here, 1, other) == [[("latency", "firing")]]


def test_who_heard_of_it_hears_of_its_end_though_it_is_silenced() -> None:
    here = states(for_s=0, group_s=0, clear_s=0)
    here.step([condition()], 0)
    assert told(here, 0) == [[("latency", "firing")]]
    here.step([condition(wrong=False)], 5)
    assert told(here, 5, silence()) == [[("latency", "resolved")]]


def test_who_takes_over_knows_what_is_open_and_what_was_told() -> None:
    first = states(for_s=0, group_s=0)
    first.step([condition()], 0)
    ((alert,),) = [each.alerts for each in first.tell((), 0)]
    second = states(alert, for_s=0, group_s=0, clear_s=0)
    assert second.step([condition()], 10) == []
    assert told(second, 10) == []
    (ended,) = second.step([condition(wrong=False)], 20)
    third = states(ended, group_s=0)
    assert told(third, 30) == [[("latency", "resolved")]]
