"""OpenAI's lists: the query parameters that ask for a page, and the page as JSON."""

# No postponed annotations here: FastAPI must see them.

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from pydantic import Field

from mainspring.core.errors import InvalidRequest
from mainspring.stores.sql.pages import Page, Slice

_Parts = Annotated[list[str], Field(max_length=16, fail_fast=True)]
Include = Annotated[
    _Parts | None, Query(description="Accepted for OpenAI's clients; all parts of items are always included")
]
IncludeBrackets = Annotated[_Parts | None, Query(alias="include[]")]
Cursor = Annotated[
    str | None, Query(min_length=1, max_length=128, description="ID from the list; the page starts after it")
]


async def page_of(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Annotated[Literal["asc", "desc"], Query(description="Sort order by `created_at`")] = "desc",
    after: Cursor = None,
    before: Cursor = None,
) -> Page:
    """The page that a request asks for."""
    return Page(limit, order, after, before)


async def long_page_of(
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    order: Annotated[Literal["asc", "desc"], Query(description="Sort order by `created_at`")] = "desc",
    after: Cursor = None,
    before: Cursor = None,
) -> Page:
    """The page that a request for a list of files asks for: OpenAI's have another bound."""
    return Page(limit, order, after, before)


AskedLongPage = Annotated[Page, Depends(long_page_of)]
AskedPage = Annotated[Page, Depends(page_of)]
"""A route's parameter of this type takes ``limit``, ``order``, ``after`` and ``before``."""


def cut(rows: Sequence[dict[str, Any]], page: Page) -> Slice[dict[str, Any]]:
    """The page of ``rows``, the complete list, oldest first. Raises ``InvalidRequest`` naming a cursor."""
    ordered = list(rows) if page.order == "asc" else list(reversed(rows))
    places = {row["id"]: place for place, row in enumerate(ordered)}
    for name, cursor in (("after", page.after), ("before", page.before)):
        if cursor is not None and cursor not in places:
            raise InvalidRequest(f"{name} is not an ID from this list", remedy="Send an ID from the list", param=name)
    begin = 0 if page.after is None else places[page.after] + 1
    end = len(ordered) if page.before is None else places[page.before]
    backwards = page.before is not None and page.after is None
    found = ordered[begin:end]
    kept = found[-page.limit :] if backwards else found[: page.limit]
    return Slice(kept, len(found) > page.limit)


def list_body(page: Slice[dict[str, Any]]) -> dict[str, Any]:
    """A ``list`` object of rows that have an ``id``."""
    return {
        "object": "list",
        "data": page.rows,
        "first_id": page.rows[0]["id"] if page.rows else None,
        "last_id": page.rows[-1]["id"] if page.rows else None,
        "has_more": page.more,
    }
