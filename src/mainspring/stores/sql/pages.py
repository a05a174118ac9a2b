"""Pages of long lists, cut in SQL: where a page begins and how long it is, and the query that reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
from mainspring.core.errors import InvalidRequest

T = TypeVar("T")
S = TypeVar("S")
Place = tuple[Any, ...]
"""The values of a row in the columns that a list is ordered by."""


@dataclass(frozen=True, slots=True)
class Page:
    """At most ``limit`` rows of a list, behind the row that ``after`` names and in front of ``before``'s.

    With ``before`` alone, the page that ends before that id.
    """

    limit: int = 20
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """The rows of a page, in the order of the list. ``more``: the list continues in the direction of reading."""

    rows: Sequence[T]
    more: bool

    def map(self, function: Callable[[T], S]) -> Slice[S]:
        return Slice([function(row) for row in self.rows], self.more)


def read(
    connection: sa.Connection,
    query: sa.Select[Any],
    columns: Sequence[sa.ColumnElement[Any]],
    page: Page,
    place: Callable[[str], Place | None],
) -> Slice[sa.Row[Any]]:
    """The page of ``query``, ordered by ``columns``, which together are unique.

    ``place`` returns a cursor's position; None if it has none. Raises ``InvalidRequest`` naming ``after`` or
    ``before``.
    """
    key = sa.tuple_(*columns)
    descending = page.order == "desc"
    for name, cursor in (("after", page.after), ("before", page.before)):
        if cursor is None:
            continue
        found = place(cursor)
        if found is None:
            raise InvalidRequest(f"{name} is not an ID from this list", remedy="Send an ID from the list", param=name)
        bound = sa.tuple_(*(sa.literal(value, column.type) for value, column in zip(found, columns, strict=True)))
        query = query.where(key < bound if (name == "after") == descending else key > bound)
    backwards = page.before is not None and page.after is None
    reverse = descending != backwards
    ordered = query.order_by(*(column.desc() if reverse else column.asc() for column in columns))
    rows = connection.execute(ordered.limit(page.limit + 1)).all()
    kept = rows[: page.limit]
    return Slice(kept[::-1] if backwards else kept, len(rows) > page.limit)


def by_id(prefix: str) -> Callable[[str], Place | None]:
    """Places in a list ordered by ids of ``prefix``. An id contains its position, so a cursor may name a deleted row:
    deleting while paging skips nothing."""
    return lambda cursor: (cursor,) if ids.is_id(cursor, prefix) else None
