"""Tool calls that wait until somebody approves or denies them: durable, decided once, handed out once.

Every step is an event, and every decision also an entry of the audit log, in the same transaction. The arguments of a
call are stored only while it may still be handed out; their sha256 stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import sqlalchemy as sa

import mainspring.stores.events.log as events
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import Conflict, Forbidden, NotFound
from mainspring.core.facts.guards import ApprovalFacts
from mainspring.core.scopes import OPERATE
from mainspring.core.types import Context, EventRecord, Principal, ToolCall
from mainspring.stores.events.audit_log import Actor, Audit, HashedText
from mainspring.stores.schema import approvals
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice

PREFIX = "apr_"
Status = Literal["pending", "approved", "denied", "expired", "taken"]


@dataclass(frozen=True, slots=True)
class Approval:
    """A call that waits, or its outcome. ``key_id`` asked, ``decided_by`` decided; times are Unix seconds."""

    tenant: str
    id: str
    groups: frozenset[str]
    status: Status
    application: str
    call: ToolCall
    sha256: str
    key_id: str
    trace_id: str
    created_at: float
    expires_at: float
    decided_at: float | None = None
    decided_by: str = ""
    note: str = ""


class Approvals:
    """The approvals of all tenants. A key sees the approvals of keys whose groups are among its own."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def request(
        self,
        call: ToolCall,
        application: str,
        context: Context,
        keep_s: float,
        *,
        also: Callable[[sa.Connection, Approval], None] = lambda *_: None,
    ) -> Approval:
        """Have ``call`` wait for at most ``keep_s`` seconds; durable when it returns, with what is written ``also``."""
        now, principal = time.time(), context.principal
        # No card number is kept, not even for a call that would need one.
        call = replace(call, arguments=cards.scrub_json(call.arguments))
        made = Approval(
            principal.tenant,
            ids.new(PREFIX),
            principal.groups,
            "pending",
            application,
            call,
            rows.digest(rows.clean(call.arguments)),
            principal.key_id,
            context.trace.trace_id,
            now,
            now + keep_s,
        )

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.insert(approvals), _columns(made))
            events.insert(connection, _event(made, "requested", principal.key_id, context.trace.trace_id))
            also(connection, made)

        await self._database.write(work, durable=True)
        return made

    async def get(self, principal: Principal, approval_id: str) -> Approval:
        """Raises ``NotFound``."""

        def work(connection: sa.Connection) -> Approval:
            _expire(connection, principal.tenant)
            return _seen(connection, principal, approval_id)

        return await self._database.write(work)

    async def page(self, principal: Principal, page: Page, status: Status | None = None) -> Slice[Approval]:
        """By age. Raises ``InvalidRequest`` for a cursor that is no approval's id."""

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            _expire(connection, principal.tenant)
            mine = approvals.c.tenant == principal.tenant
            lists = connection.execute(sa.select(approvals.c.groups).where(mine).distinct()).scalars()
            visible = [text for text in lists if frozenset(rows.load(text)) <= principal.groups]
            query = sa.select(approvals).where(mine, approvals.c.groups.in_(visible))
            if status is not None:
                query = query.where(approvals.c.status == status)
            return pages.read(connection, query, (approvals.c.id,), page, pages.by_id(PREFIX))

        return (await self._database.write(work)).map(_approval)

    async def decide(
        self, context: Context, approval_id: str, *, approve: bool, note: str = "", own: bool = False
    ) -> Approval:
        """Approve the call or deny it. Raises ``NotFound``; ``Conflict`` if it was decided or has expired;
        ``Forbidden`` for the asking key itself, and for a key that it created or that replaced it, unless an
        operator's. ``own``: the asker may decide, since it is about the asker's own work alone."""
        principal, now = context.principal, time.time()
        status: Status = "approved" if approve else "denied"

        def work(connection: sa.Connection) -> Approval:
            _expire(connection, principal.tenant)
            found = _seen(connection, principal, approval_id)
            if found.status != "pending":
                raise Conflict(f"the call of {found.call.name} is {found.status} already", param="approval_id")
            asker = found.key_id == principal.key_id or found.key_id in principal.lineage
            if asker and not own and OPERATE not in principal.scopes:
                raise Forbidden(
                    "a key cannot approve calls of itself or of keys that it created",
                    remedy="Use another key with the scope 'approve'",
                )
            values = {"status": status, "decided_at": now, "decided_by": principal.key_id, "note": note}
            values |= {} if approve else {"arguments": ""}
            if not _moved(connection, found, values):
                raise Conflict(f"the call of {found.call.name} was decided meanwhile", param="approval_id")
            events.insert(connection, _event(found, status, principal.key_id, context.trace.trace_id))
            by = Actor(principal.key_id, context.trace.trace_id)
            details = {"tool": found.call.name, "sha256": found.sha256, "note": HashedText(note)}
            self._audit.append(connection, principal.tenant, f"approval.{status}", by, object=found.id, details=details)
            return _seen(connection, principal, approval_id)

        return await self._database.write(work, durable=True)

    async def take(self, context: Context, approval_id: str, application: str) -> Approval:
        """The outcome of the call that ``application`` asked for; an approved call comes with its arguments, once.

        Raises ``NotFound``, and ``Conflict`` for a call that was already handed out."""
        principal = context.principal

        def work(connection: sa.Connection) -> Approval:
            _expire(connection, principal.tenant)
            found = _seen(connection, principal, approval_id)
            if found.application != application:
                raise NotFound(f"{application} has no approval {approval_id}", param="options.approval")
            if found.status == "taken":
                raise Conflict(f"the call of {found.call.name} was handed out already", param="options.approval")
            if found.status == "approved":
                if not _moved(connection, found, {"status": "taken", "arguments": ""}):
                    raise Conflict(f"the call of {found.call.name} was handed out already", param="options.approval")
                events.insert(connection, _event(found, "taken", principal.key_id, context.trace.trace_id))
            return found

        return await self._database.write(work, durable=True)


