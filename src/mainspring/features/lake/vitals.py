"""What somebody should know of the lake: events that wait or cannot be read, and builds that are unlike those
before."""

from __future__ import annotations

import datetime
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import fmean, median
from typing import Any

import sqlalchemy as sa

import mainspring.stores.events.commit_numbers as commits
import mainspring.stores.sql.rows as rows
from mainspring.evaluation.vitals import Vital
from mainspring.features.lake.build.store import DONE
from mainspring.features.lake.settings import LakeAlerts
from mainspring.features.lake.stream.syncing import NAME
from mainspring.features.lake.tables import lake_builds, lake_files, lake_set_aside
from mainspring.stores.schema import events, watermarks
from mainspring.stores.sql.database import Database

_CLEAR = 0.8
"""A number clears below this share of what it is raised by."""
_SPREADS = 3.0
"""Standard errors that chance does not exceed."""
_EARLIER = 5
"""Builds that are the usual ones."""
_WEEKS = 3
"""Weeks before: their days are the usual ones."""
_RATES = {"quality_rate": -1, "personal_data_rate": 1, "duplicate_rate": 1}
"""Rates of builds, and whether more or less of them is worse."""
_DAY_S = 86_400.0


class LakeVitals:
    """Those of all tenants. It is asked each minute: reports are read once, when their build is a tenant's newest."""

    def __init__(self, database: Database, alerts: LakeAlerts) -> None:
        self._database = database
        self._alerts = alerts
        # By tenant: its newest build, and what that one tells.
        self._builds: dict[str, tuple[str, list[Vital]]] = {}

    async def told(self, now: float, *, follows: bool) -> list[Vital]:
        """``follows``: a server brings events in, so that none should wait for long. Raises ``StoreError``."""

        def work(connection: sa.Connection) -> tuple[list[Vital], dict[str, str]]:
            found = [*_aside(connection), *_days(connection, self._alerts, now)]
            if follows:
                found += _waiting(connection, self._alerts, now)
            return found, _newest(connection)

        found, newest = await self._database.read(work)
        known = {tenant: self._builds[tenant] for tenant in newest.keys() & self._builds.keys()}
        for tenant, build_id in newest.items():
            if tenant not in known or known[tenant][0] != build_id:
                reports = await self._database.read(partial(_reports, tenant=tenant))
                known[tenant] = build_id, _of_builds(tenant, reports, self._alerts) if reports else []
            found += known[tenant][1]
        self._builds = known
        return found


def _tenants(table: sa.Table) -> sa.CTE:
    """Those with rows in a table whose primary key begins with the tenant, and a NULL: one step in the index each."""
    first = sa.select(sa.func.min(table.c.tenant).label("tenant")).cte("tenants", recursive=True)
    later = table.alias()
    following = sa.select(sa.func.min(later.c.tenant)).where(later.c.tenant > first.c.tenant).scalar_subquery()
    return first.union_all(sa.select(following).where(first.c.tenant.is_not(None)))


def _newest(connection: sa.Connection) -> dict[str, str]:
    """The newest build that is done, by tenant."""
    tenants, of = _tenants(lake_builds), lake_builds.c
    mine = sa.select(of.id).where(of.tenant == tenants.c.tenant, of.state == DONE)
    newest = mine.order_by(of.created_at.desc()).limit(1).scalar_subquery()
    found = connection.execute(sa.select(tenants.c.tenant, newest).where(tenants.c.tenant.is_not(None))).all()
    return {tenant: build_id for tenant, build_id in found if build_id is not None}


def _reports(connection: sa.Connection, tenant: str) -> list[Mapping[str, Any]]:
    """Of a tenant's newest builds, the newest first."""
    of = lake_builds.c
    query = sa.select(of.report).where(of.tenant == tenant, of.state == DONE)
    found = connection.execute(query.order_by(of.created_at.desc()).limit(_EARLIER + 1)).scalars()
    return [rows.load(each) for each in found]


def _aside(connection: sa.Connection) -> list[Vital]:
    of = lake_set_aside.c
    counted = connection.execute(sa.select(of.tenant, sa.func.count()).group_by(of.tenant)).all()
    return [Vital(tenant, "set aside", n, 1, "", n, wrong=n >= 1, right=n < 1) for tenant, n in counted]


