"""Fixtures of the conformance suites: each engine is opened once for the whole session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio

from mainspring.engines.base import Engine
from mainspring.stores.sql import redis
from tests.conformance.engine_cases import CASES, Case


@pytest.fixture(scope="session", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """One engine of the table; skips with the reason where it cannot run."""
    chosen = cast(Case, request.param)
    if reason := chosen.missing():
        pytest.skip(reason)
    return chosen


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine(case: Case) -> AsyncIterator[Engine]:
    """The engine of ``case``, started."""
    async with case.open() as opened:
        yield opened


@pytest.fixture(autouse=True)
def patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a Redis that is well may be slow; where it does not die it is waited for."""
    if "mortal" not in request.fixturenames:
        monkeypatch.setattr(redis, "PATIENCE_S", 30.0)
