"""Tool calls that wait for a person: list, show, approve or deny them, with keys of the scope ``approve``."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.work.approvals import Approval, Approvals, Status


class DecisionBody(Body):
    """``POST /v1/approvals/{id}/approve`` and ``.../deny``. Callers who read the outcome see the note."""

    note: Annotated[str, Field(max_length=500)] = ""


def router(store: Approvals, access: Access) -> APIRouter:
    """The routes over the store."""
    routes = APIRouter(route_class=JsonRoute, tags=["approvals"], prefix="/v1/approvals")
    deciders = Annotated[Context, Depends(access("approve"))]

    @routes.get("")
    async def list_approvals(
        context: deciders,
        page: AskedPage,
        status: Annotated[Status | None, Query(description="Only calls in this state")] = None,
    ) -> HttpResponse:
        """Tool calls that need or needed an approval."""
        return json_response(list_body((await store.page(context.principal, page, status)).map(approval_body)))

    @routes.get("/{approval_id}")
    async def get_approval(approval_id: str, context: deciders) -> HttpResponse:
        """One tool call. Its arguments are empty when it has been handed out, denied, or has expired."""
        return json_response(approval_body(await store.get(context.principal, approval_id)))

    @routes.post("/{approval_id}/approve")
    async def approve(approval_id: str, body: DecisionBody, context: deciders) -> HttpResponse:
        """Approve the call. It is handed out once, to the caller who asks with its ID."""
        return json_response(approval_body(await store.decide(context, approval_id, approve=True, note=body.note)))

    @routes.post("/{approval_id}/deny")
    async def deny(approval_id: str, body: DecisionBody, context: deciders) -> HttpResponse:
        """Deny the call. It is never handed out."""
        return json_response(approval_body(await store.decide(context, approval_id, approve=False, note=body.note)))

    return routes


def approval_body(approval: Approval) -> dict[str, Any]:
    """An ``approval`` object; ``tool_call`` is OpenAI's."""
    call = approval.call
    return {
        "id": approval.id,
        "object": "approval",
        "status": approval.status,
        "model": approval.application,
        "tool_call": {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        },
        "arguments_sha256": approval.sha256,
        "created_at": int(approval.created_at),
        "expires_at": int(approval.expires_at),
        "asked_by": approval.key_id,
        "decided_at": None if approval.decided_at is None else int(approval.decided_at),
        "decided_by": approval.decided_by or None,
        "note": approval.note,
        "trace_id": approval.trace_id,
    }
