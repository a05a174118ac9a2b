"""The rule: quality beyond doubt first, then money, then how often facts change; and unsure where nobody knows."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from mainspring.features.advise.rule import money
from mainspring.features.advise.rule.decide import decide
from mainspring.features.advise.rule.pairs import difference
from mainspring.features.advise.rule.rows import Row, Terms, Way

TERMS = Terms(queries=1_000, changes=0.0, months=12, margin=0.02)


def row(way: Way, right: float, n: int = 400, *, seed: int = 1, **more: float) -> Row:
    """A way that is right on that share of questions, each by chance of its own."""
    drawn = random.Random(f"{way}{seed}")
    scores = tuple(float(drawn.random() < right) for _ in range(n))
    return Row(way, True, name=way, scores=scores, **more)  # type: ignore[arg-type]


def test_a_way_that_is_better_beyond_doubt_wins_whatever_it_costs() -> None:
    made = decide([row("prompt", 0.2, usd=0.0), row("rag", 0.8, usd=0.01)], TERMS)
    assert (made.verdict, made.way) == ("recommended", "rag")
    assert "rag is better beyond doubt" in made.out["prompt"]


def test_among_equals_the_cheapest_at_the_told_volume_wins() -> None:
    same = row("rag", 0.8, n=2_000)
    tuned = replace(same, way="fine-tune", usd=0.001, upfront_usd=120.0)
    rows = [replace(same, usd=0.01), tuned]
    # Each month's share of the training is 10 USD, and a query costs 0.009 less: 1,111 queries a month pay for it.
    few = decide(rows, replace(TERMS, queries=500))
    many = decide(rows, replace(TERMS, queries=5_000))
    assert (few.verdict, few.way) == ("recommended", "rag")
    assert (many.verdict, many.way) == ("recommended", "fine-tune")
    assert money.break_even(tuned, rows[0], "usd") == pytest.approx(120 / 0.009)
    assert money.break_even(rows[0], tuned, "usd") is None


def test_what_is_not_known_is_unsure_and_says_how_many_more() -> None:
    rows = [row("prompt", 0.5, n=30, seed=3), row("few-shot", 0.62, n=30, seed=3, usd=0.1)]
    made = decide(rows, TERMS)
    assert made.verdict == "unsure"
    assert made.way == "prompt"
    assert made.open == ("few-shot",)
    assert made.more is not None
    assert made.more > 0
    settled = 0
    for seed in range(20):
        n = 30 + made.more
        again = decide([row("prompt", 0.5, n, seed=seed), row("few-shot", 0.62, n, seed=seed, usd=0.1)], TERMS)
        settled += again.verdict == "recommended"
    assert settled >= 12


def test_a_rule_that_is_sure_is_rarely_wrong() -> None:
    """Of equals with a margin of .1, hardly any is called better beyond doubt."""
    wrong = 0
    for seed in range(200):
        ways: tuple[Way, ...] = ("prompt", "few-shot", "rag", "rag-written")
        made = decide([row(way, 0.6, n=100, seed=seed) for way in ways], replace(TERMS, margin=0.1))
        wrong += any("beyond doubt" in why for why in made.out.values())
    assert wrong <= 16


def test_facts_that_change_more_often_than_a_retraining_pays_rule_weights_out() -> None:
    same = row("rag", 0.8, n=2_000)
    tuned = replace(same, way="fine-tune", usd=0.001, upfront_usd=5.0, renewal_usd=5.0)
    both = replace(same, way="both", usd=0.02, upfront_usd=5.0)
    rows = [replace(same, usd=0.01), tuned, both]
    # Until the facts change, 1,000 queries save 9 USD at one change a month and 0.9 at ten; a retraining costs 5.
    rare = decide(rows, replace(TERMS, changes=1.0))
    often = decide(rows, replace(TERMS, changes=10.0))
    assert rare.way == "fine-tune"
    assert "retraining costs 5.00 USD" in often.out["fine-tune"]
    assert often.way == "rag"
    late = decide([rows[0], replace(tuned, renewal_seconds=90_000.0)], replace(TERMS, changes=30.0))
    assert "always out of date" in late.out["fine-tune"]
    assert decide(rows, replace(TERMS, changes=None)).way == "fine-tune"


def test_a_difference_that_does_not_matter_rules_nothing_out_however_sure_it_is() -> None:
    # One question in 200 of 4,000 more: beyond doubt better than nothing, and at most the margin.
    worse = Row("prompt", True, scores=(1.0,) * 2_000 + (0.0,) * 2_000, usd=0.001)
    better = Row("rag", True, scores=(1.0,) * 2_020 + (0.0,) * 1_980, usd=0.01)
    made = decide([worse, better], TERMS)
    assert made.pairs[0].beyond_doubt
    assert (made.verdict, made.way, made.out) == ("recommended", "prompt", {})
    assert decide([worse, better], replace(TERMS, margin=0.002)).way == "rag"


def test_documents_that_answer_worse_are_not_what_a_retraining_is_weighed_against() -> None:
    tuned = replace(row("fine-tune", 0.8, n=2_000), usd=0.02, renewal_usd=5.0)
    poor = replace(row("rag", 0.0, n=2_000), usd=0.01)
    assert decide([tuned, poor], replace(TERMS, changes=10.0)).way == "fine-tune"
    equal = replace(row("fine-tune", 0.8, n=2_000), way="rag", usd=0.01)
    assert "fine-tune" in decide([tuned, equal], replace(TERMS, changes=10.0)).out


def test_without_prices_seconds_of_the_machine_are_what_it_costs() -> None:
    same = row("prompt", 0.5, n=2_000)
    made = decide([replace(same, seconds=2.0), replace(same, way="few-shot", seconds=1.0)], TERMS)
    assert (made.unit, made.way) == ("seconds", "few-shot")


def test_costs_that_are_not_known_are_not_nothing() -> None:
    same = row("prompt", 0.5, n=2_000)
    paid, dark = replace(same, way="rag", usd=0.01), replace(same, priced=False)
    made = decide([dark, paid], TERMS)
    assert (made.verdict, made.way, made.open, made.unit) == ("unsure", "rag", ("prompt",), "usd")
    assert any("prompt costs is not known" in each and "--usd-per-hour" in each for each in made.reasons)
    assert money.crossings([dark, replace(paid, usd=0.0, upfront_usd=1.0)], "usd") == []
    # Quality decides without it, and between those that have a price money does.
    better = decide([replace(row("rag-written", 0.9, n=2_000), priced=False), paid], TERMS)
    assert (better.verdict, better.way) == ("recommended", "rag-written")
    assert "an unknown amount" in better.reasons[-1]
    # A retraining of unknown cost rules nothing out.
    tuned = replace(same, way="fine-tune", usd=0.001, renewal_usd=50.0)
    assert "fine-tune" in decide([paid, tuned], replace(TERMS, changes=10.0)).out
    assert "fine-tune" not in decide([paid, replace(tuned, priced=False)], replace(TERMS, changes=10.0)).out


def test_what_failed_or_was_not_scored_is_out_and_nothing_may_be_left() -> None:
    failing = replace(row("rag", 0.0, n=20), failed=20)
    silent = replace(row("few-shot", 0.5, n=20), scores=(None,) * 20)
    made = decide([row("prompt", 0.5, n=20), failing, silent], TERMS)
    assert made.way == "prompt"
    assert made.out == {"rag": "every answer failed", "few-shot": "the scorer had nothing to say about its answers"}
    assert decide([failing], TERMS).verdict == "nothing"
    assert decide([Row("prompt", reason="no")], TERMS).verdict == "nothing"


def test_nothing_is_recommended_where_nothing_is_right() -> None:
    made = decide([row("prompt", 0.0, n=40), row("rag", 0.0, n=40)], TERMS)
    assert (made.verdict, made.way) == ("nothing", None)
    assert "(40 questions)" in made.reasons[0]


def test_values_without_spread_are_not_taken_for_certainty() -> None:
    few, many = difference([0.0] * 10, [""] * 10, 0.95), difference([0.0] * 1_000, [""] * 1_000, 0.95)
    assert few.high > 0.3
    assert many.high < 0.004
    assert difference([1.0] * 3, [""] * 3, 0.95).low < 0 < difference([1.0] * 40, [""] * 40, 0.95).low
    # Near-duplicates are one question.
    assert difference([0.0] * 1_000, ["one"] * 1_000, 0.95).high > 0.9
