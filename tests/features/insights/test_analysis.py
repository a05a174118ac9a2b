"""Outcomes by their rules, spikes, clusters and sentiment."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from mainspring.features.insights.analysis import clusters, naming, outcomes, sentiment, trends
from mainspring.features.insights.analysis.naming import Spoken
from mainspring.features.insights.analysis.outcomes import Signs

DAY = 86_400.0
START = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC).timestamp()


@pytest.mark.parametrize(
    ("turns", "again", "outcome"),
    [
        ([Signs(), Signs(thanks=True)], False, "resolved"),
        ([Signs(refused=True), Signs(thanks=True)], False, "resolved"),
        ([Signs(refused=True)], False, "refused"),
        ([Signs(), Signs(asks_back=True)], False, "abandoned"),
        ([Signs(), Signs(escalated=True), Signs(thanks=True)], False, "escalated"),
        ([Signs(grounded=True)], True, "abandoned"),
        ([Signs(grounded=True)], False, "resolved"),
        ([Signs(rating="down")], False, "abandoned"),
        ([Signs(refused=True, rating="down")], False, "refused"),
        ([Signs(status="failed")], False, "abandoned"),
        ([Signs(tools_failed=1)], False, "abandoned"),
        ([Signs(tools_failed=1, tools_ok=1)], False, "resolved"),
        ([Signs(sentiment=-0.8)], False, "abandoned"),
    ],
)
def test_the_first_rule_that_holds_decides(turns: list[Signs], again: bool, outcome: str) -> None:
    assert outcomes.ended(turns, over=True, again=again).outcome == outcome
    expected = "escalated" if outcome == "escalated" else "open"
    assert outcomes.ended(turns, over=False, again=again).outcome == expected


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("Thank you so much!", True),
        ("great, that worked", True),
        ("Danke", True),
        ("thanks, but it still does not work", False),
        ("Thanks. And where is my order?", False),
        ("where is my order", False),
    ],
)
def test_thanks_with_an_objection_is_not_contentment(text: str, content: bool) -> None:
    assert outcomes.thanked(text) is content


@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        ("Which order is it?", True),
        ("It is done. Can I help with anything else?", False),
        ("It is done.", False),
        ("Hello, how can I help?", True),
    ],
)
def test_a_closing_question_waits_for_nothing(answer: str, waits: bool) -> None:
    assert outcomes.asks_back(answer) is waits


def test_a_day_far_above_the_days_before_is_a_spike_and_the_first_days_are_not() -> None:
    usual = [START + day * DAY + minute for day in range(10, 20) for minute in range(5)]
    points = trends.series(
        [*usual, *(START + 20 * DAY + each for each in range(20))], "day", START, START + 21 * DAY, 3
    )
    assert [point.day.day for point in points if point.spike] == [22]
    assert (len(points), points[0].count, points[20].count) == (22, 0, 20)
    weeks = trends.series(usual, "week", START, START + 21 * DAY, 3)
    assert [(each.day.weekday(), each.count) for each in weeks] == [(0, 0), (0, 20), (0, 30), (0, 0)]


def test_clusters_are_found_without_their_number_and_noise_stays_out() -> None:
    draw = np.random.default_rng(1)
    centers = np.eye(32, dtype=np.float32)[:3]
    near = np.concatenate([each + 0.05 * draw.standard_normal((20, 32)) for each in centers]).astype(np.float32)
    noise = draw.standard_normal((10, 32)).astype(np.float32)
    vectors = np.concatenate([near, noise])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = clusters.found(vectors, 0.6, 5)
    assert len(found.centroids) == 3
    assert [len(set(found.labels[start : start + 20])) for start in (0, 20, 40)] == [1, 1, 1]
    assert set(found.labels[60:]) == {clusters.NOISE}
    again = clusters.nearest(vectors, found.centroids, 0.6)
    assert (again == found.labels).all()


def test_nothing_near_makes_no_cluster() -> None:
    found = clusters.found(np.eye(8, dtype=np.float32), 0.5, 2)
    assert (len(found.centroids), set(found.labels)) == (0, {clusters.NOISE})


def test_sentiment_is_unknown_without_weights() -> None:
    vectors = np.ones((2, 384), np.float32) / 384**0.5
    assert sentiment.scores(vectors, "another model") is None
    assert sentiment.scores(vectors[:, :10], "all-minilm-l6-v2") is None
    known = sentiment.scores(vectors, "all-minilm-l6-v2")
    assert known is not None
    assert all(-1 <= each <= 1 for each in known)
    assert [sentiment.label(each) for each in (None, -0.3, 0.0, 0.3)] == ["unknown", "negative", "neutral", "positive"]


def test_numbers_of_orders_are_no_words_of_a_name() -> None:
    turns = [Spoken(f"cancel the order LS-2{place}417 and ticket T-100{place}", str(place)) for place in range(5)]
    assert naming.name_of(naming.telling({"a": turns}, anonymity=3)["a"]) == "cancel, order, ticket"
