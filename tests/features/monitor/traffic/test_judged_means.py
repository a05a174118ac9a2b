"""Means of judged answers over all, from strata that were judged with different probabilities."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import pytest

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.facts.opinions import VERDICT, ScoreFacts
from mainspring.evaluation.realtime import MEASURES
from mainspring.features.monitor.store.tallies import TallyRow
from mainspring.features.monitor.traffic.tally import Tally
from mainspring.features.monitor.views import quality
from mainspring.stores.events.feed import Fact


def verdict(score: float, stratum: str, probability: float, drawn: bool, before: float | None = None) -> Fact:
    facts = ScoreFacts(
        metric=VERDICT,
        judge="j",
        scores={"faithfulness": score},
        stratum=stratum,
        probability=probability,
        drawn=drawn,
        before=before,
    )
    return Fact(1, 0.0, "acme", "v", "t", "a", facts, None)


def shown(*tallies: Tally, checked: Collection[str] = MEASURES) -> dict[str, Any]:
    rows = [
        TallyRow("acme", "app", 60, 60 * place, json.loads(json.dumps(each.plain())))
        for place, each in enumerate(tallies)
    ]
    total: dict[str, Any] = quality(rows, 0.0, 600.0, 60, checked)["total"]
    return total


def test_an_estimate_weighs_strata_and_the_mean_that_alerts_use_is_of_the_plain_share() -> None:
    tally = Tally()
    # Two of two bad ones, and of twenty good ones two; a share of .1 would have drawn one of the bad.
    for drawn in (True, False):
        tally.add(verdict(0.0, "down", 1.0, drawn))
    for _ in range(2):
        tally.add(verdict(1.0, "rest", 0.1, True))
    total = shown(tally)
    (mean,) = total["scores"]
    assert (mean["count"], mean["mean"]) == (3, pytest.approx(2 / 3, abs=1e-4))
    (estimate,) = total["estimates"]
    assert estimate["value"] == pytest.approx(20 / 22, abs=1e-4)
    assert estimate["low"] <= estimate["value"] <= estimate["high"]
    assert estimate["strata"] == {"down": 2, "rest": 2}


def test_a_verdict_that_moves_to_another_stratum_counts_once() -> None:
    first, later = Tally(), Tally()
    first.add(verdict(0.2, "rest", 0.1, True))
    first.add(verdict(1.0, "rest", 0.1, True))
    later.add(verdict(0.2, "down", 1.0, True, before=0.1))
    total = shown(first, later)
    (estimate,) = total["estimates"]
    assert estimate["strata"] == {"down": 1, "rest": 1}
    assert estimate["value"] == pytest.approx((0.2 + 10) / 11, abs=1e-4)
    assert (total["judged"], total["scores"][0]["count"]) == (2, 2)


def test_findings_of_every_answer_are_shares_of_clean_answers() -> None:
    tally = Tally()
    for place in range(4):
        finish = ["length"] if place == 0 else ["stop"]
        facts = AnswerFacts.from_json(
            {"status": "completed", "operation": "chat", "requested": "app", "finish": finish}
        )
        tally.add(Fact(1, 0.0, "acme", f"a{place}", "t", f"a{place}", facts, None))
        # Two kinds in one answer are one answer.
        for kind in ("iban", "secret") if place == 1 else ():
            told = GuardFacts(stage="output", role="assistant", guard="pii_output", action="redact", kind=kind, count=3)
            tally.add(Fact(1, 0.0, "acme", kind, "t", f"a{place}", told, None))
    assert shown(tally)["realtime"] == {"format": 0.75, "toxicity": 1.0, "personal_data": 0.75}
    assert shown(Tally())["realtime"] == {"format": None, "toxicity": None, "personal_data": None}
    # What no policy looks at has no score, but what was found under an earlier policy counts.
    unchecked = {"format": 0.75, "toxicity": None, "personal_data": 0.75}
    assert shown(tally, checked=("format",))["realtime"] == unchecked
