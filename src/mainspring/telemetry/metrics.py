"""Prometheus instruments on a registry of their own, and the page that a scrape reads.

Label values are bounded: models outside the served ones count as ``other``. Children are bound once, so that
observing costs a few microseconds; engine gauges are read when a scrape asks.
"""

from __future__ import annotations

import itertools
import logging
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from mainspring.core.types import Usage
from mainspring.telemetry.fact_metrics import OTHER, FactMetrics
from mainspring.telemetry.metric_family import Family
from mainspring.telemetry.routing_metrics import ArmCalls

log = logging.getLogger(__name__)

_MAX_MODELS = 200
_FIRST_TOKEN = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30)
GAPS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2.5)
_DURATION = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_RETRIEVAL = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.04, 0.075, 0.15, 0.3, 1, 5)
_NANO = 1e-9

Statistics = Callable[[], Mapping[str, float]]


class Metrics:
    """Everything that is counted. Times are in seconds, ``code`` is an error's stable code ("" for success)."""

    def __init__(self, models: Iterable[str] = ()) -> None:
        self.registry = CollectorRegistry()
        # Tenants' names and spending are not for every reader of the other metrics.
        self.of_tenants = CollectorRegistry()
        self._models: set[str] = set()
        self._gaps = _Gaps()
        self._gauges = _Gauges()
        self.registry.register(self._gaps)
        self.registry.register(self._gauges)
        self._define_requests()
        self._define_calls()
        self._define_rest()
        self.facts = FactMetrics(self.registry, self.of_tenants, self._label)
        self._arm_calls = ArmCalls(self.registry)
        self.serve(*models)

    def serve(self, *models: str) -> None:
        """Allow these names as label values (at most 200 in all)."""
        for model in models:
            if len(self._models) < _MAX_MODELS:
                self._models.add(model)

    def request(self, operation: str, model: str, duration_s: float, ttft_s: float | None, code: str) -> None:
        """One request was answered, failed (``code``) or was given up by its caller (``cancelled``)."""
        label = self._label(model)
        self._requests.labels(operation, label, code or "ok").inc()
        self._request_seconds.labels(operation, label).observe(duration_s)
        if ttft_s is not None:
            self._ttft.labels(label).observe(ttft_s)
        if code:
            self.error(code)

    def gap(self, model: str, seconds: float) -> None:
        """The time between two pieces of text of one stream."""
        self._gaps.add(model if model in self._models else OTHER, seconds)

    def call(self, model: str, usage: Usage, ttft_s: float | None, duration_s: float, code: str) -> None:
        """A model call has ended."""
        label = self._label(model)
        self._calls.labels(label, code or "ok").inc()
        self._call_seconds.labels(label).observe(duration_s)
        if ttft_s is not None:
            self._call_ttft.labels(label).observe(ttft_s)
        self._tokens.labels(label, "input").inc(usage.prompt_tokens)
        self._tokens.labels(label, "output").inc(usage.completion_tokens)
        self._tokens.labels(label, "cached").inc(usage.cached_tokens)
        self._cost.labels(label).inc(usage.cost_nanousd * _NANO)

    def cache(self, outcome: str, name: str = "response") -> None:
        """A look-up ended as a ``hit`` or a ``miss``."""
        self._cache.labels(name, outcome).inc()

    def guard(self, guard: str, action: str, kind: str, count: int = 1) -> None:
        """A guard decided about ``count`` findings."""
        self._guards.labels(guard, action, kind).inc(count)

    def error(self, code: str) -> None:
        """A failure that is no request's own: ``request`` counts those."""
        self._errors.labels(code).inc()

    def retry(self, model: str) -> None:
        self._retries.labels(self._label(model)).inc()

    def routed(self, model: str, by: str) -> None:
        """The router sent a request to ``model``."""
        self._routes.labels(self._label(model), by).inc()

    def queued(self, model: str, priority: str, seconds: float, outcome: str) -> None:
        """A call was admitted to its engine, or was not, after it had waited for ``seconds``."""
        label = self._label(model)
        self._queue.labels(label, priority, outcome).inc()
        self._queue_seconds.labels(label, priority).observe(seconds)

    def limited(self, limit: str) -> None:
        """A key ran into its limit of ``requests`` or ``tokens``."""
        self._limited.labels(limit).inc()

    def budget(self, outcome: str) -> None:
        """A budget ``refused`` a request, or let it go on over a ``soft`` limit."""
        self._budgets.labels(outcome).inc()

    def anomaly(self, model: str) -> None:
        """An hour cost a tenant far more than comparable hours."""
        self._anomalies.labels(self._label(model)).inc()

    def embedded(self, model: str, texts: int) -> None:
        self._embedded.labels(self._label(model)).inc(texts)

    def retrieved(self, seconds: float) -> None:
        """One search of a collection."""
        self._retrieval.observe(seconds)

    def http(self, method: str, route: str, status: int) -> None:
        """One HTTP response; ``route`` is a route's template and never the requested path."""
        self._http.labels(method, route, str(status)).inc()

    def watch_engine(self, engine: str, statistics: Statistics) -> None:
        """Read ``Engine.statistics`` at each scrape as ``mainspring_engine_*{engine=...}``."""
        self._gauges.engines[engine] = statistics

    def watch_count(self, name: str, help_text: str, count: Callable[[], float]) -> None:
        """Read a counter that something else keeps, at each scrape, as ``mainspring_<name>_total``."""
        self._gauges.counts[name] = (help_text, count)

    def render(self, *, tenants: bool = True) -> tuple[bytes, str]:
        """The scrape's page, with or without what each of the ``tenants`` used, and its content type."""
        page = generate_latest(self.registry) + (generate_latest(self.of_tenants) if tenants else b"")
        return page, CONTENT_TYPE_LATEST

    def arm_call(self, route: str, arm: str, usage: Usage, ttft_s: float | None, duration_s: float, code: str) -> None:
        """One model call of an arm has ended."""
        self._arm_calls.call(self._label(route), arm, usage, ttft_s, duration_s, code)

    def _label(self, model: str) -> str:
        return model if model in self._models else OTHER

    def _counter(self, name: str, text: str, *labels: str) -> Family[Counter]:
        return Family(Counter(f"mainspring_{name}", text, labels, registry=self.registry))

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Family[Histogram]:
        return Family(Histogram(f"mainspring_{name}", text, labels, registry=self.registry, buckets=buckets))

    def _define_requests(self) -> None:
        self._requests = self._counter("requests", "Requests by outcome.", "operation", "model", "code")
        self._request_seconds = self._histogram(
            "request_seconds", "Time from request to the end of its answer.", _DURATION, "operation", "model"
        )
        self._ttft = self._histogram("ttft_seconds", "Time from request to its first text.", _FIRST_TOKEN, "model")
        self._http = self._counter("http_responses", "Answers over HTTP.", "method", "route", "status")
        self._errors = self._counter("errors", "Failures by code.", "code")
        self._limited = self._counter("rate_limited", "Requests over a key's limit.", "limit")
        self._budgets = self._counter("budget_requests", "Requests that met the limit of a budget.", "outcome")
        self._anomalies = self._counter("cost_anomalies", "Hours that cost far more than comparable hours.", "model")
        self._cache = self._counter("cache", "Cache look-ups by outcome.", "cache", "outcome")

    def _define_calls(self) -> None:
        self._calls = self._counter("model_calls", "Model calls by outcome.", "model", "code")
        self._call_seconds = self._histogram("model_call_seconds", "Duration of model calls.", _DURATION, "model")
        self._call_ttft = self._histogram(
            "model_call_ttft_seconds", "Time from model call to its first text.", _FIRST_TOKEN, "model"
        )
        self._tokens = self._counter("tokens", "Tokens by direction (cached ones are input too).", "model", "direction")
        self._cost = self._counter("cost_usd", "Cost of model calls in US dollars.", "model")
        self._queue = self._counter("queue", "Calls at the gate of an engine.", "model", "priority", "outcome")
        self._queue_seconds = self._histogram(
            "queue_seconds", "Time that calls waited for a place in their engine.", _DURATION, "model", "priority"
        )
        self._retries = self._counter("retries", "Retried model calls.", "model")
        self._routes = self._counter("routes", "Requests that the router sent on, by what decided.", "model", "by")

    def _define_rest(self) -> None:
        self._guards = self._counter("guard_findings", "Findings of guards.", "guard", "action", "kind")
        self._embedded = self._counter("embedded_texts", "Texts embedded.", "model")
        self._retrieval = Histogram(
            "mainspring_retrieval_seconds",
            "Duration of searches in collections.",
            registry=self.registry,
            buckets=_RETRIEVAL,
        )


