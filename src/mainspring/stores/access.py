"""Access in SQL: which rows a set of groups may see, decided where they are read and paged."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from mainspring.stores.schema import collections, documents


class Sight:
    """What ``groups`` may see, as conditions of queries on ``connection``."""

    def __init__(self, connection: sa.Connection, groups: frozenset[str]) -> None:
        self._postgres = connection.dialect.name == "postgresql"
        self._groups = sorted(groups)

    def sees(self, column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Whether the groups in a JSON column are none (the whole tenant may see the row) or one is among ours."""
        if not self._groups:
            return column == "[]"
        each = self.items(column)
        return sa.or_(column == "[]", sa.exists(sa.select(each.c.value).where(each.c.value.in_(self._groups))))

    def has_all(self, column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Whether all groups in a JSON column are among ours."""
        each = self.items(column)
        return ~sa.exists(sa.select(each.c.value).where(each.c.value.not_in(self._groups)))

    def sees_document(self) -> sa.ColumnElement[bool]:
        """Whether a row of ``documents`` joined with its collection may be seen: it needs both access lists."""
        columns = (collections.c.groups, documents.c.groups, documents.c.read_groups)
        return sa.and_(*(self.sees(column) for column in columns))

    def items(self, column: sa.ColumnElement[str]) -> sa.TableValuedAlias:
        """The items of a JSON list of texts, or of objects as JSON, as a table with the column ``value``."""
        if self._postgres:
            items = sa.func.jsonb_array_elements_text(sa.cast(column, JSONB))
        else:
            items = sa.func.json_each(column)
        return items.table_valued("value", joins_implicitly=True)

    def field(self, column: sa.ColumnElement[str], name: str) -> sa.ColumnElement[str]:
        """The text of a field of a JSON object, a list as its JSON; NULL where it is absent or null."""
        if self._postgres:
            return sa.func.jsonb_extract_path_text(sa.cast(column, JSONB), name)
        return sa.func.json_extract(column, f"$.{name}")


IN_COLLECTION = sa.and_(collections.c.tenant == documents.c.tenant, collections.c.id == documents.c.collection_id)
"""Joins a row of ``documents`` with its collection."""
