"""Spans: parents, sampling, failures, the trace context of W3C."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from mainspring.errors import Overloaded
from mainspring.telemetry import tracing
from mainspring.telemetry.tracing import Span, Tracing, format_traceparent, parse_traceparent
from mainspring.types import Context, Principal

HEADER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Kept:
    def __init__(self) -> None:
        self.spans: list[Span] = []

    def offer(self, spans: Iterable[Span]) -> int:
        self.spans.extend(spans)
        return 0


def context(trace: Tracing, header: str | None = None) -> Context:
    return Context(Principal("tenant", "key"), trace.root(header))


def test_traceparent_round_trip() -> None:
    parsed = parse_traceparent(HEADER)
    assert parsed is not None
    assert (parsed.trace_id[:4], parsed.span_id[:4], parsed.sampled) == ("4bf9", "00f0", True)
    assert format_traceparent(parsed) == HEADER


@pytest.mark.parametrize(
    "header",
    [None, "", "x", HEADER[:-1], HEADER.upper(), "ff" + HEADER[2:], HEADER + "-x",
     HEADER.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
     HEADER.replace("00f067aa0ba902b7", "0" * 16)],
)  # fmt: skip
def test_invalid_traceparents_begin_a_new_trace(header: str | None) -> None:
    assert parse_traceparent(header) is None
    assert Tracing().root(header).trace_id != "4bf92f3577b34da6a3ce929d0e0e4736"


def test_spans_nest_and_come_out_together_when_the_outermost_ends() -> None:
    kept = Kept()
    traces = Tracing(1.0, [kept])
    with traces.span("request", context(traces), **{tracing.REQUEST_MODEL: "m"}) as outer:
        with traces.span("chat m", outer.context) as inner:
            inner.set(tracing.INPUT_TOKENS, 3)
        assert kept.spans == []
    assert [span.name for span in kept.spans] == ["chat m", "request"]
    assert inner.parent_id == outer.span_id
    assert outer.parent_id is None
    assert inner.trace_id == outer.trace_id
    assert outer.attributes == {"gen_ai.request.model": "m"}
    assert outer.start_ns <= inner.start_ns
    assert inner.end_ns - inner.start_ns <= outer.end_ns - outer.start_ns


def test_a_callers_span_is_the_parent() -> None:
    traces = Tracing()
    with traces.span("request", context(traces, HEADER)) as span:
        assert (span.trace_id, span.parent_id) == (HEADER[3:35], HEADER[36:52])


def test_children_that_end_after_the_outermost_are_kept_too() -> None:
    kept = Kept()
    traces = Tracing(1.0, [kept])
    outer = traces.span("request", context(traces))
    late = traces.span("background", outer.context)
    outer.end()
    late.end()
    late.end()
    assert [span.name for span in kept.spans] == ["request", "background"]


def test_sampling_is_decided_by_the_trace_id() -> None:
    kept = Kept()
    traces = Tracing(0.3, [kept])
    contexts = [context(traces) for _ in range(2000)]
    for each in contexts:
        assert each.trace.sampled == traces.sampled(each.trace.trace_id)
        with traces.span("request", each):
            pass
    assert 450 < len(kept.spans) < 750
    assert Tracing(0.0).root().sampled is False
    assert Tracing(1.0).root().sampled is True


def test_a_failed_trace_is_kept_whole() -> None:
    kept = Kept()
    traces = Tracing(0.0, [kept])
    with traces.span("request", context(traces)) as outer:
        with traces.span("retrieve", outer.context):
            pass
        with pytest.raises(Overloaded), traces.span("chat", outer.context):
            raise Overloaded("full of private words")
    assert [(span.name, span.status) for span in kept.spans] == [
        ("retrieve", "unset"),
        ("chat", "error"),
        ("request", "unset"),
    ]
    assert kept.spans[1].attributes == {"error.type": "overloaded"}


def test_cancellation_is_no_failure() -> None:
    traces = Tracing(1.0)
    span = traces.span("request", context(traces))
    with pytest.raises(asyncio.CancelledError), span:
        raise asyncio.CancelledError
    assert (span.status, span.attributes) == ("unset", {"error.type": "cancelled"})


def test_spans_that_never_end_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_OPEN_TRACES", 10)
    traces = Tracing()
    spans = [traces.span("leaked", context(traces)) for _ in range(50)]
    assert len(traces._open) == 10
    for span in spans:
        span.end()
    assert len(traces._open) == 0