def _waiting(connection: sa.Connection, alerts: LakeAlerts, now: float) -> list[Vital]:
    """How long the first event that is not in the lake has been settled."""
    at = sa.select(watermarks.c.position).where(watermarks.c.tenant == "", watermarks.c.name == NAME)
    position = int(connection.execute(at).scalar_one_or_none() or 0)
    later = sa.select(events.c.tenant, events.c.settled).where(
        events.c.settled > position, commits.before_horizon(connection)
    )
    first = connection.execute(later.order_by(events.c.settled).limit(1)).first()
    if first is None:
        return []
    waits, limit = max(0.0, now - commits.settled_at(connection, first.settled)), alerts.waiting_s
    return [Vital(first.tenant, "waiting", waits, limit, "s", 1, wrong=waits >= limit, right=waits < _CLEAR * limit)]


def _days(connection: sa.Connection, alerts: LakeAlerts, now: float) -> list[Vital]:
    """The interactions of the last whole day against those of the same weekday in the weeks before."""
    days = [_date(now - (1 + 7 * weeks) * _DAY_S) for weeks in range(_WEEKS + 1)]
    tenants, of = _tenants(lake_files), lake_files.c
    # All that the index has: no other day's files are read.
    mine = sa.and_(of.tenant == tenants.c.tenant, of.zone == "clean", of.kind == "", of.date.in_(days), ~of.dead)
    counted = sa.select(of.tenant, of.date, sa.func.sum(of.rows)).select_from(tenants.join(lake_files, mine))
    query = counted.group_by(of.tenant, of.date)
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for tenant, date, count in connection.execute(query):
        counts[tenant][date] = int(count)
    found = []
    for tenant, each in counts.items():
        before = [each[date] for date in days[1:] if each.get(date)]
        value = each.get(days[0], 0)
        if before and min(before) >= alerts.least:
            usual = fmean(before)
            limit = alerts.volume * usual
            wrong, right = value < limit, value >= limit / _CLEAR
            found.append(Vital(tenant, "volume", value, limit, "", int(usual), wrong=wrong, right=right, before=usual))
    return found


def _of_builds(tenant: str, reports: Sequence[Mapping[str, Any]], alerts: LakeAlerts) -> list[Vital]:
    """The newest build against those before."""
    newest = reports[0]
    found = []
    latency = (newest.get("latency_s") or {}).get("p95")
    if alerts.latency_s is not None and latency is not None:
        wrong, right = latency >= alerts.latency_s, latency < _CLEAR * alerts.latency_s
        n = int(newest.get("ready") or 0)
        found.append(Vital(tenant, "latency", latency, alerts.latency_s, "s", n, wrong=wrong, right=right))
    for name, worse in _RATES.items():
        (value, n), *earlier = [_rate(each, name, alerts.least) for each in reports]
        known = [(rate, count) for rate, count in earlier if rate is not None]
        if value is None or not known or min(n, *(count for _, count in known)) < alerts.least:
            continue
        usual, n0 = median(rate for rate, _ in known), min(count for _, count in known)
        change, limit = worse * (value - usual), usual + worse * alerts.more
        wrong = change >= alerts.more and change >= _SPREADS * _error(usual, n, n0)
        right = change < _CLEAR * alerts.more
        shown = name.removesuffix("_rate").replace("_", " ")
        found.append(Vital(tenant, shown, value, limit, "share", n, wrong=wrong, right=right, before=usual))
    return found


def _rate(report: Mapping[str, Any], name: str, least: int) -> tuple[float | None, int]:
    """A rate of a build, and of how many: of the interactions that are new in it where those are enough, since the
    others were in the builds before, too."""
    new = report.get("new") or {}
    n = int(new.get("rated" if name == "quality_rate" else "interactions") or 0)
    if n >= least and new.get(name) is not None:
        return float(new[name]), n
    rate = report.get(name)
    return (None if rate is None else float(rate)), int(report.get("interactions") or 0)


def _error(share: float, n: int, n0: int) -> float:
    """The standard error of a difference of shares. A share of 0 or 1 has as much as one of a single case."""
    least = 1 / (n + n0)
    share = min(max(share, least), 1 - least)
    return math.sqrt(share * (1 - share) * (1 / n + 1 / n0))


def _date(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d")
