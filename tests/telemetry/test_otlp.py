"""OTLP: a collector, here a small HTTP server, receives what OpenTelemetry specifies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mainspring.core.errors import MissingExtra, StoreError
from mainspring.core.types import Context, Principal
from mainspring.telemetry.otlp import OtlpSink
from mainspring.telemetry.tracing import REQUEST_MODEL, Tracing
from tests.telemetry.collector import Collector, collecting

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="pip install 'mainspring[otlp]'")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


async def test_spans_arrive_as_opentelemetry_has_them(collector: Collector) -> None:
    traces = Tracing()
    with traces.span("request", Context(Principal("t", "k"), traces.root())) as outer:
        inner = traces.span("chat m", outer.context, **{"gen_ai.provider.name": "openvino", REQUEST_MODEL: "m"})
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
