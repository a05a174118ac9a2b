"""``auto``: a router among chat models that is served as a model itself (guide E.7, model routing and cascades)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import mainspring.serving.route.auto.rules as rules
from mainspring.core.errors import InvalidRequest, MainspringError
from mainspring.core.settings import AutoSettings
from mainspring.core.types import ChatRequest, CompletionRequest, Context, Request, Responder, Response
from mainspring.engines.base import Capabilities, Embedder
from mainspring.serving.money.pricing import Tariff
from mainspring.serving.ring.ports import Tracing
from mainspring.serving.route.auto.cascade import attempt, besides
from mainspring.serving.route.auto.classifier import Classifier
from mainspring.serving.route.auto.confidence import Asking, Confidence
from mainspring.serving.route.auto.rules import RouterInput
from mainspring.serving.route.auto.savings import Bill
from mainspring.telemetry.metrics import Metrics

NAME = "auto"
HEADER = "x-mainspring-route"
FORCED = ("only", "region", "off")
"""The label of decisions without a choice: they save nothing."""


@dataclass(frozen=True, slots=True)
class RoutedModel:
    """A chat model within its call ring, and its engine's capabilities."""

    name: str
    responder: Responder
    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class AutoDecision:
    """Where a request goes. ``cascade``: to ``model`` first, and to the large one if its answer is not good enough.

    ``by`` names what decided, ``score`` is the classifier's chance or the cascade's confidence, ``reason`` says why
    nothing was to be decided (``off``).
    """

    model: str
    by: str
    score: float | None = None
    cascade: bool = False
    reason: str = ""

    @property
    def header(self) -> str:
        """The value of ``x-mainspring-route``."""
        score = "" if self.score is None else f"; score={self.score:.3f}"
        reason = f"; reason={self.reason}" if self.reason else ""
        return f"model={self.model}; by={self.by}{score}{reason}"


class ChargedEmbedders(Protocol):
    """Makes an embedder whose calls are charged to a context."""

    def embedder(self, inner: Embedder, context: Context) -> Embedder: ...


