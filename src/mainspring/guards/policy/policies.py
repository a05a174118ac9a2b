"""The guards as named, versioned policies: checks, actions, and recorded decisions."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

from mainspring.core.errors import GuardRefused, MainspringError
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.settings import AnswersSettings, DetectorsSettings, GuardsSettings
from mainspring.core.settings.guards.limits import LanguageLimits, LengthLimits, Limited, TopicLimits
from mainspring.core.settings.guards.tools import ToolsSettings
from mainspring.core.settings.guards.untrusted import UntrustedSettings
from mainspring.guards.detect import agent_reminders, harm, injection, leak, lexical, pii, question_limits
from mainspring.guards.detect.embedding_detector import packaged
from mainspring.guards.policy.actions import at_most_flagged, plain
from mainspring.guards.policy.output import Chain, DryRunFilter, DryRunRules, PieceFilter
from mainspring.guards.policy.scanners import Found
from mainspring.guards.rewrite import links
from mainspring.guards.rewrite.placeholders import Placeholders
from mainspring.guards.rewrite.stream import StreamRedactor
from mainspring.guards.rules import file, rewrite
from mainspring.guards.rules.rewrite import Rewriter, Rewriting

Action = Literal["flag", "redact", "tokenise", "refuse", "drop", "retry", "rewrite", "strip", "cut", "withhold", "hold"]
PII_VERSION = 2
"""Raise it whenever the patterns of ``guards.detect.pii`` change."""
OUTPUT_VERSION = 1
"""Raise it whenever ``guards.detect.leak`` or ``guards.rewrite.links`` finds something else."""
_PII = frozenset(pii.KINDS)
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class GuardDecision:
    """A guard's action on ``count`` findings of one kind. It never holds the text that matched.

    ``policy`` is the version of the policy that said so, ``score`` a detector's probability. In a ``dry_run``, the
    action is the one that would have been taken.
    """

    guard: str
    action: Action
    kind: str
    count: int
    policy: str = ""
    score: float | None = None
    dry_run: bool = False

    def facts(self, stage: str, role: str, application: str = "", replay_of: str = "") -> GuardFacts:
        """For the ``guard`` event: its stage, the author's role, the application."""
        return GuardFacts(
            stage=stage,
            role=role,
            application=application,
            guard=self.guard,
            action=self.action,
            kind=self.kind,
            count=self.count,
            policy=self.policy,
            score=None if self.score is None else round(self.score, 3),
            dry_run=self.dry_run,
            replay_of=replay_of,
        )


@dataclass(frozen=True, slots=True)
class CheckedText:
    """A text in its permitted form, and the decisions about it."""

    text: str
    decisions: tuple[GuardDecision, ...] = ()

    @property
    def refused(self) -> tuple[GuardDecision, ...]:
        """The decisions that stop the text."""
        return tuple(decision for decision in self.decisions if decision.action == "refuse" and not decision.dry_run)


