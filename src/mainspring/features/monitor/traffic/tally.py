"""The counts of an application's traffic in a time span: no texts, and no single requests except examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import Any

from mainspring.core.facts.answers import GIVEN_AGAIN, AnswerFacts
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.facts.operations import CostFacts, RefusalsFacts
from mainspring.core.facts.opinions import FeedbackFacts, ScoreFacts
from mainspring.core.facts.outcomes import outcome_of
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.evaluation import realtime
from mainspring.features.monitor.judging.score_means import ScoreSums
from mainspring.features.monitor.traffic.sketch import Sketch
from mainspring.stores.events.feed import Fact

KINDS = ("answer", "refusals", "guard", "retrieval", "feedback", "score", "cost")
"""The events that are counted. Model calls are many, and their cost is in the answers."""
EXAMPLES = 3
"""Trace ids that are kept of each thing that went wrong."""
LEAKS = ("prompt_leak", "canary", "secret")
_MOST_NAMES = 64


class Tally:
    """``counts`` and ``sketches`` of values by name, ``examples`` of trace ids, ``blocks``: mean vectors of several
    questions each, as (count, numbers in base64), and ``scores`` of judged answers by measure and judge: of those that
    the plain share has drawn, whose mean is that of all. ``drawn`` has all of them, by stratum and probability, too."""

    __slots__ = ("_found", "_least", "_most", "blocks", "counts", "drawn", "examples", "scores", "sketches")

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.sketches: dict[str, Sketch] = {}
        self.examples: dict[str, list[str]] = {}
        self.blocks: list[str] = []
        self.scores: dict[tuple[str, str], ScoreSums] = {}
        self.drawn: dict[tuple[str, str, str, float], ScoreSums] = {}
        # The latest answer with a finding, by measure; not stored.
        self._found: dict[str, str] = {}
        # The largest values (see ``_value``) and the lowest scores among those with an example; not stored.
        self._most: dict[str, float] = {}
        self._least: dict[str, float] = {}

    @property
    def requests(self) -> int:
        """Requests that say something about the service: neither given up by their caller nor at fault themselves."""
        return self.counts["ok"] + self.counts["failed"]

    def sketch(self, name: str) -> Sketch:
        """That of this name, empty if nothing was counted."""
        return self.sketches.get(name) or Sketch()

    def named(self, prefix: str) -> dict[str, int]:
        """The counts whose names begin with ``prefix``, by the rest of the name."""
        return {
            name.removeprefix(prefix): count for name, count in self.counts.items() if name.startswith(prefix) and count
        }

    def merge(self, other: Tally) -> None:
        self.counts.update(other.counts)
        for name, sketch in other.sketches.items():
            self.sketches.setdefault(name, Sketch()).merge(sketch)
        for name, traces in other.examples.items():
            # The newest stay.
            self.examples[name] = list(dict.fromkeys([*self.examples.get(name, ()), *traces]))[-EXAMPLES:]
        self.blocks += other.blocks
        for judged, moments in other.scores.items():
            self.scores.setdefault(judged, ScoreSums()).merge(moments)
        for group, moments in other.drawn.items():
            self.drawn.setdefault(group, ScoreSums()).merge(moments)

    def add(self, fact: Fact) -> None:
        """Count one event; replays are not user traffic."""
        if fact.facts.replay_of:
            return
        match fact.facts:
            case AnswerFacts() as answer:
                self._answer(answer, fact.trace_id)
            case RetrievalFacts() as retrieval:
                self._retrieval(retrieval, fact.trace_id)
            case GuardFacts() as guard:
                self._guard(guard, fact)
            case FeedbackFacts() as feedback:
                self._feedback(feedback, fact.trace_id)
            case RefusalsFacts() as refusals:
                self.counts["failed"] += refusals.count
                self._bounded("error|", refusals.error, refusals.count)
                self._example("failed", fact.trace_id)
            case ScoreFacts(metric="support") as support:
                self.counts["sentences"] += support.sentences or 0
                self.counts["unsupported"] += support.unsupported or 0
                if support.unsupported:
                    self._example("unsupported", fact.trace_id)
            case ScoreFacts(metric="verdict") as verdict:
                self._verdict(verdict, fact.trace_id)
            case CostFacts(signal="cost_anomaly"):
                self.counts["dear_hours"] += 1

    def _answer(self, facts: AnswerFacts, trace_id: str) -> None:
        outcome = outcome_of(facts)
        self.counts[outcome] += 1
        if realtime.misshapen(facts):
            self.counts[f"found {realtime.FORMAT}"] += 1
        if facts.error:
            self._bounded("error|", facts.error)
            if outcome == "failed":
                self._example("failed", trace_id)
        self.counts["cost_nanousd"] += facts.cost_nanousd
        self.counts["prompt_tokens"] += facts.prompt_tokens
        self.counts["completion_tokens"] += facts.completion_tokens
        if outcome != "ok":
            return
        if facts.answered is False:
            # It ended well for the service, and the documents did not say.
            self.counts["not_in_documents"] += 1
        if facts.cache in GIVEN_AGAIN:
            self.counts["cached"] += 1
        else:
            # A cached answer takes no time and no money: its frequency says nothing about the engine.
            self._value("total", facts.duration_s, trace_id)
            self._value("ttft", facts.ttft_s, trace_id)
            self._value("cost", facts.cost_nanousd, trace_id)
        self._value("input", facts.prompt_tokens)
        self._value("output", facts.completion_tokens)
        for reason in facts.finish:
            self._bounded("finish|", str(reason))

    def _retrieval(self, facts: RetrievalFacts, trace_id: str) -> None:
        self.counts["retrievals"] += 1
        if facts.refused:
            self.counts["unanswered"] += 1
            self._example("unanswered", trace_id)
        self._value("evidence", facts.evidence)
        self._value("score", max((hit.dense for hit in facts.hits if hit.dense is not None), default=None))

    def _guard(self, facts: GuardFacts, fact: Fact) -> None:
        guard, action, kind, trace_id = facts.guard, facts.action, facts.kind, fact.trace_id
        measure = realtime.measure_of(facts)
        # An answer's findings are settled together: several of one measure are one answer.
        if measure is not None and self._found.get(measure) != fact.subject:
            self._found[measure] = fact.subject
            self.counts[f"found {measure}"] += 1
        dry = "dry" if facts.dry_run else "real"
        self._bounded("guard|", f"{guard}|{action}|{kind}|{facts.stage}|{dry}", facts.count or 1)
        if facts.dry_run:
            return
        if action == "refuse":
            self.counts["guard_refused"] += 1
            self._example("guard_refused", trace_id)
        if facts.stage == "output" and (guard in LEAKS or kind in LEAKS):
            self.counts["leaks"] += 1
            self._example("leaks", trace_id)

    def _feedback(self, facts: FeedbackFacts, trace_id: str) -> None:
        if facts.rating in ("up", "down"):
            self.counts[facts.rating] += 1
            self._example(facts.rating, trace_id)
            if facts.instead_of in ("up", "down"):
                # A thumb that was changed is one. In the step of its first it counted: the sum of all steps is right.
                self.counts[facts.instead_of] -= 1
        if facts.edited:
            self.counts["edited"] += 1

    def _verdict(self, facts: ScoreFacts, trace_id: str) -> None:
        self._draw(facts)
        if facts.before is not None:
            # It has been counted, under the stratum that its answer has left.
            return
        self.counts["judged"] += 1
        # Neither refusals nor what only its certain stratum brought: the mean would be of another mixture.
        plain = facts.drawn is not False and facts.stratum != "refusal"
        for measure, score in (facts.scores or {}).items() if plain else ():
            self.scores.setdefault((measure, facts.judge), ScoreSums()).add(score)
            if score < self._least.get(measure, 1.0):
                self._least[measure] = score
                self.examples[f"low {measure}"] = [trace_id]

    def _draw(self, facts: ScoreFacts) -> None:
        if facts.probability is None:
            return
        for measure, score in (facts.scores or {}).items():
            one = ScoreSums()
            one.add(score)
            group = (measure, facts.judge, facts.stratum, facts.probability)
            self.drawn.setdefault(group, ScoreSums()).merge(one)
            if facts.before is not None:
                left = (measure, facts.judge, "rest", facts.before)
                self.drawn.setdefault(left, ScoreSums()).take_out(one)

    def _value(self, name: str, value: Any, trace_id: str = "") -> None:
        """Count a value; the example is the trace with the largest value."""
        if value is None:
            return
        self.sketches.setdefault(name, Sketch()).add(float(value))
        if trace_id and float(value) > self._most.get(name, 0.0):
            self._most[name] = float(value)
            self.examples[name] = [trace_id]

    def _example(self, name: str, trace_id: str) -> None:
        traces = self.examples.setdefault(name, [])
        traces.append(trace_id)
        del traces[:-EXAMPLES]

    def _bounded(self, prefix: str, name: str, count: int = 1) -> None:
        if prefix + name not in self.counts and sum(each.startswith(prefix) for each in self.counts) >= _MOST_NAMES:
            name = "other"
        self.counts[prefix + name] += count

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        made: dict[str, Any] = {"n": {name: count for name, count in self.counts.items() if count}}
        if self.sketches:
            made["s"] = {name: sketch.plain() for name, sketch in self.sketches.items()}
        if self.examples:
            made["e"] = self.examples
        if self.blocks:
            made["b"] = self.blocks
        if self.scores:
            made["j"] = [[*judged, *moments.plain()] for judged, moments in self.scores.items()]
        if self.drawn:
            made["w"] = [[*group, *moments.plain()] for group, moments in self.drawn.items()]
        return made

    @classmethod
    def of(cls, plain: Mapping[str, Any], sketches: Container[str] | None = None) -> Tally:
        """From JSON; only the named sketches (None: all), which are most of the work."""
        made = cls()
        made.counts.update(plain.get("n", {}))
        kept = plain.get("s", {}).items()
        made.sketches = {name: Sketch.of(sketch) for name, sketch in kept if sketches is None or name in sketches}
        made.examples = {name: list(traces) for name, traces in plain.get("e", {}).items()}
        made.blocks = list(plain.get("b", ()))
        made.drawn = {tuple(group[:4]): ScoreSums.of(group[4:]) for group in plain.get("w", ())}
        made.scores = {(measure, judge): ScoreSums.of(sums) for measure, judge, *sums in plain.get("j", ())}
        return made


def merged(tallies: Iterable[Tally]) -> Tally:
    """All of them in one."""
    made = Tally()
    for each in tallies:
        made.merge(each)
    return made


def ended_at(fact: Fact) -> float:
    """The time at which an event's subject ended, in Unix seconds."""
    return fact.at + (fact.facts.duration_s or 0.0) if isinstance(fact.facts, AnswerFacts) else fact.at
