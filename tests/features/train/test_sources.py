"""The sources of a run are recorded in parts before its job, and do not stay without it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring.core.errors import QuotaExceeded
from mainspring.features.train.jobs import sources as module
from mainspring.features.train.jobs.store import PREFIX
from mainspring.features.train.tables import training_sources
from mainspring.stores.sql import ids
from tests.features.train.world import World, world

VALUES: dict[str, Any] = {"recipe": "line", "name": "many", "digest": ""}


async def jobs_of_sources(home: World) -> dict[str, int]:
    query = sa.select(training_sources.c.job, sa.func.count()).group_by(training_sources.c.job)
    found = await home.stores.database.read(lambda connection: connection.execute(query).all())
    return {row[0]: row[1] for row in found}


def many(count: int) -> dict[str, str]:
    return {f"ans_{number}": "answer" for number in range(count)}


async def test_other_writes_pass_between_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 50)
    async with world(tmp_path, works=False) as home:
        passed = 0
        job = ids.new(PREFIX)
        creating = asyncio.create_task(home.service.jobs.create(home.who, job, VALUES, many(1_000), "queued"))
        while not creating.done():
            await home.stores.database.write(lambda _: None, durable=False)
            passed += 1
        assert await creating == job
        assert passed >= 15
        assert await jobs_of_sources(home) == {job: 1_000}


async def test_what_has_no_job_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 50)
    async with world(tmp_path, works=False, train={"per_tenant": 2}) as home:
        jobs = home.service.jobs
        first = await jobs.create(home.who, ids.new(PREFIX), {**VALUES, "digest": "d"}, many(120), "queued")
        # The same order again: it is the first.
        assert await jobs.create(home.who, ids.new(PREFIX), {**VALUES, "digest": "d"}, many(120), "queued") == first
        second = await jobs.create(home.who, ids.new(PREFIX), VALUES, many(10), "queued")
        with pytest.raises(QuotaExceeded):
            await jobs.create(home.who, ids.new(PREFIX), VALUES, many(120), "queued")
        assert await jobs_of_sources(home) == {first: 120, second: 10}
        # As a kill leaves them: one that is being made, and one of yesterday.
        old, new = ids.at(PREFIX, time.time() - 86_400), ids.new(PREFIX)
        for job in (old, new):
            await jobs.sources.record("acme", job, many(120))
        await home.service.sweep()
        assert await jobs_of_sources(home) == {first: 120, second: 10, new: 120}
