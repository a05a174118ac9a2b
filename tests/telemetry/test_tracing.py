"""Spans: parents, sampling, failures, the trace context of W3C."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from mainspring.core.errors import Overloaded
from mainspring.core.types import Arrival, Context, Principal
from mainspring.telemetry import tracing
from mainspring.telemetry.sampling import SlowRequests
from mainspring.telemetry.tracing import KEPT, LOST, Span, Tracing, parse_traceparent, parse_tracestate

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
    assert parsed.headers() == {"traceparent": HEADER}


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
            inner.set("gen_ai.usage.input_tokens", 3)
        assert kept.spans == []
    assert [span.name for span in kept.spans] == ["chat m", "request"]
    assert inner.parent_id == outer.span_id
    assert outer.parent_id is None
    assert inner.trace_id == outer.trace_id
    assert outer.attributes == {"gen_ai.request.model": "m", "mainspring.kept": "sampled"}
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
    assert (span.status, span.attributes) == ("unset", {"error.type": "cancelled", KEPT: "sampled"})


def test_spans_that_never_end_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_OPEN_TRACES", 10)
    traces = Tracing()
    spans = [traces.span("leaked", context(traces)) for _ in range(50)]
    assert len(traces._open) == 10
    for span in spans:
        span.end()
    assert len(traces._open) == 0


def test_a_trace_that_a_span_asks_to_keep_is_kept() -> None:
    kept = Kept()
    traces = Tracing(0.0, [kept])
    with traces.span("request", context(traces)) as outer, traces.span("guard", outer.context) as inner:
        inner.keep("guard")
    assert [span.name for span in kept.spans] == ["guard", "request"]
    assert outer.attributes[KEPT] == "guard"


def timed(traces: Tracing, seconds: float, operation: str = "chat", model: str = "m") -> Span:
    """A request that took so long."""
    attributes = {tracing.OPERATION: operation, tracing.REQUEST_MODEL: model}
    span = traces.span("request", context(traces), **attributes)
    span.backdate(span.start_ns - round(seconds * 1e9))
    span.end()
    return span


def test_slow_requests_are_kept_by_the_limit_of_their_operation() -> None:
    kept = Kept()
    traces = Tracing(0.0, [kept], slow=SlowRequests({"chat": 2.0, "embeddings": 0.1}, 1.0))
    for operation, seconds in (("chat", 1.9), ("chat", 2.1), ("embeddings", 0.2), ("rerank", 99.0)):
        timed(traces, seconds, operation)
    assert [span.attributes[tracing.OPERATION] for span in kept.spans] == ["chat", "embeddings"]
    assert {span.attributes[KEPT] for span in kept.spans} == {"slow"}


def test_slow_requests_are_those_above_the_running_quantile_of_their_like() -> None:
    kept = Kept()
    traces = Tracing(0.0, [kept], slow=SlowRequests({}, 0.99))
    for number in range(400):
        timed(traces, 1 + (number % 100) / 100, model="slow one")
        timed(traces, 0.01 + (number % 100) / 10_000, model="fast one")
    usual = len(kept.spans)
    timed(traces, 0.5, model="fast one")
    timed(traces, 0.5, model="slow one")
    timed(traces, 3.0, model="slow one")
    assert usual < 16, "one in a hundred of either, after the first two hundred"
    assert [span.attributes[tracing.REQUEST_MODEL] for span in kept.spans[usual:]] == ["fast one", "slow one"]


def test_names_that_callers_make_up_do_not_pile_up() -> None:
    slow = SlowRequests({}, 0.99)
    for number in range(2_000):
        slow("chat", f"made up {number}", 1)
    assert len(slow._usual) <= 500


def test_what_is_held_of_requests_under_way_is_bounded() -> None:
    kept = Kept()
    traces = Tracing(1.0, [kept], waiting=100)
    outer = [traces.span("request", context(traces)) for _ in range(10)]
    for _ in range(30):
        for each in outer:
            traces.span("step", each.context).end()
    assert sum(len(trace.spans) for trace in traces._open.values()) <= 100
    for each in outer:
        each.end()
    assert traces._held == 0
    assert len(kept.spans) + traces.dropped == 310
    assert sum(1 for span in kept.spans if span.name == "request") == 10, "the outermost spans are there"
    assert sum(each.attributes.get(LOST, 0) for each in outer) == traces.dropped > 0


def test_one_trace_cannot_take_all_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_TRACE_SPANS", 20)
    kept = Kept()
    traces = Tracing(1.0, [kept])
    with traces.span("request", context(traces)) as outer:
        for _ in range(50):
            traces.span("step", outer.context).end()
    assert (len(kept.spans), traces.dropped, outer.attributes[LOST]) == (21, 30, 30)


def test_a_request_begins_when_it_came_in() -> None:
    kept = Kept()
    traces = Tracing(1.0, [kept])
    came = Context(Principal("t", "k"), traces.root(), arrival=Arrival(1_000, 4_000))
    with traces.span("request", came) as outer:
        pass
    auth, receive, root = kept.spans
    assert [(span.name, span.start_ns) for span in kept.spans] == [
        ("auth", 1_000),
        ("receive", 4_000),
        ("request", 1_000),
    ]
    assert auth.end_ns == 4_000
    assert auth.parent_id == receive.parent_id == root.span_id == outer.span_id
    assert root.end_ns >= receive.end_ns > 4_000
    with traces.span("another", came):
        pass
    assert [span.name for span in kept.spans[3:]] == ["another"], "told once"


def test_without_tracing_there_are_ids_and_no_spans() -> None:
    kept = Kept()
    traces = Tracing(1.0, [kept], enabled=False)
    given = context(traces)
    with traces.span("request", given) as span:
        span.set("x", 1)
        span.past("auth", 1, 2)
        span.fail(Overloaded("no"))
        assert span.context is given
    assert kept.spans == []
    assert given.trace.sampled is False, "who is called need not sample either"


@pytest.mark.parametrize(
    ("headers", "passed"),
    [
        (["congo=t61rcWkgMzE, rojo=00f067aa0ba902b7"], "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
        (["a=1", "t@v=2"], "a=1,t@v=2"),
        (["a=1,"], "a=1"),
        ([], ""),
        (["UPPER=1"], ""),
        (["a=1=2"], ""),
        (["no value"], ""),
        (["a=1\r\nx-injected: 1"], ""),
        ([",".join(f"k{number}=v" for number in range(33))], ""),
    ],
)
def test_tracestate_is_passed_on_or_left_out(headers: list[str], passed: str) -> None:
    assert parse_tracestate(headers) == passed


def test_a_long_tracestate_loses_its_long_and_its_last_members() -> None:
    assert parse_tracestate([f"a=1,long={'x' * 200},b={'y' * 100},c={'y' * 100},d={'z' * 100}"]).startswith("a=1,b=")
    many = parse_tracestate([",".join(f"k{number}={'v' * 40}" for number in range(20))])
    assert len(many) <= 512
    assert many.startswith("k0=")
