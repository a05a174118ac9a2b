"""The desk's data of data subjects: cases of a user, a customer, a session, a key or a tenant, and what was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.erase.erasing as erasing
import mainspring.stores.sql.rows as rows
from mainspring.features.desk.tables import (
    desk_assists,
    desk_cases,
    desk_chats,
    desk_inbound,
    desk_mails,
    desk_messages,
    desk_outbound,
    desk_people,
    desk_suggestions,
    desk_threads,
)
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, parts
from mainspring.stores.schema import keys
from mainspring.stores.sql.database import Database


class DeskCases:
    """Cases with what was said in them, and the names of people, in all tenants."""

    name = "cases"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The cases whose conversations were had with groups among ``groups``."""

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            found = _cases(connection, subject, held, upto)
            seen = [row for row in found if groups is None or frozenset(rows.load(row.groups)) <= groups]
            return [_body(row, _said(connection, row)) for row in seen]

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete the cases with their messages, and the personal parts of their events."""

        def work(connection: sa.Connection) -> int:
            names = [row.id for row in _cases(connection, subject, held, upto)]
            for part in parts(names):
                erasing.answers(connection, subject.tenant, part)
                for table in (desk_messages, desk_assists, desk_suggestions, desk_cases):
                    column = table.c.id if table is desk_cases else table.c.case_id
                    mine = sa.and_(table.c.tenant == subject.tenant, column.in_(part))
                    connection.execute(sa.delete(table).where(mine))
            _forget_channels(connection, subject)
            if subject.kind in ("tenant", "key"):
                mine = desk_people.c.tenant == subject.tenant
                if subject.kind == "key":
                    mine = sa.and_(mine, desk_people.c.person.in_(_identities(connection, subject)))
                connection.execute(sa.delete(desk_people).where(mine))
            return len(names)

        return await self._database.write(work, durable=True, frees=True)


def _forget_channels(connection: sa.Connection, subject: Subject) -> None:
    """Delete the conversations through channels of a customer or a tenant, with what came in and waits."""
    mine = desk_threads.c.tenant == subject.tenant
    query = sa.select(desk_threads.c.session_id).where(mine)
    if subject.kind == "user":
        query = query.where(desk_threads.c.person == subject.id)
    elif subject.kind == "session":
        query = query.where(desk_threads.c.session_id == subject.id)
    elif subject.kind != "tenant":
        return
    names = list(connection.execute(query).scalars())
    chats = sa.select(desk_chats.c.session_id).where(desk_chats.c.tenant == subject.tenant)
    if subject.kind == "user":
        chats = chats.where(desk_chats.c.person == subject.id)
    elif subject.kind == "session":
        chats = chats.where(desk_chats.c.session_id == subject.id)
    names += connection.execute(chats).scalars()
    for part in parts(names):
        for table in (desk_inbound, desk_outbound, desk_mails, desk_chats, desk_threads):
            these = sa.and_(table.c.tenant == subject.tenant, table.c.session_id.in_(part))
            connection.execute(sa.delete(table).where(these))


def _cases(connection: sa.Connection, subject: Subject, held: SubjectData, upto: float) -> list[sa.Row[Any]]:
    query = sa.select(desk_cases).where(desk_cases.c.tenant == subject.tenant, desk_cases.c.created_at <= upto)
    found: dict[str, sa.Row[Any]] = {}
    whose = _whose(connection, subject)
    if whose is not None:
        found |= {row.id: row for row in connection.execute(query.where(whose))}
    for part in parts(sorted(held.sessions)):
        found |= {row.id: row for row in connection.execute(query.where(desk_cases.c.session.in_(part)))}
    return list(found.values())


def _whose(connection: sa.Connection, subject: Subject) -> sa.ColumnElement[bool] | None:
    if subject.kind == "tenant":
        return sa.true()
    if subject.kind == "user":
        # The application's user, or the customer whom the agent has verified.
        return sa.or_(desk_cases.c.person == subject.id, desk_cases.c.customer == subject.id)
    if subject.kind == "session":
        return desk_cases.c.session_id == subject.id
    return desk_cases.c.owner.in_(_identities(connection, subject))


def _identities(connection: sa.Connection, subject: Subject) -> list[str]:
    owner = sa.select(keys.c.identity).where(keys.c.tenant == subject.tenant, keys.c.id == subject.id)
    return sorted({subject.id, connection.execute(owner).scalar_one_or_none() or subject.id})


def _said(connection: sa.Connection, case: sa.Row[Any]) -> list[Mapping[str, Any]]:
    mine = sa.and_(desk_messages.c.tenant == case.tenant, desk_messages.c.case_id == case.id)
    found = connection.execute(sa.select(desk_messages).where(mine).order_by(desk_messages.c.id))
    return [{"author": row.author, "text": row.text, "at": row.at} for row in found]


def _body(row: sa.Row[Any], said: list[Mapping[str, Any]]) -> dict[str, Any]:
    names = ("id", "number", "kind", "status", "queue", "topic", "subject", "reason", "body", "customer", "session_id")
    body: dict[str, Any] = {"type": "case", **{name: getattr(row, name) for name in names}}
    return body | {"user": row.person, "references": rows.load(row.refs), "at": row.created_at, "messages": said}


HOLDINGS = (DeskCases,)
