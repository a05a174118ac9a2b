"""Spans: what happened under a trace id, when and for how long; W3C trace context; sampling.

Spans are light records (an OpenTelemetry SDK span costs 26 microseconds, a dozen are made a request) that go to
background writers when the request's outermost span ends: to the local store and, where configured, to OTLP.
Attribute names are those of OpenTelemetry's GenAI conventions. Spans never hold prompts, answers or the messages
of errors.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol

from mainspring.errors import MainspringError
from mainspring.types import Context, TraceParent

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
ERROR_TYPE = "error.type"

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_OPEN_TRACES = 10_000
_NO_SPAN = "0" * 16

Status = Literal["unset", "ok", "error"]


class SpanWriter(Protocol):
    """Takes finished spans. Never blocks; returns how many it had no room for."""

    def offer(self, spans: Iterable[Span]) -> int: ...


def parse_traceparent(header: str | None) -> TraceParent | None:
    """The W3C ``traceparent`` header; None where it is absent or invalid (a new trace is then begun)."""
    match = _TRACEPARENT.fullmatch(header.strip()) if header else None
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    if not match[2].strip("0") or not match[3].strip("0"):
        return None
    return TraceParent(match[2], match[3], bool(int(match[4], 16) & 1))


def format_traceparent(trace: TraceParent) -> str:
    """The header for calls to other services."""
    return f"00-{trace.trace_id}-{trace.span_id}-{'01' if trace.sampled else '00'}"


@dataclass(slots=True)
class _Trace:
    """The finished spans of a trace that wait for its outermost span; ``kept`` once that is decided."""

    keep: bool
    spans: list[Span]
    closed: bool = False


class Span:
    """One timed step. Leave its ``with`` block, or call ``end()`` where it outlives one (streams)."""

    __slots__ = (
        "_owner", "_root", "_started", "_trace", "attributes", "context", "end_ns", "name", "parent_id", "start_ns",
        "status",
    )  # fmt: skip

    def __init__(
        self, owner: Tracing, trace: _Trace, root: bool, name: str, parent: Context, attributes: dict[str, Any]
    ) -> None:
        above = parent.trace
        self.name = name
        self.attributes = attributes
        self.parent_id: str | None = None if above.span_id == _NO_SPAN else above.span_id
        self.context = parent.under(TraceParent(above.trace_id, os.urandom(8).hex(), above.sampled))
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
    def trace_id(self) -> str:
        return self.context.trace.trace_id

    @property
    def span_id(self) -> str:
        return self.context.trace.span_id

    def set(self, key: str, value: Any) -> None:
        """Set an attribute: a string, number, boolean or list of them. Never a prompt or an answer."""
        self.attributes[key] = value

    def fail(self, error: BaseException) -> None:
        """Mark as failed. A cancelled request is no failure of ours and is only named."""
        if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            self.attributes.setdefault(ERROR_TYPE, "cancelled")
            return
        self.status = "error"
        # Not the message: it may quote what the user wrote.
        self.attributes[ERROR_TYPE] = error.code if isinstance(error, MainspringError) else type(error).__name__

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


class Tracing:
    """Makes spans and hands those of kept traces to ``writers``. Belongs to one event loop.

    ``sample`` is the share of traces that are kept; a trace in which a span failed is kept whole in any case.
    """

    def __init__(self, sample: float = 1.0, writers: Sequence[SpanWriter] = ()) -> None:
        self._threshold = round(sample * 2**56)
        self._writers = tuple(writers)
        self._open: dict[str, _Trace] = {}
        self.dropped = 0

    def root(self, traceparent: str | None = None) -> TraceParent:
        """The trace of a new request: the caller's, with the caller's decision to sample, or a new one."""
        given = parse_traceparent(traceparent)
        if given is not None:
            return given
        trace_id = os.urandom(16).hex()
        return TraceParent(trace_id, _NO_SPAN, self.sampled(trace_id))

    def sampled(self, trace_id: str) -> bool:
        """Whether a trace is kept: the same answer for the same id, on every machine."""
        return int(trace_id[-14:], 16) < self._threshold

    def span(self, name: str, context: Context, **attributes: Any) -> Span:
        """Begin a step below ``context``; what happens inside it goes under the span's own ``context``."""
        trace_id = context.trace.trace_id
        trace = self._open.get(trace_id)
        root = trace is None
        if trace is None:
            if len(self._open) >= _OPEN_TRACES:
                # Spans that were never ended must not pile up.
                self.dropped += len(self._open.pop(next(iter(self._open))).spans)
            trace = self._open[trace_id] = _Trace(context.trace.sampled, [])
        return Span(self, trace, root, name, context, attributes)

    def finished(self, span: Span, trace: _Trace, root: bool) -> None:
        """A span has ended (spans call this themselves)."""
        trace.keep = trace.keep or span.status == "error"
        trace.spans.append(span)
        if root and not trace.closed:
            trace.closed = True
            if self._open.get(span.trace_id) is trace:
                del self._open[span.trace_id]
        if trace.closed:
            spans, trace.spans = trace.spans, []
            if trace.keep:
                self.dropped += sum(writer.offer(spans) for writer in self._writers)