@dataclass(frozen=True)
class GuardPolicy:
    """Which guards act and how."""

    name: str = "default"
    injection: Literal["off", "flag", "refuse"] = "refuse"
    injection_above: float | None = None
    harm: Literal["off", "flag", "refuse"] = "refuse"
    pii_input: Literal["off", "redact", "tokenise", "refuse"] = "redact"
    pii_output: Literal["off", "redact"] = "redact"
    pii_output_kinds: tuple[str, ...] = GuardsSettings().pii_output_kinds
    spotlight: bool = True
    prompt_leak: Literal["off", "flag", "redact"] = "off"
    canary: bool = False
    links: Literal["off", "flag", "redact"] = "redact"
    allowed_hosts: tuple[str, ...] = ()
    detectors: DetectorsSettings = DetectorsSettings()
    answers: AnswersSettings = AnswersSettings()
    length: LengthLimits = LengthLimits()
    languages: LanguageLimits = LanguageLimits()
    topics: TopicLimits = TopicLimits()
    rules: str = ""
    tools: ToolsSettings = ToolsSettings()
    untrusted: UntrustedSettings = UntrustedSettings()
    plugins: Mapping[str, Literal["off", "flag", "refuse"]] = field(default_factory=dict)
    dry_run: bool = False

    @classmethod
    def of(cls, settings: GuardsSettings, name: str = "default") -> GuardPolicy:
        """The policy that the ``guards`` section describes."""
        values = {field: getattr(settings, field) for field in cls.__dataclass_fields__ if field != "name"}
        return cls(name, **values)

    @cached_property
    def version(self) -> str:
        """Changes whenever the same text might be decided otherwise; part of what cached answers depend on."""
        content = [f"{each.name}={plain(getattr(self, each.name))}" for each in fields(self)]
        if self.rewriting is not None:
            content.append(self.rewriting.rules.version)
        if self.detecting or self.dropping or self.answers.judging:
            content.append(packaged().version)
        if self.injection != "off":
            content += [lexical.packaged()["injection"].version, agent_reminders.VERSION]
        text = f"{content} {injection.RULES_VERSION} {harm.RULES_VERSION} {PII_VERSION} {OUTPUT_VERSION}"
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def under(self, application: str) -> GuardPolicy:  # noqa: ARG002
        """This policy alone, for every request."""
        return self

    # --- on the way in ---------------------------------------------------------------------------------------

    @property
    def tokenising(self) -> bool:
        """Whether personal data gets placeholders that are put back, where those are at hand."""
        return self.pii_input == "tokenise" and not self.dry_run

    def inspect(self, text: str, placeholders: Placeholders | None = None, *, role: str = "user") -> CheckedText:
        """The decisions of rules and words about a user's or tool's text; the time is linear in its length. Where
        personal data is tokenised and there are no ``placeholders`` of a conversation, it is redacted for good."""
        decisions: list[GuardDecision] = []
        if self.injection != "off" and (matched := injection.scan(text)):
            found = Counter(finding.kind for finding in matched)
            decisions += self._decisions("injection", at_most_flagged(self.injection, role), found)
        decisions += self._worded(text, role, ruled=bool(decisions))
        text, personal = self._personal(text, placeholders)
        return CheckedText(text, (*decisions, *personal))

    def readable(self, text: str) -> str:
        """``text`` as ``inspect`` lets it pass, without personal data that the policy hides: for what is kept to be
        read. Nothing else is looked for, which is most of the time of an inspection."""
        return self._personal(text, None)[0]

    def _personal(self, text: str, placeholders: Placeholders | None) -> tuple[str, list[GuardDecision]]:
        """(the text with what replaces its personal data, what was found)."""
        if self.pii_input == "off":
            return text, []
        redacted, findings = pii.redact(text) if placeholders is None else placeholders.hide(text)
        if not findings:
            return text, []
        action = "redact" if self.tokenising and placeholders is None else self.pii_input
        decided = list(self._decisions("pii_input", action, Counter(finding.kind for finding in findings)))
        return redacted if action in ("redact", "tokenise") and not self.dry_run else text, decided

    def _worded(self, text: str, role: str, *, ruled: bool) -> Iterable[GuardDecision]:
        """The decisions that depend on the words of a text: findings of the rules are not reported again."""
        if self.injection != "off" and not ruled:
            detector = lexical.packaged()["injection"]
            score = detector.chance(agent_reminders.without(text))
            if score >= (self.injection_above or detector.threshold):
                done: Any = at_most_flagged(self.injection, role)
                yield GuardDecision("injection_words", done, "injection", 1, self.version, score, self.dry_run)
        if self.harm != "off" and (harmful := harm.scan(text)):
            # A search query about something harmful only finds what documents say, so it is flagged at most.
            action = at_most_flagged(self.harm, role, ("tool", "query", "code"))
            yield from self._decisions("harm", action, Counter(finding.kind for finding in harmful))

    def refusal(self, decisions: Sequence[GuardDecision]) -> MainspringError:
        """The error that reports ``decisions``."""
        for decision in decisions:
            if limits := self._limits.get(decision.guard):
                return GuardRefused(limits.reason, param="messages")
        kinds = tuple(dict.fromkeys(decision.kind for decision in decisions))
        error = GuardRefused(
            f"The text was refused by policy {self.name}: it contains {', '.join(kinds)}",
            remedy="Remove it, or have the `guards` settings changed",
            param="messages",
        )
        error.kinds = kinds
        return error

    @cached_property
    def _limits(self) -> dict[str, Limited]:
        return {"length": self.length, "language": self.languages, "topic": self.topics}

    def bound(self, beyond: Sequence[question_limits.ExceededLimit]) -> tuple[GuardDecision, ...]:
        """The decisions about the exceeded limits that are on."""
        return tuple(
            GuardDecision(each.guard, limits.action, each.kind, 1, self.version, each.score, self.dry_run)
            for each in beyond
            if (limits := self._limits[each.guard]).action != "off"
        )

    def scanned(self, guard: str, found: Iterable[Found], role: str) -> tuple[GuardDecision, ...]:
        """The decisions about a plugin guard's findings in a text of ``role``."""
        action = at_most_flagged(self.plugins[guard], role)
        return tuple(
            GuardDecision(guard, action, each.kind, each.count, self.version, each.score, self.dry_run)
            for each in found
        )

    def decision(self, guard: str, action: Any, kind: str, count: int = 1) -> GuardDecision:
        """A decision of another room under this policy."""
        return GuardDecision(guard, action, kind, count, self.version, None, self.dry_run)

    def judge_result(self, text: str, scores: Mapping[str, float]) -> tuple[GuardDecision, ...]:
        """The decisions about a tool's result: by the rules, and by the detector if it read it."""
        return self._foreign(text, scores, "indirect", "result", self.tools.results.injection)

    def judge_pasted(self, text: str, scores: Mapping[str, float]) -> tuple[GuardDecision, ...]:
        """The same for text that a user pasted."""
        return self._foreign(text, scores, "indirect", "pasted", self.untrusted.pasted)

    def judge_conversation(
        self, texts: Sequence[str], scores: Sequence[Mapping[str, float]]
    ) -> tuple[GuardDecision, ...]:
        """The decisions about a user's turns: the rules read them as one text, joined in several ways, and the detector
        reads neighbouring ones; the actions are those for single messages."""
        ruled = () if self.injection == "off" else self._worst(texts)
        worst = max((each.get("conversation", 0.0) for each in scores), default=0.0)
        return (
            *ruled,
            *self._scored({"conversation": worst}, "conversation", "conversation", self.detectors.injection),
        )

    def _worst(self, texts: Sequence[str]) -> Iterable[GuardDecision]:
        """The rules' findings in ``texts``, which are variants of one text: each kind with its highest count."""
        found: Counter[str] = Counter()
        for text in texts:
            found |= Counter(each.kind for each in injection.scan(text))
        return self._decisions("conversation_rules", self.injection, found)

    def _foreign(
        self, text: str, scores: Mapping[str, float], head: str, guard: str, action: Any
    ) -> tuple[GuardDecision, ...]:
        if action == "off":
            return ()
        found = Counter(each.kind for each in injection.scan(text))
        return (*self._decisions(f"{guard}_rules", action, found), *self._scored(scores, head, guard, action))

    def _scored(self, scores: Mapping[str, float], head: str, guard: str, action: Any) -> Iterable[GuardDecision]:
        score = scores.get(head, 0.0)
        if action == "off" or score < (getattr(self.detectors, f"{head}_above") or packaged().heads[head].threshold):
            return ()
        return (GuardDecision(f"{guard}_detector", action, head, 1, self.version, score, self.dry_run),)

    @property
    def calling(self) -> bool:
        """Whether tool calls are checked before they are handed out."""
        return self.tools.watched

    @property
    def spotlighting(self) -> bool:
        """Whether messages are put between delimiters for a model."""
        return self.untrusted.tools or self.untrusted.user != "off"

    @property
    def conversing(self) -> bool:
        """Whether several turns are checked together."""
        return self.untrusted.turns > 1

    @cached_property
    def detecting(self) -> tuple[str, ...]:
        """The detectors for the texts of users and tools."""
        return tuple(name for name in ("injection", "toxicity") if getattr(self.detectors, name) != "off")

    @property
    def dropping(self) -> bool:
        """Whether a detector reads passages that a model is to read."""
        return self.detectors.indirect != "off"

    def judge_passage(self, text: str, scores: Mapping[str, float]) -> tuple[GuardDecision, ...]:
        """The decisions about a passage for a model: by the rules, and by the detector."""
        found = Counter(finding.kind for finding in injection.scan(text))
        action = self.detectors.indirect
        return (*self._decisions("passage_rules", action, found), *self.judge({"indirect": scores["indirect"]}))

    def judge(self, scores: Mapping[str, float]) -> tuple[GuardDecision, ...]:
        """The decision on the detectors' probabilities for one text."""
        found = []
        for name, score in scores.items():
            least = getattr(self.detectors, f"{name}_above") or packaged().heads[name].threshold
            if score >= least:
                action = getattr(self.detectors, name)
                guard = f"{name}_detector"
                found.append(GuardDecision(guard, action, name, 1, self.version, score, self.dry_run))
        return tuple(found)

    # --- on the way out --------------------------------------------------------------------------------------

    def output(
        self,
        system: Sequence[str] = (),
        said: Sequence[str] = (),
        answering: Mapping[str, Callable[[], PieceFilter]] = _NONE,
    ) -> Callable[[], PieceFilter] | None:
        """Makes the redactor of each text of an answer; None if nothing is looked for. ``system`` are the prompts
        that must not be repeated, ``said`` all texts of the request, ``answering`` makes the filters of plugins."""
        makers: list[Callable[[], PieceFilter]] = []
        if self._output_kinds:
            makers.append(self._made(lambda: StreamRedactor(self._output_kinds), watch=False))
        prompt = leak.Prompt(system) if self.prompt_leak != "off" and system else None
        if prompt is not None and not prompt.short:
            makers.append(self._made(lambda: leak.LeakRedactor(prompt), watch=self.prompt_leak == "flag"))
        if self.links != "off":
            known = links.AllowedLinks(self.allowed_hosts, said)
            makers.append(self._made(lambda: links.LinkRedactor(known), watch=self.links == "flag"))
        for name, action in self.plugins.items():
            if action != "off" and name in answering:
                makers.append(self._made(answering[name], watch=action == "flag"))
        if not makers:
            return None
        return makers[0] if len(makers) == 1 else lambda: Chain([make() for make in makers])

    def _made(self, make: Callable[[], PieceFilter], *, watch: bool) -> Callable[[], PieceFilter]:
        return (lambda: DryRunFilter(make())) if watch or self.dry_run else make

    def output_stream(self, answering: Mapping[str, Callable[[], PieceFilter]] = _NONE) -> PieceFilter | None:
        """A redactor for one text that belongs to no request; None if output is not guarded."""
        make = replace(self, prompt_leak="off", links="off").output(answering=answering)
        return make() if make is not None else None

    @property
    def _output_kinds(self) -> frozenset[str]:
        return frozenset(self.pii_output_kinds if self.pii_output == "redact" else ())

    def output_decisions(self, counts: Mapping[str, int]) -> tuple[GuardDecision, ...]:
        """The decisions that a redactor's ``counts`` amount to."""
        personal = {kind: count for kind, count in counts.items() if kind in _PII}
        repeated = {kind: count for kind, count in counts.items() if kind == leak.KIND}
        carrying = {kind: count for kind, count in counts.items() if kind in links.KINDS}
        rewritten = {kind: count for kind, count in counts.items() if kind in rewrite.KINDS}
        return (
            *self._decisions("pii_output", "redact", personal),
            *self._decisions("prompt_leak", self.prompt_leak, repeated),
            *self._decisions("links", self.links, carrying),
            *self._decisions("rules", "rewrite", rewritten),
            *self._plugged(counts),
        )

    def _plugged(self, counts: Mapping[str, int]) -> Iterable[GuardDecision]:
        """The decisions of plugins' filters. A part of an answer cannot be refused: what is found is replaced."""
        for name, action in self.plugins.items():
            found = {key.partition(":")[2]: count for key, count in counts.items() if key.startswith(f"{name}:")}
            yield from self._decisions(name, "flag" if action == "flag" else "redact", found)

    @cached_property
    def rewriting(self) -> Rewriting | None:
        """The rules for answers, made ready. Raises ``SettingsError`` if their file is wrong."""
        return Rewriting(file.read(self.rules)) if self.rules else None

    def rewriter(self) -> Callable[[], Rewriter | DryRunRules] | None:
        """Makes the rewriter for each text of an answer; None without rules."""
        ready = self.rewriting
        if ready is None:
            return None
        return (lambda: DryRunRules(ready.part())) if self.dry_run else ready.part

    def judge_answer(self, kind: str, score: float | None, action: str = "") -> GuardDecision | None:
        """The decision for an answer with this score of ``toxicity``, ``relevancy`` or ``unsupported``; ``action``
        replaces the policy's. None: nothing was found."""
        answers = self.answers
        doing: Any = action or getattr(answers, kind)
        found = kind == "unsupported"
        if kind == "toxicity":
            found = (score or 0.0) >= (answers.toxicity_above or packaged().heads[kind].threshold)
        elif kind == "relevancy":
            found = score is not None and score < answers.relevancy_below
        if doing == "off" or not found:
            return None
        return GuardDecision("answer", doing, kind, 1, self.version, score, self.dry_run)

    def _decisions(self, guard: str, action: Any, counts: Mapping[str, int]) -> Iterable[GuardDecision]:
        return [
            GuardDecision(guard, action, kind, count, self.version, None, self.dry_run)
            for kind, count in sorted(counts.items())
        ]
