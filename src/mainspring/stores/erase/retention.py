"""Deletion of expired data, class by class, in pieces that do not delay other work.

Each class has a count of the data due before a time (Unix seconds) and a repeatable deletion of a piece of it. Sums of
money stay: the bare facts of calls and answers are kept for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.erase.erasing as erasing
import mainspring.stores.events.contents as contents
import mainspring.stores.sql.jobs as jobs_store
import mainspring.stores.sql.rows as rows
from mainspring.core.facts.base import name_of
from mainspring.core.facts.derived import Eraser
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.stores.documents.files import ANSWERS, REQUESTS
from mainspring.stores.schema import batches, erasures, events, files, jobs, sessions
from mainspring.stores.work.batches import OVER

Data = Literal["contents", "feedback", "sessions", "events", "jobs", "erasures"]
PIECE = 200
BARE = "bare"
"""The value of ``retention`` in an event whose facts were reduced to money."""
_MONEY = ("call", "answer", "cost", "erased")
_COMMENTED = sa.and_(events.c.kind == "feedback", events.c.facts.contains('"comment":"', autoescape=True))


def due(connection: sa.Connection, data: Data, before: float) -> dict[str, int]:
    """How much of a class is due, by tenant."""
    table, where = _DUE[data](before)
    query = sa.select(table.c.tenant, sa.func.count()).where(where).group_by(table.c.tenant)
    return {row[0]: int(row[1]) for row in connection.execute(query)}


def delete(connection: sa.Connection, data: Data, before: float) -> dict[str, int]:
    """Delete a piece of the expired data; returns the amount by tenant. Empty: nothing was left."""
    return _DELETE[data](connection, before)


def _texts_due(before: float) -> tuple[sa.Table, sa.ColumnElement[bool]]:
    return events, sa.and_(events.c.at < before, events.c.content_id.is_not(None))


def _comments_due(before: float) -> tuple[sa.Table, sa.ColumnElement[bool]]:
    return events, sa.and_(events.c.at < before, _COMMENTED)


def _sessions_due(before: float) -> tuple[sa.Table, sa.ColumnElement[bool]]:
    return sessions, sessions.c.updated_at < before


def _events_due(before: float) -> tuple[sa.Table, sa.ColumnElement[bool]]:
    return events, sa.and_(events.c.at < before, events.c.retention != BARE)


def _jobs_due(before: float) -> tuple[sa.Table, sa.ColumnElement[bool]]:
    # The row of a stored batch has its outcome.
    batch = sa.exists().where(batches.c.tenant == jobs.c.tenant, batches.c.id == jobs.c.id)
    return jobs, sa.and_(jobs.c.updated_at < before, jobs.c.state.in_(jobs_store.OVER), ~batch)


def _erasures_due(before: float) -> tuple[sa.Table, sa.ColumnElement[bool]]:
    return erasures, sa.and_(erasures.c.state == "over", erasures.c.done_at < before)


_DUE: Mapping[str, Callable[[float], tuple[sa.Table, sa.ColumnElement[bool]]]] = {
    "contents": _texts_due,
    "feedback": _comments_due,
    "sessions": _sessions_due,
    "events": _events_due,
    "jobs": _jobs_due,
    "erasures": _erasures_due,
}


def _piece(connection: sa.Connection, data: Data, before: float, *columns: sa.ColumnElement[Any]) -> Sequence[Any]:
    table, where = _DUE[data](before)
    return connection.execute(sa.select(table.c.tenant, *columns).where(where).limit(PIECE)).all()


def _counted(found: Sequence[Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in found:
        counts[row.tenant] = counts.get(row.tenant, 0) + 1
    return counts


def _texts(connection: sa.Connection, before: float) -> dict[str, int]:
    contents.lock(connection)
    found = _piece(connection, "contents", before, events.c.id, events.c.content_id)
    for tenant in _counted(found):
        mine = [row for row in found if row.tenant == tenant]
        taken = sa.update(events).where(events.c.tenant == tenant, events.c.id.in_([row.id for row in mine]))
        connection.execute(taken.values(content_id=None))
        contents.drop_unreferenced(connection, tenant, [row.content_id for row in mine])
    return _counted(found)


def _comments(connection: sa.Connection, before: float) -> dict[str, int]:
    found = _piece(connection, "feedback", before, events.c.id, events.c.facts)
    for row in found:
        mine = sa.update(events).where(events.c.tenant == row.tenant, events.c.id == row.id)
        connection.execute(mine.values(facts=_without_comment(row.facts)))
    return _counted(found)


def _without_comment(facts: str) -> str:
    """Facts of feedback as JSON; empty ones where they cannot be read: a comment that stayed would be due for ever."""
    try:
        return rows.dump({**rows.load(facts), name_of(FeedbackFacts, "comment"): None})
    except (ValueError, TypeError):
        return "{}"


def _conversations(connection: sa.Connection, before: float) -> dict[str, int]:
    contents.lock(connection)
    found = _piece(connection, "sessions", before, sessions.c.session_id)
    for tenant in _counted(found):
        names = [row.session_id for row in found if row.tenant == tenant]
        erasing.conversations(connection, tenant, names, before)
        # A session without a turn was started and never answered.
        gone = sa.delete(sessions).where(sessions.c.tenant == tenant, sessions.c.session_id.in_(names))
        connection.execute(gone)
    return _counted(found)


def _facts(connection: sa.Connection, before: float) -> dict[str, int]:
    contents.lock(connection)
    found = _piece(connection, "events", before, events.c.id, events.c.kind, events.c.facts, events.c.content_id)
    eraser = Eraser()
    for row in found:
        mine = sa.and_(events.c.tenant == row.tenant, events.c.id == row.id)
        if row.kind in _MONEY:
            values = {"facts": erasing.left(eraser, row.kind, row.facts), "person": "", "content_id": None}
            connection.execute(sa.update(events).where(mine).values(retention=BARE, **values))
        else:
            connection.execute(sa.delete(events).where(mine))
    for tenant in _counted(found):
        texts = [row.content_id for row in found if row.tenant == tenant and row.content_id is not None]
        contents.drop_unreferenced(connection, tenant, texts)
    return _counted(found)


def _rows_of(data: Data) -> Callable[[sa.Connection, float], dict[str, int]]:
    def work(connection: sa.Connection, before: float) -> dict[str, int]:
        table, _ = _DUE[data](before)
        found = _piece(connection, data, before, table.c.id)
        for row in found:
            connection.execute(sa.delete(table).where(table.c.tenant == row.tenant, table.c.id == row.id))
        return _counted(found)

    return work


_DELETE: Mapping[str, Callable[[sa.Connection, float], dict[str, int]]] = {
    "contents": _texts,
    "feedback": _comments,
    "sessions": _conversations,
    "events": _facts,
    "jobs": _rows_of("jobs"),
    "erasures": _rows_of("erasures"),
}


def ended_batches(connection: sa.Connection, before: float) -> list[tuple[str, str, list[str]]]:
    """Batches that ended before a time, with their files: (tenant, id, file ids)."""
    found = connection.execute(
        sa.select(batches).where(batches.c.status.in_(OVER), batches.c.created_at < before)
    ).all()
    return [
        (row.tenant, row.id, [each for each in (row.input_file_id, row.output_file_id, row.error_file_id) if each])
        for row in found
        if max(rows.load(row.times).values(), default=row.created_at) < before
    ]


def unused_files(connection: sa.Connection, before: float) -> list[tuple[str, str]]:
    """Files of batches from before a time that no batch names: (tenant, id)."""
    query = sa.select(files.c.tenant, files.c.id).where(
        files.c.purpose.in_((REQUESTS, ANSWERS)), files.c.created_at < before, ~_named()
    )
    return [(row.tenant, row.id) for row in connection.execute(query)]


def is_named(connection: sa.Connection, tenant: str, file_id: str) -> bool:
    """Whether a batch still needs a file."""
    one = sa.select(files.c.id).where(files.c.tenant == tenant, files.c.id == file_id, _named())
    return connection.execute(one).first() is not None


def _named() -> sa.ColumnElement[bool]:
    columns = (batches.c.input_file_id, batches.c.output_file_id, batches.c.error_file_id)
    any_of = sa.or_(*(column == files.c.id for column in columns))
    return sa.exists().where(batches.c.tenant == files.c.tenant, any_of)


def drop_batch(connection: sa.Connection, tenant: str, batch_id: str) -> None:
    """Delete the record of a batch."""
    connection.execute(sa.delete(batches).where(batches.c.tenant == tenant, batches.c.id == batch_id))
