"""What guards are to the layers, and what they do on the way out. The way in is ``serving.guard.input``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from mainspring.core.errors import MainspringError
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.settings.guards.answers import AnswersSettings
from mainspring.core.settings.guards.limits import LanguageLimits, LengthLimits, TopicLimits
from mainspring.core.settings.guards.tools import ToolsSettings
from mainspring.core.settings.guards.untrusted import UntrustedSettings
from mainspring.core.types import Context, EventRecord
from mainspring.guards.detect.question_limits import ExceededLimit
from mainspring.guards.policy.scanners import Found
from mainspring.guards.rewrite.placeholders import Placeholders
from mainspring.serving.guard.redaction import Redactor, Rewriter
from mainspring.serving.ring.ports import Span
from mainspring.stores.sql import ids


class GuardDecision(Protocol):
    """What a guard found and did, with no text of what it found."""

    @property
    def guard(self) -> str: ...

    @property
    def action(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def count(self) -> int: ...

    @property
    def dry_run(self) -> bool: ...

    def facts(self, stage: str, role: str, application: str = "", replay_of: str = "") -> GuardFacts: ...


class CheckedAnswer(Protocol):
    @property
    def text(self) -> str: ...

    @property
    def decisions(self) -> Sequence[GuardDecision]: ...

    @property
    def refused(self) -> Sequence[Any]: ...


class Policy(Protocol):
    """The guards as they are configured for one application; ``version`` changes whenever their answers may."""

    @property
    def version(self) -> str: ...

    @property
    def canary(self) -> bool: ...

    @property
    def detecting(self) -> Sequence[str]:
        """The detectors that read what users and tools say."""
        ...

    @property
    def dropping(self) -> bool:
        """Whether passages are checked before a model reads them."""
        ...

    @property
    def tokenising(self) -> bool:
        """Whether personal data gets placeholders that are put back, where those are at hand."""
        ...

    def inspect(self, text: str, placeholders: Placeholders | None = None, *, role: str = "user") -> CheckedAnswer:
        """What the rules decide about a text; ``placeholders`` are those of its conversation."""
        ...

    @property
    def length(self) -> LengthLimits: ...

    @property
    def languages(self) -> LanguageLimits: ...

    @property
    def plugins(self) -> Mapping[str, str]:
        """The guards of plugins that are asked, each with what is done about what it finds."""
        ...

    def scanned(self, guard: str, found: Iterable[Found], role: str) -> Sequence[GuardDecision]:
        """What is decided about what a guard of ``plugins`` found."""
        ...

    @property
    def topics(self) -> TopicLimits: ...

    @property
    def name(self) -> str: ...

    @property
    def tools(self) -> ToolsSettings: ...

    def decision(self, guard: str, action: Any, kind: str, count: int = 1) -> GuardDecision:
        """What some other room decided under this policy."""
        ...

    @property
    def untrusted(self) -> UntrustedSettings: ...

    def judge_pasted(self, text: str, scores: Mapping[str, float]) -> Sequence[GuardDecision]:
        """What is decided about what a user pasted."""
        ...

    def judge_conversation(
        self, texts: Sequence[str], scores: Sequence[Mapping[str, float]]
    ) -> Sequence[GuardDecision]:
        """What is decided about the turns of a user as one text, put together in these ways, with the detectors'
        ``scores`` of neighbouring ones."""
        ...

    def judge_result(self, text: str, scores: Mapping[str, float]) -> Sequence[GuardDecision]:
        """What is decided about what came back from a tool."""
        ...

    def bound(self, beyond: Sequence[ExceededLimit]) -> Sequence[GuardDecision]:
        """The decisions about the exceeded limits that are on."""
        ...

    def judge(self, scores: Mapping[str, float]) -> Sequence[GuardDecision]:
        """What is decided on detectors' probabilities."""
        ...

    def judge_passage(self, text: str, scores: Mapping[str, float]) -> Sequence[GuardDecision]:
        """The decisions about a passage for a model."""
        ...

    def refusal(self, decisions: Sequence[Any]) -> MainspringError:
        """The error that reports ``decisions``."""
        ...

    def output_decisions(self, counts: Mapping[str, int]) -> Sequence[GuardDecision]:
        """The decisions that a redactor's counts amount to."""
        ...

    def output(self, system: Sequence[str] = (), said: Sequence[str] = ()) -> Callable[[], Redactor] | None:
        """Makes the redactor of each text of an answer; None where nothing is looked for."""
        ...

    @property
    def answers(self) -> AnswersSettings:
        """What happens to answers with objectionable content."""
        ...

    @property
    def dry_run(self) -> bool: ...

    def rewriter(self) -> Callable[[], Rewriter] | None:
        """Makes what rewrites each text of an answer; None where there are no rules."""
        ...

    def judge_answer(self, kind: str, score: float | None, action: str = "") -> GuardDecision | None:
        """What is decided where ``kind`` (toxicity, relevancy, unsupported) has this score; ``action`` in place of the
        policy's. None: nothing was found."""
        ...

    def output_stream(self) -> Redactor | None:
        """A redactor for one text that belongs to no request; None where output is not guarded."""
        ...


class Policies(Protocol):
    """The policy of each application; ``version`` changes whenever one of them does."""

    @property
    def version(self) -> str: ...

    @property
    def calling(self) -> bool:
        """Whether any of them looks at calls of tools."""
        ...

    @property
    def spotlighting(self) -> bool:
        """Whether any of them puts messages between delimiters."""
        ...

    @property
    def conversing(self) -> bool:
        """Whether any of them checks several turns together."""
        ...

    def under(self, application: str) -> Policy:
        """The policy for what is asked under this name (empty: of everybody else)."""
        ...


class Detect(Protocol):
    """Detectors' probabilities for texts, by the name of the detector. ``pieces``: texts are documents."""

    async def __call__(
        self, texts: Sequence[str], context: Context, *, pieces: bool = False
    ) -> Sequence[Mapping[str, float]]: ...


class About(Protocol):
    """What the last of texts passes of a policy's limits of topics; they were said one after the other."""

    async def __call__(self, said: Sequence[str], limits: TopicLimits, context: Context) -> Sequence[ExceededLimit]: ...


class GuardMetrics(Protocol):
    def guard(self, guard: str, action: str, kind: str, count: int = 1) -> None: ...


def note(context: Context, decisions: Sequence[GuardDecision], stage: str, role: str, metrics: GuardMetrics) -> None:
    """Leave ``decisions`` for the settling commit, one event each, about the answer that will be recorded."""
    for decision in decisions:
        if not context.replay:
            metrics.guard(decision.guard, decision.action, decision.kind, decision.count)
        record = EventRecord(
            id=ids.new("evt_"),
            at=time.time(),
            tenant=context.principal.tenant,
            trace_id=context.trace.trace_id,
            subject="",
            facts=decision.facts(stage, role, context.allowance.application, context.replay),
            consent=context.consent,
            retention=context.retention,
        )
        context.allowance.records.append(record)


def tell(span: Span, decisions: Sequence[GuardDecision | GuardFacts]) -> None:
    """What guards decided, on the span of what they looked at; of a trace with a refusal all is kept."""
    if decisions:
        span.set("mainspring.guard.findings", [f"{each.guard} {each.action} {each.kind}" for each in decisions])
        if any(each.action == "refuse" and not each.dry_run for each in decisions):
            span.keep("guard")
