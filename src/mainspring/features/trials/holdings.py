"""The data of data subjects: units of their sessions and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from mainspring.core.facts.opinions import session_name
from mainspring.features.trials.tables import trial_answers, trial_units, trials
from mainspring.features.trials.units.unit_digests import digest
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, parts
from mainspring.stores.sql import ids
from mainspring.stores.sql.database import Database


class UnitsOfTraffic:
    """Units in all tenants. Their numbers count in running trials and name nobody: erasure takes the name."""

    name = "trials"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Units with open windows; no key of a group sees more than another: they are an arm and a time."""
        del groups

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            return [
                {"type": "trial_unit", "id": row.unit, "trial": row.trial, "answer": row.answer, "at": row.at}
                for row in _answers(connection, subject, held, upto)
            ]

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete the links of answers to units, and give the units other names. A tenant's trials are deleted."""

        def work(connection: sa.Connection) -> int:
            found = _answers(connection, subject, held, upto)
            for trial, unit in sorted({(row.trial, row.unit) for row in found}):
                mine = sa.and_(trial_units.c.tenant == subject.tenant, trial_units.c.trial == trial)
                mine = sa.and_(mine, trial_units.c.id == unit)
                connection.execute(sa.update(trial_units).where(mine).values(id=ids.new("erased_")))
            for trial in connection.execute(
                sa.select(trials.c.name).where(trials.c.tenant == subject.tenant)
            ).scalars():
                # The name of a unit is that of a session, a user or a key: older ones are found by it.
                name = session_name(subject.tenant, subject.id) if subject.kind == "session" else subject.id
                own = digest(subject.tenant, trial, subject.kind, name)
                mine = sa.and_(trial_units.c.tenant == subject.tenant, trial_units.c.trial == trial)
                mine = sa.and_(mine, trial_units.c.id == own, trial_units.c.at <= upto)
                connection.execute(sa.update(trial_units).where(mine).values(id=ids.new("erased_")))
            for part in parts([row.answer for row in found]):
                gone = sa.and_(trial_answers.c.tenant == subject.tenant, trial_answers.c.answer.in_(part))
                connection.execute(sa.delete(trial_answers).where(gone))
            if subject.kind == "tenant":
                for table in (trial_units, trial_answers, trials):
                    connection.execute(sa.delete(table).where(table.c.tenant == subject.tenant))
            return len(found)

        return await self._database.write(work, durable=True, frees=True)


def _answers(connection: sa.Connection, subject: Subject, held: SubjectData, upto: float) -> list[sa.Row[Any]]:
    query = sa.select(trial_answers).where(trial_answers.c.tenant == subject.tenant, trial_answers.c.at <= upto)
    if subject.kind == "tenant":
        return list(connection.execute(query).all())
    found: list[sa.Row[Any]] = []
    for part in parts(sorted(held.answers)):
        found += connection.execute(query.where(trial_answers.c.answer.in_(part))).all()
    return found


HOLDINGS = (UnitsOfTraffic,)
