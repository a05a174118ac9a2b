"""One request's trace, whole, in an OTLP receiver; what other services are told of it, and what they are not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import data, run_within
from tests.conftest import HANDBOOK, Server, start_server, stop_server
from tests.telemetry.collector import Collector, collecting

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="pip install 'mainspring[otlp]'")

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
PRIVATE = {"x-private": "of the user", "cookie": "session=of-the-user", "baggage": "user=alice"}
PASSED_ON = {"traceparent", "tracestate", "x-request-timeout", "authorization"}
TRANSPORT = {"host", "accept", "accept-encoding", "content-length", "content-type", "user-agent"}


@dataclass
class Elsewhere:
    """A chat model and a reranker of somebody else's; ``headers`` are what they were sent, by path."""

    headers: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def start(self) -> ThreadingHTTPServer:
        elsewhere = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                sent = {name.lower(): value for name, value in self.headers.items()}
                elsewhere.headers.setdefault(self.path, []).append(sent)
                if self.path == "/rerank":
                    scores = [{"index": n, "relevance_score": 1 / (n + 1)} for n in range(len(body["documents"]))]
                    self._answer("application/json", json.dumps({"results": scores}))
                    return
                parts = [
                    {"choices": [{"index": 0, "delta": {"content": "Two "}}]},
                    {"choices": [{"index": 0, "delta": {"content": "years."}, "finish_reason": "stop"}]},
                    {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}},
                ]
                frames = [f"data: {json.dumps(part)}\n\n" for part in parts]
                self._answer("text/event-stream", "".join([*frames, "data: [DONE]\n\n"]))

            def _answer(self, kind: str, body: str) -> None:
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


@dataclass
class World:
    server: Server
    collector: Collector
    elsewhere: Elsewhere

    def spans(self, trace: str, patience_s: float = 20.0) -> dict[str, list[Any]]:
        """The spans of a trace in the receiver, once its outermost one is there, by name."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            found: dict[str, list[Any]] = {}
            for span in list(self.collector.spans):
                if span.trace_id.hex() == trace:
                    found.setdefault(span.name, []).append(span)
            if "request" in found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"no trace {trace} arrived")

    def listed(self, trace: str, query: str, patience_s: float = 20.0) -> list[dict[str, Any]]:
        """The traces that the server lists, once this one is among them: it writes them beside its answers."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            found: list[dict[str, Any]] = self.server.call("GET", f"/v1/traces?{query}")[1]["data"]
            if trace in {each["id"] for each in found}:
                return found
            time.sleep(0.05)
        raise AssertionError(f"no trace {trace} is listed")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    elsewhere = Elsewhere()
    upstream = elsewhere.start()
    url = f"http://127.0.0.1:{upstream.server_port}"
    with collecting() as collector:
        server = start_server(
            tmp_path_factory.mktemp("home"),
            "--ingest",
            str(Path(HANDBOOK)),
            MAINSPRING_MODELS__CHAT="[]",
            MAINSPRING_MODELS__REMOTE=json.dumps(
                {"far": {"url": f"{url}/v1", "model": "theirs", "api_key": "sk-ours", "context_window": 4096}}
            ),
            MAINSPRING_MODELS__RERANKER="judge",
            MAINSPRING_MODELS__REMOTE_RERANKERS=json.dumps({"judge": {"url": f"{url}/rerank", "model": "judge"}}),
            MAINSPRING_TELEMETRY__OTLP_ENDPOINT=collector.url,
            MAINSPRING_TELEMETRY__STORE_PROMPTS="true",
            MAINSPRING_PRICES__MODELS=json.dumps({"far": {"input": 1000.0, "output": 1000.0}}),
        )
        try:
            yield World(server, collector, elsewhere)
        finally:
            stop_server(server)
            upstream.shutdown()
            upstream.server_close()


