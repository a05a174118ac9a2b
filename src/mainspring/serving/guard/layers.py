"""The interfaces of guards for layers, and the output layers. ``serving.guard.input`` has the input layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from mainspring.core.facts.guards import GuardFacts
from mainspring.core.settings.guards.limits import TopicLimits
from mainspring.core.types import Context
from mainspring.guards.detect.question_limits import ExceededLimit
from mainspring.guards.policy.policies import GuardDecision, GuardPolicy
from mainspring.serving.ring.ports import Span
from mainspring.stores.events.of_request import request_event
from mainspring.telemetry.metrics import Metrics


class Policies(Protocol):
    """The policy of each application; ``version`` changes whenever one of them does."""

    @property
    def version(self) -> str: ...

    @property
    def calling(self) -> bool:
        """Whether any policy checks calls of tools."""
        ...

    @property
    def spotlighting(self) -> bool:
        """Whether any of them puts messages between delimiters."""
        ...

    @property
    def conversing(self) -> bool:
        """Whether any of them checks several turns together."""
        ...

    def under(self, application: str) -> GuardPolicy:
        """The policy for requests under this name (empty: the default one)."""
        ...


class Detect(Protocol):
    """Detectors' probabilities for texts, by the name of the detector. ``pieces``: texts are documents."""

    async def __call__(
        self, texts: Sequence[str], context: Context, *, pieces: bool = False
    ) -> Sequence[Mapping[str, float]]: ...


class About(Protocol):
    """The topic limits of a policy that the last of consecutive texts exceeds."""

    async def __call__(self, said: Sequence[str], limits: TopicLimits, context: Context) -> Sequence[ExceededLimit]: ...


def note(context: Context, decisions: Sequence[GuardDecision], stage: str, role: str, metrics: Metrics) -> None:
    """Leave ``decisions`` for the settling commit, one event each, about the answer that will be recorded."""
    for decision in decisions:
        if not context.replay:
            metrics.guard(decision.guard, decision.action, decision.kind, decision.count)
        record = request_event(context, decision.facts(stage, role, context.settlement.application, context.replay))
        context.settlement.records.append(record)


def tell(span: Span, decisions: Sequence[GuardDecision | GuardFacts]) -> None:
    """Records guard decisions on the current span; a trace with a refusal is kept completely."""
    if decisions:
        span.set("mainspring.guard.findings", [f"{each.guard} {each.action} {each.kind}" for each in decisions])
        if any(each.action == "refuse" and not each.dry_run for each in decisions):
            span.keep("guard")
