from __future__ import annotations

import random

import pytest

from mainspring.core.types import Ending, Usage
from mainspring.serving.admit.service_rate import FIRST_DURATION_S, ServiceRate


def test_before_anything_was_served_a_request_is_taken_to_last_two_seconds() -> None:
    rate = ServiceRate(4)
    assert not rate.measured
    assert rate.duration_s == FIRST_DURATION_S
    assert rate.per_second(100) == 4 * 100 / FIRST_DURATION_S


def test_a_full_engine_shows_its_rate_whatever_the_lengths() -> None:
    rate, draw = ServiceRate(8), random.Random(1)
    for _ in range(200):
        seconds = draw.choice([0.2, 1.0, 5.0])
        # Each of eight sequences writes 20 a second.
        rate.observe(20 * seconds, seconds, 8)
    assert rate.per_second(1) == pytest.approx(160)


def test_an_empty_engine_says_little() -> None:
    rate = ServiceRate(8)
    for _ in range(30):
        rate.observe(100, 1.0, 8)
    for _ in range(30):
        # Alone a sequence is faster, and eight times that is more than the engine can do together.
        rate.observe(100, 0.25, 1)
    assert rate.per_second(1) == pytest.approx(800, rel=0.1)


def test_a_change_is_followed() -> None:
    rate = ServiceRate(2)
    for _ in range(100):
        rate.observe(100, 1.0, 2)
    for _ in range(100):
        rate.observe(100, 4.0, 2)
    assert rate.per_second(1) == pytest.approx(50, rel=0.1)
    assert rate.duration_s == pytest.approx(4, rel=0.1)


def test_nonsense_is_no_sample() -> None:
    rate = ServiceRate(2)
    rate.observe(100, 0.0, 2)
    rate.observe(100, float("inf"), 2)
    assert not rate.measured


def test_an_ending_tells_everybody_once() -> None:
    ending = Ending()
    heard: list[Usage | None] = []
    ending.watch(heard.append)
    ending.tell(Usage(1, 2))
    ending.tell(None)
    ending.watch(heard.append)
    assert heard == [Usage(1, 2), Usage(1, 2)]
