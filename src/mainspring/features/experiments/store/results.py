"""Experiments and their results in the database."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound, QuotaExceeded
from mainspring.core.types import Principal
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.features.experiments.settings import ExperimentsSettings
from mainspring.features.experiments.spec import Spec
from mainspring.features.experiments.tables import experiment_results, experiment_sources, experiments
from mainspring.stores.events.contents import erased_answers
from mainspring.stores.sql import jobs as job_store
from mainspring.stores.sql import pages
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job
from mainspring.stores.sql.pages import Page, Slice
from mainspring.stores.sql.row_access import RowAccess

KIND = "experiment"
PREFIX = "exp_"
UNFINISHED = ("queued", "running")
_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Result:
    """A scored answer. ``scores`` are None where a scorer had nothing to say."""

    responder: int
    place: int
    example: Example
    answered: ExampleAnswer
    reuse: str = ""
    scores: Mapping[str, float | None] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


class Results:
    """The experiments that a principal may see: those whose groups it has all."""

    def __init__(self, database: Database, settings: ExperimentsSettings) -> None:
        self._database = database
        self._settings = settings

    async def submit(self, principal: Principal, experiment_id: str, values: Mapping[str, Any], spec: Spec) -> None:
        """Queue an experiment; durable when it returns. Raises ``QuotaExceeded``."""
        tenant, now = principal.tenant, time.time()

        def work(connection: sa.Connection) -> None:
            counted = sa.select(sa.func.count()).select_from(experiments).where(experiments.c.tenant == tenant)
            busy = connection.execute(counted.where(experiments.c.state.in_(UNFINISHED))).scalar_one()
            if busy >= self._settings.per_tenant:
                raise QuotaExceeded(f"{busy} experiments are queued or running", remedy="Wait for one", param="dataset")
            if connection.execute(counted).scalar_one() >= self._settings.kept:
                raise QuotaExceeded(
                    f"{self._settings.kept} experiments are kept, the maximum", remedy="Delete some", param="name"
                )
            made = {"tenant": tenant, "id": experiment_id, "state": "queued", "key_id": principal.key_id, **values}
            made |= {"owner": principal.person, "created_at": now, "updated_at": now, "spec": rows.dump(spec.plain())}
            connection.execute(sa.insert(experiments).values(**made))
            # A tenant's first goes before another's second.
            job_store.insert(connection, tenant, experiment_id, KIND, {"key_id": principal.key_id}, priority=-busy)

        await self._database.write(work, durable=True)

    async def get(self, principal: Principal, experiment_id: str) -> sa.Row[Any]:
        """Raises ``NotFound``."""

        def work(connection: sa.Connection) -> sa.Row[Any] | None:
            query = sa.select(experiments).where(
                experiments.c.tenant == principal.tenant,
                experiments.c.id == experiment_id,
                RowAccess(connection, principal.groups).has_all(experiments.c.groups),
            )
            return connection.execute(query).one_or_none()

        row = await self._database.read(work)
        if row is None:
            raise NotFound(f"there is no experiment {experiment_id:.100}", param="experiment_id")
        return row

    async def page(
        self, principal: Principal, page: Page, *, kind: str = "experiment", parent: str = "", data_set: str = ""
    ) -> Slice[sa.Row[Any]]:
        """Experiments by their ids. Raises ``InvalidRequest`` for a cursor."""
        columns = [each for each in experiments.c if each.name != "report"]

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            query = sa.select(*columns).where(
                experiments.c.tenant == principal.tenant,
                experiments.c.kind == kind,
                RowAccess(connection, principal.groups).has_all(experiments.c.groups),
            )
            if parent:
                query = query.where(experiments.c.parent == parent)
            if data_set:
                query = query.where(experiments.c.data_set == data_set)
            return pages.read(connection, query, (experiments.c.id,), page, lambda cursor: (cursor,))

        return await self._database.read(work)

    async def of(self, tenant: str, experiment_id: str) -> sa.Row[Any] | None:
        """For its worker."""
        query = sa.select(experiments).where(experiments.c.tenant == tenant, experiments.c.id == experiment_id)
        return await self._database.read(lambda connection: connection.execute(query).one_or_none())

    async def done(self, tenant: str, experiment_id: str) -> dict[int, int]:
        """The number of answers by responder."""
        query = (
            sa.select(experiment_results.c.responder, sa.func.count())
            .where(experiment_results.c.tenant == tenant, experiment_results.c.experiment == experiment_id)
            .group_by(experiment_results.c.responder)
        )
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return {row[0]: row[1] for row in found}

    async def answered(self, tenant: str, experiment_id: str, first: int, last: int) -> set[tuple[int, int]]:
        """Which (responder, place) have a result, of the places from ``first`` to ``last``."""
        query = sa.select(experiment_results.c.responder, experiment_results.c.place).where(
            experiment_results.c.tenant == tenant,
            experiment_results.c.experiment == experiment_id,
            experiment_results.c.place.between(first, last),
        )
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return {(row.responder, row.place) for row in found}

    async def reusable(self, tenant: str, reuse: str) -> Mapping[str, Any] | None:
        """An answer of the same responder state to the same request, as JSON; None if there is none."""
        query = sa.select(experiment_results.c.body).where(
            experiment_results.c.tenant == tenant, experiment_results.c.reuse == reuse, experiment_results.c.error == ""
        )
        found = await self._database.read(lambda connection: connection.execute(query.limit(1)).scalar_one_or_none())
        return None if found is None else rows.load(found)

    async def write(self, job: Job, result: Result) -> bool:
        """Keep a result under the lease of ``job``; whether it still held."""
        example, answered = result.example, result.answered
        values = {
            "tenant": job.tenant,
            "experiment": job.id,
            "responder": result.responder,
            "place": result.place,
            "example_id": example.id,
            "cluster": example.group,
            "tags": rows.dump({**example.tags, "split": example.split}),
            "reuse": result.reuse,
            "body": rows.dump(answered_body(answered)),
            "scores": rows.dump(dict(result.scores)),
            "reasons": rows.dump({name: said[:2000] for name, said in result.reasons.items() if said}),
            "person": example.subject,
            "answer_id": answered.answer_id,
            "error": answered.error[:500],
            "cost_nanousd": answered.cost_nanousd,
            "tokens": answered.completion_tokens,
            "seconds": answered.duration_s,
            "at": time.time(),
        }
        sources = [
            {"tenant": job.tenant, "source": each, "experiment": job.id, "example_id": example.id}
            for each in example.sources
        ]

        def work(connection: sa.Connection) -> bool:
            if not job_store.lease_holds(connection, job) or not _is_there(connection, job):
                return False
            if erased_answers(connection, job.tenant, example.sources):
                # Erased since the example was read: nothing of it may be written any more.
                return True
            connection.execute(rows.insert_new(connection, experiment_results).values(**values))
            if sources:
                connection.execute(rows.insert_new(connection, experiment_sources), sources)
            return True

        return await self._database.write(work)

    async def note(self, tenant: str, experiment_id: str, metadata: Mapping[str, str]) -> None:
        """Keep what was found out about an experiment that is over."""
        of = sa.and_(experiments.c.tenant == tenant, experiments.c.id == experiment_id)
        noted = sa.update(experiments).where(of).values(metadata=rows.dump(dict(metadata)))
        await self._database.write(lambda connection: connection.execute(noted) and None)

    async def keep(
        self,
        principal: Principal,
        experiment_id: str,
        values: Mapping[str, Any],
        spec: Spec,
        answers: Sequence[Mapping[str, Any]],
    ) -> bool:
        """Write a finished experiment with all of its results, or nothing; whether it is new. Raises
        ``QuotaExceeded``."""
        tenant, now = principal.tenant, time.time()
        made = {"tenant": tenant, "id": experiment_id, "state": "completed", "key_id": principal.key_id, **values}
        made |= {"owner": principal.person, "created_at": now, "updated_at": now, "spec": rows.dump(spec.plain())}

        def work(connection: sa.Connection) -> bool:
            of = sa.select(sa.func.count()).select_from(experiments).where(experiments.c.tenant == tenant)
            if connection.execute(of).scalar_one() >= self._settings.kept:
                raise QuotaExceeded(
                    f"{self._settings.kept} experiments are kept, the maximum", remedy="Delete some", param="name"
                )
            there = connection.execute(rows.insert_new(connection, experiments).values(**made, done=len(answers)))
            if not there.rowcount:
                return False
            for start in range(0, len(answers), _AT_ONCE):
                connection.execute(sa.insert(experiment_results), list(answers[start : start + _AT_ONCE]))
            return True

        return await self._database.write(work, durable=True)

    async def begin(self, job: Job) -> None:
        """The experiment is running."""
        await self._database.write(lambda connection: _set(connection, job, state="running"))

    async def end(self, job: Job, state: str, error: str = "", report: Mapping[str, Any] | None = None) -> None:
        """End the experiment and its job under its lease."""
        over = {"completed": job_store.DONE, "failed": job_store.FAILED, "cancelled": job_store.CANCELLED}

        def work(connection: sa.Connection) -> None:
            if job_store.lease_holds(connection, job):
                told: dict[str, Any] = {} if report is None else {"report": rows.dump(dict(report))}
                counted = sa.select(sa.func.count()).select_from(experiment_results)
                mine = (experiment_results.c.tenant == job.tenant, experiment_results.c.experiment == job.id)
                told["done"] = connection.execute(counted.where(*mine)).scalar_one()
                _set(connection, job, state=state, error=error, ended_at=time.time(), **told)
                job_store.end(connection, job, over[state], error)

        await self._database.write(work, durable=True)

    async def scored(
        self, tenant: str, experiment_id: str, most: int | None = None
    ) -> AsyncIterator[Sequence[sa.Row[Any]]]:
        """All results (or about the first ``most``) without their texts, by place and responder, in pieces."""
        names = ("place", "responder", "cluster", "tags", "scores", "error", "cost_nanousd", "tokens", "seconds")
        columns = [experiment_results.c[name] for name in names]
        of = sa.and_(experiment_results.c.tenant == tenant, experiment_results.c.experiment == experiment_id)
        query = sa.select(*columns).where(of).order_by(experiment_results.c.place, experiment_results.c.responder)
        place = sa.tuple_(experiment_results.c.place, experiment_results.c.responder)
        after: tuple[int, int] | None = None
        read = 0
        while True:
            piece = query if after is None else query.where(place > sa.tuple_(*map(sa.literal, after)))
            found = await self._database.read(lambda connection, piece=piece: _all(connection, piece))  # type: ignore[misc]
            if found:
                yield found
            read += len(found)
            if len(found) < _AT_ONCE or (most is not None and read >= most):
                return
            after = (found[-1].place, found[-1].responder)

    async def places(
        self, tenant: str, experiment_id: str, limit: int, after: int, wanted: Sequence[int] = ()
    ) -> list[sa.Row[Any]]:
        """The results of the next ``limit`` places, or of the ``wanted`` ones."""
        of = sa.and_(experiment_results.c.tenant == tenant, experiment_results.c.experiment == experiment_id)
        if wanted:
            picked = sa.and_(of, experiment_results.c.place.in_(list(wanted)))
        else:
            next_ones = (
                sa.select(experiment_results.c.place)
                .distinct()
                .where(of, experiment_results.c.place > after)
                .order_by(experiment_results.c.place)
                .limit(limit)
            )
            picked = sa.and_(of, experiment_results.c.place.in_(next_ones))
        query = sa.select(experiment_results).where(picked)
        ordered = query.order_by(experiment_results.c.place, experiment_results.c.responder)
        return list(await self._database.read(lambda connection: connection.execute(ordered).all()))

    async def delete(self, principal: Principal, experiment_id: str) -> None:
        """Delete an experiment and its results; a running one stops. Raises ``NotFound``."""
        await self.get(principal, experiment_id)
        tenant = principal.tenant

        def work(connection: sa.Connection) -> None:
            for table in (experiment_results, experiment_sources):
                connection.execute(
                    sa.delete(table).where(table.c.tenant == tenant, table.c.experiment == experiment_id)
                )
            of = sa.and_(experiments.c.tenant == tenant, experiments.c.id == experiment_id)
            connection.execute(sa.delete(experiments).where(of))

        await self._database.write(work, durable=True, frees=True)


def _is_there(connection: sa.Connection, job: Job) -> bool:
    of = sa.and_(experiments.c.tenant == job.tenant, experiments.c.id == job.id)
    return connection.execute(sa.select(sa.literal(1)).where(of)).first() is not None


def answered_body(answered: ExampleAnswer) -> dict[str, Any]:
    """An answer as JSON values."""
    return {
        "text": answered.text,
        "model": answered.model,
        "passages": list(answered.passages),
        "refused": answered.refused,
        "error": answered.error,
        "answer_id": answered.answer_id,
        "trace_id": answered.trace_id,
        "prompt_tokens": answered.prompt_tokens,
        "completion_tokens": answered.completion_tokens,
        "cost_nanousd": answered.cost_nanousd,
        "duration_s": answered.duration_s,
        "ttft_s": answered.ttft_s,
    }


def answered_of(body: Mapping[str, Any]) -> ExampleAnswer:
    """What ``answered_body`` made."""
    return ExampleAnswer(**{**body, "passages": tuple(body.get("passages") or ())})


def _set(connection: sa.Connection, job: Job, **values: Any) -> None:
    of = sa.and_(experiments.c.tenant == job.tenant, experiments.c.id == job.id)
    connection.execute(sa.update(experiments).where(of).values(updated_at=time.time(), **values))


def _all(connection: sa.Connection, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
    return connection.execute(query.limit(_AT_ONCE)).all()