def ask(world: World, model: str, text: str, headers: dict[str, str] | None = None, **more: Any) -> str:
    """The id of the trace of one answered question."""
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    status, answered, content = world.server.raw("POST", "/v1/chat/completions", body, None, headers)
    assert status == 200, content
    return answered["x-trace-id"]


def under(spans: dict[str, list[Any]], child: str, parent: str) -> bool:
    """Whether each ``child`` is directly below some ``parent``, and within its time."""
    above = {span.span_id: span for span in spans[parent]}
    return all(
        span.parent_span_id in above
        and above[span.parent_span_id].start_time_unix_nano <= span.start_time_unix_nano
        and span.end_time_unix_nano <= above[span.parent_span_id].end_time_unix_nano + 5_000_000
        for span in spans[child]
    )


def path(spans: dict[str, list[Any]], name: str) -> list[str]:
    """The names of the spans from the outermost one down to ``name``."""
    known = {span.span_id: span for each in spans.values() for span in each}
    span, names = spans[name][0], [name]
    while span.parent_span_id in known:
        span = known[span.parent_span_id]
        names.insert(0, span.name)
    assert names[0] == "request"
    return names


def told(span: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}


def test_a_model_call_is_seen_whole_in_the_receiver(world: World) -> None:
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    assert ask(world, "far", "How long is it?", headers, session_id="s-1", max_tokens=50) == TRACE
    spans = world.spans(TRACE)
    assert all(len(each) == 1 for each in spans.values())
    (root,) = spans["request"]
    assert root.parent_span_id.hex() == CALLER
    # Others may come between them.
    chain = ["Limit", "GuardInput", "Session", "Record", "Reserve", "ResponseCache", "GuardOutput", "chat far"]
    assert [name for name in path(spans, "chat far") if name in chain] == chain
    assert all(spans[name][0].end_time_unix_nano <= root.end_time_unix_nano for name in spans)
    for child, parent in (
        ("auth", "request"),
        ("receive", "request"),
        ("guard", "GuardInput"),
        ("settle", "Record"),
        ("postprocess", "GuardOutput"),
        ("prefill", "chat far"),
        ("decode", "chat far"),
    ):
        assert spans[child][0].parent_span_id == spans[parent][0].span_id, (child, parent)
    assert spans["auth"][0].start_time_unix_nano == root.start_time_unix_nano
    assert spans["prefill"][0].end_time_unix_nano <= spans["decode"][0].start_time_unix_nano + 1_000_000
    call = told(spans["chat far"][0])
    assert call["gen_ai.operation.name"] == "chat"
    assert call["gen_ai.request.max_tokens"] == 50
    assert (call["gen_ai.usage.input_tokens"], call["gen_ai.usage.output_tokens"]) == (9, 2)
    assert spans["chat far"][0].kind == 3, "a client's span"
    assert told(root)["mainspring.kept"] == "sampled"


def test_retrieval_is_seen_with_its_stages(world: World) -> None:
    trace = ask(world, "document-qa", "How long is the warranty?", options={"mode": "generative"})
    spans = world.spans(trace)
    assert spans["request"][0].parent_span_id == b""
    for stage in ("embed query", "dense", "sparse", "fuse", "rerank"):
        assert under(spans, stage, "retrieve"), stage
    asked = {span.parent_span_id for span in spans["embeddings all-minilm-l6-v2"]}
    assert spans["embed query"][0].span_id in asked
    assert under(spans, "rerank judge", "rerank")
    assert told(spans["retrieve"][0])["gen_ai.operation.name"] == "retrieval"
    for name in ("select", "assemble", "chat far"):
        assert name in spans
    known = {span.span_id for each in spans.values() for span in each}
    assert all(span.parent_span_id in known for name, each in spans.items() for span in each if name != "request")


