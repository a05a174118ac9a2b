"""Doubles of what the loop asks of other features. Each keeps its contract: what is asked for under a key is done once.

They outlive the "process" that is killed: a kill is an exception that is raised before or after an effect.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mainspring.core.errors import Conflict, NotFound
from mainspring.core.types import Principal, Responder
from mainspring.evaluation.examples import DataSetVersion, Example
from mainspring.features.train.jobs import orders
from mainspring.training.ports import Candidate, JobView, Order, Placement, Version
from mainspring.training.recipe import Made, Makes
from mainspring.training.stages import (
    ComparisonState,
    ExportState,
    OnlineVerdict,
    Probed,
    RowLineage,
    keyed,
)


class Killed(BaseException):
    """kill -9."""


@dataclass
class Hand:
    """Kills at the ``at``-th moment of those that it is told of (None: never)."""

    at: int | None = None
    seen: int = 0

    def moment(self) -> None:
        self.seen += 1
        if self.at is not None and self.seen == self.at:
            raise Killed(f"at {self.at}")


@dataclass
class Said:
    """What the doubles say, by recipe: the gain of its candidate, and so on."""

    gain: Mapping[str, float] = field(default_factory=dict)
    worse: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    through: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    verdict: OnlineVerdict = field(default_factory=OnlineVerdict)
    rows: int = 100
    counts: Mapping[str, int] = field(default_factory=dict)
    answers: Sequence[str] = ("ans_1", "ans_2")
    failing: Sequence[str] = ()


class Exports:
    def __init__(self, hand: Hand, said: Said) -> None:
        self.hand, self.said = hand, said
        self.made: dict[str, Mapping[str, Any]] = {}

    async def export_once(self, principal: Principal, wanted: Mapping[str, Any], key: str) -> ExportState:
        self.hand.moment()
        export_id = keyed("lakeexport-", principal.tenant, key)
        self.made.setdefault(export_id, dict(wanted))
        self.hand.moment()
        return await self.export_state(principal.tenant, export_id)

    async def export_state(self, tenant: str, export_id: str) -> ExportState:
        if export_id not in self.made:
            raise NotFound("no export")
        return ExportState(export_id, "completed", {"train": self.said.rows, "test": 10}, counts=self.said.counts)

    async def export_rows(
        self, tenant: str, export_id: str, answers: Collection[str] | None = None
    ) -> AsyncIterator[RowLineage]:
        for line, each in enumerate(self.said.answers, 1):
            if answers is None or each in answers:
                yield RowLineage("train", line, [each], [each], [f"trace-{each}"])

    async def exports_with(self, tenant: str, answers: Sequence[str]) -> Sequence[str]:
        return sorted(self.made)

    async def export_answers(self, tenant: str, export_id: str, limit: int) -> Sequence[str]:
        return self.said.answers[:limit]


class Training:
    """A trainer and its versions."""

    def __init__(self, hand: Hand, said: Said, makes: Makes = "prompt") -> None:
        self.hand, self.said, self.makes = hand, said, makes
        self.orders: dict[str, Order] = {}
        self.rows: dict[str, int] = {}
        self.cancelled: set[str] = set()

    async def order(self, principal: Principal, order: Order) -> JobView:
        self.hand.moment()
        orders.check(order)
        job_id = f"job_{order.trace_id}"
        self.orders.setdefault(job_id, order)
        if order.folder is not None:
            # As the real one: it reads them now, and nobody keeps them for it.
            self.rows[job_id] = len((order.folder / "train.jsonl").read_text().splitlines())
        self.hand.moment()
        return await self.training_job(principal.tenant, job_id)

    async def training_job(self, tenant: str, job_id: str) -> JobView:
        order = self.orders[job_id]
        if order.recipe in self.said.failing:
            return JobView(job_id, "failed", order.recipe, error="nothing was learned", seconds=10.0)
        return JobView(job_id, "succeeded", order.recipe, version=f"{order.recipe}@{self._number(job_id)}", seconds=60)

    async def cancel_training(self, principal: Principal, job_id: str) -> JobView:
        self.cancelled.add(job_id)
        return await self.training_job(principal.tenant, job_id)

    def _number(self, job_id: str) -> int:
        return sorted(self.orders).index(job_id) + 1

    async def version(self, tenant: str, label: str) -> Version:
        name, _, number = label.partition("@")
        made = Made(self.makes, figures={"loss": 0.5}, value={"recipe": name, "number": int(number)})
        return Version(tenant, name, int(number), self.makes, made, Path("/nowhere"), name, "job")

    async def versions(self, tenant: str) -> AsyncIterator[Version]:
        for job_id in self.orders:
            yield await self.version(tenant, f"x@{self._number(job_id)}")

    async def serve_version(self, principal: Principal, label: str) -> str:
        return label

    async def withdraw_version(self, principal: Principal, label: str) -> None:
        raise NotFound(label)

    def chat_model(self, tenant: str, label: str) -> Any:
        raise Conflict(label)

    async def engine(self, tenant: str, label: str) -> Any:
        raise NotFound(label)


class Comparisons:
    def __init__(self, hand: Hand, said: Said) -> None:
        self.hand, self.said = hand, said
        self.made: dict[str, tuple[Any, ...]] = {}
        self.recipes: dict[str, str] = {}

    async def compare_once(
        self,
        principal: Principal,
        data_set: str,
        version: int,
        responders: Sequence[str],
        scorers: Sequence[Mapping[str, Any]],
        key: str,
    ) -> ComparisonState:
        self.hand.moment()
        found = keyed("exp_", principal.tenant, key)
        self.made.setdefault(found, (data_set, version, tuple(responders), [each["label"] for each in scorers]))
        self.hand.moment()
        return await self.comparison(principal, found)

    async def comparison(self, principal: Principal, comparison_id: str) -> ComparisonState:
        _, _, responders, labels = self.made[comparison_id]
        recipe = self.recipes[responders[1]]
        return ComparisonState(comparison_id, "completed", self._report(recipe, labels))

    def _report(self, recipe: str, labels: Sequence[str]) -> dict[str, Any]:
        gain = self.said.gain.get(recipe, 0.1)
        differences = {"gain": gain, **self.said.worse.get(recipe, {})}
        return report(differences, labels, **{k: v for k, v in differences.items() if k in ("seconds", "failed")})

    async def compared_scores(
        self, principal: Principal, comparison_id: str, label: str
    ) -> Sequence[Sequence[float | None]]:
        recipe = self.recipes[self.made[comparison_id][2][1]]
        lost = self.said.lost.get(recipe, 0)
        return [(1.0, 0.0)] * lost + [(1.0, 1.0)] * (20 - lost)


def report(
    differences: Mapping[str, Any], labels: Sequence[str], *, seconds: float = 1.0, failed: int = 0
) -> dict[str, Any]:
    """As an experiment's, with intervals of .04 on each side."""
    comparisons = [
        {
            "scorer": label,
            "difference": {
                "mean": (mean := float(differences.get(label, 0.0))),
                "low": mean - 0.04,
                "high": mean + 0.04,
                "n": 200,
            },
            "won": 60,
            "lost": 40,
            "p": 0.001 if abs(mean) > 0.04 else 0.5,
        }
        for label in labels
    ]
    about = {"answers": 200, "failed": 0, "seconds_p50": 1.0, "cost_per_answer_usd": 0.001}
    scores = {label: {"mean": 0.6, "n": 200} for label in labels}
    other = {label: {"mean": 0.6 + float(differences.get(label, 0.0)), "n": 200} for label in labels}
    slices = [
        {
            "tag": "topic",
            "value": topic,
            "examples": 50,
            "comparisons": [
                {"scorer": "gain", "difference": {"mean": mean, "low": mean - 0.04, "high": mean + 0.04, "n": 50}}
            ],
        }
        for topic, mean in dict(differences.get("topics", {})).items()
    ]
    return {
        "examples": 200,
        "responders": [
            {**about, "name": "current", "scores": scores},
            {**about, "name": "candidate", "scores": other, "seconds_p50": seconds, "failed": failed},
        ],
        "comparisons": comparisons,
        "slices": slices,
    }


