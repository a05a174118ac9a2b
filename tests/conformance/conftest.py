"""Fixtures of the conformance suites: each engine is opened once for the whole session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio

from mainspring.engines.base import Engine
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
