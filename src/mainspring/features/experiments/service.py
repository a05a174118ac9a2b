"""The service of experiments."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.types import Principal
from mainspring.evaluation.examples import ExampleStream
from mainspring.evaluation.judges import MeasuredJudges
from mainspring.evaluation.recorded import RecordedEvaluation
from mainspring.evaluation.scorers import Scorer
from mainspring.feature import Rooms, Services
from mainspring.features.experiments.ordered import OrderedComparisons
from mainspring.features.experiments.scoring import Scorers
from mainspring.features.experiments.settings import ExperimentsSettings
from mainspring.features.experiments.spec import MOST_RESPONDERS, MOST_SCORERS, Spec, WantedScorer
from mainspring.features.experiments.store.results import PREFIX, Results
from mainspring.features.experiments.work import recording
from mainspring.features.experiments.work.calibrated import truth
from mainspring.features.experiments.work.drift import Side, drift
from mainspring.features.experiments.work.report import report
from mainspring.features.experiments.work.running import ExperimentWork
from mainspring.stores.sql import ids, rows

PARTIAL = 4_000
"""Answers that the report of a running experiment is made of."""


class Experiments(OrderedComparisons):
    """Runs experiments, makes scorers (``ScorerSource``), and keeps what others measured (``EvaluationRecords``)."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(ExperimentsSettings)
        self.results = Results(rooms.stores.database, self.settings)
        self.scorers = Scorers(rooms)
        self._rooms = rooms
        self._data: ExampleStream | None = None
        self._judges: MeasuredJudges | None = None
        self.queued: Callable[[], None] = lambda: None

    def ready(self, services: Services) -> None:
        """Find where data sets are, and who knows what judges are worth."""
        self._data = services.perhaps(ExampleStream)  # type: ignore[type-abstract]
        self._judges = services.perhaps(MeasuredJudges)  # type: ignore[type-abstract]

    @property
    def data(self) -> ExampleStream:
        """Raises ``InvalidRequest`` if no feature keeps data sets."""
        if self._data is None:
            raise InvalidRequest("no feature keeps data sets", param="dataset")
        return self._data

    def work(self) -> ExperimentWork:
        """Works on queued ones."""
        return ExperimentWork(self._rooms, self.data, self.results, self.scorers, self._judges)

    def scorer(self, name: str, options: Mapping[str, Any] | None = None) -> Scorer:
        """See ``ScorerSource``."""
        return self.scorers.scorer(name, options)

    def scorer_names(self) -> list[str]:
        """See ``ScorerSource``."""
        return self.scorers.scorer_names()

    async def submit(
        self,
        principal: Principal,
        data_set: str,
        version: int | str | None,
        spec: Spec,
        *,
        name: str = "",
        kind: str = "experiment",
        parent: str = "",
        metadata: Mapping[str, str] | None = None,
        experiment_id: str = "",
    ) -> sa.Row[Any]:
        """Queue an experiment; ``experiment_id`` empty: a new one. Raises ``InvalidRequest`` naming the field,
        ``NotFound``, ``QuotaExceeded``."""
        found = await self.data.version(principal, data_set, version)
        checked = self.checked(spec)
        total = (found.examples - found.erased) * max(1, len(checked.candidates))
        if not total:
            raise InvalidRequest(f"{data_set}@{found.number} has no examples", param="dataset")
        if total > self.settings.max_answers:
            raise InvalidRequest(
                f"{total} answers are more than an experiment may have ({self.settings.max_answers})", param="dataset"
            )
        if not spec.recorded:
            for each in checked.candidates:
                await self._rooms.path.registry.find(each.model, principal)
        experiment_id = experiment_id or ids.new(PREFIX)
        values = {
            "kind": kind,
            "parent": parent,
            "name": name or f"{data_set}@{found.number}",
            "data_set": data_set,
            "version": found.number,
            "fingerprint": found.fingerprint,
            "total": total,
            "groups": rows.names(found.groups | principal.groups),
            "metadata": rows.dump(dict(metadata or {})),
        }
        await self.results.submit(principal, experiment_id, values, checked)
        self.queued()
        return await self.results.get(principal, experiment_id)

    def checked(self, spec: Spec) -> Spec:
        """``spec`` with names and labels that differ. Raises ``InvalidRequest``."""
        if not spec.recorded and not 1 <= len(spec.candidates) <= MOST_RESPONDERS:
            raise InvalidRequest(f"name 1 to {MOST_RESPONDERS} responders", param="responders")
        if not 1 <= len(spec.scorers) <= MOST_SCORERS:
            raise InvalidRequest(f"name 1 to {MOST_SCORERS} scorers", param="scorers")
        scorers = []
        for each, label in zip(spec.scorers, _told_apart([e.label or e.name for e in spec.scorers]), strict=True):
            self.scorer(each.name, each.options)
            scorers.append(WantedScorer(each.name, each.options, label, each.threshold))
        names = _told_apart([each.name or each.model for each in spec.candidates])
        candidates = tuple(
            dataclasses.replace(each, name=name) for each, name in zip(spec.candidates, names, strict=True)
        )
        return Spec(() if spec.recorded else candidates, tuple(scorers), spec.concurrency, spec.recorded)

    async def record(self, principal: Principal, found: RecordedEvaluation, data_set: str) -> tuple[str, bool]:
        """See ``evaluation.recorded.EvaluationRecords``."""
        return await recording.record(self.results, self.data, principal, found, data_set, self.settings.max_answers)

    async def cancel(self, principal: Principal, experiment_id: str) -> sa.Row[Any]:
        """Stop it after the answers that are on their way. Raises ``NotFound``."""
        row = await self.results.get(principal, experiment_id)
        await self._rooms.stores.jobs.cancel(row.tenant, row.id)
        self.queued()
        return await self.results.get(principal, experiment_id)

    async def delete(self, principal: Principal, experiment_id: str) -> None:
        """Stop it, and delete it with its results. Raises ``NotFound``."""
        row = await self.results.get(principal, experiment_id)
        await self._rooms.stores.jobs.cancel(row.tenant, row.id)
        await self.results.delete(principal, experiment_id)

    async def drift(self, principal: Principal, before: str, after: str, responder: str) -> Mapping[str, Any]:
        """How scores of ``responder`` (empty: the first) differ between two finished experiments over one data set.
        Raises ``NotFound``, ``InvalidRequest``."""
        sides = []
        for param, name in (("before", before), ("experiment_id", after)):
            row = await self.results.get(principal, name)
            if row.ended_at is None:
                raise InvalidRequest(f"{name} is not over yet", param=param)
            spec = Spec.of(rows.load(row.spec))
            names = [each.name for each in spec.candidates] or ["recorded"]
            if responder and responder not in names:
                raise InvalidRequest(f"{name} has no responder {responder:.100}", param="responder")
            sides.append((row, Side(row.tenant, row.id, spec, names.index(responder) if responder else 0)))
        (old, first), (new, second) = sides
        if old.data_set != new.data_set:
            raise InvalidRequest(f"{before} is over the data set {old.data_set}, not {new.data_set}", param="before")
        return await drift(self.results, first, second)

    async def lines(self, principal: Principal, file_id: str, most_bytes: int) -> list[Any]:
        """The JSON lines of an uploaded file. Raises ``InvalidRequest`` naming the line, ``NotFound``."""
        files = self._rooms.stores.files
        info = await files.get(principal.tenant, file_id, groups=principal.groups)
        if info.bytes > most_bytes:
            raise InvalidRequest(f"{info.name} has more than {most_bytes} bytes", param="id")
        text = await files.content(principal.tenant, file_id, groups=principal.groups)
        found = []
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                try:
                    found.append(rows.load(line.decode()))
                except ValueError:
                    raise InvalidRequest(f"{info.name}, line {number} is not JSON", param="id") from None
        return found

    async def examples(
        self, principal: Principal, row: sa.Row[Any], wanted: Sequence[str]
    ) -> dict[str, Mapping[str, Any]]:
        """Those of an experiment's examples that are still there, as JSON, by id."""
        try:
            return dict(await self.data.picked(principal, row.data_set, row.version, sorted(set(wanted))))
        except NotFound:
            return {}

    async def report(self, principal: Principal, row: sa.Row[Any]) -> Mapping[str, Any]:
        """The report of a finished experiment; of a running one that of its first ``PARTIAL`` answers."""
        made = rows.load(row.report)
        if made is not None:
            found: Mapping[str, Any] = made
            return found
        spec = Spec.of(rows.load(row.spec))
        examples = partial(self.data.stream, principal, row.data_set, row.version)
        known = await truth(spec, self.scorers, principal, self._judges, examples)
        return {**await report(self.results, row.tenant, row.id, spec, known, most=PARTIAL), "partial": True}


def _told_apart(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for each in names:
        name, number = each, 1
        while name in found:
            number += 1
            name = f"{each} ({number})"
        found.append(name)
    return found
