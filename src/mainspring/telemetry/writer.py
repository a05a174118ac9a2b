"""The background writer: finished spans in bounded batches to a sink, never in the way of a request."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from mainspring.telemetry.tracing import Span

log = logging.getLogger(__name__)


class SpanSink(Protocol):
    """Where rows go: the local store, or an exporter."""

    async def write(self, rows: Sequence[Any], /) -> None: ...


class BatchWriter:
    """Queues up to ``capacity`` spans and writes them, ``batch`` at a time, at most ``delay_s`` later.

    ``dropped`` counts spans that found the queue full, ``failed`` those whose sink raised, ``late`` those unwritten at
    close; all these spans are lost.
    """

    def __init__(
        self,
        sink: SpanSink,
        row: Callable[[Span], Any],
        *,
        capacity: int = 20_000,
        batch: int = 512,
        delay_s: float = 0.2,
    ) -> None:
        self._sink = sink
        self._row = row
        self._capacity = capacity
        self._batch = batch
        self._delay_s = delay_s
        self._queue: deque[Span] = deque()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0
        self.failed = 0
        self.late = 0

    def offer(self, spans: Iterable[Span]) -> int:
        """Queue ``spans``; returns how many did not fit."""
        waiting = list(spans)
        room = max(0, self._capacity - len(self._queue))
        self._queue.extend(waiting[:room])
        lost = max(0, len(waiting) - room)
        self.dropped += lost
        self._wake.set()
        return lost

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="span-writer")

    async def close(self, timeout: float = 5.0) -> None:
        """Write queued spans, for at most ``timeout`` seconds."""
        self._closing.set()
        self._wake.set()
        if self._task is None:
            return
        done, _ = await asyncio.wait({self._task}, timeout=timeout)
        if not done:
            self._task.cancel()
            self.late += len(self._queue)
            log.warning("spans were lost at shutdown", extra={"lost": len(self._queue)})
        await asyncio.gather(self._task, return_exceptions=True)

    async def flush(self) -> None:
        """Write queued spans now."""
        while self._queue:
            rows = [self._row(span) for span in itertools.islice(self._queue, self._batch)]
            for _ in rows:
                self._queue.popleft()
            try:
                await self._sink.write(rows)
            except Exception as error:
                # Telemetry must not take the server down; losses are counted, logged and shown as a metric.
                self.failed += len(rows)
                log.warning("spans could not be written", extra={"lost": len(rows), "reason": type(error).__name__})

    async def _run(self) -> None:
        while not self._closing.is_set():
            await self._wake.wait()
            if not self._closing.is_set():
                # A full batch is not waited for: traces should be readable at once.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._delay_s):
                        await self._closing.wait()
            self._wake.clear()
            await self.flush()
        await self.flush()
