"""The data of data subjects: edits of translations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from mainspring.features.translate.tables import translate_edits
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, owners, parts
from mainspring.stores.sql.database import Database


class TranslationEdits:
    """Edits, in all tenants: of a person's answers, and by the owner of a key."""

    name = "translate"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The edits with their texts. They are their owner's: groups do not part them."""
        del groups

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            return [
                {"type": "translation_edit", "id": row.id, "answer": row.answer, "source": row.source, "edit": row.edit,
                 "translation": row.translation, "at": row.at}
                for row in _rows(connection, subject, held, upto)
            ]  # fmt: skip

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete them; how many."""

        def work(connection: sa.Connection) -> int:
            found = _rows(connection, subject, held, upto)
            for part in parts([row.id for row in found]):
                gone = sa.and_(translate_edits.c.tenant == subject.tenant, translate_edits.c.id.in_(part))
                connection.execute(sa.delete(translate_edits).where(gone))
            return len(found)

        return await self._database.write(work, durable=True, frees=True)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """A document behind these answers is gone: so are the edits, which repeat them."""

        def work(connection: sa.Connection) -> None:
            for part in parts(list(answers)):
                connection.execute(sa.delete(translate_edits).where(_of(tenant, part)))

        await self._database.write(work, durable=True, frees=True)

    async def unlearn(self, tenant: str, answers: Sequence[str]) -> int:
        """Nothing may be learnt from the edits of these answers any more; how many."""

        def work(connection: sa.Connection) -> int:
            changed = 0
            for part in parts(list(answers)):
                query = sa.update(translate_edits).where(_of(tenant, part), translate_edits.c.consent)
                changed += connection.execute(query.values(consent=False)).rowcount
            return changed

        return await self._database.write(work, durable=True)


def _of(tenant: str, answers: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.and_(translate_edits.c.tenant == tenant, translate_edits.c.answer.in_(answers))


def _rows(connection: sa.Connection, subject: Subject, held: SubjectData, upto: float) -> list[sa.Row[Any]]:
    query = sa.select(translate_edits).where(translate_edits.c.tenant == subject.tenant, translate_edits.c.at <= upto)
    if subject.kind == "tenant":
        return list(connection.execute(query).all())
    found: list[sa.Row[Any]] = []
    # Answers go sooner than edits do: edits say themselves whose they are.
    if subject.kind == "key":
        found += connection.execute(query.where(translate_edits.c.owner.in_(owners(connection, subject)))).all()
    if subject.kind == "user" and subject.id:
        found += connection.execute(query.where(translate_edits.c.person == subject.id)).all()
    for part in parts(sorted(held.answers)):
        found += connection.execute(query.where(translate_edits.c.answer.in_(part))).all()
    return list({row.id: row for row in found}.values())


HOLDINGS = (TranslationEdits,)
