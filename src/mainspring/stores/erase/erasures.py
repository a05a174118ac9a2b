"""Requests for erasure: recorded in a commit together with an entry of the audit log, and executed after it.

A request is ``noted`` until everything was erased once, ``erased`` until that was checked a second time (requests in
progress may have written meanwhile), and then ``over``; only then is its subject removed. A process that dies leaves
its notes, and the next to start acts on them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound
from mainspring.stores.erase.data_subjects import Kind, Subject, SubjectData
from mainspring.stores.events.audit_log import ITSELF, Actor, Audit
from mainspring.stores.schema import erasures
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice

PREFIX = "erasure_"
NOTED, ERASED, OVER = "noted", "erased", "over"


@dataclass(frozen=True, slots=True)
class Erasure:
    """A note. ``subject`` is the person (None: it is over), ``digest`` the keyed hash of the person in the audit log;
    ``receipt`` is empty until everything was erased once. ``plan`` lists everything to erase, so that an interrupted
    erasure can finish although the links to its targets are gone. Times are Unix seconds."""

    tenant: str
    id: str
    kind: Kind
    subject: Subject | None
    digest: str
    state: str
    actor: str
    trace_id: str
    requested_at: float
    done_at: float | None = None
    receipt: Mapping[str, Any] = field(default_factory=dict)
    plan: SubjectData = field(default_factory=SubjectData)


class Erasures:
    """The notes of all tenants."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def note(self, subject: Subject, by: Actor) -> Erasure:
        """Ask for an erasure; durable when it returns. Asked for again while it is in progress, it is the same one."""
        made = ids.new(PREFIX)

        def work(connection: sa.Connection) -> sa.Row[Any]:
            same = sa.and_(
                erasures.c.tenant == subject.tenant,
                erasures.c.kind == subject.kind,
                erasures.c.subject == subject.id,
                erasures.c.state == NOTED,
            )
            if (found := connection.execute(sa.select(erasures).where(same)).first()) is not None:
                return found
            digest = self._audit.hidden(connection, subject.tenant, f"{subject.kind}:{subject.id}")
            row = {
                "tenant": subject.tenant,
                "id": made,
                "kind": subject.kind,
                "subject": subject.id,
                "digest": digest,
                "state": NOTED,
                "actor": by.actor,
                "trace_id": by.trace_id,
                "requested_at": time.time(),
            }
            connection.execute(sa.insert(erasures), row)
            told = {"kind": subject.kind, "subject": digest}
            self._audit.append(connection, subject.tenant, "erasure.requested", by, object=made, details=told)
            return connection.execute(_one(subject.tenant, made)).one()

        return _erasure(await self._database.write(work, frees=True))

    async def get(self, tenant: str, erasure_id: str) -> Erasure:
        """Raises ``NotFound``."""
        query = _one(tenant, erasure_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"there is no erasure {erasure_id}", remedy="GET /v1/erasures lists them")
        return _erasure(row)

    async def page(self, tenant: str, page: Page) -> Slice[Erasure]:
        """The tenant's erasures by age. Raises ``InvalidRequest`` for a cursor that is no id."""
        query = sa.select(erasures).where(erasures.c.tenant == tenant)

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            return pages.read(connection, query, (erasures.c.id,), page, pages.by_id(PREFIX))

        return (await self._database.read(work)).map(_erasure)

    async def pending(self) -> Sequence[Erasure]:
        """Requests with remaining work, oldest first."""
        query = sa.select(erasures).where(erasures.c.state.in_((NOTED, ERASED))).order_by(erasures.c.requested_at)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [_erasure(row) for row in found]

    async def planned(self, note: Erasure, held: SubjectData) -> None:
        """Record the plan before anything is erased."""
        kept = rows.dump({"receipt": dict(note.receipt), "plan": held.plan()})
        mine = sa.update(erasures).where(_where(note, note.state)).values(receipt=kept)
        await self._database.write(lambda connection: connection.execute(mine) and None, durable=True)

    async def erased(self, note: Erasure, counts: Mapping[str, int], limits: Sequence[str]) -> bool:
        """Everything was erased once: write the receipt in one commit with the audit entry that seals it; returns
        whether no other process has. ``limits`` lists stores that were not reached."""
        now = time.time()
        told: dict[str, Any] = {
            "erasure": note.id,
            "kind": note.kind,
            "subject": note.digest,
            "requested_at": note.requested_at,
            "done_at": now,
            "erased": dict(sorted(counts.items())),
            "not_reached": list(limits),
        }
        digest = rows.digest(rows.dump(told))

        def work(connection: sa.Connection) -> bool:
            mine = _where(note, NOTED)
            if connection.execute(sa.update(erasures).where(mine).values(state=ERASED, done_at=now)).rowcount == 0:
                return False
            details = {"kind": note.kind, "subject": note.digest, "erased": told["erased"], "receipt": digest}
            by = Actor(note.actor, note.trace_id)
            entry = self._audit.append(connection, note.tenant, "subject.erased", by, object=note.id, details=details)
            receipt = {**told, "digest": digest, "audit": {"number": entry.seq, "hash": entry.hash}}
            found = connection.execute(sa.select(erasures.c.receipt).where(_where(note, ERASED))).scalar_one()
            whole = {**rows.load(found), "receipt": receipt}
            connection.execute(sa.update(erasures).where(_where(note, ERASED)).values(receipt=rows.dump(whole)))
            return True

        return await self._database.write(work, durable=True)

    async def settled(self, note: Erasure, counts: Mapping[str, int]) -> bool:
        """It was checked a second time: remove the subject; returns whether no other process has. ``counts`` is what
        had come in between."""

        def work(connection: sa.Connection) -> bool:
            found = connection.execute(sa.select(erasures.c.receipt).where(_where(note, ERASED))).scalar_one_or_none()
            if found is None:
                return False
            values = {
                "state": OVER,
                "subject": "",
                "receipt": rows.dump({"receipt": rows.load(found).get("receipt", {})}),
            }
            if connection.execute(sa.update(erasures).where(_where(note, ERASED)).values(**values)).rowcount == 0:
                return False
            details = {"erased": {name: value for name, value in sorted(counts.items()) if value}}
            self._audit.append(connection, note.tenant, "erasure.settled", ITSELF, object=note.id, details=details)
            return True

        return await self._database.write(work, durable=True)


def check(receipt: Mapping[str, Any]) -> bool:
    """Whether the digest in the audit log was made from this receipt."""
    told = {name: value for name, value in receipt.items() if name not in ("digest", "audit")}
    return rows.digest(rows.dump(told)) == receipt.get("digest")


def _one(tenant: str, erasure_id: str) -> sa.Select[Any]:
    return sa.select(erasures).where(erasures.c.tenant == tenant, erasures.c.id == erasure_id)


def _where(note: Erasure, state: str) -> sa.ColumnElement[bool]:
    return sa.and_(erasures.c.tenant == note.tenant, erasures.c.id == note.id, erasures.c.state == state)


def _erasure(row: sa.Row[Any]) -> Erasure:
    fields = dict(row._mapping)
    kind = cast(Kind, fields["kind"])
    fields["subject"] = Subject(row.tenant, kind, row.subject) if row.state != OVER else None
    whole = rows.load(row.receipt)
    told, plan = whole.get("receipt", {}), SubjectData.of(whole.get("plan", {}))
    return Erasure(**{**fields, "kind": kind, "receipt": told, "plan": plan})
