"""A server is killed while its loop works (``benchmarks/kill_loop.py``): one promotion, and nothing is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import kill_loop
from _loop_huts import ENDS, policy
from mainspring.features.improve.policy.policy import Policy


@pytest.mark.kills
def test_a_loop_that_is_killed_promotes_once_and_loses_nothing(tmp_path: Path) -> None:
    found = kill_loop.Found()
    home = tmp_path / "home"
    home.mkdir()
    asyncio.run(kill_loop.campaign(home, "promoted", 6, 11, found, tmp_path))
    assert found.wrong == []
    assert (found.kills, found.promotions) == (6, 1)
    assert found.edits == 12
    assert found.thumbs > 30


@pytest.mark.parametrize("kind", ENDS)
def test_its_policies_are_policies(kind: str) -> None:
    Policy.model_validate(policy(kind))
