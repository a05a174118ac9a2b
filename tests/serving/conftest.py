from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mainspring.engines.scripted import Script
from mainspring.guards.policy.policies import GuardPolicy
from tests.serving.house import Build, House


@pytest.fixture
async def house() -> AsyncIterator[Build]:
    houses: list[House] = []

    def build(script: Script | None = None, policy: GuardPolicy | None = None, **settings: Any) -> House:
        houses.append(House(script or (lambda _: ["All", " is", " well", "."]), policy, **settings))
        return houses[-1]

    yield build
    for each in houses:
        await each.background.close()
        assert each.engine.live == 0
        assert all(span.ended for span in each.tracing.spans)
