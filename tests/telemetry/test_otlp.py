"""OTLP: a collector, here a small HTTP server, receives what OpenTelemetry specifies."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from mainspring.errors import MissingExtra, StoreError
from mainspring.telemetry.otlp import OtlpSink
from mainspring.telemetry.tracing import PROVIDER, REQUEST_MODEL, Tracing
from mainspring.types import Context, Principal

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="pip install 'mainspring[otlp]'")


class Collector:
    def __init__(self) -> None:
        self.paths: list[str] = []
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []
        self.status = 200
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.paths.append(self.path)
                for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                    collector.resources.append(
                        {pair.key: pair.value.string_value for pair in group.resource.attributes}
                    )
                    for scope in group.scope_spans:
                        collector.spans.extend(scope.spans)
                self.send_response(collector.status)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


async def test_spans_arrive_as_opentelemetry_has_them(collector: Collector) -> None:
    traces = Tracing()
    with traces.span("request", Context(Principal("t", "k"), traces.root())) as outer:
        inner = traces.span("chat m", outer.context, **{PROVIDER: "openvino", REQUEST_MODEL: "m"})
        inner.fail(ValueError("x"))
        inner.end()
    sink = OtlpSink(collector.url, "1.2.3")
    await sink.write([inner, outer])
    await sink.close()
    assert collector.paths == ["/v1/traces"]
    assert collector.resources[0]["service.name"] == "mainspring"
    child, root = collector.spans
    assert (child.name, child.trace_id.hex(), child.span_id.hex()) == ("chat m", inner.trace_id, inner.span_id)
    assert child.parent_span_id == root.span_id
    assert root.parent_span_id == b""
    assert {pair.key: pair.value.string_value for pair in child.attributes} == {
        "gen_ai.provider.name": "openvino",
        "gen_ai.request.model": "m",
        "error.type": "ValueError",
    }
    assert child.status.code == 2
    assert (child.start_time_unix_nano, child.end_time_unix_nano) == (inner.start_ns, inner.end_ns)


async def test_a_refusing_collector_is_an_error(collector: Collector) -> None:
    collector.status = 400
    traces = Tracing()
    span = traces.span("request", Context(Principal("t", "k")))
    span.end()
    sink = OtlpSink(f"{collector.url}/custom/path", "1")
    with pytest.raises(StoreError):
        await sink.write([span])
    await sink.close()
    assert collector.paths == ["/custom/path"]


def test_a_missing_exporter_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(MissingExtra, match=r"mainspring\[otlp\]"):
        OtlpSink("http://127.0.0.1:1", "1")