class Attacks:
    def __init__(self, hand: Hand, said: Said, recipes: Mapping[str, str]) -> None:
        self.hand, self.said, self.recipes = hand, said, recipes
        self.probed: list[str] = []

    async def probe(self, principal: Principal, name: str, most: int) -> Probed:
        self.hand.moment()
        self.probed.append(name)
        through = 0 if name not in self.recipes else self.said.through.get(self.recipes[name], 0)
        return Probed(20, through, categories={"plain": through} if through else {}, harmless=10)


class TheDoor:
    """Placements of one tenant's applications; ``log`` has each change once."""

    def __init__(self, hand: Hand, recipes: dict[str, str]) -> None:
        self.hand, self.recipes = hand, recipes
        self.log: list[tuple[str, str]] = []
        self.stack: dict[str, list[Candidate]] = {}
        self.placed: dict[str, Placement] = {}
        self.admitted: set[str] = set()

    async def admit(self, principal: Principal, candidate: Candidate) -> str:
        self.hand.moment()
        name = f"{candidate.application}@{candidate.id}"
        self.recipes[name] = str(candidate.value["recipe"])
        self.admitted.add(candidate.id)
        return name

    async def shadow(self, principal: Principal, candidate: Candidate, share: float) -> Placement:
        return self._place(candidate, "shadow", share)

    async def canary(self, principal: Principal, candidate: Candidate, share: float) -> Placement:
        return self._place(candidate, "canary", share)

    def _place(self, candidate: Candidate, stage: Any, share: float) -> Placement:
        self.hand.moment()
        placed = self._of(candidate.application)
        made = replace(placed, candidate=candidate, stage=stage, share=share)
        if made != placed:
            self.log.append((f"{stage} {share:g}", candidate.id))
        self.placed[candidate.application] = made
        self.hand.moment()
        return made

    async def promote(self, principal: Principal, candidate: Candidate) -> Placement:
        self.hand.moment()
        stack = self.stack.setdefault(candidate.application, [])
        if not stack or stack[-1].id != candidate.id:
            stack.append(candidate)
            self.log.append(("promote", candidate.id))
        self.placed[candidate.application] = Placement(candidate.application, candidate)
        self.hand.moment()
        return self._of(candidate.application)

    async def withdraw(self, principal: Principal, candidate: Candidate, reason: str) -> Placement:
        self.hand.moment()
        placed, stack = self._of(candidate.application), self.stack.setdefault(candidate.application, [])
        self.admitted.discard(candidate.id)
        if stack and stack[-1].id == candidate.id:
            stack.pop()
            self.log.append(("undo", candidate.id))
            placed = replace(placed, current=stack[-1] if stack else None)
        elif placed.candidate is not None and placed.candidate.id == candidate.id:
            self.log.append(("withdraw", candidate.id))
            placed = replace(placed, candidate=None, stage="", share=0.0)
        self.placed[candidate.application] = placed
        self.hand.moment()
        return placed

    async def undo(self, principal: Principal, application: str, reason: str) -> Placement:
        stack = self.stack.get(application, [])
        if not stack:
            raise Conflict("nothing was promoted")
        return await self.withdraw(principal, stack[-1], reason)

    async def placement(self, tenant: str, application: str) -> Placement:
        return self._of(application)

    def responder(self, tenant: str, candidate: Candidate) -> Responder:
        raise NotImplementedError

    def _of(self, application: str) -> Placement:
        return self.placed.get(application, Placement(application, None))

    def count(self, action: str) -> int:
        return sum(each[0].startswith(action) for each in self.log)


