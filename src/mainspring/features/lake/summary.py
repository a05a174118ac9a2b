"""Numbers of the lake for its page: what lies in which zone, how much came each day, how far the stream is."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

import mainspring.stores.events.commit_numbers as commits
import mainspring.stores.sql.rows as rows
from mainspring.features.lake.stream import set_aside_events
from mainspring.features.lake.stream.syncing import NAME
from mainspring.features.lake.tables import lake_files
from mainspring.stores.schema import events, watermarks
from mainspring.stores.sql.database import Database

DAYS = 60


async def summary(database: Database, tenant: str, groups: frozenset[str]) -> dict[str, Any]:
    """``zones`` with files, rows and bytes; ``days`` with the interactions of each, the latest last; ``waiting_since``
    is since when events of the tenant wait for the lake, and ``set_aside`` tells those that cannot become rows for now.
    Of files that ``groups`` may see."""

    def work(connection: sa.Connection) -> dict[str, Any]:
        mine = sa.and_(lake_files.c.tenant == tenant, ~lake_files.c.dead)
        sums = sa.func.count(), sa.func.sum(lake_files.c.rows), sa.func.sum(lake_files.c.bytes)
        names = lake_files.c.zone, lake_files.c.date, lake_files.c.groups
        found = connection.execute(sa.select(*names, *sums).where(mine).group_by(*names)).all()
        zones: dict[str, dict[str, int]] = {}
        days: dict[str, int] = {}
        for zone, date, needed, files, count, size in found:
            if not set(rows.load(needed)) <= groups:
                continue
            shown = zones.setdefault(zone, {"files": 0, "rows": 0, "bytes": 0})
            shown["files"] += int(files)
            shown["rows"] += int(count)
            shown["bytes"] += int(size)
            if zone == "clean":
                days[date] = days.get(date, 0) + int(count)
        at = sa.select(watermarks.c.position).where(watermarks.c.tenant == "", watermarks.c.name == NAME)
        position = int(connection.execute(at).scalar_one_or_none() or 0)
        later = sa.select(events.c.at).where(events.c.settled > position, commits.before_horizon(connection))
        waiting = connection.execute(later.where(events.c.tenant == tenant).order_by(events.c.settled).limit(1)).first()
        shown_days = [{"date": date, "interactions": days[date]} for date in sorted(days)[-DAYS:]]
        told = {
            "waiting_since": None if waiting is None else waiting.at,
            "set_aside": set_aside_events.told(connection, tenant),
        }
        return {"zones": zones, "days": shown_days, **told}

    return await database.read(work)
