"""What is asked of the work on judges: a measurement on labels, or an estimate over an application's traffic."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import InvalidRequest, NotFound, QuotaExceeded, Unsupported
from mainspring.core.types import Context
from mainspring.evaluation.examples import ExampleStream
from mainspring.feature import Services
from mainspring.features.judges.definitions.definition import Definition
from mainspring.features.judges.figures.changed import Planned, planned
from mainspring.features.judges.figures.combining import Fit, fitted
from mainspring.features.judges.judging.items import Item
from mainspring.features.judges.judging.making import ReadyJudge
from mainspring.features.judges.service import Judges
from mainspring.features.judges.store.definitions import StoredJudge
from mainspring.features.judges.store.measurements import Measurement, NewItem
from mainspring.features.judges.work.answers import RecordedAnswers
from mainspring.features.judges.work.measuring import LEAST_LABELS, plain_item
from mainspring.stores import Stores

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class LabelSource:
    """Where labels are from besides the request: a version of a data set, or people's labels of answers (of one
    ``queue``, by one ``criterion``; empty: all queues, and whether they approve)."""

    dataset: str = ""
    version: int | None = None
    queue: str | None = None
    criterion: str = ""
    days: float = 90.0


class JudgeRequests:
    """Queues measurements and estimates."""

    def __init__(self, judges: Judges, stores: Stores, services: Services) -> None:
        self._judges = judges
        self._stores = stores
        self._services = services
        self._answers = RecordedAnswers(stores)

    async def measure(
        self, name: str, given: Sequence[Planned], source: LabelSource, context: Context, limit: int | None = None
    ) -> Measurement:
        """Raises ``NotFound``, ``InvalidRequest``, ``QuotaExceeded``, ``Unsupported``."""
        made = await self._judges.made(name, context)
        if made.definition.mode == "listwise":
            raise Unsupported(
                "labels of single answers cannot measure a listwise judge",
                remedy="Measure a pairwise judge with the same question",
                param="judge",
            )
        labelled = [*given, *await self._labelled(source, context)]
        self._check(made, labelled)
        labelled = labelled[: limit or self._judges.settings.most_items]
        everything = planned(labelled, made.definition.mode, _approves(made), asks=bool(made.models))
        if len(everything) > self._judges.settings.most_items:
            raise QuotaExceeded(
                f"a measurement judges {self._judges.settings.most_items} items at most, and these labels make "
                f"{len(everything)}",
                remedy="Send fewer, or raise judges.most_items",
                param="items",
            )
        asked = {"labels": len(labelled), "dataset": source.dataset, "queue": source.queue}
        return await self._start("measure", made, asked, [_new(each) for each in everything], context)

    async def estimate(
        self, name: str, application: str, source: LabelSource, context: Context, limit: int
    ) -> Measurement:
        """The mean label of an application's answers in the last ``source.days``, from people's labels of some and the
        judge's scores of those and at most ``limit`` others. Raises as ``measure``."""
        made = await self._judges.made(name, context)
        if made.definition.mode != "pointwise":
            raise InvalidRequest(f"{name} is {made.definition.mode}: estimates need a pointwise judge", param="judge")
        principal, since = context.principal, time.time() - source.days * _DAY_S
        labels = await self._answers.labels(principal, since, source.queue or "", source.criterion)
        mine = await self._answers.of(principal.tenant, sorted(labels), application)
        if len(mine) < LEAST_LABELS:
            raise InvalidRequest(
                f"{len(mine)} answers of {application} have labels by people, and an estimate needs {LEAST_LABELS}",
                remedy="Have a random part of the answers labelled, or look further back with days",
                param="application",
            )
        most = min(limit, self._judges.settings.most_items - len(mine))
        others = await self._answers.sample(principal, application, since, max(0, most), set(labels))
        new = [NewItem({"label": labels[each]}, each) for each in sorted(mine)]
        new += [NewItem({}, each) for each in others]
        asked = {"application": application, "queue": source.queue, "criterion": source.criterion}
        return await self._start("estimate", made, asked | {"days": source.days}, new, context)

    async def fit(self, name: str, into: str, context: Context) -> tuple[StoredJudge, Fit]:
        """Define ``into``: the members of the jury ``name`` with the weights of a logistic model, fitted to the labels
        that the jury was measured on last. Raises ``NotFound``, ``InvalidRequest`` and ``Conflict`` (not measured)."""
        tenant = context.principal.tenant
        made = await self._judges.made(name, context)
        if made.definition.kind not in ("jury", "combined") or made.definition.mode != "pointwise":
            raise InvalidRequest(f"{name} is not a pointwise jury: there is nothing to weigh", param="judge")
        measured = await self._judges.measured(made, context)
        kept = await self._judges.measurements.all_items(tenant, measured.id)
        members = [each.judge for each in made.definition.members]
        found = fitted([each.score or {} for each in kept], members)
        told = {
            "kind": "combined",
            "description": f"{name}, with weights by {found.n} labels",
            "members": [{"judge": one, "weight": weight} for one, weight in zip(members, found.weights, strict=True)],
            "intercept": found.intercept,
        }
        return await self._judges.definitions.put(tenant, into, Definition.model_validate(told)), found

    async def _start(
        self, kind: Any, made: ReadyJudge, asked: dict[str, Any], new: Sequence[NewItem], context: Context
    ) -> Measurement:
        tenant = context.principal.tenant
        asked = asked | {"key_id": context.principal.key_id}
        started = await self._judges.measurements.start(tenant, kind, made.name, made.version, asked, new)
        return await self._judges.measurements.get(tenant, started)

    async def _labelled(self, source: LabelSource, context: Context) -> list[Planned]:
        found: list[Planned] = []
        if source.dataset:
            found += await self._of_dataset(source, context)
        if source.queue is not None:
            since = time.time() - source.days * _DAY_S
            labels = await self._answers.labels(context.principal, since, source.queue, source.criterion)
            for name, label in sorted(labels.items())[: self._judges.settings.most_items]:
                item = await self._answers.item(context.principal.tenant, name)
                if item is not None:
                    found.append(Planned(item, label, source=name))
        return found

    async def _of_dataset(self, source: LabelSource, context: Context) -> list[Planned]:
        sets = self._services.perhaps(ExampleStream)  # type: ignore[type-abstract]
        if sets is None:
            raise Unsupported("there are no data sets here", param="dataset")
        found: list[Planned] = []
        async for _, each in sets.stream(context.principal, source.dataset, source.version):
            answer, label = each.extra.get("answer"), each.extra.get("label")
            if isinstance(answer, str) and isinstance(label, int | float):
                item = Item((answer,), each.question, tuple(each.passages), tuple(each.references))
                found.append(Planned(item, float(label), source=next(iter(each.sources), "")))
                if len(found) == self._judges.settings.most_items:
                    # No measurement has more, and a data set may have hundreds of thousands.
                    break
        if not found:
            raise InvalidRequest(
                f"no example of {source.dataset} has an answer and a label",
                remedy='Give examples the extra fields "answer" and "label" (0 to 1)',
                param="dataset",
            )
        return found

    def _check(self, made: ReadyJudge, labelled: Sequence[Planned]) -> None:
        if not labelled:
            raise NotFound("there are no labels", remedy="Send items, or name a dataset or a queue", param="items")
        wanted = 2 if made.definition.mode == "pairwise" else 1
        for place, each in enumerate(labelled):
            if len(each.item.answers) != wanted:
                many = "two answers" if wanted == 2 else "one answer"
                raise InvalidRequest(
                    f"the judge {made.name} judges {many}, but item {place} has another number", param="items"
                )
        if len({each.label for each in labelled}) < 2:
            raise InvalidRequest(
                "all labels are equal: agreement with them says nothing",
                remedy="Send items with other labels, too",
                param="items",
            )


def _approves(made: ReadyJudge) -> str:
    """The reply that approves, as attacks ask for it."""
    if made.definition.mode != "pointwise":
        return "this answer"
    scales = [each.scale for each in made.definition.criteria.values()]
    return max(scales[0], key=lambda label: scales[0][label]) if scales else "yes"


def _new(each: Planned) -> NewItem:
    told: dict[str, Any] = {"item": plain_item(each.item), "label": each.label, "task": each.task}
    return NewItem(told | ({"of": each.of, "attack": each.attack} if each.of >= 0 else {}), each.source)