@dataclass(frozen=True)
class Auto:
    """Answers ``ChatRequest`` and ``CompletionRequest`` with one of ``models``.

    First the router checks what a model can do at all (its window, its grammars, ``n``), then the rules, then the
    policy. With a reason to be ``off``, none of these is used, and the large model answers. Returning is the commit
    point here too: a small answer that is thrown away was never shown. ``tariff`` is the large model's: savings are
    computed from it.
    """

    settings: AutoSettings
    models: Mapping[str, RoutedModel]
    small: str
    large: str
    default_output: int
    tracing: Tracing
    metrics: Metrics
    signal: Confidence
    classifier: Classifier | None = None
    embedder: Embedder | None = None
    charging: ChargedEmbedders | None = None
    permits: Callable[[str, Context], bool] = lambda _model, _context: True
    basis: tuple[str, ...] = field(default=())
    tariff: Tariff = field(default_factory=Tariff.unknown)
    off: str = ""

    def fingerprint(self, request: Request, context: Context) -> str | None:
        """A combined fingerprint of all models that may take part; None if one of them has none."""
        prints = [model.responder.fingerprint(request, context) for model in self.models.values()]
        if None in prints:
            return None
        parts = [*self.basis, *map(str, prints), self.settings.model_dump_json(), self.off]
        if self.classifier is not None:
            parts.append(self.classifier.fingerprint)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    async def respond(self, request: Request, context: Context) -> Response:
        """Raises the errors of the chosen model, ``InvalidRequest`` for other requests."""
        if not isinstance(request, ChatRequest | CompletionRequest):
            raise InvalidRequest(f"{NAME} is a chat model and does not embed", param="model")
        bill = Bill(context, self.large, self.tariff)
        with self.tracing.span("Route", context) as span:
            decision = await self.decide(request, bill.aside(span.context))
            try:
                response, decision = await self._follow(decision, request, span.context, bill)
            except BaseException:
                if decision.by not in FORCED:
                    bill.settle()
                raise
            span.set("mainspring.route.model", decision.model)
            span.set("mainspring.route.by", decision.by)
            if decision.score is not None:
                span.set("mainspring.route.score", round(decision.score, 4))
            if decision.reason:
                span.set("mainspring.route.reason", decision.reason)
        self.metrics.routed(decision.model, decision.by)
        if decision.by not in FORCED:

            async def settled() -> None:
                bill.settle(decision.model)

            response.on_close(settled)
        return response.with_head(headers={**response.head.headers, HEADER: decision.header})

    async def decide(self, request: Asking, context: Context) -> AutoDecision:
        """Where ``request`` would go, before any model is asked."""
        asked = RouterInput.of(request, self.default_output)
        if self.small == self.large:
            return AutoDecision(self.small, "only")
        near = [name for name in (self.small, self.large) if self.permits(name, context)]
        if len(near) == 1:
            return AutoDecision(near[0], "region")
        if self.off:
            return AutoDecision(self.large, "off", reason=self.off)
        if needed := self._needed(request, asked):
            return AutoDecision(self.large, needed)
        if found := rules.first(self.settings.rules, asked):
            number, rule = found
            return AutoDecision({"small": self.small, "large": self.large}.get(rule.use, rule.use), f"rule-{number}")
        policy = self.settings.policy
        if policy == "rules":
            return AutoDecision(self.small, "default")
        if policy == "cascade":
            return AutoDecision(self.small, "cascade", cascade=True)
        chance = await self._chance(asked, context)
        if policy == "classifier":
            chosen = self.small if chance >= self.settings.try_small_above else self.large
            return AutoDecision(chosen, "classifier", chance)
        if chance >= self.settings.sure_above:
            return AutoDecision(self.small, "classifier", chance)
        if chance < self.settings.sure_below:
            return AutoDecision(self.large, "classifier", chance)
        return AutoDecision(self.small, "cascade", cascade=True)

    def _needed(self, request: Asking, asked: RouterInput) -> Literal["", "window", "grammar", "choices"]:
        """The reason why the small model cannot answer this request at all."""
        small, large = self.models[self.small].capabilities, self.models[self.large].capabilities
        if asked.tokens + asked.output_tokens > small.context_window < large.context_window:
            return "window"
        if asked.grammar and asked.grammar not in small.grammars and asked.grammar in large.grammars:
            return "grammar"
        if request.sampling.n > small.max_choices:
            return "choices"
        return ""

    async def _chance(self, asked: RouterInput, context: Context) -> float:
        assert self.classifier is not None
        assert self.embedder is not None
        embedder = self.charging.embedder(self.embedder, context) if self.charging else self.embedder
        embedded = await embedder.embed([asked.text or " "], "query")
        return self.classifier.chance(embedded.vectors[0], asked.text)

    async def _follow(
        self, decision: AutoDecision, request: Asking, context: Context, bill: Bill
    ) -> tuple[Response, AutoDecision]:
        if not decision.cascade or request.sampling.n > 1:
            asked = bill.asking(decision.model, context)
            return await self.models[decision.model].responder.respond(request, asked), decision
        first, aside = bill.asking(self.small, context), bill.aside(context)
        tried = await attempt(self.models[self.small].responder, self.signal, request, first, aside)
        if not tried.problem and tried.confidence >= self.settings.accept_above:
            return tried.response(), AutoDecision(self.small, decision.by, tried.confidence)
        by = f"{decision.by}-failed" if tried.problem else f"{decision.by}-escalated"
        try:
            response = await self.models[self.large].responder.respond(request, bill.asking(self.large, context))
        except MainspringError:
            if tried.problem or not tried.events:
                raise
            # An uncertain answer is better than none; the next time the large model should answer.
            weak = tried.response()
            weak.with_head(headers={**weak.head.headers, "cache-control": "no-store"})
            return weak, AutoDecision(self.small, f"{decision.by}-fallback", tried.confidence)
        return besides(response, tried.usage), AutoDecision(self.large, by, tried.confidence)
