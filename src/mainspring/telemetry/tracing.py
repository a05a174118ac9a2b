"""Spans: what happened under a trace id, when and for how long; W3C trace context; sampling.

Spans are light records (an OpenTelemetry SDK span costs 26 microseconds, two dozen are made a request) that go to
background writers when the request's outermost span ends: to the local store and, where configured, to OTLP. Whether
they go there is decided at that moment (tail sampling). Attribute names are those of OpenTelemetry's GenAI conventions.
Spans never hold prompts, answers or the messages of errors.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import getrandbits
from types import TracebackType
from typing import Any, Literal, Protocol

from mainspring.core.errors import MainspringError
from mainspring.core.types import Context, Principal, TraceParent

OPERATION = "gen_ai.operation.name"
REQUEST_MODEL = "gen_ai.request.model"
ERROR_TYPE = "error.type"
KEPT = "mainspring.kept"
LOST = "mainspring.spans_lost"

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_MEMBER = re.compile(
    r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}"
)
_MEMBERS, _STATE = 32, 512
_OPEN_TRACES = 10_000
_TRACE_SPANS = 2_000
_NO_SPAN = "0" * 16
_NOBODY = Context(Principal("", ""), TraceParent("0" * 32, _NO_SPAN, False))

Status = Literal["unset", "ok", "error"]


class SpanWriter(Protocol):
    """Takes finished spans. Never blocks; returns how many it had no room for."""

    def offer(self, spans: Iterable[Span]) -> int: ...


def parse_traceparent(header: str | None) -> TraceParent | None:
    """The W3C ``traceparent`` header; None if it is absent or invalid (a new trace then starts)."""
    match = _TRACEPARENT.fullmatch(header.strip()) if header else None
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    if not match[2].strip("0") or not match[3].strip("0"):
        return None
    return TraceParent(match[2], match[3], bool(int(match[4], 16) & 1))


def parse_tracestate(headers: Iterable[str]) -> str:
    """The W3C ``tracestate`` of a request, to be passed on unchanged; empty if any part is invalid.

    Values beyond 512 characters are dropped as the standard says: first long members, then the last ones.
    """
    members = [member.strip() for header in headers for member in header.split(",") if member.strip()]
    if len(members) > _MEMBERS or not all(map(_MEMBER.fullmatch, members)):
        return ""
    if len(",".join(members)) > _STATE:
        members = [member for member in members if len(member) <= 128]
    while len(",".join(members)) > _STATE:
        members.pop()
    return ",".join(members)


@dataclass(slots=True)
class _Trace:
    """The finished spans of a trace that wait for its outermost span. ``reason`` says why the trace is kept ("" if it
    is not kept, or not decided yet); ``lost`` counts spans for which there was no room; a ``cut`` trace had to drop its
    spans."""

    sampled: bool
    spans: list[Span]
    reason: str = ""
    closed: bool = False
    lost: int = 0
    cut: bool = False


class Span:
    """One timed step. Leave its ``with`` block, or call ``end()`` where it outlives one (streams)."""

    __slots__ = (
        "_context", "_owner", "_parent", "_root", "_started", "_trace", "attributes", "end_ns", "name", "parent_id",
        "span_id", "start_ns", "status",
    )  # fmt: skip

    def __init__(
        self, owner: Tracing, trace: _Trace, root: bool, name: str, parent: Context, attributes: dict[str, Any]
    ) -> None:
        above = parent.trace
        self.name = name
        self.attributes = attributes
        self.parent_id: str | None = None if above.span_id == _NO_SPAN else above.span_id
        # Unique is enough: reading the system's random numbers would release the interpreter at every step.
        self.span_id = f"{getrandbits(64):016x}"
        self._parent = parent
        # Made when it is asked for: half of all steps have none below them.
        self._context: Context | None = None
        self.status: Status = "unset"
        self.start_ns = time.time_ns()
        self.end_ns = 0
        self._started = time.perf_counter_ns()
        self._owner = owner
        self._trace = trace
        self._root = root

    @property
    def root(self) -> bool:
        """Whether nothing of ours was above it when it began."""
        return self._root

    @property
    def context(self) -> Context:
        """The context of everything below it."""
        if self._context is None:
            above = self._parent.trace
            below = TraceParent(above.trace_id, self.span_id, above.sampled, above.state)
            self._context = self._parent.under(below)
        return self._context

    @property
    def principal(self) -> Principal:
        """Who asked."""
        return self._parent.principal

    @property
    def trace_id(self) -> str:
        return self._parent.trace.trace_id

    def set(self, key: str, value: Any) -> None:
        """Set an attribute: a string, a number, a boolean or a list of them. Never a prompt or an answer."""
        self.attributes[key] = value

    def fail(self, error: BaseException) -> None:
        """Mark as failed. A cancelled request is no failure of ours and is only named."""
        if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            self.attributes.setdefault(ERROR_TYPE, "cancelled")
            return
        self.status = "error"
        # The message is left out: it may quote the user's words.
        self.attributes[ERROR_TYPE] = error.code if isinstance(error, MainspringError) else type(error).__name__

    def keep(self, reason: str) -> None:
        """Have the whole trace kept for this reason, whatever the share of traces that are."""
        self._trace.reason = reason

    def past(self, name: str, start_ns: int, end_ns: int, **attributes: Any) -> None:
        """Add a step below this one that is over already; times are Unix nanoseconds."""
        span = Span(self._owner, self._trace, False, name, self.context, attributes)
        span.start_ns, span.end_ns = start_ns, max(start_ns, end_ns)
        self._owner.finished(span, self._trace, False)

    def backdate(self, start_ns: int) -> None:
        """It began earlier, at this Unix time in nanoseconds."""
        earlier = self.start_ns - start_ns
        if earlier > 0:
            self.start_ns -= earlier
            self._started -= earlier

    def end(self) -> None:
        """The step is over. Idempotent."""
        if self.end_ns == 0:
            self.end_ns = self.start_ns + time.perf_counter_ns() - self._started
            self._owner.finished(self, self._trace, self._root)

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.fail(error)
        self.end()


class NoTracing(Span):
    """Used if tracing is off: it returns the context unchanged."""

    __slots__ = ()

    def __init__(self, context: Context) -> None:
        self._parent = self._context = context
        self.span_id = context.trace.span_id

    def set(self, key: str, value: Any) -> None: ...

    def fail(self, error: BaseException) -> None: ...

    def keep(self, reason: str) -> None: ...

    def past(self, name: str, start_ns: int, end_ns: int, **attributes: Any) -> None: ...

    def end(self) -> None: ...


class Tracing:
    """Makes spans and hands those of kept traces to ``writers``. Belongs to one event loop.

    A trace is kept whole in which a span failed, for which a span asked (``Span.keep``), which was ``slow``, which its
    caller samples, and ``sample`` of the others. ``waiting`` is how many finished spans are held for their traces to
    end: over it the oldest trace gives up its own. Without ``enabled``, there are trace ids but no spans.
    """

    def __init__(
        self,
        sample: float = 1.0,
        writers: Sequence[SpanWriter] = (),
        *,
        slow: Callable[[str, str, int], bool] | None = None,
        waiting: int = 50_000,
        enabled: bool = True,
    ) -> None:
        self._threshold = round(sample * 2**56)
        self._writers = tuple(writers)
        self._slow = slow
        self._most = waiting
        self._enabled = enabled
        self._open: dict[str, _Trace] = {}
        self._held = 0
        self.dropped = 0

    def root(self, traceparent: str | None = None) -> TraceParent:
        """The trace of a new request: the caller's, with the caller's decision to sample, or a new one."""
        given = parse_traceparent(traceparent)
        if given is not None:
            return given
        trace_id = os.urandom(16).hex()
        return TraceParent(trace_id, _NO_SPAN, self._enabled and self.sampled(trace_id))

    @property
    def under_way(self) -> int:
        """The traces whose outermost span is open: requests in progress and background work with its own trace. 0 if
        tracing is off."""
        return len(self._open)

    def sampled(self, trace_id: str) -> bool:
        """Whether a trace is of the share that is kept: the same answer for the same id, on every machine."""
        return int(trace_id[-14:], 16) < self._threshold

    def span(self, name: str, context: Context, **attributes: Any) -> Span:
        """Begin a step below ``context``; what happens inside it goes under the span's own ``context``.

        The outermost span of an HTTP request starts at the request's arrival.
        """
        if not self._enabled:
            return NoTracing(context)
        trace_id = context.trace.trace_id
        trace = self._open.get(trace_id)
        if trace is not None:
            return Span(self, trace, False, name, context, attributes)
        if len(self._open) >= _OPEN_TRACES:
            # Spans that were never ended must not pile up.
            self._cut(self._open.pop(next(iter(self._open))))
        trace = self._open[trace_id] = _Trace(context.trace.sampled, [])
        span = Span(self, trace, True, name, context, attributes)
        if context.arrival is not None and (came := context.arrival.take()) is not None:
            began_ns, known_ns = came
            span.past("auth", began_ns, known_ns)
            span.past("receive", known_ns, span.start_ns)
            span.backdate(began_ns)
        return span

    def finished(self, span: Span, trace: _Trace, root: bool) -> None:
        """A span has ended (spans call this themselves)."""
        if span.status == "error":
            trace.reason = trace.reason or "error"
        if not root and not trace.closed and (trace.cut or len(trace.spans) >= _TRACE_SPANS):
            trace.lost += 1
            self.dropped += 1
            return
        trace.spans.append(span)
        if root and not trace.closed:
            self._close(span, trace)
        elif not trace.closed:
            self._held += 1
            if self._held > self._most:
                self._cut(next(each for each in self._open.values() if each.spans))
        if trace.closed:
            spans, trace.spans = trace.spans, []
            if trace.reason:
                self.dropped += sum(writer.offer(spans) for writer in self._writers)

    def _close(self, root: Span, trace: _Trace) -> None:
        trace.closed = True
        self._held -= len(trace.spans) - 1
        if self._open.get(root.trace_id) is trace:
            del self._open[root.trace_id]
        operation = str(root.attributes.get(OPERATION, root.name))
        model = str(root.attributes.get(REQUEST_MODEL, ""))
        slow = self._slow is not None and self._slow(operation, model, root.end_ns - root.start_ns)
        trace.reason = trace.reason or ("slow" if slow else "sampled" if trace.sampled else "")
        root.attributes[KEPT] = trace.reason
        if trace.lost:
            root.attributes[LOST] = trace.lost

    def _cut(self, trace: _Trace) -> None:
        """Drop the spans of ``trace``; only its outermost span will be written."""
        self._held -= len(trace.spans)
        self.dropped += len(trace.spans)
        trace.lost += len(trace.spans)
        trace.spans, trace.cut = [], True


def span_of(tracing: Tracing | None, name: str, context: Context | None, **attributes: Any) -> Span:
    """``tracing``'s span below ``context``. If either is missing, a span that is stored nowhere."""
    if tracing is None or context is None:
        return NoTracing(context or _NOBODY)
    return tracing.span(name, context, **attributes)
