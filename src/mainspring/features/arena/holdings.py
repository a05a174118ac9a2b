"""The data of data subjects: battles and votes on their answers, and votes that they gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from mainspring.features.arena.tables import arena_battles, arena_excluded, arena_pairs, arena_votes, arenas
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, owners, parts
from mainspring.stores.sql.database import Database

_ABOUT = (arena_votes, arena_battles)


class Votes:
    """Votes and battles, in all tenants. A key's are those that it gave; a user's those on answers to the user."""

    name = "arena"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Votes and battles are numbers and names: every group sees them."""
        del groups

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            found: list[Mapping[str, Any]] = []
            for table, kind in zip(_ABOUT, ("vote", "battle"), strict=True):
                for part in parts(_ids(connection, table, subject, held, upto)):
                    mine = sa.select(table).where(table.c.tenant == subject.tenant, table.c.id.in_(part))
                    rows = connection.execute(mine).all()
                    found += [{"type": kind, "id": row.id, "at": row.at, "arena": row.arena} for row in rows]
            return found

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete the rows; the counts of pairs, which name nobody, stay unless the tenant goes."""

        def work(connection: sa.Connection) -> int:
            count = 0
            for table in _ABOUT:
                for part in parts(_ids(connection, table, subject, held, upto)):
                    mine = sa.and_(table.c.tenant == subject.tenant, table.c.id.in_(part))
                    count += connection.execute(sa.delete(table).where(mine)).rowcount
            if subject.kind == "key":
                theirs = arena_excluded.c.voter.in_(owners(connection, subject))
                mine = sa.and_(arena_excluded.c.tenant == subject.tenant, theirs)
                count += connection.execute(sa.delete(arena_excluded).where(mine, arena_excluded.c.at <= upto)).rowcount
            if subject.kind == "tenant":
                for table in (arena_pairs, arena_excluded, arenas):
                    connection.execute(sa.delete(table).where(table.c.tenant == subject.tenant))
            return count

        return await self._database.write(work, durable=True, frees=True)


def _ids(connection: sa.Connection, table: sa.Table, subject: Subject, held: SubjectData, upto: float) -> list[str]:
    query = sa.select(table.c.id).where(table.c.tenant == subject.tenant, table.c.at <= upto)
    if subject.kind == "tenant":
        return list(connection.execute(query).scalars())
    found: set[str] = set()
    if subject.kind == "key":
        found |= set(connection.execute(query.where(table.c.voter.in_(owners(connection, subject)))).scalars())
    for part in parts(sorted(held.answers)):
        about = sa.or_(table.c.left_answer.in_(part), table.c.right_answer.in_(part))
        found |= set(connection.execute(query.where(about)).scalars())
    return sorted(found)


HOLDINGS = (Votes,)
