"""OpenAI's lists: the query parameters that ask for a page, and the page as JSON."""

# No postponed annotations here: FastAPI must see them.

from typing import Annotated, Any, Literal

from fastapi import Depends, Query

from mainspring.stores.pages import Page, Slice

Cursor = Annotated[str | None, Query(min_length=1, max_length=128, description="An id of the list")]


async def page_of(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Annotated[Literal["asc", "desc"], Query(description="By `created_at`")] = "desc",
    after: Cursor = None,
    before: Cursor = None,
) -> Page:
    """The page that a request asks for."""
    return Page(limit, order, after, before)


AskedPage = Annotated[Page, Depends(page_of)]
"""A route's parameter of this type takes ``limit``, ``order``, ``after`` and ``before``."""


def list_body(page: Slice[dict[str, Any]]) -> dict[str, Any]:
    """A ``list`` object of rows that have an ``id``."""
    return {
        "object": "list",
        "data": page.rows,
        "first_id": page.rows[0]["id"] if page.rows else None,
        "last_id": page.rows[-1]["id"] if page.rows else None,
        "has_more": page.more,
    }
