"""Recurring work: one process at a time, and taken over from one that died."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.errors import MainspringError, StoreError
from mainspring.core.settings import Settings
from mainspring.stores.sql.recurring import recurring


async def test_work_that_outlasts_its_lease_is_not_taken_over(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        async with recurring(opened.jobs, "look", lease_s=0.3) as mine:
            assert mine is not None
            await asyncio.sleep(0.8)
            async with recurring(opened.jobs, "look") as other:
                assert other is None
            assert not mine.lost.is_set()
        async with recurring(opened.jobs, "look") as other:
            assert other is not None


async def test_what_a_dead_process_left_is_taken_over_and_the_dead_one_learns_of_it(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        dead = await opened.jobs.claim("look", "lease_dead", 0.0, 0.2)
        assert dead is not None
        await asyncio.sleep(0.25)
        async with recurring(opened.jobs, "look", lease_s=0.3) as mine:
            assert mine is not None
            assert await opened.jobs.extend(dead, 10) is None
            # Whoever takes it from this one is noticed here.
            taken = await opened.jobs.claim("look", "lease_taken", 0.0, 60)
            assert taken is None
            await opened.jobs.release(mine.job)
            assert await opened.jobs.claim("look", "lease_taken", 0.0, 60) is not None
            async with asyncio.timeout(10):
                await mine.lost.wait()


async def test_work_that_failed_is_not_put_off(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        with pytest.raises(ValueError, match="no"):
            async with recurring(opened.jobs, "look", every_s=3600):
                raise ValueError("no")
        async with recurring(opened.jobs, "look", every_s=3600) as again:
            assert again is not None
        async with recurring(opened.jobs, "look", every_s=3600) as soon:
            assert soon is None


async def test_a_loop_ends_though_its_lease_cannot_be_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def loop() -> None:
        while True:
            try:
                async with recurring(opened.jobs, "look"):
                    begun.set()
                    await asyncio.sleep(60)
            except MainspringError:
                await asyncio.sleep(60)

    async def fail(*_: object, **__: object) -> None:
        raise StoreError("the database is damaged", remedy="Restore it")

    async with stores.open(Settings(home=tmp_path)) as opened:
        working = asyncio.create_task(loop())
        await begun.wait()
        with monkeypatch.context() as patched:
            patched.setattr(opened.jobs, "release", fail)
            working.cancel()
            async with asyncio.timeout(10):
                await asyncio.gather(working, return_exceptions=True)
        assert working.cancelled()
