"""Metrics: what a scrape shows, with bounded labels."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mainspring.core.types import Usage
from mainspring.telemetry.metrics import GAPS, Metrics


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    page, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_requests_and_their_errors() -> None:
    metrics = Metrics(["m"])
    metrics.request("chat", "m", 1.2, 0.2, "")
    metrics.request("chat", "m", 0.1, None, "overloaded")
    shown = samples(metrics)
    assert shown["mainspring_requests_total", "chat", "m", "ok"] == 1
    assert shown["mainspring_requests_total", "chat", "m", "overloaded"] == 1
    assert shown["mainspring_errors_total", "overloaded"] == 1
    assert shown["mainspring_ttft_seconds_count", "m"] == 1
    assert shown["mainspring_request_seconds_sum", "chat", "m"] == 1.3


def test_calls_count_tokens_and_dollars() -> None:
    metrics = Metrics(["m"])
    metrics.call("m", Usage(10, 5, 4, 2_500_000), 0.1, 0.5, "")
    metrics.gap("m", 0.02)
    metrics.gap("m", 0.03)
    shown = samples(metrics)
    assert [shown["mainspring_tokens_total", *sorted(("m", kind))] for kind in ("input", "output", "cached")] == [
        10,
        5,
        4,
    ]
    assert abs(shown["mainspring_cost_usd_total", "m"] - 0.0025) < 1e-12
    assert shown["mainspring_inter_token_seconds_count", "m"] == 2
    assert shown["mainspring_model_calls_total", "m", "ok"] == 1


def test_arms_are_measured_apart() -> None:
    metrics = Metrics(["m", "assistant"])
    metrics.arm_call("assistant", "canary", Usage(100, 20, 40, 2_000_000_000), 0.2, 1.5, "")
    metrics.arm_call("assistant", "canary", Usage(), None, 0.1, "engine_died")
    metrics.arm_call("assistant", "stable", Usage(10, 2), 0.1, 0.5, "")

    def read(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"mainspring_route_{name}", {"route": "assistant", **labels})

    assert read("calls_total", arm="canary", code="ok") == read("calls_total", arm="canary", code="engine_died") == 1
    assert read("tokens_total", arm="canary", direction="output") == 20
    assert read("tokens_total", arm="canary", direction="cached") == 40
    assert read("cost_usd_total", arm="canary") == pytest.approx(2)
    assert read("call_ttft_seconds_count", arm="canary") == 1
    assert read("call_seconds_sum", arm="canary") == pytest.approx(1.6)
    assert read("tokens_total", arm="stable", direction="input") == 10


def test_gaps_are_the_histogram_that_the_library_would_keep() -> None:
    metrics, values = Metrics(["m"]), [0.0, 0.001, 0.0010001, 0.02, 2.5, 99.0]
    registry = CollectorRegistry()
    name = "mainspring_inter_token_seconds"
    theirs = Histogram(name, "Time between pieces of streamed text.", ("model",), registry=registry, buckets=GAPS)
    for value in values:
        metrics.gap("m", value)
        theirs.labels("m").observe(value)

    def lines(page: str) -> list[str]:
        # When it was made is all that ours does not say.
        return [line for line in page.splitlines() if name in line and "_created" not in line]

    shown = lines(metrics.render()[0].decode())
    assert shown == lines(generate_latest(registry).decode())
    assert len(shown) > len(GAPS)


def test_unknown_models_share_one_label() -> None:
    metrics = Metrics(["m"])
    for index in range(500):
        metrics.request("chat", f"made-up-{index}", 0.1, 0.1, "")
        metrics.gap(f"made-up-{index}", 0.1)
    models = {key[3] for key in samples(metrics) if key[0] == "mainspring_requests_total"}
    assert models == {"other"}
    metrics.serve(*(f"served-{index}" for index in range(1000)))
    for index in range(1000):
        metrics.request("chat", f"served-{index}", 0.1, 0.1, "")
    assert len({key[3] for key in samples(metrics) if key[0] == "mainspring_requests_total"}) <= 201


def test_the_rest() -> None:
    metrics = Metrics(["m"])
    metrics.cache("hit")
    metrics.guard("pii_input", "redact", "email", 3)
    metrics.limited("tokens")
    metrics.retry("m")
    metrics.embedded("m", 7)
    metrics.retrieved(0.01)
    shown = samples(metrics)
    assert shown["mainspring_cache_total", "hit", "response"] == 1
    assert shown["mainspring_guard_findings_total", "email", "pii_input", "redact"] == 3
    assert shown["mainspring_rate_limited_total", "tokens"] == 1
    assert shown["mainspring_retries_total", "m"] == 1
    assert shown["mainspring_embedded_texts_total", "m"] == 7
    assert shown["mainspring_retrieval_seconds_count",] == 1


def test_engines_are_read_at_the_scrape_and_may_fail() -> None:
    metrics = Metrics()
    running = {"running": 2.0, "waiting": 1.0}
    metrics.watch_engine("a", lambda: running)

    def dead() -> dict[str, float]:
        raise ConnectionError("gone")

    metrics.watch_engine("b", dead)
    metrics.watch_count("spans_lost", "Lost.", lambda: 4.0)
    assert samples(metrics)["mainspring_engine_running", "a"] == 2
    running["running"] = 5.0
    shown = samples(metrics)
    assert shown["mainspring_engine_running", "a"] == 5
    assert shown["mainspring_engine_waiting", "a"] == 1
    assert (shown["mainspring_engine_up", "a"], shown["mainspring_engine_up", "b"]) == (1, 0)
    assert shown["mainspring_spans_lost_total",] == 4


def test_two_registries_do_not_meet() -> None:
    first, second = Metrics(["m"]), Metrics(["m"])
    first.cache("hit")
    assert ("mainspring_cache_total", "response", "hit") not in samples(second)
