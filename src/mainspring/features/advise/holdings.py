"""The data of data subjects in advice: who asked for it, and rows for training that are being handed over."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mainspring.features.advise.tables import advice
from mainspring.features.advise.trying import learning
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.sql.database import Database

_c = advice.c


class AskedAdvice:
    """Advice in all tenants. It keeps ids and figures: the questions are a data set's, the answers an experiment's, and
    examples in a prompt a variant's, each with holdings of its own."""

    name = "advice"

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._root = blobs.directory.parent / "advice"

    async def find(
        self,
        subject: Subject,
        held: SubjectData,
        upto: float,
        groups: frozenset[str] | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        """The advice that the subject asked for: ids and times. Rows for training repeat a data set's, which tells
        them."""
        del held, groups
        of = _asked(subject, upto)
        if of is None:
            return []
        query = sa.select(_c.id, _c.data_set, _c.created_at).where(of)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [{"type": "advice", "id": row.id, "dataset": row.data_set, "at": row.created_at} for row in found]

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Take the name of who asked from advice, or delete a tenant's, and folders with rows of the subject, which are
        written again without them; how many."""
        place = learning.tenant_folder(self._root, subject.tenant)
        if subject.kind == "tenant":
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
        gone = await asyncio.to_thread(_without, place, sorted(held.answers))
        of = _asked(subject, upto)
        if of is None:
            return gone
        tenant = subject.kind == "tenant"
        changed = sa.delete(advice).where(of) if tenant else sa.update(advice).where(of).values(owner="")

        def work(connection: sa.Connection) -> int:
            return int(connection.execute(changed).rowcount)

        return gone + await self._database.write(work, durable=True, frees=True)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """A document behind these answers is gone: so are rows for training that repeat them."""
        await asyncio.to_thread(_without, learning.tenant_folder(self._root, tenant), answers)

    async def forget_documents(self, tenant: str, documents: Sequence[str]) -> None:
        """These documents or collections are gone: so are rows for training that repeat their text."""
        await self.forget(tenant, documents)


def _without(place: Path, names: Sequence[str]) -> int:
    """Remove the folders with rows that are made of these answers or documents; the number of these rows."""
    found = list(learning.made_of(place, names))
    for folder, _ in found:
        shutil.rmtree(folder, ignore_errors=True)
    return sum(count for _, count in found)


def _asked(subject: Subject, upto: float) -> sa.ColumnElement[bool] | None:
    mine = sa.and_(_c.tenant == subject.tenant, _c.created_at <= upto)
    if subject.kind == "tenant":
        return mine
    if subject.kind == "user":
        return sa.and_(mine, _c.owner == subject.id, _c.owner != "")
    if subject.kind == "key":
        return sa.and_(mine, _c.key_id == subject.id)
    return None


HOLDINGS = (AskedAdvice,)
