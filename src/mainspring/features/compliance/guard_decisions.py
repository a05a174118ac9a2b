"""Seals guard decisions in the audit log: an entry holds a digest over the guard events of a time span.

Guard events are facts in the event log and contain no text. An entry describes a span of them: start, end, number,
actions by count, and a digest. ``check`` finds later changes and deletions, but cannot distinguish deletions from
retention (``compliance.retention.events_days``).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.events.audit_log as audit_store
import mainspring.stores.sql.database as sql
import mainspring.stores.sql.rows as rows
from mainspring.core.facts.derived import Eraser
from mainspring.core.facts.guards import GuardFacts
from mainspring.stores.events.audit_log import ITSELF, Audit, Entry
from mainspring.stores.schema import events, keys
from mainspring.stores.sql.database import Database

ACTION = "guard.decisions"


@dataclass(frozen=True, slots=True)
class GuardEventCheck:
    """The state of the guard events of one entry: ``missing`` are gone; ``changed``: the remaining ones differ."""

    entry: int
    count: int
    missing: int
    changed: bool


class Decisions:
    """Seals guard events that are ``lag_s`` old: every request that started before them has then settled its own."""

    def __init__(self, database: Database, audit: Audit, lag_s: float) -> None:
        self._database = database
        self._audit = audit
        self._lag_s = lag_s

    async def seal(self, now: float | None = None) -> int:
        """Append an entry for each tenant that has new guard events; how many entries."""
        upto = (time.time() if now is None else now) - self._lag_s
        asking = sa.select(keys.c.tenant).distinct()
        known = await self._database.read(lambda connection: connection.execute(asking).scalars().all())
        count = 0
        for tenant in sorted({*known, *await self._audit.tenants()}):

            def work(connection: sa.Connection, tenant: str = tenant) -> int:
                # Another process waits here, and then finds nothing new.
                sql.lock(connection, f"guard decisions of {tenant}")
                last = audit_store.latest(connection, tenant, ACTION)
                since = 0.0 if last is None else float(last.details["upto"])
                found = _between(connection, tenant, since, upto)
                if not found:
                    return 0
                self._audit.append(connection, tenant, ACTION, ITSELF, details=_details(found, since, upto))
                return 1

            count += await self._database.write(work)
        return count

    async def check(self, entry: Entry) -> GuardEventCheck:
        """Check whether the events that an entry refers to are unchanged."""
        told = entry.details

        def work(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
            return _between(connection, entry.tenant, float(told["since"]), float(told["upto"]))

        found = await self._database.read(work)
        missing = int(told["count"]) - len(found)
        return GuardEventCheck(
            entry.seq, int(told["count"]), max(0, missing), missing <= 0 and _digest(found) != told["digest"]
        )

    async def check_all(self, tenant: str) -> list[GuardEventCheck]:
        """``check`` of all entries of a tenant."""
        found, seq = [], 0
        while entries := await self._audit.after(tenant, seq):
            seq = entries[-1].seq
            found += [await self.check(each) for each in entries if each.action == ACTION]
        return found


def _between(connection: sa.Connection, tenant: str, since: float, upto: float) -> Sequence[sa.Row[Any]]:
    query = sa.select(events.c.id, events.c.at, events.c.facts).where(
        events.c.tenant == tenant, events.c.kind == "guard", events.c.at >= since, events.c.at < upto
    )
    return list(connection.execute(query.order_by(events.c.at, events.c.id)))


def _details(found: Sequence[sa.Row[Any]], since: float, upto: float) -> Mapping[str, Any]:
    done: Counter[str] = Counter()
    for row in found:
        facts = GuardFacts.from_json(rows.load(row.facts))
        done[f"{facts.guard} {facts.action}"] += 1
    told = {"since": since, "upto": upto, "count": len(found), "done": dict(sorted(done.items()))}
    return {**told, "digest": _digest(found)}


def _digest(found: Sequence[sa.Row[Any]]) -> str:
    # The part of the facts that survives an erasure.
    left = Eraser().left
    return rows.digest(rows.dump([[row.id, row.at, left(GuardFacts.EVENT, rows.load(row.facts))] for row in found]))
