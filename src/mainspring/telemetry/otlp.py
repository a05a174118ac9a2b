"""Export of spans over OTLP/HTTP, for any OpenTelemetry collector. Needs the extra ``otlp``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from mainspring.core.errors import MissingExtra, StoreError
from mainspring.telemetry.tracing import Span


class OtlpSink:
    """Sends to ``endpoint``; if that has no path, to its ``/v1/traces``. Raises ``MissingExtra``."""

    def __init__(self, endpoint: str, version: str, timeout_s: float = 10.0) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError:
            raise MissingExtra(
                "telemetry.otlp_endpoint is set and the OTLP exporter is not installed",
                remedy="Install it: pip install 'mainspring[otlp]'",
            ) from None
        from opentelemetry.sdk.resources import Resource

        bare = urlsplit(endpoint).path in ("", "/")
        url = f"{endpoint.rstrip('/')}/v1/traces" if bare else endpoint
        self._exporter = OTLPSpanExporter(endpoint=url, timeout=timeout_s)
        self._resource = Resource.create({"service.name": "mainspring", "service.version": version})

    async def write(self, rows: Sequence[Span]) -> None:
        """Send in a thread. Raises ``StoreError`` if the collector did not take them."""
        from opentelemetry.sdk.trace.export import SpanExportResult

        spans = [self._readable(span) for span in rows]
        result = await asyncio.to_thread(self._exporter.export, spans)
        if result is not SpanExportResult.SUCCESS:
            raise StoreError("the OTLP collector did not take the spans")

    async def close(self) -> None:
        await asyncio.to_thread(self._exporter.shutdown)

    def _readable(self, span: Span) -> Any:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
        from opentelemetry.trace.status import Status, StatusCode

        def context(span_id: str, remote: bool) -> SpanContext:
            return SpanContext(int(span.trace_id, 16), int(span_id, 16), remote, TraceFlags(TraceFlags.SAMPLED))

        codes = {"ok": StatusCode.OK, "error": StatusCode.ERROR, "unset": StatusCode.UNSET}
        return ReadableSpan(
            name=span.name,
            context=context(span.span_id, False),
            parent=context(span.parent_id, True) if span.parent_id else None,
            resource=self._resource,
            attributes={key: value for key, value in span.attributes.items() if value is not None},
            kind=SpanKind.CLIENT if "gen_ai.provider.name" in span.attributes else SpanKind.INTERNAL,
            status=Status(codes[span.status]),
            start_time=span.start_ns,
            end_time=span.end_ns,
        )
