"""The caches: what a tenant has in them, dropping it, and reporting that an answer found by meaning is wrong."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.http.access import Access, acting
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.serving.cache.administration import Caches
from mainspring.stores.events.audit_log import Audit

EntryId = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^sem_[A-Za-z0-9_-]+$")]


def router(caches: Caches, access: Access, audit: Audit) -> APIRouter:
    """The cache routes."""
    routes = APIRouter(route_class=JsonRoute, tags=["cache"])
    chats = Annotated[Context, Depends(access("chat"))]
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("/v1/cache")
    async def show(context: admins) -> HttpResponse:
        """Cache size of the key's tenant, and the similarity at which questions share an answer."""
        state = await caches.state(context.principal.tenant)
        semantic = None if state.threshold is None else {"threshold": state.threshold, "configured": state.base}
        return json_response(
            {"object": "cache", "answers": state.answers, "questions": state.questions, "semantic": semantic}
        )

    @routes.delete("/v1/cache")
    async def clear(context: admins) -> HttpResponse:
        """Delete all cached answers of the key's tenant."""
        gone = await caches.clear(context.principal.tenant)
        told = {"answers": gone.answers, "questions": gone.questions}
        await audit.record(context.principal.tenant, "cache.dropped", acting(context), details=told)
        return json_response(
            {"object": "cache.deleted", "deleted": True, "answers": gone.answers, "questions": gone.questions}
        )

    @routes.delete("/v1/cache/{entry_id}", responses={404: {"description": "No such entry of this tenant"}})
    async def report_wrong(entry_id: EntryId, context: chats) -> HttpResponse:
        """Report that the answer with this `x-mainspring-cache-id` was wrong for the question. No similar question gets
        it again, and the semantic cache is stricter for the tenant for a month."""
        await caches.report_wrong(context.principal, entry_id)
        return json_response({"object": "cache.entry.deleted", "id": entry_id, "deleted": True})

    return routes
