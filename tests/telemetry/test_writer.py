"""The background writer: batches, drops when full, survives a failing sink, writes the rest at close."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

from mainspring.core.types import Context, Principal
from mainspring.telemetry.tracing import Span, Tracing
from mainspring.telemetry.writer import BatchWriter


class Sink:
    def __init__(self, *, fail: int = 0, block: bool = False) -> None:
        self.batches: list[list[Any]] = []
        self.fail = fail
        self.gate = asyncio.Event()
        if not block:
            self.gate.set()

    async def write(self, rows: Sequence[Any]) -> None:
        await self.gate.wait()
        if self.fail:
            self.fail -= 1
            raise OSError("disk full")
        self.batches.append(list(rows))


def spans(count: int) -> list[Span]:
    traces = Tracing()
    made = [traces.span(str(index), Context(Principal("t", "k"))) for index in range(count)]
    for span in made:
        span.end()
    return made


def name(span: Span) -> str:
    return span.name


async def test_writes_in_order_and_in_batches() -> None:
    sink = Sink()
    writer = BatchWriter(sink, name, batch=4, delay_s=0.0)
    writer.start()
    assert writer.offer(spans(10)) == 0
    await writer.close()
    assert [len(batch) for batch in sink.batches] == [4, 4, 2]
    assert list(itertools.chain(*sink.batches)) == [str(index) for index in range(10)]


async def test_writes_without_being_closed() -> None:
    sink = Sink()
    writer = BatchWriter(sink, name, delay_s=0.01)
    writer.start()
    writer.offer(spans(1))
    async with asyncio.timeout(30):
        while not sink.batches:
            await asyncio.sleep(0.005)
    await writer.close()
    assert sink.batches == [["0"]]


async def test_drops_and_counts_when_full() -> None:
    sink = Sink(block=True)
    writer = BatchWriter(sink, name, capacity=5)
    assert writer.offer(spans(8)) == 3
    assert writer.dropped == 3
    sink.gate.set()
    writer.start()
    await writer.close()
    assert sum(len(batch) for batch in sink.batches) == 5


async def test_a_failing_sink_costs_its_batch_only() -> None:
    sink = Sink(fail=1)
    writer = BatchWriter(sink, name, batch=2)
    writer.offer(spans(4))
    writer.start()
    await writer.close()
    assert writer.failed == 2
    assert sink.batches == [["2", "3"]]


async def test_a_stuck_sink_does_not_hold_up_the_shutdown() -> None:
    sink = Sink(block=True)
    writer = BatchWriter(sink, name, delay_s=0.0)
    writer.start()
    writer.offer(spans(3))
    async with asyncio.timeout(30):
        await writer.close(timeout=0.05)
    assert sink.batches == []
