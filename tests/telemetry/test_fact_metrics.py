"""Settled facts are counted: quality, money, safety; up to a maximum number of tenants."""

from __future__ import annotations

from typing import Any

from mainspring.core.facts.registry import read
from mainspring.core.types import EventRecord
from mainspring.telemetry.metrics import Metrics


def fact(kind: Any, tenant: str = "acme", /, **facts: Any) -> EventRecord:
    return EventRecord("evt_1", 0.0, tenant, "t", "ans_1", read(kind, facts))


def counted(*records: EventRecord) -> dict[str, float]:
    metrics = Metrics(["qa", "m"])
    metrics.facts.count(records)
    page = metrics.render()[0].decode()
    samples = (line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    return {name.removeprefix("mainspring_"): float(value) for name, value in samples if float(value)}


def test_feedback_and_support_are_counted() -> None:
    found = counted(
        fact("feedback", rating="down", edited=True),
        fact("feedback", rating="up", edited=False),
        fact("feedback", rating=None, edited=False),
        fact("feedback", rating="up", edited=False, instead_of="down"),
        fact("retrieval", refused=True, evidence=0.2),
        fact("retrieval", refused=False, evidence=0.9),
        fact("answer", requested="qa", sentences=3, unsupported=1),
        fact("score", metric="verdict", application="qa", scores={"faithfulness": 0.75, "answer_relevancy": 0.5}),
        fact("score", metric="verdict", application="made up", scores={"faithfulness": 0.5}),
        fact("score", metric="support", sentences=3, unsupported=1),
    )
    assert {name: value for name, value in found.items() if name.startswith("feedback_total")} == {
        'feedback_total{rating="down"}': 1,
        'feedback_total{rating="up"}': 1,
        'feedback_total{rating="edited"}': 1,
        'feedback_total{rating="changed"}': 1,
    }
    assert found['retrievals_total{outcome="unsupported"}'] == found['retrievals_total{outcome="supported"}'] == 1
    assert found['sentences_total{outcome="supported"}'] == 2
    assert found['sentences_total{outcome="unsupported"}'] == 1
    assert {name: value for name, value in found.items() if name.startswith("scores_sum")} == {
        'scores_sum{application="qa",metric="faithfulness"}': 0.75,
        'scores_sum{application="qa",metric="answer_relevancy"}': 0.5,
        'scores_sum{application="other",metric="faithfulness"}': 0.5,
    }


def test_money_is_counted_by_tenant_application_and_what_saved_it() -> None:
    found = counted(
        fact(
            "call", application="qa", cost_nanousd=2 * 10**9, prompt_tokens=7, completion_tokens=3, saved_nanousd=10**9
        ),
        fact("call", "other corp", application="made up", cost_nanousd=10**9),
        fact("answer", requested="qa", cost_nanousd=2 * 10**9, saved_nanousd=5 * 10**9),
    )
    assert found['tenant_cost_usd_total{tenant="acme"}'] == 2
    assert found['tenant_cost_usd_total{tenant="other corp"}'] == 1
    assert found['tenant_tokens_total{direction="output",tenant="acme"}'] == 3
    assert found['application_cost_usd_total{application="qa"}'] == 2
    assert found['application_cost_usd_total{application="other"}'] == 1, "names that nobody serves are not told"
    assert found['saved_usd_total{by="prompt_cache"}'] == 1
    assert found['saved_usd_total{by="answer_cache"}'] == 5


def test_what_routing_saved_is_the_difference_of_two_counters() -> None:
    found = counted(
        fact("call", cost_nanousd=10**9, routing_saved_nanousd=4 * 10**9),
        fact("call", cost_nanousd=2 * 10**9, routing_saved_nanousd=-2 * 10**9),
        fact("call", cost_nanousd=8 * 10**9),
    )
    assert (found["routed_cost_usd_total"], found["unrouted_cost_usd_total"]) == (3, 5)


def test_tenants_do_not_grow_the_page_without_bound() -> None:
    found = counted(*(fact("call", f"tenant {number}", cost_nanousd=10**9) for number in range(300)))
    tenants = [name for name in found if name.startswith("tenant_cost_usd_total")]
    assert len(tenants) == 101
    assert found['tenant_cost_usd_total{tenant="other"}'] == 200


def test_refusals_and_leaks_are_counted_and_trials_are_not() -> None:
    found = counted(
        fact("guard", guard="injection", action="refuse", kind="override", stage="input", count=1),
        fact("guard", guard="injection", action="refuse", kind="override", stage="input", count=1, dry_run=True),
        fact("guard", guard="pii", action="redact", kind="secret", stage="output", count=2),
        fact("guard", guard="pii", action="redact", kind="secret", stage="input", count=2),
        fact("guard", guard="prompt_leak", action="redact", kind="system", stage="output", count=1),
    )
    assert found['guard_refusals_total{guard="injection",stage="input"}'] == 1
    assert found['leaks_stopped_total{kind="secret"}'] == 2
    assert found['leaks_stopped_total{kind="prompt_leak"}'] == 1


def test_dialogues_and_tools_of_agents_are_counted_by_how_they_ended() -> None:
    found = counted(
        fact("dialogue", agent="qa", outcome="passed_on"),
        fact("dialogue", agent="qa", outcome="done"),
        fact("dialogue", agent="made up", outcome="done"),
        fact("tool", tool="get_order", agent="qa", outcome="ok"),
        fact("tool", tool="get_order", outcome="refused"),
    )
    ended = {name: value for name, value in found.items() if name.startswith(("dialogue_turns", "agent_tools"))}
    assert {name: value for name, value in ended.items() if "_created" not in name} == {
        'dialogue_turns_total{agent="qa",outcome="passed_on"}': 1,
        'dialogue_turns_total{agent="qa",outcome="done"}': 1,
        'dialogue_turns_total{agent="other",outcome="done"}': 1,
        'agent_tools_total{agent="qa",outcome="ok"}': 1,
    }
