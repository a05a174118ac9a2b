"""The local span store."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring.stores.monitoring.spans import SpanRow, Spans, TraceFilter


@pytest.fixture
async def spans(tmp_path: Path) -> AsyncIterator[Spans]:
    made = Spans(tmp_path / "spans.db")
    yield made
    await made.close()


def row(trace: str, span: str, start: int, parent: str | None = None) -> SpanRow:
    return SpanRow(trace, span, parent, f"name of {span}", start, start + 5, "ok", '{"a": 1}')


async def test_a_trace_comes_back_in_order(spans: Spans) -> None:
    rows = [row("t1", "b", 20, "a"), row("t1", "a", 10), row("t2", "a", 1)]
    await spans.write(rows)
    await spans.write([])
    assert await spans.trace("t1") == [rows[1], rows[0]]
    assert await spans.trace("t3") == []


async def test_a_span_written_twice_is_one(spans: Spans) -> None:
    await spans.write([row("t", "a", 1)])
    await spans.write([row("t", "a", 2)])
    assert await spans.trace("t") == [row("t", "a", 2)]


async def test_old_spans_expire(spans: Spans) -> None:
    await spans.write([row("t", "old", 1_000_000_000), row("t", "new", 3_000_000_000)])
    assert await spans.expire(2.0) == 1
    assert [each.span_id for each in await spans.trace("t")] == ["new"]


async def test_a_file_that_breaks_while_open_is_begun_anew(tmp_path: Path) -> None:
    spans = Spans(tmp_path / "spans.db")
    await spans.write([row("t", str(n), n) for n in range(500)])
    await spans.close()
    (tmp_path / "spans.db").write_bytes((tmp_path / "spans.db").read_bytes()[:5000])
    again = Spans(tmp_path / "spans.db")
    await again.write([row("t", "a", 1)])
    assert row("t", "a", 1) in await again.trace("t")
    await again.close()


ATTRIBUTES = '{"gen_ai.request.model": "m", "mainspring.cost_nanousd": 7}'


def kept(trace: str, span: str, start: int, tenant: str = "a", groups: str = "[]", **more: object) -> SpanRow:
    made = SpanRow(trace, span, None, "request", start, start + 5, "unset", ATTRIBUTES, tenant, groups, root=True)
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


async def test_traces_are_those_of_the_tenant_and_of_groups_that_hold_the_askers(spans: Spans) -> None:
    await spans.write(
        [
            kept("t1", "1", 10),
            kept("t2", "2", 20, groups='["red"]'),
            kept("t3", "3", 30, groups='["blue","red"]'),
            kept("t4", "4", 40, tenant="b"),
            kept("t1", "5", 50, tenant="b"),
            kept("t1", "6", 12, root=False),
        ]
    )

    async def seen(*groups: str) -> list[str]:
        return [each.root.trace_id for each in await spans.traces("a", frozenset(groups), TraceFilter(), 10)]

    assert await seen() == ["t1"]
    assert await seen("red") == ["t2", "t1"]
    assert await seen("blue", "green", "red") == ["t3", "t2", "t1"]
    assert [row.span_id for row in await spans.seen("a", frozenset(), "t1")] == ["1", "6"]
    assert [row.span_id for row in await spans.seen("b", frozenset(), "t1")] == ["5"]
    assert await spans.seen("a", frozenset({"red"}), "t3") == []
    (listed,) = await spans.traces("a", frozenset(), TraceFilter(), 10)
    assert (listed.spans, listed.cost_nanousd) == (2, 14)


async def test_traces_are_filtered_and_counted_out(spans: Spans) -> None:
    await spans.write([kept("t1", "1", 10), kept("t2", "2", 20, status="error"), kept("t3", "3", 30, end_ns=99)])

    async def ids(limit: int = 10, **wanted: object) -> list[str]:
        return [each.root.trace_id for each in await spans.traces("a", frozenset(), TraceFilter(**wanted), limit)]  # type: ignore[arg-type]

    assert await ids(2) == ["t3", "t2"]
    assert await ids(status="error") == ["t2"]
    assert await ids(least_ns=6) == ["t3"]
    assert await ids(before_ns=20) == ["t1"]
    assert await ids(since_ns=20, status="unset") == ["t3"]
    assert await ids(model="m") == ["t3", "t2", "t1"]
    assert await ids(model="other") == []
    assert await ids(operation="request") == ["t3", "t2", "t1"]
