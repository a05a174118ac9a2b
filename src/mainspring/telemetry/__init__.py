"""Telemetry: traces, metrics and logs. Losing it loses no fact: facts are events, in the stores."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from mainspring.core.settings import Settings, TelemetrySettings
from mainspring.core.version import __version__
from mainspring.telemetry import logs
from mainspring.telemetry.metrics import Metrics
from mainspring.telemetry.sampling import SlowRequests
from mainspring.telemetry.tracing import Tracing
from mainspring.telemetry.writer import BatchWriter

__all__ = ["Telemetry", "open"]

if TYPE_CHECKING:
    from mainspring.stores.monitoring.spans import Spans

log = logging.getLogger(__name__)
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The services for the rooms above. ``logs`` is the module of that name."""

    tracing: Tracing
    metrics: Metrics
    logs: ModuleType
    writers: tuple[BatchWriter, ...] = ()

    async def flush(self) -> None:
        """Write finished spans now, so that a trace can be read."""
        for writer in self.writers:
            await writer.flush()


@asynccontextmanager
async def open(settings: Settings, spans: Spans) -> AsyncIterator[Telemetry]:  # noqa: A001
    """Start the writers; stop them, with their data, on leaving. Raises ``MissingExtra`` for OTLP."""
    # The stores' libraries take a second to import, and metrics and logs do without them.
    from mainspring.telemetry.span_rows import stored_row

    metrics = Metrics()
    async with AsyncExitStack() as stack:
        writers = [BatchWriter(spans, stored_row)]
        if settings.telemetry.otlp_endpoint:
            from mainspring.telemetry.otlp import OtlpSink

            sink = OtlpSink(settings.telemetry.otlp_endpoint, __version__)
            stack.push_async_callback(sink.close)
            writers.append(BatchWriter(sink, lambda span: span))
        for writer in writers:
            writer.start()
            stack.push_async_callback(writer.close)
        expiry = asyncio.create_task(_expire(spans, settings), name="span-expiry")
        stack.push_async_callback(_stop, expiry)
        tracing = _tracing(settings.telemetry, writers)
        metrics.watch_count(
            "spans_lost",
            "Spans that were not written.",
            # Spans that writers dropped count as dropped by tracing.
            lambda: float(tracing.dropped + sum(writer.failed + writer.late for writer in writers)),
        )
        yield Telemetry(tracing, metrics, logs, tuple(writers))


def _tracing(settings: TelemetrySettings, writers: Sequence[BatchWriter]) -> Tracing:
    return Tracing(
        settings.sample,
        writers,
        slow=SlowRequests(settings.slow_s, settings.slow_quantile),
        waiting=settings.waiting_spans,
        enabled=settings.tracing,
    )


async def _expire(spans: Spans, settings: Settings) -> None:
    while True:
        try:
            await spans.expire(time.time() - settings.telemetry.span_retention_days * 86_400)
            await asyncio.to_thread(logs.expire, settings.home / "logs", settings.telemetry.log_retention_days)
        except Exception:
            log.warning("old spans or lines could not be removed", exc_info=True)
        await asyncio.sleep(_HOUR_S)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
