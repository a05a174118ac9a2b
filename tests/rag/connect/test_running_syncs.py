"""Syncs begun over HTTP: one of a source at a time, progress, how each ends, and what the death of a server leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.errors import UpstreamError
from mainspring.core.settings import Settings
from mainspring.rag.connect.running_syncs import Sync, Syncs
from mainspring.rag.ingest.pipeline import Progress
from mainspring.rag.ingest.publish import Failure, IngestReport
from mainspring.stores import Stores
from mainspring.stores.documents.records import Collection
from mainspring.stores.documents.sources import SourceRow

SOURCE = SourceRow("src-1", "folder", "/docs", {}, "", "", 0.0, None)
OTHER = replace(SOURCE, id="src-2")


class Follows:
    def __init__(self) -> None:
        self.followed: list[str] = []
        self.gate = asyncio.Event()
        self.failing: Exception | None = None

    async def sources(self, _: Collection) -> list[SourceRow]:
        return [SOURCE, OTHER]

    async def sync(self, collection: Collection, row: SourceRow, progress: Progress | None = None) -> IngestReport:
        assert collection.tenant == "acme"
        self.followed.append(row.id)
        if progress is not None:
            progress(1, 4, "a.md")
        await self.gate.wait()
        if self.failing is not None:
            raise self.failing
        return IngestReport(added=["a.md"], failed=[Failure("b.md", "it is broken")])


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path / "home")) as found:
        yield found


@pytest.fixture
async def here(opened: Stores) -> Collection:
    return await opened.collections.create("acme", "handbook", embedder="words")


def syncs_of(opened: Stores, follows: Follows, *, lease_s: float = 30.0) -> Syncs:
    made = Syncs(follows, opened.jobs, opened.collections, lease_s=lease_s, poll_s=0.02)
    made.start()
    return made


async def until(syncs: Syncs, *states: str, source: str = "src-1") -> Sync:
    async with asyncio.timeout(20):
        while (sync := await syncs.of("acme", source)) is None or sync.state not in states:
            await asyncio.sleep(0.01)
    return sync


async def test_a_source_is_followed_once_at_a_time_and_tells_how_far_it_is(opened: Stores, here: Collection) -> None:
    follows = Follows()
    syncs = syncs_of(opened, follows)
    first = await syncs.begin(here, SOURCE)
    assert first.state == "waiting"
    running = await until(syncs, "running")
    while running.total == 0:
        running = await until(syncs, "running")
    assert (running.done, running.total, running.began_at) == (1, 4, first.began_at)
    assert (await syncs.begin(here, SOURCE)).began_at == first.began_at
    # Another of the tenant has its turn later; another tenant sees none of them.
    await syncs.begin(here, OTHER)
    await asyncio.sleep(0.1)
    assert (await until(syncs, "waiting", source="src-2")).state == "waiting"
    assert follows.followed == ["src-1"]
    assert await syncs.of("other", "src-1") is None
    follows.gate.set()
    done = await until(syncs, "done", "failed")
    assert (await until(syncs, "done", "failed", source="src-2")).state == "done"
    assert (done.state, done.ended_at is not None) == ("done", True)
    assert done.report is not None
    assert (done.report["added"], done.report["failures"]) == (1, [{"name": "b.md", "error": "it is broken"}])
    assert (await syncs.begin(here, SOURCE)).began_at > first.began_at
    await syncs.close()


async def test_a_failure_is_kept_in_words(opened: Stores, here: Collection) -> None:
    follows = Follows()
    syncs = syncs_of(opened, follows)
    follows.gate.set()
    for failing, said in ((UpstreamError("the host is away"), "the host is away"), (KeyError("x"), "server's log")):
        follows.failing = failing
        await syncs.begin(here, SOURCE)
        failed = await until(syncs, "failed")
        assert said in failed.error
    await opened.collections.delete("acme", here.id)
    await syncs.begin(here, SOURCE)
    async with asyncio.timeout(20):
        while "there is no collection" not in (await until(syncs, "failed")).error:
            await asyncio.sleep(0.01)
    await syncs.close()


async def test_how_the_last_sync_ended_is_known_after_a_restart(opened: Stores, here: Collection) -> None:
    follows = Follows()
    follows.gate.set()
    syncs = syncs_of(opened, follows)
    await syncs.begin(here, SOURCE)
    ended = await until(syncs, "done")
    await syncs.close()
    assert await Syncs(Follows(), opened.jobs, opened.collections).of("acme", "src-1") == replace(
        ended, done=0, total=0
    )


async def test_what_a_server_that_is_stopped_leaves_goes_on_in_the_next(opened: Stores, here: Collection) -> None:
    syncs = syncs_of(opened, Follows())
    first = await syncs.begin(here, SOURCE)
    await until(syncs, "running")
    await syncs.close()
    follows = Follows()
    follows.gate.set()
    syncs = syncs_of(opened, follows)
    done = await until(syncs, "done")
    assert (follows.followed, done.began_at) == (["src-1"], first.began_at)
    await syncs.close()


async def test_what_a_server_that_is_killed_leaves_goes_on_when_its_lease_has_ended(
    opened: Stores, here: Collection
) -> None:
    syncs = syncs_of(opened, Follows(), lease_s=0.3)
    first = await syncs.begin(here, SOURCE)
    await until(syncs, "running")
    # As after kill -9: nothing is given back, and nothing renews the lease.
    tasks = [each for each in asyncio.all_tasks() if each.get_name().startswith(("job", "lease", "follow"))]
    jobs_release = opened.jobs.release

    async def never(_: object) -> None:
        return None

    opened.jobs.release = never  # type: ignore[method-assign,assignment]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    opened.jobs.release = jobs_release  # type: ignore[method-assign]
    follows = Follows()
    follows.gate.set()
    syncs = syncs_of(opened, follows, lease_s=0.3)
    done = await until(syncs, "done")
    assert (follows.followed, done.began_at) == (["src-1"], first.began_at)
    await syncs.close()
