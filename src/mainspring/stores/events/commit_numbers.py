"""The number of the commit that settled an event: a reader that has read all events up to one number has missed none.

SQLite has one writer, whose numbers grow with time. On Postgres it is the transaction's number; events of running
transactions are beyond the horizon, which readers do not pass.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from mainspring.stores.schema import events

_INSERT = sa.insert(events)
_NEAR = 200
"""Events whose times tell that of a commit."""
_LAST = sa.select(sa.func.max(events.c.settled)).where(events.c.settled.is_not(None))


def numbered(connection: sa.Connection, new: Iterable[dict[str, Any]]) -> sa.Insert:
    """An INSERT of these rows of ``events``, which gives them the number of the commit that is being written."""
    if connection.dialect.name == "postgresql":
        return _INSERT.values(settled=sa.literal_column("pg_current_xact_id()::text::bigint", sa.BigInteger))
    number = _next(connection)
    for row in new:
        row["settled"] = number
    return _INSERT


def _next(connection: sa.Connection) -> int:
    last = connection.execute(_LAST).scalar()
    # The number follows the clock, so that it grows even if all events were deleted.
    return max((last or 0) + 1, time.time_ns() // 1000)


def newest(connection: sa.Connection) -> float:
    """The time of the latest commit by the clock of its server, in Unix seconds; 0 if there is none."""
    if connection.dialect.name == "postgresql":
        last = sa.select(events.c.at).where(events.c.settled.is_not(None)).order_by(events.c.settled.desc()).limit(1)
        return float(connection.execute(last).scalar_one_or_none() or 0.0)
    return (connection.execute(_LAST).scalar() or 0) / 1e6


def settled_at(connection: sa.Connection, number: int) -> float:
    """When the commit of this number was, by its server's clock, in Unix seconds. On Postgres, whose numbers are no
    times, it is the latest time of the events up to that commit: an event may tell of what was long before it."""
    if connection.dialect.name != "postgresql":
        return number / 1e6
    up_to = sa.select(events.c.at).where(events.c.settled <= number).order_by(events.c.settled.desc()).limit(_NEAR)
    return float(connection.execute(sa.select(sa.func.max(up_to.subquery().c.at))).scalar_one() or 0.0)


def before_horizon(connection: sa.Connection) -> sa.ColumnElement[bool]:
    """The condition for events below the horizon: no further event will be settled before them."""
    if connection.dialect.name == "postgresql":
        return events.c.settled < sa.literal_column("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    return events.c.settled.is_not(None)


def latest(connection: sa.Connection) -> int:
    """The newest number that the table may contain: a reader beyond it reads another database than before."""
    if connection.dialect.name == "postgresql":
        query: sa.Select[Any] = sa.select(
            sa.literal_column("pg_snapshot_xmax(pg_current_snapshot())::text::bigint", sa.BigInteger)
        )
        return int(connection.execute(query).scalar_one())
    # If the clock was set back, earlier numbers may be ahead of it.
    return max((connection.execute(_LAST).scalar() or 0), time.time_ns() // 1000) + 1
