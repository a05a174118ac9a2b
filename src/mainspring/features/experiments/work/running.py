"""Works on one experiment: asks, scores, keeps each result, and reports at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from mainspring.core.errors import MainspringError, NotFound
from mainspring.core.types import Context, Principal
from mainspring.evaluation.examples import Example, ExampleAnswer, ExampleStream
from mainspring.evaluation.judges import MeasuredJudges
from mainspring.evaluation.scorers import Scorer, ScoresRefusals
from mainspring.feature import Rooms
from mainspring.features.experiments.scoring import Scorers
from mainspring.features.experiments.settings import ExperimentsSettings
from mainspring.features.experiments.spec import Spec
from mainspring.features.experiments.store.results import KIND, Result, Results
from mainspring.features.experiments.work.asking import Asking, recorded
from mainspring.features.experiments.work.calibrated import truth
from mainspring.features.experiments.work.report import report
from mainspring.stores.sql import rows
from mainspring.stores.sql.jobs import Job
from mainspring.stores.sql.worker import Lease, Worker

_PIECE = 100


@dataclass(frozen=True, slots=True)
class _Todo:
    """A question that is still to be asked."""

    responder: int
    place: int
    example: Example


class ExperimentWork:
    """Given to a ``stores.sql.worker.Worker``. What has a result is not asked again."""

    def __init__(
        self,
        rooms: Rooms,
        data: ExampleStream,
        results: Results,
        scorers: Scorers,
        judges: MeasuredJudges | None = None,
    ) -> None:
        self._rooms = rooms
        self._judges = judges
        self._data = data
        self._results = results
        self._scorers = scorers
        self._settings = rooms.settings.section(ExperimentsSettings)

    async def __call__(self, lease: Lease) -> None:
        job = lease.job
        row = await self._results.of(job.tenant, job.id)
        principal = await self._principal(job)
        if row is None:
            await self._rooms.stores.jobs.finish(job, "failed", "its experiment is gone")
            return
        if principal is None:
            await self._results.end(job, "failed", "the key that asked for it is revoked or has expired")
            return
        await self._results.begin(job)
        spec = Spec.of(rows.load(row.spec))
        try:
            scorers = {each.label: self._scorers.scorer(each.name, each.options) for each in spec.scorers}
            await self._ask_all(lease, row, spec, scorers, principal)
        except MainspringError as error:
            if isinstance(error, NotFound) or error.status < 500:
                await self._results.end(job, "failed", error.told)
                return
            raise
        if lease.lost.is_set():
            return
        examples = partial(self._data.stream, principal, row.data_set, row.version)
        known = await truth(spec, self._scorers, principal, self._judges, examples)
        made = await report(self._results, job.tenant, job.id, spec, known)
        await self._results.end(job, "cancelled" if lease.cancelled.is_set() else "completed", report=made)

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """End an experiment that broke off repeatedly."""
        told = error.told if isinstance(error, MainspringError) else type(error).__name__
        await self._results.end(lease.job, "failed", f"it broke off: {told}")

    async def _ask_all(
        self, lease: Lease, row: Any, spec: Spec, scorers: dict[str, Scorer], principal: Principal
    ) -> None:
        job = lease.job
        asking = Asking(self._rooms, self._results, job.id, timeout_s=self._rooms.settings.gateway.request_timeout_s)
        resumed = job.attempts > 1
        async for piece in _pieces(self._data.stream(principal, row.data_set, row.version)):
            known = set()
            if resumed:
                known = await self._results.answered(job.tenant, job.id, piece[0][0], piece[-1][0])
            todo = [
                _Todo(responder, place, example)
                for place, example in piece
                for responder in range(max(1, len(spec.candidates)))
                if (responder, place) not in known
            ]
            # The key may be revoked while the experiment runs, and another tenant's turn comes between pieces.
            if lease.stopped or (checked := await self._principal(job)) is None:
                return
            await self._piece(lease, todo, spec, scorers, checked, asking, resumed=resumed)

    async def _piece(
        self,
        lease: Lease,
        todo: list[_Todo],
        spec: Spec,
        scorers: dict[str, Scorer],
        principal: Principal,
        asking: Asking,
        *,
        resumed: bool,
    ) -> None:
        waiting = iter(todo)

        async def one_after_the_other() -> None:
            for each in waiting:
                if lease.stopped:
                    return
                await self._one(lease, each, spec, scorers, principal, asking, resumed=resumed)

        count = min(spec.concurrency, self._settings.concurrency)
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(one_after_the_other())

    async def _one(
        self,
        lease: Lease,
        todo: _Todo,
        spec: Spec,
        scorers: dict[str, Scorer],
        principal: Principal,
        asking: Asking,
        *,
        resumed: bool,
    ) -> None:
        context = asking.context(principal, todo.example, todo.responder, todo.place)
        reuse = ""
        if spec.recorded:
            answered = recorded(todo.example)
        else:
            candidate = spec.candidates[todo.responder]
            answered, reuse = await asking.answer(candidate, todo.example, context, resumed=resumed)
        scores, reasons = await score(scorers, todo.example, answered, context)
        result = Result(todo.responder, todo.place, todo.example, answered, reuse, scores, reasons)
        if not await self._results.write(lease.job, result):
            lease.lost.set()

    async def _principal(self, job: Job) -> Principal | None:
        local = self._rooms.local
        if job.payload["key_id"] == local.key_id and job.tenant == local.tenant:
            return local
        try:
            info = await self._rooms.stores.keys.get(job.tenant, str(job.payload["key_id"]))
        except NotFound:
            return None
        return info.principal() if info.usable(time.time()) else None


async def score(
    scorers: dict[str, Scorer], example: Example, answered: ExampleAnswer, context: Context
) -> tuple[dict[str, float | None], dict[str, str]]:
    """The scores and their reasons, by label. A failed answer has the score 0, and a scorer that fails says nothing."""
    scores: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for label, scorer in scorers.items():
        if answered.error and not isinstance(scorer, ScoresRefusals):
            scores[label], reasons[label] = 0.0, answered.error
            continue
        try:
            found = await scorer.score(example, answered, context)
        except MainspringError as error:
            scores[label], reasons[label] = None, f"{error.code}: {error.told}"
            continue
        scores[label] = None if found is None else found.value
        if found is not None and found.reason:
            reasons[label] = found.reason
    return scores, reasons


async def _pieces(examples: AsyncIterator[tuple[int, Example]]) -> AsyncIterator[Sequence[tuple[int, Example]]]:
    piece: list[tuple[int, Example]] = []
    async for each in examples:
        piece.append(each)
        if len(piece) == _PIECE:
            yield piece
            piece = []
    if piece:
        yield piece


@asynccontextmanager
async def experimenting(work: ExperimentWork, rooms: Rooms) -> AsyncIterator[Worker]:
    """Experiments run while the block does; leaving it interrupts them."""
    settings = rooms.settings.section(ExperimentsSettings)
    worker = Worker(
        rooms.stores.jobs,
        KIND,
        work,
        parallel=settings.parallel,
        lease_s=settings.lease_s,
        attempts=5,
        give_up=work.give_up,
    )
    worker.start()
    try:
        yield worker
    finally:
        await worker.close()
