"""Events that cannot become rows: they are set aside, counted and told, tried again later, and stop nobody else's.

Of each its id and the kind of the error are kept, and no part of its content. It goes when a later try succeeds, and
when the event itself is gone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from mainspring.features.lake.tables import lake_set_aside
from mainspring.stores.erase.data_subjects import parts

What = Literal["event", "answer"]
"""What is missing in the lake: an ``event`` of the raw zone, or the interaction of an ``answer``."""
MOST = 500
"""What one sync tries again."""
_FIRST_S = 60.0
_LAST_S = 86_400.0
_log = logging.getLogger(__name__)
_OF = lake_set_aside.c


@dataclass(frozen=True, slots=True)
class Aside:
    """What is set aside, and why."""

    tenant: str
    what: What
    id: str
    error: str = ""


def put(connection: sa.Connection, found: Iterable[Aside], now: float) -> None:
    """Set these aside; those that are so already wait twice as long as before."""
    for each in found:
        mine = _is(each)
        tries = connection.execute(sa.select(_OF.tries).where(mine)).scalar_one_or_none()
        values = {"error": each.error, "retry_at": now + min(_LAST_S, _FIRST_S * 2 ** min(tries or 0, 20))}
        if tries is None:
            row = {"tenant": each.tenant, "what": each.what, "id": each.id, "since": now, "tries": 1}
            connection.execute(sa.insert(lake_set_aside), {**row, **values})
            _log.warning("the %s %s is set aside, as it cannot become a row: %s", each.what, each.id, each.error)
        else:
            connection.execute(sa.update(lake_set_aside).where(mine).values(tries=tries + 1, **values))


def done(connection: sa.Connection, tenant: str, what: What, ids: Sequence[str]) -> None:
    """These have become rows, or are gone."""
    mine = sa.and_(_OF.tenant == tenant, _OF.what == what)
    if connection.execute(sa.select(_OF.id).where(mine).limit(1)).first() is None:
        return
    for part in parts(ids):
        connection.execute(sa.delete(lake_set_aside).where(mine, _OF.id.in_(part)))


def forget(connection: sa.Connection, tenant: str, answers: Sequence[str] | None = None) -> None:
    """Forget these answers of a tenant, or (None) all that is its own. An event of theirs goes when it is tried again
    and is not there."""
    mine = _OF.tenant == tenant
    if answers is None:
        connection.execute(sa.delete(lake_set_aside).where(mine))
        return
    for part in parts(answers):
        connection.execute(sa.delete(lake_set_aside).where(mine, _OF.what == "answer", _OF.id.in_(part)))


def forget_all(connection: sa.Connection) -> None:
    """Forget all: everything is read again."""
    connection.execute(sa.delete(lake_set_aside))


def due(connection: sa.Connection, now: float, most: int = MOST) -> list[Aside]:
    """The events to try again, the longest due first."""
    query = sa.select(lake_set_aside).where(_OF.retry_at <= now).order_by(_OF.retry_at).limit(most)
    return [Aside(row.tenant, row.what, row.id, row.error) for row in connection.execute(query)]


def soon(connection: sa.Connection) -> None:
    """Let all be due."""
    connection.execute(sa.update(lake_set_aside).values(retry_at=0.0))


def told(connection: sa.Connection, tenant: str) -> dict[str, Any]:
    """How many of a tenant's there are, and the ten latest."""
    mine = _OF.tenant == tenant
    count = connection.execute(sa.select(sa.func.count()).select_from(lake_set_aside).where(mine)).scalar_one()
    query = sa.select(lake_set_aside).where(mine).order_by(_OF.since.desc(), _OF.id).limit(10)
    names = ("what", "id", "error", "tries", "since", "retry_at")
    shown = [{name: row._mapping[name] for name in names} for row in connection.execute(query)]
    return {"count": int(count), "latest": shown}


def reason(error: Exception) -> str:
    """The kind of an error. Its words may repeat what a person said."""
    return type(error).__name__


def _is(each: Aside) -> sa.ColumnElement[bool]:
    return sa.and_(_OF.tenant == each.tenant, _OF.what == each.what, _OF.id == each.id)
