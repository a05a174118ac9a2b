"""Texts, kept once a tenant under their sha256; events and turns refer to them, and erasure removes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.facts.answers import AnswerFacts
from mainspring.stores.schema import contents, events, turns

Row = dict[str, Any]
_AT_ONCE = 400


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


def erased_answers(connection: sa.Connection, tenant: str, sources: Sequence[str]) -> set[str]:
    """Those of these events that are answers whose text was erased. An erasure of the others waits until the
    transaction ends, and finds what it has written."""
    found: set[str] = set()
    for start in range(0, len(sources), _AT_ONCE):
        query = sa.select(events.c.id, events.c.content_id).where(
            events.c.tenant == tenant,
            events.c.id.in_(list(sources[start : start + _AT_ONCE])),
            events.c.kind == AnswerFacts.EVENT,
        )
        known = connection.execute(query.order_by(events.c.id).with_for_update(read=True)).all()
        found |= {row.id for row in known if row.content_id is None}
    return found