class TheTrials:
    def __init__(self, hand: Hand, said: Said) -> None:
        self.hand, self.said = hand, said
        self.begun: dict[str, Mapping[str, Any]] = {}
        self.over: set[str] = set()

    async def begin_trial(self, principal: Principal, name: str, application: str, wanted: Mapping[str, Any]) -> None:
        self.hand.moment()
        self.begun.setdefault(name, dict(wanted))
        self.hand.moment()

    async def trial_verdict(self, tenant: str, name: str) -> OnlineVerdict:
        if name not in self.begun:
            raise NotFound("no trial")
        return self.said.verdict

    async def finish_trial(self, principal: Principal, name: str) -> None:
        self.hand.moment()
        self.over.add(name)


class Sets:
    """Data sets by name: ``ExampleStream``."""

    def __init__(self, sets: Mapping[str, Sequence[Example]]) -> None:
        self.sets = sets

    async def version(self, principal: Principal, name: str, wanted: int | str | None = None) -> DataSetVersion:
        if name not in self.sets:
            raise NotFound(f"no data set {name}")
        return DataSetVersion(name, 1, len(self.sets[name]), 0, "f")

    async def keep(self, principal: Principal, name: str, examples: Sequence[Example], *, kind: str) -> int:
        return 1

    async def picked(
        self, principal: Principal, name: str, version: int, wanted: Sequence[str]
    ) -> Mapping[str, Mapping[str, Any]]:
        return {}

    async def recorded(
        self, principal: Principal, *, model: str, since: float | None, until: float | None, limit: int
    ) -> Sequence[Example]:
        return []

    async def drop(self, principal: Principal, name: str) -> None:
        pass

    async def stream(
        self, principal: Principal, name: str, version: int | None = None
    ) -> AsyncIterator[tuple[int, Example]]:
        for place, each in enumerate(self.sets[name]):
            yield place, each


class Alarming:
    def __init__(self) -> None:
        self.rules: list[str] = []

    async def firing(self, tenant: str, application: str) -> Sequence[str]:
        return self.rules
