"""Texts, kept once a tenant under their sha256; events and turns refer to them, and erasure removes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.stores.schema import contents, events, turns

Row = dict[str, Any]


def row(tenant: str, text: str, at: float) -> Row:
    """The row that keeps ``text``, without the card numbers in it; its ``sha256`` is what others refer to."""
    text = cards.scrub(rows.clean(text))
    return {"tenant": tenant, "sha256": rows.digest(text), "text": text, "at": at}


def insert(connection: sa.Connection, new: Iterable[Row]) -> None:
    """Store the texts that are not stored yet."""
    unique = {(each["tenant"], each["sha256"]): each for each in new}
    if unique:
        # Sorted, so that two transactions never wait for each other's rows in a circle.
        connection.execute(rows.insert_new(connection, contents), [unique[key] for key in sorted(unique)])


def drop_unreferenced(connection: sa.Connection, tenant: str, ids: Iterable[str]) -> int:
    """Delete those of ``ids`` that no event and no turn refers to any more (after ``lock``); how many."""
    wanted = sorted(set(ids))
    if not wanted:
        return 0
    dropped = 0
    for start in range(0, len(wanted), 500):
        dropped += connection.execute(
            sa.delete(contents).where(
                contents.c.tenant == tenant,
                contents.c.sha256.in_(wanted[start : start + 500]),
                ~sa.exists().where(events.c.tenant == tenant, events.c.content_id == contents.c.sha256),
                ~sa.exists().where(turns.c.tenant == tenant, turns.c.content_id == contents.c.sha256),
            )
        ).rowcount
    return dropped


def lock(connection: sa.Connection) -> None:
    """Keep other writers out until this transaction ends; to be called before its first statement.

    Otherwise, with concurrent writers, one could delete a text as unreferenced that another has just found here and
    refers to in an uncommitted row.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE contents IN SHARE ROW EXCLUSIVE MODE"))
