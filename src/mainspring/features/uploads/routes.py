"""``/v1/uploads``, in OpenAI's shape: a file that comes in parts."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, UploadFile
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.features.uploads.service import PREFIX, Upload, UploadPart, Uploads
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.fields import Hint
from mainspring.http.files import check_form, check_purpose, file_body
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.documents.files import FileInfo

MOST_PARTS = 10_000


class FileExpiry(Body):
    """``expires_after`` of the resulting file."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3_600, le=2_592_000)]


class UploadBody(Body):
    """``POST /v1/uploads``: the file that will be uploaded."""

    bytes: Annotated[int, Field(ge=1, le=2**53)]
    filename: Annotated[str, Field(min_length=1, max_length=1024)]
    purpose: Annotated[str, Field(min_length=1, max_length=64)]
    mime_type: Annotated[Any, Hint("the content and the name decide what a file is")] = None
    expires_after: FileExpiry | None = None


class CompletionBody(Body):
    """``POST /v1/uploads/{id}/complete``: the parts in order, and optionally the MD5 of the whole file."""

    part_ids: Annotated[list[str], Field(min_length=1, max_length=MOST_PARTS, fail_fast=True)]
    md5: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")] | None = None


def router(uploads: Uploads, access: Access, idempotency: Idempotency) -> APIRouter:
    """The routes over the uploads."""
    routes = APIRouter(route_class=JsonRoute, tags=["files"], prefix="/v1/uploads")
    ingests = Annotated[Context, Depends(access("ingest"))]

    @routes.post("")
    async def create(http: HttpRequest, body: UploadBody, context: ingests, key: IdempotencyKey = None) -> HttpResponse:
        check_purpose(body.purpose)
        seconds = None if body.expires_after is None else body.expires_after.seconds

        async def work() -> HttpResponse:
            made = await uploads.create(
                context.principal,
                filename=body.filename,
                purpose=body.purpose,
                size=body.bytes,
                file_expires_s=seconds,
            )
            return json_response(_upload(made))

        async def shown(upload_id: str) -> HttpResponse:
            return json_response(_upload(await uploads.get(context.principal, upload_id)))

        return await idempotency.once(key, "uploads", [await http.body()], context, work, makes=makes(PREFIX, shown))

    @routes.post("/{upload_id}/parts")
    async def add(http: HttpRequest, upload_id: str, data: UploadFile, context: ingests) -> HttpResponse:
        check_form(await http.form(), ("data",))
        content = await data.read()
        if not content:
            raise InvalidRequest("the part is empty", param="data")
        return json_response(_part(await uploads.add(context.principal, upload_id, content)))

    @routes.post("/{upload_id}/complete")
    async def complete(upload_id: str, body: CompletionBody, context: ingests) -> HttpResponse:
        upload, info = await uploads.complete(context.principal, upload_id, body.part_ids, body.md5)
        return json_response(_upload(upload, info))

    @routes.post("/{upload_id}/cancel")
    async def cancel(upload_id: str, context: ingests) -> HttpResponse:
        return json_response(_upload(await uploads.cancel(context.principal, upload_id)))

    return routes


def _upload(upload: Upload, info: FileInfo | None = None) -> dict[str, Any]:
    return {
        "id": upload.id,
        "object": "upload",
        "bytes": upload.bytes,
        "created_at": int(upload.created_at),
        "filename": upload.filename,
        "purpose": upload.purpose,
        "status": upload.status,
        "expires_at": int(upload.expires_at),
        "file": None if info is None else file_body(info),
    }


def _part(part: UploadPart) -> dict[str, Any]:
    return {"id": part.id, "object": "upload.part", "created_at": int(part.created_at), "upload_id": part.upload_id}