def _expire(connection: sa.Connection, tenant: str) -> None:
    """End calls that were not decided, or not collected, in time."""
    late = sa.and_(
        approvals.c.tenant == tenant,
        approvals.c.status.in_(("pending", "approved")),
        approvals.c.expires_at <= time.time(),
    )
    ended = sa.update(approvals).where(late).values(status="expired", arguments="").returning(approvals)
    for row in connection.execute(ended).all():
        events.insert(connection, _event(_approval(row), "expired", "", row.trace_id))


def _seen(connection: sa.Connection, principal: Principal, approval_id: str) -> Approval:
    row = connection.execute(sa.select(approvals).where(_one(principal.tenant, approval_id))).one_or_none()
    found = None if row is None else _approval(row)
    if found is None or not found.groups <= principal.groups:
        raise NotFound(f"there is no approval {approval_id}", remedy="GET /v1/approvals lists them")
    return found


def _moved(connection: sa.Connection, found: Approval, values: dict[str, Any]) -> bool:
    """Whether the call was still as it was ``found`` and now has ``values``. (Where several transactions write at once
    two of them may have found it so.)"""
    still = sa.and_(_one(found.tenant, found.id), approvals.c.status == found.status)
    return connection.execute(sa.update(approvals).where(still).values(**values)).rowcount == 1


def _one(tenant: str, approval_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(approvals.c.tenant == tenant, approvals.c.id == approval_id)


def _event(approval: Approval, action: str, by: str, trace_id: str) -> EventRecord:
    facts = ApprovalFacts(
        action=action,
        tool=approval.call.name,
        call_id=approval.call.id,
        application=approval.application,
        sha256=approval.sha256,
        by=by,
    )
    return EventRecord(ids.new("evt_"), time.time(), approval.tenant, trace_id, approval.id, facts)


def _columns(approval: Approval) -> dict[str, Any]:
    columns = {name: getattr(approval, name) for name in Approval.__dataclass_fields__ if name != "call"}
    call = approval.call
    return columns | {
        "groups": rows.names(approval.groups),
        "tool": call.name,
        "call_id": call.id,
        "arguments": call.arguments,
    }


def _approval(row: sa.Row[Any]) -> Approval:
    values = {name: getattr(row, name) for name in Approval.__dataclass_fields__ if name not in ("call", "groups")}
    call = ToolCall(row.call_id, row.tool, row.arguments)
    found = Approval(**values, call=call, groups=frozenset(rows.load(row.groups)))
    return replace(found, status=cast(Status, row.status))
