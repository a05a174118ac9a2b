"""Routes of workspaces: an editor or a command sends files, and code is found in them."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import NotFound
from mainspring.core.types import Context
from mainspring.features.code.bodies import CodeSearchBody, FilesBody, SyncBody, WorkspaceBody
from mainspring.features.code.index import search
from mainspring.features.code.index.catalogue import Catalogue, Definition, terms
from mainspring.features.code.index.file_rows import SentFile, Verdict
from mainspring.features.code.index.workspaces import Workspace, Workspaces
from mainspring.http.access import Access
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response

PREFIX = "/v1/code/workspaces"


def router(workspaces: Workspaces, access: Access) -> APIRouter:
    """The routes over the store."""
    routes = APIRouter(route_class=JsonRoute, tags=["code"], prefix=PREFIX)
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("")
    async def create_workspace(body: WorkspaceBody, context: chats) -> HttpResponse:
        """The key's workspace of that name, which is made if there is none."""
        return json_response(_body(await workspaces.create(context.principal, body.name, shared=body.shared)))

    @routes.get("")
    async def list_workspaces(context: chats) -> HttpResponse:
        found = [_body(each) for each in await workspaces.list(context.principal)]
        return json_response({"object": "list", "data": found})

    @routes.get("/{workspace_id}")
    async def get_workspace(workspace_id: str, context: chats) -> HttpResponse:
        """By its id or its name."""
        return json_response(_body(await workspaces.get(context.principal, workspace_id)))

    @routes.delete("/{workspace_id}")
    async def delete_workspace(workspace_id: str, context: chats) -> HttpResponse:
        """Delete it with all of its files."""
        deleted = await workspaces.delete(context.principal, workspace_id)
        return json_response({"id": deleted, "object": "code.workspace.deleted", "deleted": True})

    _files(routes, workspaces, access)
    _search(routes, workspaces, access)
    return routes


def _files(routes: APIRouter, workspaces: Workspaces, access: Access) -> None:
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/{workspace_id}/sync")
    async def sync_files(workspace_id: str, body: SyncBody, context: chats) -> HttpResponse:
        """Forget the files that are not named, and list which of the named ones to send: new or changed ones."""
        known = await workspaces.hashes(context.principal, workspace_id)
        gone = [path for path in known if path not in body.files]
        removed = await workspaces.remove(context.principal, workspace_id, gone) if gone else 0
        wanted = [path for path, sha256 in body.files.items() if known.get(path) != sha256]
        return json_response({"object": "code.sync", "wanted": wanted, "removed": removed})

    @routes.post("/{workspace_id}/files")
    async def put_files(workspace_id: str, body: FilesBody, context: chats) -> HttpResponse:
        """Index files, or index them again. Secrets, binary, huge, generated and vendored files are left out."""
        sent = [SentFile.of(each.path, each.text) for each in body.files]
        verdicts = await workspaces.put(context.principal, workspace_id, sent)
        return json_response({"object": "list", "data": [_verdict(*each) for each in verdicts.items()]})

    @routes.get("/{workspace_id}/files")
    async def list_files(workspace_id: str, context: chats) -> HttpResponse:
        catalogue = await workspaces.catalogue(context.principal, workspace_id)
        found = [
            {
                "path": each.path,
                "language": each.language,
                "lines": len(each.lines),
                "symbols": len(each.outline.symbols),
                "sha256": each.sha256,
            }
            for each in sorted(catalogue.files.values(), key=lambda each: each.path)
        ]
        return json_response({"object": "list", "data": found})

    @routes.delete("/{workspace_id}/files/{path:path}")
    async def delete_file(workspace_id: str, path: str, context: chats) -> HttpResponse:
        """Take a file out of the index."""
        if not await workspaces.remove(context.principal, workspace_id, [path]):
            raise NotFound(f"the workspace has no file {path!r}", param="path")
        return json_response({"path": path, "object": "code.file.deleted", "deleted": True})


def _search(routes: APIRouter, workspaces: Workspaces, access: Access) -> None:
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/{workspace_id}/search")
    async def search_code(workspace_id: str, body: CodeSearchBody, context: chats) -> HttpResponse:
        """Find symbols by name, pieces by words, lines by a regular expression, files by path."""
        catalogue = await workspaces.catalogue(context.principal, workspace_id)
        return json_response({"object": "list", "data": _found(catalogue, body)})


def _found(catalogue: Catalogue, body: CodeSearchBody) -> list[dict[str, Any]]:
    if body.kind == "symbol":
        return [symbol_body(each) for each in search.symbols(catalogue, body.query, body.limit)]
    if body.kind == "regex":
        lines = search.grep(catalogue, body.query, body.limit, body.path)
        return [{"path": each.path, "line": each.number, "text": each.text} for each in lines]
    if body.kind == "path":
        return [{"path": each} for each in search.paths(catalogue, body.query, body.limit)]
    return [
        {
            "path": piece.path,
            "first_line": piece.first + 1,
            "last_line": piece.last + 1,
            "score": round(score, 3),
            "text": catalogue.files[piece.path].part(piece.first, piece.last),
        }
        for score, piece in catalogue.search(terms(body.query), body.limit)
    ]


def symbol_body(definition: Definition) -> dict[str, Any]:
    """A definition as JSON; lines count from 1."""
    symbol = definition.symbol
    return {
        "name": symbol.path,
        "kind": symbol.kind,
        "path": definition.path,
        "first_line": symbol.first + 1,
        "last_line": symbol.last + 1,
        "signature": symbol.signature,
    }


def _body(workspace: Workspace) -> dict[str, Any]:
    return {
        "id": workspace.id,
        "object": "code.workspace",
        "name": workspace.name,
        "shared": workspace.shared,
        "files": workspace.files,
        "created_at": int(workspace.created_at),
        "updated_at": int(workspace.updated_at),
    }


def _verdict(path: str, verdict: Verdict) -> dict[str, Any]:
    body: dict[str, Any] = {"path": path, "status": verdict.status}
    if verdict.reason:
        body["reason"] = verdict.reason
    if verdict.masked:
        body["masked_secrets"] = verdict.masked
    return body
