"""Access in SQL: which rows a set of groups may see, decided where they are read and paged."""

from __future__ import annotations

import time

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from mainspring.core.types import confinement, real
from mainspring.stores.schema import collections, documents

DAY_S = 86_400.0


class RowAccess:
    """The rows that ``groups`` may see, as conditions of queries on ``connection``.

    A caller confined to some collections sees no others, and of rows outside of collections only those written by
    callers with the same confinement.
    """

    def __init__(self, connection: sa.Connection, groups: frozenset[str]) -> None:
        self._postgres = connection.dialect.name == "postgresql"
        self._groups = sorted(groups)
        self._only = sorted(confinement(groups))
        self._confined = sorted(groups - real(groups))

    def sees(self, column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Whether the groups in a JSON column are none (the whole tenant may see the row) or one is among ours."""
        if not self._groups:
            return column == "[]"
        each = self.items(column)
        return sa.or_(column == "[]", sa.exists(sa.select(each.c.value).where(each.c.value.in_(self._groups))))

    def sees_collection(self) -> sa.ColumnElement[bool]:
        """Whether a row of ``collections`` may be seen."""
        theirs = sa.and_(self.sees(collections.c.groups), sa.not_(expired(time.time())))
        if not self._only:
            return theirs
        return sa.and_(theirs, sa.or_(collections.c.name.in_(self._only), collections.c.id.in_(self._only)))

    def left(self, column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Whether a row outside of collections, with the groups in a JSON column, was written by a caller with our
        confinement."""
        if not self._confined:
            return sa.true()
        each = self.items(column)
        return sa.exists(sa.select(each.c.value).where(each.c.value.in_(self._confined)))

    def has_all(self, column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Whether all groups in a JSON column are among ours."""
        each = self.items(column)
        return ~sa.exists(sa.select(each.c.value).where(each.c.value.not_in(self._groups)))

    def sees_document(self) -> sa.ColumnElement[bool]:
        """Whether a row of ``documents`` joined with its collection may be seen: it needs both access lists."""
        columns = (documents.c.groups, documents.c.read_groups)
        return sa.and_(self.sees_collection(), *(self.sees(column) for column in columns))

    def items(self, column: sa.ColumnElement[str]) -> sa.TableValuedAlias:
        """The items of a JSON list of texts, or of objects as JSON, as a table with the column ``value``."""
        if self._postgres:
            items = sa.func.jsonb_array_elements_text(sa.cast(column, JSONB))
        else:
            items = sa.func.json_each(column)
        return items.table_valued("value", joins_implicitly=True)

    def field(self, column: sa.ColumnElement[str], name: str) -> sa.ColumnElement[str]:
        """The text of a field of a JSON object, a list as its JSON; NULL if it is absent or null."""
        if self._postgres:
            return sa.func.jsonb_extract_path_text(sa.cast(column, JSONB), name)
        return sa.func.json_extract(column, f"$.{name}")


def expired(now: float) -> sa.ColumnElement[bool]:
    """Whether a row of ``collections`` had expired at a time: nobody sees it any more."""
    active = sa.func.coalesce(collections.c.active_at, collections.c.created_at)
    return sa.and_(collections.c.expires_days.is_not(None), active + collections.c.expires_days * DAY_S <= now)


IN_COLLECTION = sa.and_(collections.c.tenant == documents.c.tenant, collections.c.id == documents.c.collection_id)
"""Joins a row of ``documents`` with its collection."""
