"""Prometheus instruments of routing: replicas, routes, fallbacks, hedges and shadows. Labels are configured names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mainspring.core.types import Usage

_FIRST_TOKEN = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30, 60)
_DURATION = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
ASKED = frozenset({"ready", "half_open"})

Views = Callable[[], list[Mapping[str, Any]]]
"""The replicas of a model at this moment: ``name``, ``state``, ``running``, ``outstanding_tokens``."""


class ArmMetrics:
    """The metrics of replicas and arms. Times are in seconds, ``code`` is an error's stable code ("": success)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"mainspring_{name}", text, labels, registry=registry)

        self._attempts = counter("replica_calls", "Calls of replicas by outcome.", "model", "replica", "code")
        self._first = Histogram(
            "mainspring_replica_ttft_seconds",
            "Time from call to first text.",
            ("model", "replica"),
            registry=registry,
            buckets=_FIRST_TOKEN,
        )
        self._moved = counter("replica_moves", "Calls that went on to another replica.", "model", "code")
        self._hedged = counter("hedges", "Second attempts by outcome.", "model", "outcome")
        self._routed = counter("route_requests", "Requests of routes by arm.", "route", "arm", "code")
        self._fallbacks = counter("fallbacks", "Calls that went on to another model.", "model", "to", "code")
        self._shadowed = counter("shadows", "Copies by outcome; busy ones were left out.", "route", "arm", "code")
        self._states = _States()
        registry.register(self._states)

    def attempt(self, model: str, replica: str, code: str, ttft_s: float | None) -> None:
        """A replica began to answer, or failed before or after it had."""
        self._attempts.labels(model, replica, code or "ok").inc()
        if ttft_s is not None:
            self._first.labels(model, replica).observe(ttft_s)

    def moved(self, model: str, code: str) -> None:
        self._moved.labels(model, code).inc()

    def hedged(self, model: str, outcome: str) -> None:
        """A second attempt ``won``, ``lost`` or ``failed``."""
        self._hedged.labels(model, outcome).inc()

    def routed(self, route: str, arm: str, code: str) -> None:
        self._routed.labels(route, arm, code or "ok").inc()

    def fell_back(self, model: str, to: str, code: str) -> None:
        self._fallbacks.labels(model, to, code).inc()

    def shadowed(self, route: str, arm: str, code: str) -> None:
        self._shadowed.labels(route, arm, code or "ok").inc()

    def watch(self, model: str, views: Views) -> None:
        """Read the replicas of ``model`` at each scrape."""
        self._states.views[model] = views


class ArmCalls:
    """Usage of the model calls of each arm, to compare a canary with the model that it may replace, even if both serve
    the same model. A route's shadows are arms here. Times are in seconds, ``code`` is "" for success."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"mainspring_route_{name}", text, ("route", "arm", *labels), registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"mainspring_route_{name}", text, ("route", "arm"), registry=registry, buckets=buckets)

        self._calls = counter("calls", "Model calls of arms by outcome.", "code")
        self._seconds = histogram("call_seconds", "Duration of model calls of arms.", _DURATION)
        self._first = histogram("call_ttft_seconds", "Time from model call of an arm to its first text.", _FIRST_TOKEN)
        self._tokens = counter("tokens", "Tokens of arms by direction (cached ones are input too).", "direction")
        self._cost = counter("cost_usd", "Cost of model calls of arms in US dollars.")

    def call(self, route: str, arm: str, usage: Usage, ttft_s: float | None, duration_s: float, code: str) -> None:
        """One call has ended."""
        self._calls.labels(route, arm, code or "ok").inc()
        self._seconds.labels(route, arm).observe(duration_s)
        if ttft_s is not None:
            self._first.labels(route, arm).observe(ttft_s)
        self._tokens.labels(route, arm, "input").inc(usage.prompt_tokens)
        self._tokens.labels(route, arm, "output").inc(usage.completion_tokens)
        self._tokens.labels(route, arm, "cached").inc(usage.cached_tokens)
        self._cost.labels(route, arm).inc(usage.cost_nanousd * 1e-9)


class _States(Collector):
    def __init__(self) -> None:
        self.views: dict[str, Views] = {}

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        labels = ("model", "replica")
        up = GaugeMetricFamily("mainspring_replica_up", "Whether the replica takes calls.", labels=labels)
        running = GaugeMetricFamily("mainspring_replica_running", "Calls under way.", labels=labels)
        tokens = GaugeMetricFamily("mainspring_replica_outstanding_tokens", "Tokens under way.", labels=labels)
        for model, views in self.views.items():
            for view in views():
                named = (model, str(view["name"]))
                up.add_metric(named, float(view["state"] in ASKED))
                running.add_metric(named, view["running"])
                tokens.add_metric(named, view["outstanding_tokens"])
        yield from (up, running, tokens)
