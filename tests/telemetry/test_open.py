"""Telemetry, opened over the real span store."""

from __future__ import annotations

import json
import time
from pathlib import Path

from mainspring import telemetry
from mainspring.core.errors import EngineDied
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Principal
from mainspring.stores.monitoring.spans import SpanRow, Spans
from mainspring.telemetry.tracing import REQUEST_MODEL

PRINCIPAL = Principal("tenant", "key")


async def test_a_trace_can_be_read_after_the_request(tmp_path: Path) -> None:
    spans = Spans(tmp_path / "spans.db")
    async with telemetry.open(Settings(), spans) as opened:
        context = Context(PRINCIPAL, opened.tracing.root())
        with opened.tracing.span("request", context, **{REQUEST_MODEL: "m"}) as outer:
            inner = opened.tracing.span("chat m", outer.context)
            inner.fail(EngineDied("it did"))
            inner.end()
        await opened.flush()
        root, child = await spans.trace(outer.trace_id)
        assert (root.name, root.parent_id, json.loads(root.attributes)) == (
            "request",
            None,
            {REQUEST_MODEL: "m", "mainspring.kept": "error"},
        )
        assert (child.name, child.parent_id, child.status) == ("chat m", root.span_id, "error")
        assert json.loads(child.attributes) == {"error.type": "engine_died"}
    await spans.close()


async def test_closing_writes_what_waits(tmp_path: Path) -> None:
    spans = Spans(tmp_path / "spans.db")
    async with telemetry.open(Settings(), spans) as opened:
        contexts = [Context(PRINCIPAL, opened.tracing.root()) for _ in range(700)]
        for context in contexts:
            opened.tracing.span("request", context).end()
    for context in contexts:
        assert len(await spans.trace(context.trace.trace_id)) == 1
    await spans.close()


async def test_old_spans_are_removed(tmp_path: Path) -> None:
    spans = Spans(tmp_path / "spans.db")
    now = time.time_ns()
    day = 86_400 * 10**9
    await spans.write([SpanRow("old", "1", None, "x", now - 9 * day, now - 9 * day, "unset")])
    await spans.write([SpanRow("new", "1", None, "x", now - day, now - day, "unset")])
    async with telemetry.open(Settings(), spans):
        for _ in range(200):
            if not await spans.trace("old"):
                break
        assert await spans.trace("old") == []
        assert len(await spans.trace("new")) == 1
    await spans.close()


async def test_lost_spans_are_on_the_metrics_page(tmp_path: Path) -> None:
    spans = Spans(tmp_path / "spans.db")
    async with telemetry.open(Settings(), spans) as opened:
        opened.writers[0].failed += 3
        page, _ = opened.metrics.render()
        assert b"mainspring_spans_lost_total 3.0" in page
    await spans.close()
