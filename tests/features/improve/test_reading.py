"""Answers are read for applications that have a policy, and for no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.features.improve.lineage.following import Following
from tests.features.improve.doubles import Said
from tests.features.improve.world import BETTER, World


async def test_where_nothing_is_watched_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        world = World(opened, tmp_path, Said(verdict=BETTER, answers=[]))
        await world.traffic(0, 5)
        following = Following(opened.database, 100)

        async def read(*_: Any) -> None:
            raise AssertionError("events are read that nobody counts")

        with monkeypatch.context() as patch:
            patch.setattr(following._follower._feed, "after", read)
            assert await following.follow() == 0
        await world.set()
        await world.traffic(5, 3)
        assert await following.follow() > 0
