"""The data of data subjects: items that name their answers, with the labels of those, and labels that a key gave.

The texts of labels are events about the answers, and go with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.features.review.tables import review_items as items
from mainspring.features.review.tables import review_labels as labels
from mainspring.features.review.tables import review_queues as queues
from mainspring.features.review.tables import review_versions as versions
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, owners, parts
from mainspring.stores.events.event_visibility import visible_events
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database

ERASED = "erased-"
"""How the names of erased reviewers begin: their labels still count."""


class ReviewedAnswers:
    """Items and labels, in all tenants."""

    name = "review"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Items of answers that ``groups`` may see, and labels that the subject's key gave."""

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            found = _items(connection, subject, held, upto)
            if groups is not None:
                seen = _seen(connection, subject.tenant, [row.answer_id for row in found], groups)
                found = [row for row in found if row.answer_id in seen]
            given = _given(connection, subject, upto)
            return [*map(_item_body, found), *map(_label_body, given)]

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete items of the subject's answers with their labels; take the name off labels that its key gave."""

        def work(connection: sa.Connection) -> int:
            found = _items(connection, subject, held, upto)
            _delete(connection, subject.tenant, [row.answer_id for row in found])
            given = _given(connection, subject, upto)
            for row in given:
                mine = sa.and_(labels.c.tenant == row.tenant, labels.c.id == row.id)
                connection.execute(sa.update(labels).where(mine).values(by=ERASED + row.id))
            if subject.kind == "key":
                names = owners(connection, subject)
                _forget_author(connection, subject, names, upto)
                _forget_reviewer(connection, subject.tenant, names)
            if subject.kind == "tenant":
                gone = sa.select(queues.c.id).where(queues.c.tenant == subject.tenant, queues.c.created_at <= upto)
                for name in connection.execute(gone).scalars().all():
                    for table in (labels, items, versions):
                        mine = sa.and_(table.c.tenant == subject.tenant, table.c.queue_id == name)
                        connection.execute(sa.delete(table).where(mine))
                    connection.execute(sa.delete(queues).where(queues.c.tenant == subject.tenant, queues.c.id == name))
            return len(found) + len(given)

        return await self._database.write(work, durable=True, frees=True)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """The texts of these answers go: nobody can label them any more."""
        await self._database.write(lambda connection: _delete(connection, tenant, answers), durable=True)


def _items(connection: sa.Connection, subject: Subject, held: SubjectData, upto: float) -> list[sa.Row[Any]]:
    query = sa.select(items).where(items.c.tenant == subject.tenant, items.c.answered_at <= upto)
    if subject.kind == "tenant":
        return list(connection.execute(query).all())
    found: list[sa.Row[Any]] = []
    for part in parts(sorted(held.answers)):
        found += connection.execute(query.where(items.c.answer_id.in_(part))).all()
    return found


def _given(connection: sa.Connection, subject: Subject, upto: float) -> list[sa.Row[Any]]:
    """Labels and leases of the person behind a key."""
    if subject.kind != "key":
        return []
    mine = sa.and_(labels.c.tenant == subject.tenant, labels.c.by.in_(owners(connection, subject)))
    return list(connection.execute(sa.select(labels).where(mine, labels.c.taken_at <= upto)).all())


def _delete(connection: sa.Connection, tenant: str, answers: Sequence[str]) -> None:
    for part in parts(list(answers)):
        for table in (labels, items):
            connection.execute(sa.delete(table).where(table.c.tenant == tenant, table.c.answer_id.in_(part)))


def _forget_author(connection: sa.Connection, subject: Subject, names: Sequence[str], upto: float) -> None:
    for table in (queues, versions):
        mine = sa.and_(table.c.tenant == subject.tenant, table.c.created_by.in_(names), table.c.created_at <= upto)
        connection.execute(sa.update(table).where(mine).values(created_by=ERASED))


def _forget_reviewer(connection: sa.Connection, tenant: str, names: Sequence[str]) -> None:
    """Take the names off the definitions of queues that name them. Another name takes the place of each, since a
    definition without reviewers would let everybody in."""
    query = sa.select(versions).where(versions.c.tenant == tenant)
    told = sa.or_(*(versions.c.definition.contains(name, autoescape=True) for name in names))
    for row in connection.execute(query.where(told)).all():
        definition = rows.load(row.definition)
        named = definition.get("labelling", {}).get("reviewers", [])
        if not set(named) & set(names):
            continue
        definition["labelling"]["reviewers"] = [ids.new(ERASED) if each in names else each for each in named]
        mine = sa.and_(*(versions.c[each] == row._mapping[each] for each in ("tenant", "queue_id", "version")))
        connection.execute(sa.update(versions).where(mine).values(definition=rows.dump(definition)))


def _seen(connection: sa.Connection, tenant: str, answers: Sequence[str], groups: frozenset[str]) -> set[str]:
    found: set[str] = set()
    for part in parts(list(answers)):
        query = sa.select(events.c.id).where(events.c.tenant == tenant, events.c.id.in_(part))
        found.update(connection.execute(query.where(visible_events(connection, groups))).scalars())
    return found


def _item_body(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "type": "review_item",
        "id": row.id,
        "at": row.added_at,
        "answer_id": row.answer_id,
        "state": row.state,
        "result": rows.load(row.result),
    }


def _label_body(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "type": "review_label",
        "id": row.id,
        "at": row.given_at or row.taken_at,
        "item_id": row.item_id,
        "scores": rows.load(row.scores),
        "approved": row.approved,
    }


HOLDINGS = (ReviewedAnswers,)
