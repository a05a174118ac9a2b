"""The data of data subjects in experiments: answers to examples that were made of their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.experiments.tables import evals, experiment_results, experiment_sources, experiments
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, parts
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.row_access import RowAccess


class ExperimentResults:
    """Results of experiments, in all tenants. Reports have no texts: they stay."""

    name = "experiments"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self,
        subject: Subject,
        held: SubjectData,
        upto: float,  # noqa: ARG002
        groups: frozenset[str] | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        """The answers, of experiments that ``groups`` may see."""

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            query = sa.select(experiments.c.id).where(experiments.c.tenant == subject.tenant)
            if groups is not None:
                query = query.where(RowAccess(connection, groups).has_all(experiments.c.groups))
            seen = set(connection.execute(query).scalars())
            return [
                {"type": "experiment_answer", "experiment": row.experiment, "answer": rows.load(row.body)}
                for row in _rows(connection, subject, held)
                if row.experiment in seen
            ]

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:  # noqa: ARG002
        """Delete the answers; how many."""

        def work(connection: sa.Connection) -> int:
            found = _rows(connection, subject, held)
            _delete(connection, subject.tenant, found)
            if subject.kind == "tenant":
                for table in (experiment_sources, experiments, evals):
                    connection.execute(sa.delete(table).where(table.c.tenant == subject.tenant))
            return len(found)

        return await self._database.write(work, durable=True, frees=True)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """The documents behind these answers are gone: results that repeat them go, too."""

        def work(connection: sa.Connection) -> None:
            _delete(connection, tenant, _of_answers(connection, tenant, answers))

        await self._database.write(work, durable=True, frees=True)


def _rows(connection: sa.Connection, subject: Subject, held: SubjectData) -> list[sa.Row[Any]]:
    query = sa.select(experiment_results).where(experiment_results.c.tenant == subject.tenant)
    if subject.kind == "tenant":
        return list(connection.execute(query).all())
    found = _of_answers(connection, subject.tenant, sorted(held.answers))
    if subject.kind == "user":
        named = query.where(experiment_results.c.person == subject.id, experiment_results.c.person != "")
        found += connection.execute(named).all()
    return list({(row.experiment, row.responder, row.place): row for row in found}.values())


def _of_answers(connection: sa.Connection, tenant: str, answers: Sequence[str]) -> list[sa.Row[Any]]:
    query = sa.select(experiment_results).where(experiment_results.c.tenant == tenant)
    of = sa.and_(
        experiment_sources.c.tenant == experiment_results.c.tenant,
        experiment_sources.c.experiment == experiment_results.c.experiment,
        experiment_sources.c.example_id == experiment_results.c.example_id,
    )
    found: list[sa.Row[Any]] = []
    for part in parts(answers):
        made = query.join(experiment_sources, of).where(experiment_sources.c.source.in_(part))
        found += connection.execute(made).all()
        found += connection.execute(query.where(experiment_results.c.answer_id.in_(part))).all()
    return found


def _delete(connection: sa.Connection, tenant: str, found: Sequence[sa.Row[Any]]) -> None:
    for row in found:
        one = sa.and_(
            experiment_results.c.tenant == tenant,
            experiment_results.c.experiment == row.experiment,
            experiment_results.c.responder == row.responder,
            experiment_results.c.place == row.place,
        )
        connection.execute(sa.delete(experiment_results).where(one))
    for experiment, example in sorted({(row.experiment, row.example_id) for row in found}):
        # Other responders' answers to the same example must still be found by what it is made of.
        rest = sa.and_(
            experiment_results.c.tenant == tenant,
            experiment_results.c.experiment == experiment,
            experiment_results.c.example_id == example,
        )
        source = sa.and_(
            experiment_sources.c.tenant == tenant,
            experiment_sources.c.experiment == experiment,
            experiment_sources.c.example_id == example,
            ~sa.exists().where(rest),
        )
        connection.execute(sa.delete(experiment_sources).where(source))


HOLDINGS = (ExperimentResults,)
