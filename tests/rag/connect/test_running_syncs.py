"""Syncs begun over HTTP: one of a source at a time, progress, and how each ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from mainspring.core.errors import UpstreamError
from mainspring.rag.connect.running_syncs import Syncs
from mainspring.rag.ingest.pipeline import Progress
from mainspring.rag.ingest.publish import IngestReport
from mainspring.stores.documents.records import Collection
from mainspring.stores.documents.sources import SourceRow

HERE = Collection(id="c", tenant="acme", name="handbook", groups=frozenset(), embedder="words", version=1, created_at=0)
SOURCE = SourceRow("src-1", "folder", "/docs", {}, "", "", 0.0, None)


class Follows:
    def __init__(self) -> None:
        self.followed: list[str] = []
        self.gate = asyncio.Event()
        self.failing: Exception | None = None

    async def sync(self, collection: Collection, row: SourceRow, progress: Progress | None = None) -> IngestReport:
        self.followed.append(row.id)
        if progress is not None:
            progress(1, 4, "a.md")
        await self.gate.wait()
        if self.failing is not None:
            raise self.failing
        return IngestReport(added=["a.md"])


async def until_over(syncs: Syncs, source: str = "src-1") -> None:
    async with asyncio.timeout(5):
        while (sync := syncs.of("acme", source)) is None or not sync.over:
            await asyncio.sleep(0.01)


async def test_a_source_is_followed_once_at_a_time_and_tells_how_far_it_is() -> None:
    follows = Follows()
    syncs = Syncs(follows)
    begun = syncs.begin(HERE, SOURCE)
    assert syncs.begin(HERE, SOURCE) is begun
    waiting = syncs.begin(HERE, replace(SOURCE, id="src-2"))
    await asyncio.sleep(0.01)
    assert (begun.state, begun.done, begun.total) == ("running", 1, 4)
    # Another of the tenant has its turn later; another tenant sees none of them.
    assert waiting.state == "waiting"
    assert follows.followed == ["src-1"]
    assert syncs.of("other", "src-1") is None
    follows.gate.set()
    await until_over(syncs)
    await until_over(syncs, "src-2")
    assert begun.state == "done"
    assert begun.report is not None
    assert begun.report.added == ["a.md"]
    assert syncs.begin(HERE, SOURCE) is not begun
    await syncs.close()


async def test_a_failure_is_kept_in_words_and_the_end_of_the_server_too() -> None:
    follows = Follows()
    syncs = Syncs(follows)
    follows.gate.set()
    for failing, said in (
        (UpstreamError("the host is away"), "the host is away"),
        (KeyError("x"), "server's log"),
    ):
        follows.failing = failing
        begun = syncs.begin(HERE, SOURCE)
        await until_over(syncs)
        assert begun.state == "failed"
        assert said in begun.error
    follows.gate.clear()
    begun = syncs.begin(HERE, SOURCE)
    await asyncio.sleep(0.01)
    await syncs.close()
    assert (begun.state, begun.ended_at is not None) == ("failed", True)
