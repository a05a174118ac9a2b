"""Prometheus instruments of what was settled: quality, money and safety, counted from the events as they are written.

Tenants and applications have labels of their own up to a number; the rest share ``other``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from mainspring.core.types import EventRecord
from mainspring.telemetry.metric_family import Family

OTHER = "other"
LEAKS = frozenset({"prompt_leak", "canary", "secret"})
"""What guards call texts that must not be told."""
_MOST_TENANTS = 100
_NANO = 1e-9
_EVIDENCE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_COST = (1e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1, 5)
_SCORES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class FactMetrics:
    """Counts events. ``label`` is what a model or application is counted as; ``of_tenants`` is for what names
    tenants."""

    def __init__(self, registry: CollectorRegistry, of_tenants: CollectorRegistry, label: Callable[[str], str]) -> None:
        self._label = label
        self._tenants: set[str] = set()

        def counter(name: str, text: str, *labels: str) -> Family[Counter]:
            where = of_tenants if "tenant" in labels else registry
            return Family(Counter(f"mainspring_{name}", text, labels, registry=where))

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Family[Histogram]:
            return Family(Histogram(f"mainspring_{name}", text, labels, registry=registry, buckets=buckets))

        self._feedback = counter("feedback", "What people said of answers.", "rating")
        self._retrievals = counter("retrievals", "Questions to documents, by whether these say enough.", "outcome")
        self._evidence = Histogram(
            "mainspring_evidence",
            "How likely the documents hold the answer, from 0 to 1.",
            registry=registry,
            buckets=_EVIDENCE,
        )
        self._sentences = counter("sentences", "Sentences of written answers by the support check.", "outcome")
        text = "Scores of judged answers, from 0 to 1, by what is judged of them."
        self._scores = histogram("scores", text, _SCORES, "application", "metric")
        self._tenant_cost = counter("tenant_cost_usd", "Cost of model calls in US dollars.", "tenant")
        self._tenant_tokens = counter("tenant_tokens", "Tokens of model calls.", "tenant", "direction")
        self._application_cost = counter("application_cost_usd", "Cost of model calls in US dollars.", "application")
        self._request_cost = histogram("request_cost_usd", "Cost of a request in US dollars.", _COST, "application")
        self._saved = counter("saved_usd", "US dollars that were not spent, by what saved them.", "by")
        # The saving is a difference and may be negative, which a counter cannot be.
        routed = "Cost of the calls of routed answers in US dollars."
        unrouted = "What those would have cost with always the large model."
        self._routed = Counter("mainspring_routed_cost_usd", routed, registry=registry)
        self._unrouted = Counter("mainspring_unrouted_cost_usd", unrouted, registry=registry)
        self._refusals = counter("guard_refusals", "Decisions of guards to refuse.", "guard", "stage")
        self._leaks = counter("leaks_stopped", "Secrets and prompts that guards kept out of answers.", "kind")
        # What begins at one instead of nought has not grown for who looks at it later.
        for family, names in (
            (self._feedback, ("up", "down", "edited", "changed")),
            (self._retrievals, ("supported", "unsupported")),
            (self._sentences, ("supported", "unsupported")),
            (self._saved, ("prompt_cache", "answer_cache")),
            (self._leaks, sorted(LEAKS)),
        ):
            for name in names:
                family.labels(name)

    def count(self, records: Iterable[EventRecord]) -> None:
        """Take in what was settled."""
        for record in records:
            facts = record.facts
            match record.kind:
                case "call":
                    self._call(record.tenant, facts)
                case "answer":
                    self._answer(facts)
                case "retrieval":
                    self._retrievals.labels("unsupported" if facts.get("refused") else "supported").inc()
                    if (evidence := facts.get("evidence")) is not None:
                        self._evidence.observe(evidence)
                case "guard":
                    self._guard(facts)
                case "feedback":
                    if facts.get("rating") in ("up", "down"):
                        # A counter takes nothing back: what a thumb was changed to is not counted once more.
                        self._feedback.labels("changed" if facts.get("instead_of") else facts["rating"]).inc()
                    if facts.get("edited"):
                        self._feedback.labels("edited").inc()
                case "score":
                    for metric, score in facts.get("scores", {}).items():
                        self._scores.labels(self._label(facts.get("application", "")), metric).observe(score)

    def _call(self, tenant: str, facts: Mapping[str, Any]) -> None:
        named = self._tenant(tenant)
        cost = facts.get("cost_nanousd", 0) * _NANO
        self._tenant_cost.labels(named).inc(cost)
        self._application_cost.labels(self._label(facts.get("application", ""))).inc(cost)
        self._tenant_tokens.labels(named, "input").inc(facts.get("prompt_tokens", 0))
        self._tenant_tokens.labels(named, "output").inc(facts.get("completion_tokens", 0))
        if saved := facts.get("saved_nanousd"):
            self._saved.labels("prompt_cache").inc(saved * _NANO)
        if (routing := facts.get("routing_saved_nanousd")) is not None:
            self._routed.inc(cost)
            self._unrouted.inc(max(0.0, routing * _NANO + cost))

    def _answer(self, facts: Mapping[str, Any]) -> None:
        cost = facts.get("cost_nanousd", 0) * _NANO
        self._request_cost.labels(self._label(facts.get("requested", ""))).observe(cost)
        if saved := facts.get("saved_nanousd"):
            self._saved.labels("answer_cache").inc(saved * _NANO)
        if sentences := facts.get("sentences"):
            self._sentences.labels("supported").inc(sentences - facts.get("unsupported", 0))
            self._sentences.labels("unsupported").inc(facts.get("unsupported", 0))

    def _guard(self, facts: Mapping[str, Any]) -> None:
        if facts.get("dry_run"):
            return
        guard, kind, stage = (str(facts.get(name, "")) for name in ("guard", "kind", "stage"))
        if facts.get("action") == "refuse":
            self._refusals.labels(guard, stage).inc()
        leak = next((name for name in (guard, kind) if name in LEAKS), "")
        if stage == "output" and leak:
            self._leaks.labels(leak).inc(facts.get("count", 1))

    def _tenant(self, tenant: str) -> str:
        if tenant in self._tenants or len(self._tenants) < _MOST_TENANTS:
            self._tenants.add(tenant)
            return tenant
        return OTHER
