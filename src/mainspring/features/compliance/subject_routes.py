"""Routes about persons: export their data, erase it, and show the receipts."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response as HttpResponse
from starlette.responses import StreamingResponse

from mainspring.core.types import Context
from mainspring.features.compliance.service import Compliance
from mainspring.http.access import Access, acting
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.erase.data_subjects import Subject
from mainspring.stores.erase.erasures import NOTED, OVER, Erasure, Erasures

WAIT_S = 20.0
SubjectId = Annotated[str, Path(min_length=1, max_length=512)]
Kind = Annotated[
    Literal["user", "session", "key", "tenant"],
    Query(description="A user by the name that requests give, a session, an API key by its id, or the whole tenant"),
]
EXPORTS: dict[int | str, dict[str, Any]] = {200: {"content": {"application/jsonl": {}}}}
ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"description": "Noted, and not done yet: ask for its receipt"}}


def router(compliance: Compliance, erasures: Erasures, access: Access) -> APIRouter:
    """The routes over the services, for admin keys."""
    routes = APIRouter(route_class=JsonRoute, tags=["subjects"], prefix="/v1")
    admins = Annotated[Context, Depends(access("admin"))]

    # Before the path that takes everything below ``subjects``.
    @routes.get("/erasures")
    async def list_erasures(context: admins, page: AskedPage) -> HttpResponse:
        """The erasures that were asked for, newest first."""
        found = await erasures.page(context.principal.tenant, page)
        return json_response(list_body(found.map(erasure_body)))

    @routes.get("/erasures/{erasure_id}")
    async def get_erasure(erasure_id: str, context: admins) -> HttpResponse:
        """How far an erasure is, and its receipt."""
        return json_response(erasure_body(await erasures.get(context.principal.tenant, erasure_id)))

    @routes.get("/subjects/{subject_id:path}", responses=EXPORTS, response_class=HttpResponse)
    async def export(subject_id: SubjectId, context: admins, kind: Kind = "user") -> StreamingResponse:
        """All data of a subject, one item per line; the last line counts shown and hidden items."""
        principal = context.principal
        subject = Subject(principal.tenant, kind, subject_id)
        things = compliance.subjects.export(subject, acting(context), principal.groups)

        async def lines() -> AsyncIterator[bytes]:
            async for thing in things:
                yield json.dumps(thing, ensure_ascii=False).encode("utf-8", "replace") + b"\n"

        return StreamingResponse(lines(), media_type="application/jsonl")

    @routes.delete("/subjects/{subject_id:path}", responses=ACCEPTED)
    async def erase(subject_id: SubjectId, context: admins, kind: Kind = "user") -> HttpResponse:
        """Erase a subject from every store, whatever the key's groups; the receipt, or 202 where it takes longer."""
        subject = Subject(context.principal.tenant, kind, subject_id)
        note = await compliance.eraser.request(subject, acting(context), WAIT_S)
        return json_response(erasure_body(note), status=202 if note.state == NOTED else 200)

    return routes


def erasure_body(note: Erasure) -> dict[str, Any]:
    """An erasure as JSON; it does not name whom it was of."""
    return {
        "id": note.id,
        "object": "erasure",
        "kind": note.kind,
        "subject_digest": note.digest,
        "status": {NOTED: "in_progress", OVER: "completed"}.get(note.state, "completed"),
        "second_look": note.state == OVER,
        "requested_at": note.requested_at,
        "done_at": note.done_at,
        "receipt": dict(note.receipt) or None,
    }
