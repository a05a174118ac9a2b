"""What every SQL database must do for leased jobs and batches."""

from __future__ import annotations

import asyncio
import json

import pytest

from mainspring.core.errors import Conflict, InvalidRequest, NotFound
from mainspring.core.types import Principal
from mainspring.stores import Stores
from mainspring.stores.sql.jobs import Job
from mainspring.stores.sql.pages import Page
from mainspring.stores.work.batches import Batch
from tests.databases import opened, settings

__all__ = ["opened", "settings"]
ME = Principal("a", "key_1", frozenset({"chat"}), frozenset({"g"}))


async def batch(opened: Stores, who: Principal = ME) -> Batch:
    return await opened.batches.create(
        who, endpoint="/v1/embeddings", input_file_id="file-1", window="24h", window_s=86_400.0, metadata={"a": "b"}
    )


async def lease(opened: Stores, owner: str = "w1", lease_s: float = 60.0, kind: str = "batch") -> Job:
    job = await opened.jobs.lease(kind, owner, lease_s)
    assert job is not None
    return job


async def test_each_job_is_leased_once_the_urgent_first(opened: Stores) -> None:
    for number in range(6):
        await opened.jobs.submit("a", f"j{number}", "ingest", {"n": number}, priority=number // 3)
    await opened.jobs.submit("b", "j0", "other", {})
    found = await asyncio.gather(*(opened.jobs.lease("ingest", f"w{n}", 60) for n in range(9)))
    jobs = [job for job in found if job is not None]
    assert sorted(job.id for job in jobs) == [f"j{n}" for n in range(6)]
    assert {job.id: job.payload["n"] for job in jobs} == {f"j{n}": n for n in range(6)}
    again = await opened.jobs.get("a", "j0")
    assert (again.state, again.attempts) == ("running", 1)
    with pytest.raises(NotFound):
        await opened.jobs.get("b", "j1")


async def test_urgent_jobs_go_first(opened: Stores) -> None:
    for number, priority in enumerate((0, 5, 0)):
        await opened.jobs.submit("a", f"j{number}", "k", {}, priority=priority)
    order = [(await lease(opened, f"w{n}", kind="k")).id for n in range(3)]
    assert order == ["j1", "j0", "j2"]


async def test_tenants_take_turns_however_many_jobs_one_has(opened: Stores) -> None:
    for number in range(6):
        await opened.jobs.submit("loud", f"l{number}", "k", {})
    for number in range(2):
        await opened.jobs.submit("quiet", f"q{number}", "k", {})
    first = [await lease(opened, f"w{n}", kind="k") for n in range(4)]
    assert [job.id for job in first] == ["l0", "q0", "l1", "q1"]
    await opened.jobs.submit("late", "x0", "k", {})
    assert (await lease(opened, "w4", kind="k")).id == "x0"
    for job in first:
        await opened.jobs.finish(job)
    # With one at a time, too.
    await opened.jobs.submit("quiet", "q2", "k", {})
    order = []
    for number in range(4):
        job = await lease(opened, f"v{number}", kind="k")
        order.append(job.id)
        await opened.jobs.finish(job)
    assert order == ["l2", "q2", "l3", "l4"]
    # What is urgent goes before turns.
    await opened.jobs.submit("loud", "u", "k", {}, priority=1)
    await opened.jobs.submit("quiet", "q3", "k", {})
    assert (await lease(opened, "v5", kind="k")).id == "u"


async def test_what_a_dead_process_left_is_taken_up(opened: Stores) -> None:
    await opened.jobs.submit("a", "j", "k", {})
    dead = await lease(opened, "dead", lease_s=-1.0, kind="k")
    alive = await lease(opened, "alive", kind="k")
    assert (alive.attempts, alive.owner) == (2, "alive")
    assert await opened.jobs.extend(dead, 60) is None
    assert not await opened.jobs.finish(dead)
    await opened.jobs.cancel("a", "j")
    extended = await opened.jobs.extend(alive, 60)
    assert extended is not None
    assert extended.cancelled
    assert await opened.jobs.finish(alive, "cancelled")
    assert await opened.jobs.lease("k", "w", 60) is None


async def test_a_released_job_waits_again(opened: Stores) -> None:
    await opened.jobs.submit("a", "j", "k", {})
    await opened.jobs.release(await lease(opened, kind="k"))
    assert (await lease(opened, "w2", kind="k")).owner == "w2"


async def test_an_answer_is_kept_once_and_only_under_the_lease(opened: Stores) -> None:
    made = await batch(opened)
    dead = await lease(opened, "dead", lease_s=-1.0)
    job = await lease(opened, "alive")
    assert await opened.batches.begin(job, 3)
    lines = [json.dumps({"line": n}) for n in range(3)]
    kept = await asyncio.gather(*(opened.batches.record(job, 1, lines[0], succeeded=True) for _ in range(4)))
    assert sorted(kept) == [False, False, False, True]
    assert not await opened.batches.record(dead, 2, "late", succeeded=True)
    assert await opened.batches.record(job, 3, lines[2], succeeded=False)
    assert await opened.batches.answered("a", made.id) == {1, 3}
    assert not await opened.batches.finish(dead, "completed")
    assert await opened.batches.finalize(job) == "finalizing"
    assert await opened.batches.finish(job, "completed")
    assert not await opened.batches.finish(job, "completed")
    over = await opened.batches.get("a", made.id, groups=frozenset({"g"}))
    assert (over.status, over.total, over.completed, over.failed) == ("completed", 3, 1, 1)
    assert set(over.times) == {"in_progress", "finalizing", "completed"}
    assert over.output_file_id is not None
    assert over.error_file_id is not None
    groups = frozenset({"g"})
    assert await opened.files.content("a", over.output_file_id, groups=groups) == f"{lines[0]}\n".encode()
    assert await opened.files.content("a", over.error_file_id, groups=groups) == f"{lines[2]}\n".encode()
    with pytest.raises(NotFound):
        await opened.files.get("a", over.output_file_id)
    assert await opened.batches.answered("a", made.id) == set()
    assert (await opened.jobs.get("a", made.id)).state == "done"


async def test_batches_are_seen_by_their_groups(opened: Stores) -> None:
    mine = [await batch(opened) for _ in range(3)]
    await batch(opened, Principal("a", "key_2"))
    await batch(opened, Principal("b", "key_3", groups=frozenset({"g"})))
    page = await opened.batches.page("a", Page(2), groups=frozenset({"g"}))
    assert ([each.id for each in page.rows], page.more) == ([mine[2].id, mine[1].id], True)
    for tenant, groups in (("a", frozenset[str]()), ("b", frozenset({"g"}))):
        with pytest.raises(NotFound):
            await opened.batches.get(tenant, mine[0].id, groups=groups)
        with pytest.raises(NotFound):
            await opened.batches.cancel(tenant, mine[0].id, groups=groups)
    with pytest.raises(InvalidRequest):
        await opened.batches.page("a", Page(2, after="x"), groups=frozenset({"g"}))


async def test_a_batch_is_cancelled_until_it_is_over(opened: Stores) -> None:
    made, groups = await batch(opened), frozenset({"g"})
    assert (await opened.batches.cancel("a", made.id, groups=groups)).status == "cancelling"
    assert (await opened.batches.cancel("a", made.id, groups=groups)).status == "cancelling"
    job = await lease(opened)
    assert job.cancelled
    assert await opened.batches.begin(job, 5)
    assert (await opened.batches.get("a", made.id)).status == "cancelling"
    assert await opened.batches.finalize(job) == "cancelling"
    assert await opened.batches.finish(job, "cancelled")
    with pytest.raises(Conflict, match="cancelled"):
        await opened.batches.cancel("a", made.id, groups=groups)