def test_other_services_learn_only_the_trace(world: World) -> None:
    world.elsewhere.headers.clear()
    sent = {"traceparent": f"00-{TRACE[::-1]}-{CALLER}-01", "tracestate": "congo=t61rcWkgMzE,rojo=1", **PRIVATE}
    ask(world, "document-qa", "How long is the warranty for parts?", sent, options={"mode": "generative"})
    spans = world.spans(TRACE[::-1])
    calls = {"/v1/chat/completions": "chat far", "/rerank": "rerank judge"}
    assert set(world.elsewhere.headers) == set(calls)
    for path, name in calls.items():
        parents = {f"00-{TRACE[::-1]}-{span.span_id.hex()}-01" for span in spans[name]}
        for headers in world.elsewhere.headers[path]:
            assert headers["traceparent"] in parents
            assert headers["tracestate"] == "congo=t61rcWkgMzE,rojo=1"
            assert set(headers) <= PASSED_ON | TRANSPORT
            assert world.server.key not in str(headers)
            assert not any(value in str(headers) for value in PRIVATE.values())


def test_the_next_service_learns_that_a_trace_is_not_sampled(world: World) -> None:
    world.elsewhere.headers.clear()
    ask(world, "far", "Unsampled?", {"traceparent": f"00-{'1' * 32}-{CALLER}-00", "tracestate": "no/good ="})
    (headers,) = world.elsewhere.headers["/v1/chat/completions"]
    assert headers["traceparent"].endswith("-00")
    assert "tracestate" not in headers, "one that is not valid is not passed on"


def prompts(world: World, trace: str, key: str | None = None) -> tuple[int, Any]:
    return world.server.call("GET", f"/v1/traces/{trace}/prompt", key=key)


def test_a_prompt_is_shown_as_it_was_assembled(world: World) -> None:
    trace = ask(world, "document-qa", "How long is the warranty for screens?", options={"mode": "generative"})
    status, body = prompts(world, trace)
    assert (status, body["object"]) == (200, "trace.prompt")
    (call,) = body["calls"]
    assert call["model"] == "far"
    assert [message["role"] for message in call["messages"]] == ["system", "user"]
    assert "Notes:" in call["messages"][1]["content"]
    assert "How long is the warranty for screens?" in call["messages"][1]["content"]
    (span,) = world.spans(trace)["chat far"]
    assert call["span_id"] == span.span_id.hex()


def test_a_prompt_is_kept_as_guards_let_it_be_read(world: World) -> None:
    trace = ask(world, "far", "My card is 4111 1111 1111 1111.")
    assert "4111" not in json.dumps(prompts(world, trace)[1])
    assert "My card is" in json.dumps(prompts(world, trace)[1])


def test_a_prompt_is_not_kept_where_the_caller_says_so(world: World) -> None:
    status, body = prompts(world, ask(world, "far", "Keep nothing.", store=False))
    assert (status, body["error"]["code"]) == (404, "not_found")


def test_a_prompt_goes_with_its_session(world: World) -> None:
    trace = ask(world, "far", "Something private.", session_id="to-be-erased")
    assert "Something private." in json.dumps(prompts(world, trace)[1])
    assert world.server.call("DELETE", "/v1/sessions/to-be-erased")[0] == 200
    assert prompts(world, trace)[0] == 404


def test_traces_are_found_by_what_they_cost(world: World) -> None:
    dear = ask(world, "far", "What does it cost?")
    found = world.listed(dear, "least_usd=0.01&limit=200")
    assert all(trace["cost_usd"] >= 0.01 for trace in found)
    none = world.server.call("GET", "/v1/traces?least_usd=1000")[1]["data"]
    assert none == []


def test_the_command_lists_traces(world: World) -> None:
    dear = ask(world, "far", "And what does this one?")
    world.listed(dear, "limit=200")

    def listed(*arguments: str) -> str:
        return run_within(("traces", *arguments), world.server.environment).stdout

    assert dear in {trace["id"] for trace in data(listed("--json"))["data"]}
    assert dear in listed("--model", "far", "--least-usd", "0.01", "--since", "1h")
    assert dear not in listed("--failed")
    assert dear not in listed("--model", "document-qa")
