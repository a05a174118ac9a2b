"""For tests of counts by the day or month of UTC: they start after midnight if midnight is near."""

from __future__ import annotations

import time

import pytest

DAY_S = 86_400.0
ENOUGH_S = 60.0
"""What such a test takes at most on a busy machine."""


@pytest.fixture
def one_day() -> None:
    """The test runs within one day, and so within one month."""
    left = DAY_S - time.time() % DAY_S
    if left < ENOUGH_S:
        time.sleep(left + 0.1)
