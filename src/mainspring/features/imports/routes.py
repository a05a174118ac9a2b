"""Routes of imports: an uploaded file of another system's records becomes events."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.types import Context
from mainspring.features.imports.sources import source
from mainspring.features.imports.store import PREFIX as IDS
from mainspring.features.imports.store import Import, Imports
from mainspring.http.access import Access, check_lasting
from mainspring.http.bodies import Body
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.documents.files import Files

PREFIX = "/v1/imports"
Name = Annotated[str, Field(min_length=1, max_length=128)]


class ImportBody(Body):
    """``POST /v1/imports``."""

    source: Annotated[
        str, Field(max_length=32, description="Format of the file: langfuse, langsmith, openai or tensorzero")
    ]
    file_id: Annotated[str, Field(min_length=1, max_length=128, description="ID of an uploaded file")]
    application: Annotated[
        str, Field(max_length=200, description="Application for all answers; empty: as recorded")
    ] = ""
    consent: Annotated[
        bool, Field(description="The people in the file consent to the use of their conversations for learning")
    ] = False
    delete_file: Annotated[bool, Field(description="Delete the uploaded file after the import")] = True


def router(
    imports: Imports, files: Files, access: Access, idempotency: Idempotency, soon: Callable[[], None]
) -> APIRouter:
    """The routes over the service. ``soon`` wakes the worker."""
    routes = APIRouter(route_class=JsonRoute, tags=["imports"], prefix=PREFIX)
    importers = Annotated[Context, Depends(access("import"))]

    @routes.post("", status_code=202)
    async def create_import(
        http: HttpRequest, body: ImportBody, context: importers, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Import a file in the background. Records that exist already are skipped."""
        check_lasting(context, "an import")
        source(body.source)

        async def work() -> HttpResponse:
            principal = context.principal
            try:
                info = await files.get(principal.tenant, body.file_id, groups=principal.groups)
            except NotFound as error:
                raise InvalidRequest(str(error), remedy=error.remedy, param="file_id") from None
            made = Import(
                principal.tenant,
                "",
                body.source,
                info.name,
                principal.person,
                principal.key_id,
                principal.groups,
                info.id,
                info.sha256,
                body.application,
                body.consent,
                body.delete_file,
            )
            found = await imports.create(principal, made, job=True, trace_id=context.trace.trace_id)
            soon()
            return json_response(import_body(found), status=202)

        async def shown(import_id: str) -> HttpResponse:
            return json_response(import_body(await imports.get(context.principal, import_id)), status=202)

        return await idempotency.once(key, "imports", [await http.body()], context, work, makes=makes(IDS, shown))

    @routes.get("")
    async def list_imports(context: importers, page: AskedPage) -> HttpResponse:
        """Imports of this key. With the scope `admin`, imports of all keys in its groups."""
        return json_response(list_body((await imports.page(context.principal, page)).map(import_body)))

    _one(routes, imports, importers)
    return routes


def _one(routes: APIRouter, imports: Imports, importers: Any) -> None:
    @routes.get("/{import_id}")
    async def get_import(import_id: str, context: importers) -> HttpResponse:
        """The progress of an import, and the first errors in its records."""
        return json_response(import_body(await imports.get(context.principal, import_id)))

    @routes.post("/{import_id}/cancel")
    async def cancel_import(import_id: str, context: importers) -> HttpResponse:
        """Stop an import. Imported records stay."""
        made = await imports.get(context.principal, import_id)
        await imports.cancel(made)
        return json_response(import_body(await imports.get(context.principal, import_id)))


def import_body(made: Import) -> dict[str, Any]:
    """An import as JSON."""
    counts = made.counts
    return {
        "id": made.id,
        "object": "import",
        "source": made.source,
        "file_id": made.file_id or None,
        "filename": made.name,
        "status": made.status,
        "error": made.error or None,
        "application": made.application or None,
        "consent": made.consent,
        "records": made.position,
        "events": counts.get("events", 0),
        "known": counts.get("known", 0),
        "left_out": counts.get("left_out", {}),
        "faulty": counts.get("faulty", 0),
        "errors": list(made.errors),
        "created_at": made.created_at,
        "updated_at": made.updated_at,
    }
