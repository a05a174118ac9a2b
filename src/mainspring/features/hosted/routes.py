"""The files that code has left, under OpenAI's addresses of containers."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response as HttpResponse

from mainspring.agents.tools.sources.artifacts import KeptFile
from mainspring.agents.tools.sources.code import CodeRunner
from mainspring.core.types import Context
from mainspring.http.access import Access
from mainspring.http.late_route import LateRoute
from mainspring.http.respond import json_response

PREFIX = "/v1/containers/{container_id}/files/{file_id}"


def router(code: CodeRunner, access: Access) -> APIRouter:
    """The routes. A file belongs to the key whose request made it; no other finds it."""
    routes = APIRouter(route_class=LateRoute, tags=["generate"])
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.get(PREFIX)
    async def get_container_file(container_id: str, file_id: str, context: chats) -> HttpResponse:
        file, _ = await code.kept().get(context.principal, file_id)
        return json_response(_body(container_id, file))

    @routes.get(f"{PREFIX}/content")
    async def get_container_file_content(container_id: str, file_id: str, context: chats) -> HttpResponse:  # noqa: ARG001
        _, data = await code.kept().get(context.principal, file_id)
        # Code wrote it: no browser shows it as a page.
        headers = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}
        return HttpResponse(data, media_type="application/octet-stream", headers=headers)

    return routes


def _body(container_id: str, file: KeptFile) -> dict[str, object]:
    return {
        "id": file.id,
        "object": "container.file",
        "created_at": int(file.created_at),
        "bytes": file.bytes,
        "container_id": container_id,
        "path": f"/mnt/data/{file.name}",
        "source": "assistant",
    }
