from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.settings import Settings
from tests.features.lake.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with stores.open(Settings.model_validate({"home": tmp_path})) as opened:
        yield World(opened, tmp_path)
