"""Breakers and budgets, on a clock of the tests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.settings.serving.routing import BalanceSettings
from mainspring.serving.route.breaker import Breaker
from mainspring.serving.route.retry_budget import Budget

SETTINGS = BalanceSettings(failures=3, error_rate=0.5, window_s=10, min_calls=6, cooldown_s=1, longest_cooldown_s=4)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(SETTINGS)
    for _ in range(3):
        assert breaker.state(now) == "closed"
        breaker.failed(now, probe=breaker.begin(now))
    assert breaker.state(now) == "open"
    return breaker


def test_failures_in_a_row_open_it() -> None:
    breaker = opened()
    assert not breaker.allows(0.5)
    assert 0.8 <= breaker.reopens_in(0) <= 1.2


def test_a_success_between_them_does_not() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(2):
        breaker.failed(0, probe=False)
    breaker.succeeded(0)
    breaker.failed(0, probe=False)
    assert breaker.state(0) == "closed"


def test_an_error_rate_opens_it_and_old_failures_are_forgotten() -> None:
    breaker = Breaker(SETTINGS)
    for at in range(4):
        breaker.failed(at, probe=False)
        breaker.succeeded(at)
        if at < 2:
            assert breaker.state(at) == "closed"
    assert breaker.state(3.5) == "open"
    slow = Breaker(SETTINGS)
    for at in range(0, 60, 6):
        slow.failed(at, probe=False)
        slow.succeeded(at)
    assert slow.state(60) == "closed"
    assert slow.rate(100) == 0


def test_half_open_lets_one_call_through() -> None:
    breaker = opened()
    assert breaker.state(2) == "half_open"
    assert breaker.allows(2)
    assert breaker.begin(2)
    assert not breaker.allows(2)
    assert not breaker.allows(100)
    breaker.answered(probe=True)
    assert breaker.state(2) == "closed"


def test_a_probe_that_fails_doubles_the_pause() -> None:
    breaker, now, waits = opened(), 0.0, []
    for _ in range(4):
        now += breaker.reopens_in(now)
        breaker.failed(now, probe=breaker.begin(now))
        waits.append(breaker.reopens_in(now))
    for wait, wanted in zip(waits, (2, 4, 4, 4), strict=True):
        assert 0.8 * wanted <= wait <= 1.2 * wanted
    now += breaker.reopens_in(now)
    breaker.answered(probe=breaker.begin(now))
    for _ in range(3):
        breaker.failed(now, probe=False)
    assert breaker.reopens_in(now) <= 1.2


def test_a_probe_whose_caller_left_makes_room_for_the_next() -> None:
    breaker = opened()
    assert breaker.begin(2)
    breaker.left(probe=True)
    assert breaker.begin(2)


@given(st.floats(0, 1), st.integers(1, 50), st.lists(st.booleans(), max_size=400))
def test_a_budget_is_never_overdrawn(share: float, burst: int, calls: list[bool]) -> None:
    budget, spent = Budget(share, burst), 0
    for number, wanted in enumerate(calls, 1):
        budget.deposit()
        if wanted:
            spent += budget.spend()
        assert spent <= burst + share * number + 1e-6
        assert 0 <= budget.level <= burst


def test_a_share_is_reached_exactly() -> None:
    budget = Budget(0.2, 10, full=False)
    granted = 0
    for _ in range(100):
        budget.deposit()
        granted += budget.spend()
    assert granted == 20
    assert budget.refused == 80
