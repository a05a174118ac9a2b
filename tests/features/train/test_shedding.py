"""Rows of jobs that are over go in time, and a tenant has so much of the disk."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import Conflict, QuotaExceeded
from mainspring.features.train.jobs import running
from mainspring.features.train.jobs.shedding import Shedding
from mainspring.features.train.jobs.store import OVER
from mainspring.training.folder import Folder
from tests.features.train.test_erasure import SAID, _set, row_of, says, worked
from tests.features.train.world import World, world

DAY_S = 86_400.0


async def there(home: World, state: str, ended: float | None, **values: Any) -> Folder:
    """The folder of a job in a state, with people's words in its rows and in all that a run writes."""
    job = (await home.order()).id
    told = {"state": state, "ended_at": ended, "updated_at": time.time() if ended is None else ended, **values}
    await home.stores.database.write(lambda it: _set(it, job, **told), durable=True)
    folder = Folder(home.service.places.job(job))
    worked(folder)
    (folder.data / "train.jsonl").write_text(SAID)
    return folder


async def test_a_cancelled_job_leaves_no_rows(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        job = (await home.order()).id
        folder = Folder(home.service.places.job(job))
        worked(folder)
        assert list(folder.data.glob("*.jsonl"))
        await home.service.cancel_training(home.who, job)
        assert not list(folder.data.glob("*.jsonl"))
        assert not folder.checkpoints.exists()


async def test_a_run_that_is_cancelled_leaves_no_rows(tmp_path: Path) -> None:
    async with world(tmp_path) as home:
        job = (await home.order(options={"steps": 100_000, "pause_s": 0.01})).id
        await home.until(job, lambda each: each.step > 0)
        await home.service.cancel_training(home.who, job)
        assert (await home.over(job)).state == "cancelled"
        folder = Folder(home.service.places.job(job))
        await home.until(job, lambda _: not folder.checkpoints.exists(), 10)
        assert not list(folder.data.glob("*.jsonl"))


async def test_what_is_over_is_shed_in_time_and_then_begins_no_more(tmp_path: Path) -> None:
    async with world(tmp_path, works=False, train={"failed_days": 3}) as home:
        now = time.time()
        young = await there(home, "failed", now - 2 * DAY_S)
        old = await there(home, "failed", now - 4 * DAY_S)
        killed = await there(home, "cancelled", now)
        done = await there(home, "succeeded", now - 4 * DAY_S)
        paused = await there(home, "paused", None)
        before = {folder.path.name: says(folder.path) for folder in (young, done, paused)}
        await home.service.sweep()
        for folder in (old, killed):
            assert not list(folder.data.glob("*.jsonl"))
            assert not folder.checkpoints.exists()
        assert {folder.path.name: says(folder.path) for folder in (young, done, paused)} == before
        with pytest.raises(Conflict, match="not kept"):
            await home.service.resume(home.who, old.path.name)
        await home.service.resume(home.who, young.path.name)
        await home.service.resume(home.who, paused.path.name)


async def test_nothing_of_people_s_texts_outlives_their_retention(tmp_path: Path) -> None:
    kept = {"compliance": {"retention": {"contents_days": 10}}}
    async with world(tmp_path, works=False, train={"failed_days": 30}, **kept) as home:
        long_ago = time.time() - 11 * DAY_S
        gone = [await there(home, state, long_ago) for state in ("succeeded", "failed")]
        gone.append(await there(home, "paused", None, updated_at=long_ago))
        stays = await there(home, "failed", time.time() - 9 * DAY_S)
        await home.service.sweep()
        assert [says(folder.path) for folder in gone] == [[], [], []]
        assert "train.jsonl" in says(stays.path)
        row = await row_of(home, gone[-1].path.name)
        assert row.state == "failed"
        assert "data_expired" in row.error


async def test_texts_of_what_was_shed_before_go_when_they_are_too_old(tmp_path: Path) -> None:
    kept = {"compliance": {"retention": {"contents_days": 10}}}
    async with world(tmp_path, works=False, train={"failed_days": 3}, **kept) as home:
        now = time.time()
        shed = [await there(home, state, now - 4 * DAY_S) for state in ("failed", "cancelled")]
        await home.service.sweep()
        # What people are told of the job stays for so long, and no row.
        assert all(says(each.path) and not list(each.data.glob("*.jsonl")) for each in shed)
        made = Shedding(home.stores.database, home.service.places.job, home.service.settings, 10.0)
        assert await made.round(now + 5 * DAY_S) == 0
        assert await made.round(now + 7 * DAY_S) == 2
        assert [says(each.path) for each in shed] == [[], []]
        assert await made.round(now + 8 * DAY_S) == 0
        with pytest.raises(Conflict, match="not kept"):
            await home.service.resume(home.who, shed[0].path.name)
        # Shed and forgotten at once, where nothing is kept longer than it can be resumed.
        late = await there(home, "cancelled", now - 11 * DAY_S)
        assert await made.round(now) == 1
        assert says(late.path) == []
        assert await made.round(now) == 0


async def test_a_kill_while_it_is_shed_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mainspring.features.train.jobs.shedding as shedding

    async with world(tmp_path, works=False, train={"failed_days": 0}) as home:
        folder = await there(home, "failed", time.time() - 1)
        made = Shedding(home.stores.database, home.service.places.job, home.service.settings, 0.0)

        def killed(*_: Any) -> None:
            raise RuntimeError("killed")

        with monkeypatch.context() as patched:
            patched.setattr(shedding, "_delete", killed)
            with pytest.raises(RuntimeError):
                await made.round()
        # From then on nobody resumes it.
        with pytest.raises(Conflict, match="not kept"):
            await home.service.resume(home.who, folder.path.name)
        assert await made.round() == 1
        assert not folder.checkpoints.exists()
        assert await made.round() == 0
        assert (await row_of(home, folder.path.name)).state in OVER


async def test_a_tenant_has_so_much_of_the_disk(tmp_path: Path) -> None:
    async with world(tmp_path, works=False, train={"tenant_bytes": 200_000}) as home:
        first = (await home.order()).id
        large = Folder(home.service.places.job(first)).checkpoints / "weights.bin"
        large.write_bytes(bytes(199_000))
        used = await home.service.disk.used("acme")
        assert 199_000 < used < 210_000
        with pytest.raises(QuotaExceeded, match="tenant_bytes"):
            await home.order()
        # Nothing of the refused order stays.
        assert [path.name for path in home.service.places.job(first).parent.iterdir()] == [first]
        assert not list((home.service.places.root / "drafts").iterdir())
        await home.service.pause(home.who, first)
        large.write_bytes(bytes(300_000))
        with pytest.raises(QuotaExceeded, match="tenant_bytes"):
            await home.service.resume(home.who, first)
        assert not await home.service.disk.used("other")
        large.unlink()
        await home.order()


async def test_a_run_that_fills_the_disk_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_DISK_S", 0.2)
    async with world(tmp_path, train={"tenant_bytes": 100_000}) as home:
        job = (await home.order(options={"steps": 100_000, "pause_s": 0.01})).id
        await home.until(job, lambda each: each.step > 0)
        (Folder(home.service.places.job(job)).path / "large.bin").write_bytes(bytes(200_000))
        found = await home.over(job)
        assert found.state == "failed"
        assert "tenant_bytes" in found.error
