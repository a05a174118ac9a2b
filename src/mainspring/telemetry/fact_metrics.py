"""Prometheus instruments of settled facts: quality, money and safety, counted while the events are written.

Tenants and applications have labels of their own up to a number; the rest share ``other``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.calls import CallFacts
from mainspring.core.facts.dialogues import DialogueFacts
from mainspring.core.facts.guards import GuardFacts, ToolFacts
from mainspring.core.facts.opinions import FeedbackFacts, ScoreFacts
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.types import EventRecord
from mainspring.telemetry.metric_family import Family

OTHER = "other"
LEAKS = frozenset({"prompt_leak", "canary", "secret"})
"""The guards' kinds of secret texts."""
_MOST_TENANTS = 100
_NANO = 1e-9
_EVIDENCE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_COST = (1e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1, 5)
_SCORES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class FactMetrics:
    """Counts events. ``label`` returns the counted name of a model or application; ``of_tenants`` is for metrics that
    name tenants."""

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
        self._dialogues = counter("dialogue_turns", "Messages of customers, by how they ended.", "agent", "outcome")
        self._tools = counter("agent_tools", "Calls of tools by agents, by how they ended.", "agent", "outcome")
        # A counter that starts at one instead of zero shows no growth later.
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
        """Count settled records."""
        for record in records:
            match record.facts:
                # The most frequent kinds come first.
                case CallFacts() as call:
                    self._call(record.tenant, call)
                case AnswerFacts() as answer:
                    self._answer(answer)
                case GuardFacts() as guard:
                    self._guard(guard)
                case RetrievalFacts() as retrieval:
                    self._retrievals.labels("unsupported" if retrieval.refused else "supported").inc()
                    if retrieval.evidence is not None:
                        self._evidence.observe(retrieval.evidence)
                case ToolFacts(agent=agent, outcome=outcome) if agent:
                    self._tools.labels(self._label(agent), outcome).inc()
                case DialogueFacts(agent=agent, outcome=outcome):
                    self._dialogues.labels(self._label(agent), outcome).inc()
                case FeedbackFacts() as feedback:
                    if feedback.rating in ("up", "down"):
                        # A counter cannot decrease, so a changed rating counts as ``changed``.
                        self._feedback.labels("changed" if feedback.instead_of else feedback.rating).inc()
                    if feedback.edited:
                        self._feedback.labels("edited").inc()
                case ScoreFacts(scores=scores, application=application) if scores:
                    for metric, score in scores.items():
                        self._scores.labels(self._label(application), metric).observe(score)

    def _call(self, tenant: str, facts: CallFacts) -> None:
        named = self._tenant(tenant)
        cost = facts.cost_nanousd * _NANO
        self._tenant_cost.labels(named).inc(cost)
        self._application_cost.labels(self._label(facts.application)).inc(cost)
        self._tenant_tokens.labels(named, "input").inc(facts.prompt_tokens)
        self._tenant_tokens.labels(named, "output").inc(facts.completion_tokens)
        if facts.saved_nanousd:
            self._saved.labels("prompt_cache").inc(facts.saved_nanousd * _NANO)
        if (routing := facts.routing_saved_nanousd) is not None:
            self._routed.inc(cost)
            self._unrouted.inc(max(0.0, routing * _NANO + cost))

    def _answer(self, facts: AnswerFacts) -> None:
        self._request_cost.labels(self._label(facts.requested)).observe(facts.cost_nanousd * _NANO)
        if facts.saved_nanousd:
            self._saved.labels("answer_cache").inc(facts.saved_nanousd * _NANO)
        if facts.sentences:
            unsupported = facts.unsupported or 0
            self._sentences.labels("supported").inc(facts.sentences - unsupported)
            self._sentences.labels("unsupported").inc(unsupported)

    def _guard(self, facts: GuardFacts) -> None:
        if facts.dry_run:
            return
        if facts.action == "refuse":
            self._refusals.labels(facts.guard, facts.stage).inc()
        leak = next((name for name in (facts.guard, facts.kind) if name in LEAKS), "")
        if facts.stage == "output" and leak:
            self._leaks.labels(leak).inc(facts.count)

    def _tenant(self, tenant: str) -> str:
        if tenant in self._tenants or len(self._tenants) < _MOST_TENANTS:
            self._tenants.add(tenant)
            return tenant
        return OTHER
