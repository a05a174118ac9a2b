"""Routes of the audit log: actions in the key's own tenant, verification, and export."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response as HttpResponse
from starlette.responses import StreamingResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.features.compliance.guard_decisions import GuardEventCheck
from mainspring.http.access import Access, acting
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.events.audit_log import PREFIX, Audit, ChainReport, Entry, Head, parse_head

Action = Annotated[str | None, Query(min_length=1, max_length=64, description="As in `key.created`")]
Noted = Annotated[str | None, Query(min_length=66, max_length=80, description="A head that was noted: NUMBER:HASH")]


def router(audit: Audit, access: Access) -> APIRouter:
    """The routes over the log, for admin keys."""
    routes = APIRouter(route_class=JsonRoute, tags=["audit"], prefix="/v1/audit")
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("")
    async def list_entries(context: admins, page: AskedPage, action: Action = None) -> HttpResponse:
        """Actions in the key's tenant, newest first."""
        found = await audit.page(context.principal.tenant, page, action=action)
        return json_response(list_body(found.map(entry_body)))

    @routes.get("/verify")
    async def verify(context: admins, head: Noted = None) -> HttpResponse:
        """Read the whole log of the tenant and report changed, removed, inserted or moved entries, and with `head`
        whether the log still contains everything up to that head."""
        tenant = context.principal.tenant
        report = await audit.verify(tenant, [] if head is None else [noted(tenant, head)])
        return json_response(report_body(report))

    @routes.get("/export", responses={200: {"content": {"application/jsonl": {}}}}, response_class=HttpResponse)
    async def export(context: admins) -> StreamingResponse:
        """All entries, one per line, in the form that their hashes cover; the export itself is logged."""
        tenant = context.principal.tenant
        await audit.record(tenant, "audit.exported", acting(context))
        return StreamingResponse(lines(audit, tenant), media_type="application/jsonl")

    return routes


def noted(tenant: str, text: str) -> Head:
    """Raises ``InvalidRequest`` if it is no head."""
    head = parse_head(tenant, text)
    if head is None:
        raise InvalidRequest("a head is a number, a colon and 64 hexadecimal digits", param="head")
    return head


async def lines(audit: Audit, tenant: str) -> AsyncIterator[bytes]:
    """The entries of a tenant as lines of JSON."""
    seq = 0
    while found := await audit.after(tenant, seq):
        seq = found[-1].seq
        yield b"".join(json.dumps(entry_body(each)).encode() + b"\n" for each in found)


def entry_body(entry: Entry) -> dict[str, Any]:
    """An entry as JSON."""
    return {
        "id": f"{PREFIX}{entry.seq}",
        "object": "audit.entry",
        "tenant": entry.tenant,
        "number": entry.seq,
        "created_at": entry.at,
        "action": entry.action,
        "actor": entry.actor,
        "target": entry.object,
        "trace_id": entry.trace_id,
        "details": dict(entry.details),
        "previous": entry.previous,
        "hash": entry.hash,
        "key_id": entry.key_id,
        "seal": entry.seal,
    }


def report_body(report: ChainReport) -> dict[str, Any]:
    """A verification as JSON."""
    return {
        "object": "audit.report",
        "intact": report.intact,
        "entries": report.entries,
        "trimmed": report.trimmed,
        "head": str(report.head),
        "problems": [{"number": each.seq, "problem": each.what} for each in report.problems],
    }


def decisions_body(checked: Sequence[GuardEventCheck]) -> dict[str, Any]:
    """The state of the guard events that entries refer to, as JSON. Missing ones may have been deleted by retention."""
    return {
        "sealed": sum(each.count for each in checked),
        "missing": sum(each.missing for each in checked),
        "changed": [each.entry for each in checked if each.changed],
    }
