"""Rows go or a job is resumed, and never both: on Postgres, where both are written at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mainspring.core.errors import Conflict
from mainspring.features.train.jobs.shedding import Shedding
from tests.databases import database, migrated
from tests.features.train.test_erasure import row_of
from tests.features.train.test_shedding import DAY_S, there
from tests.features.train.world import World, world

__all__ = ["migrated"]
_RESUMED = "UPDATE training_jobs SET state = 'queued', wish = '', ended_at = NULL, updated_at = $2 WHERE id = $1"
_SHED = "UPDATE training_jobs SET wish = 'shedding', updated_at = $2 WHERE id = $1"


@asynccontextmanager
async def home_on(folder: Path, template: str) -> AsyncIterator[tuple[World, str]]:
    """A world on a Postgres of its own, and that one's URL."""
    async with (
        database(template=template) as url,
        world(folder, works=False, train={"failed_days": 1}, stores={"database": url}) as home,
    ):
        yield home, url


@asynccontextmanager
async def meanwhile(url: str, statement: str, job_id: str) -> AsyncIterator[None]:
    """Another process writes this of the job, and commits it when the body has run."""
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(statement, job_id, time.time())
            yield
    finally:
        await connection.close()


@pytest.mark.parametrize("state", ["failed", "paused"])
async def test_what_is_resumed_meanwhile_keeps_its_rows_on_postgres(tmp_path: Path, migrated: str, state: str) -> None:
    long_ago = time.time() - 4 * DAY_S
    async with home_on(tmp_path, migrated) as (home, url):
        ended = None if state == "paused" else long_ago
        folder = await there(home, state, ended, updated_at=long_ago)
        shedding = Shedding(home.stores.database, home.service.places.job, home.service.settings, 3.0)
        async with meanwhile(url, _RESUMED, folder.path.name):
            round_of = asyncio.create_task(shedding.round())
            # It ends, or waits for the other one.
            await asyncio.wait([round_of], timeout=1.0)
        assert await round_of == 0
        assert (await row_of(home, folder.path.name)).state == "queued"
        assert folder.checkpoints.exists()
        assert (folder.data / "train.jsonl").exists()


async def test_what_is_shed_meanwhile_is_not_resumed_on_postgres(tmp_path: Path, migrated: str) -> None:
    async with home_on(tmp_path, migrated) as (home, url):
        folder = await there(home, "failed", time.time())
        async with meanwhile(url, _SHED, folder.path.name):
            resumed = asyncio.create_task(home.service.resume(home.who, folder.path.name))
            await asyncio.wait([resumed], timeout=1.0)
        with pytest.raises(Conflict, match="not kept"):
            await resumed
        assert (await row_of(home, folder.path.name)).state == "failed"