class _Gaps(Collector):
    """The histogram of ``gap``, observed once a token: a tenth of what the library's own, with its locks, takes.

    Only the event loop adds to it.
    """

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def add(self, model: str, seconds: float) -> None:
        counts = self._counts.get(model)
        if counts is None:
            counts = self._counts[model] = [0] * (len(GAPS) + 1)
            self._seconds[model] = 0.0
        # A bucket counts values up to its bound.
        counts[bisect_left(GAPS, seconds)] += 1
        self._seconds[model] += seconds

    def describe(self) -> Iterator[Metric]:
        return iter((self._family(),))

    def collect(self) -> Iterator[Metric]:
        family = self._family()
        bounds = [*(str(float(bound)) for bound in GAPS), "+Inf"]
        for model, counts in list(self._counts.items()):
            buckets = list(zip(bounds, itertools.accumulate(map(float, counts)), strict=True))
            family.add_metric((model,), buckets, self._seconds[model])
        yield family

    @staticmethod
    def _family() -> HistogramMetricFamily:
        name, text = "mainspring_inter_token_seconds", "Time between pieces of streamed text."
        return HistogramMetricFamily(name, text, labels=("model",))


class _Gauges(Collector):
    """Values that other parts know at the moment of a scrape."""

    def __init__(self) -> None:
        self.engines: dict[str, Statistics] = {}
        self.counts: dict[str, tuple[str, Callable[[], float]]] = {}

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        up = GaugeMetricFamily("mainspring_engine_up", "Whether the engine tells its state.", labels=("engine",))
        for engine, statistics in list(self.engines.items()):
            try:
                values = dict(statistics())
            except Exception:
                log.warning("an engine's statistics cannot be read", extra={"engine": engine}, exc_info=True)
                up.add_metric((engine,), 0)
                continue
            up.add_metric((engine,), 1)
            for key, value in values.items():
                family = families.get(key)
                if family is None:
                    text = f"Engine statistic {key}."
                    family = GaugeMetricFamily(f"mainspring_engine_{key}", text, labels=("engine",))
                    families[key] = family
                family.add_metric((engine,), value)
        yield up
        yield from families.values()
        for name, (text, count) in self.counts.items():
            counter = CounterMetricFamily(f"mainspring_{name}", text)
            counter.add_metric((), count())
            yield counter
