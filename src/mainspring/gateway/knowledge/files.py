"""Routes of uploaded files."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Query, UploadFile
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.http.access import Access, acting
from mainspring.http.files import check_form, check_purpose, file_body, named_content
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.pages import AskedLongPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.rag.library import Library
from mainspring.stores.documents.files import PREFIX, Files

CONTENT: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}
ANCHOR, SECONDS = "expires_after[anchor]", "expires_after[seconds]"
Anchor = Annotated[Literal["created_at"] | None, Form(alias=ANCHOR)]
Seconds = Annotated[int | None, Form(alias=SECONDS, ge=3_600, le=2_592_000, description="1 hour to 30 days")]


def router(files: Files, library: Library, access: Access, idempotency: Idempotency) -> APIRouter:
    """The file routes over the file store; the library deletes documents made from a file."""
    routes = APIRouter(route_class=JsonRoute, tags=["files"], prefix="/v1/files")
    ingests = Annotated[Context, Depends(access("ingest"))]

    @routes.post("")
    async def upload(
        http: HttpRequest,
        file: UploadFile,
        purpose: Annotated[str, Form(min_length=1, max_length=64)],
        context: ingests,
        anchor: Anchor = None,
        seconds: Seconds = None,
        key: IdempotencyKey = None,
    ) -> HttpResponse:
        check_form(await http.form(), ("file", "purpose", ANCHOR, SECONDS))
        check_purpose(purpose)
        if (anchor is None) != (seconds is None):
            raise InvalidRequest("expires_after has an anchor and seconds", param="expires_after")
        name, data = await named_content(file)
        principal = context.principal

        async def work() -> HttpResponse:
            made = await files.add(principal.tenant, name, data, purpose, principal.groups, expires_s=seconds)
            return json_response(file_body(made))

        async def shown(file_id: str) -> HttpResponse:
            return json_response(file_body(await files.get(principal.tenant, file_id, groups=principal.groups)))

        # The form differs each time, because its boundary is random.
        words = (name, purpose) if seconds is None else (name, purpose, str(seconds))
        body = (*(each.encode("utf-8", "replace") for each in words), data)
        return await idempotency.once(key, "files", body, context, work, makes=makes(PREFIX, shown))

    @routes.get("")
    async def list_files(
        context: ingests, page: AskedLongPage, purpose: Annotated[str | None, Query(max_length=64)] = None
    ) -> HttpResponse:
        principal = context.principal
        found = await files.page(principal.tenant, page, groups=principal.groups, purpose=purpose)
        return json_response(list_body(found.map(file_body)))

    @routes.get("/{file_id}")
    async def get_file(file_id: str, context: ingests) -> HttpResponse:
        found = await files.cited(context.principal.tenant, file_id, groups=context.principal.groups)
        return json_response(file_body(found))

    @routes.get("/{file_id}/content", response_class=HttpResponse, responses=CONTENT)
    async def content(file_id: str, context: ingests) -> HttpResponse:
        data = await files.cited_content(context.principal.tenant, file_id, groups=context.principal.groups)
        return HttpResponse(data, media_type="application/octet-stream")

    @routes.delete("/{file_id}")
    async def delete(file_id: str, context: ingests) -> HttpResponse:
        await library.delete_file(context.principal, file_id, by=acting(context))
        return json_response({"id": file_id, "object": "file", "deleted": True})

    return routes
