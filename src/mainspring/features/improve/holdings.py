"""The data of data subjects: what gave their answers, and what is made of them."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from mainspring.features.improve.stages.folders import Folders
from mainspring.features.improve.tables import (
    improve_answers,
    improve_campaigns,
    improve_counts,
    improve_policies,
    improve_sources,
    improve_steps,
    improve_variants,
    improve_watched,
)
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, parts
from mainspring.stores.sql import rows
from mainspring.stores.sql.database import Database

_s, _v, _c = improve_sources.c, improve_variants.c, improve_campaigns.c
_OF_TENANT = (
    *(improve_answers, improve_campaigns, improve_counts, improve_policies),
    *(improve_sources, improve_steps, improve_variants, improve_watched),
)


class MadeOfAnswers:
    """Answers in all tenants, and the variants that are made of them. Erasure deletes the links and what a variant
    says, and the rows of folders that are trained on; the loop then withdraws each such variant, and trains another one
    where the policy says so."""

    name = "improve"

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._folders = Folders(blobs.directory.parent)

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The variants that are made of the subject's answers, with those answers. They name an application and a
        time: no key of a group sees more than another."""
        del groups

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            found = _made(connection, subject, held, upto)
            made: list[Mapping[str, Any]] = []
            for variant, answers in sorted(found.items()):
                mine = sa.and_(_v.tenant == subject.tenant, _v.id == variant)
                row = connection.execute(sa.select(improve_variants).where(mine)).one_or_none()
                if row is not None:
                    made.append(
                        {
                            "type": "improve_variant",
                            "id": variant,
                            "application": row.application,
                            "version": row.version,
                            "campaign": row.campaign,
                            "answers": sorted(answers),
                            "served": row.promoted_at is not None and row.withdrawn_at is None,
                        }
                    )
            return made

        made = await self._database.read(work)
        answers = _before(held, upto)
        rows_of = await asyncio.to_thread(self._folders.of_answers, subject.tenant, answers)
        return [
            *made,
            *({"type": "improve_rows", "campaign": each, "rows": count} for each, count in sorted(rows_of.items())),
        ]

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete the links, and have the loop withdraw what is made of them. The tenant's erasure deletes all."""

        def work(connection: sa.Connection) -> int:
            _, gone = _unlink(connection, subject.tenant, _before(held, upto), given=True)
            if subject.kind == "tenant":
                for table in _OF_TENANT:
                    connection.execute(sa.delete(table).where(table.c.tenant == subject.tenant))
            return gone

        # Before what finds them: an erasure that is killed is done again.
        gone = await asyncio.to_thread(self._rows, subject, _before(held, upto))
        return gone + await self._database.write(work, durable=True, frees=True)

    def _rows(self, subject: Subject, answers: Sequence[str]) -> int:
        if subject.kind == "tenant":
            shutil.rmtree(self._folders.tenant(subject.tenant), ignore_errors=True)
            return 0
        return self._folders.without(subject.tenant, answers)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """A document behind these answers is gone: the loop withdraws what is made of them, as after an erasure."""
        await self._database.write(
            lambda connection: _unlink(connection, tenant, answers, given=True), durable=True, frees=True
        )

    async def unlearn(self, tenant: str, answers: Sequence[str]) -> int:
        """Nothing may be learnt from these answers any more: the loop withdraws what is made of them; how many. What
        gave them is still known."""
        marked, _ = await self._database.write(
            lambda connection: _unlink(connection, tenant, answers, given=False), durable=True
        )
        return marked


def _before(held: SubjectData, upto: float) -> list[str]:
    return sorted(each for each, given in held.answers.items() if given.at <= upto)


def _unlink(connection: sa.Connection, tenant: str, answers: Sequence[str], *, given: bool) -> tuple[int, int]:
    """Mark what is made of these answers, and delete the links; where ``given``, those to what gave them, too. How
    many of each."""
    found = _of_answers(connection, tenant, answers)
    for variant in sorted(found):
        _mark(connection, tenant, variant)
    gone = 0
    for part in parts(list(answers)):
        for table in (improve_answers, improve_sources) if given else (improve_sources,):
            mine = sa.and_(table.c.tenant == tenant, table.c.answer.in_(part))
            gone += connection.execute(sa.delete(table).where(mine)).rowcount
    return len(found), gone


def _made(connection: sa.Connection, subject: Subject, held: SubjectData, upto: float) -> dict[str, set[str]]:
    """The answers of the subject by the variants that are made of them."""
    return _of_answers(connection, subject.tenant, _before(held, upto))


def _of_answers(connection: sa.Connection, tenant: str, answers: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for part in parts(list(answers)):
        query = sa.select(improve_sources).where(_s.tenant == tenant, _s.answer.in_(part))
        for row in connection.execute(query):
            found.setdefault(row.variant, set()).add(row.answer)
    return found


def _mark(connection: sa.Connection, tenant: str, variant: str) -> None:
    """What a variant says may repeat what people said: examples do. Its id stays."""
    mine = sa.and_(_v.tenant == tenant, _v.id == variant)
    values = {"erased_at": time.time(), "value": "{}"}
    connection.execute(sa.update(improve_variants).where(mine).values(**values))
    row = connection.execute(sa.select(improve_variants.c.campaign).where(mine)).one_or_none()
    if row is None:
        return
    place = sa.and_(_c.tenant == tenant, _c.id == row.campaign)
    campaign = connection.execute(sa.select(improve_campaigns.c.notes).where(place)).one_or_none()
    if campaign is None:
        return
    notes = rows.load(campaign.notes)
    if (notes.get("candidate") or {}).get("id") == variant:
        notes["candidate"]["value"] = {}
        connection.execute(sa.update(improve_campaigns).where(place).values(notes=rows.dump(notes)))


HOLDINGS = (MadeOfAnswers,)
