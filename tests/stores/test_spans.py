"""The local span store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring.stores.spans import SpanRow, Spans


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
