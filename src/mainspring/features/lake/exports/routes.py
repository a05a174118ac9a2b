"""Routes of exports: sets for training, made in the background, with their files, cards and lineage."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.lake.exports.asking import ExportRequest
from mainspring.features.lake.exports.service import Exports
from mainspring.features.lake.exports.sets.formats import ExportFormat
from mainspring.features.lake.exports.sets.rows import ExportKind, Options
from mainspring.features.lake.exports.sets.splits import Shares
from mainspring.features.lake.exports.sets.writing import CARD
from mainspring.features.lake.exports.store import PREFIX as IDS
from mainspring.features.lake.exports.store import Export, ExportFile
from mainspring.http.access import Access, check_lasting
from mainspring.http.bodies import Body
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.events.audit_log import Actor

PREFIX = "/v1/lake/exports"
Line = Annotated[str, Field(max_length=500, pattern=r"^[^\r\n]*$")]
Names = tuple[Annotated[str, Field(max_length=256)], ...]
Identifier = Annotated[str | None, Query(min_length=1, max_length=128)]
Moment = Annotated[float, Field(ge=0, le=9e9, allow_inf_nan=False)]


class OptionsBody(Body):
    """Options of a kind of export."""

    label: Annotated[str, Field(max_length=64, description="classification: field that contains the class")] = "thumb"
    shots: Annotated[int, Field(ge=0, le=50, description="few-shot: number of examples before the question")] = 3
    distractors: Annotated[
        int, Field(ge=0, le=20, description="raft, rerank, reader: number of passages from other questions")
    ] = 3
    keep_oracle: Annotated[
        float, Field(ge=0, le=1, description="raft: share of rows that include the oracle passage")
    ] = 0.8
    least_reward: Annotated[float, Field(ge=0, le=1e9, description="preference: minimum gain of an outcome")] = 0.0
    good: Annotated[bool, Field(description="sft, rerank, reader: only answers that people approved")] = False


class SplitBody(Body):
    """The shares of the splits. Their sum is 1."""

    train: Annotated[float, Field(ge=0, le=1)] = 0.8
    validation: Annotated[float, Field(ge=0, le=1)] = 0.1
    test: Annotated[float, Field(ge=0, le=1)] = 0.1


class ExportBody(Body):
    """``POST /v1/lake/exports``."""

    kind: ExportKind
    format: ExportFormat = "trl"
    name: Line = ""
    split: SplitBody = SplitBody()
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    licence: Annotated[Line, Field(description="Licence as an SPDX identifier or a text")] = "proprietary"
    since: Annotated[Moment | None, Field(description="Only answers from this time on, in Unix seconds")] = None
    until: Annotated[Moment | None, Field(description="Only answers before this time, in Unix seconds")] = None
    applications: Annotated[
        Names, Field(max_length=100, fail_fast=True, description="Only answers of these applications; empty: all")
    ] = ()
    options: OptionsBody = OptionsBody()
    override: Annotated[Line, Field(description="Reason to export without consent; requires the scope admin")] = ""

    def asked(self) -> ExportRequest:
        """Raises ``InvalidRequest`` naming a field."""
        return ExportRequest(
            self.kind,
            self.format,
            self.name,
            Shares(self.split.train, self.split.validation, self.split.test),
            self.licence,
            self.since,
            self.until,
            self.applications,
            self.override,
            Options(**self.options.model_dump(), seed=self.seed),
        )


def router(exports: Exports, access: Access, idempotency: Idempotency) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["lake"], prefix=PREFIX)
    readers = Annotated[Context, Depends(access("lake"))]

    @routes.post("", status_code=202)
    async def create_export(
        http: HttpRequest, body: ExportBody, context: readers, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Create a training set in the background from consented and cleaned interactions."""
        check_lasting(context, "an export")
        asked = body.asked()

        async def work() -> HttpResponse:
            found = await exports.ask(context.principal, asked, trace_id=context.trace.trace_id)
            return json_response(export_body(found), status=202)

        async def shown(export_id: str) -> HttpResponse:
            return json_response(export_body(await exports.store.get(context.principal, export_id)), status=202)

        return await idempotency.once(key, "lake/exports", [await http.body()], context, work, makes=makes(IDS, shown))

    @routes.get("")
    async def list_exports(
        context: readers, page: AskedPage, answer_id: Identifier = None, trace_id: Identifier = None
    ) -> HttpResponse:
        """Exports that the key's groups may see, optionally only those with rows of an answer or a trace."""
        found = await exports.store.page(context.principal, page, answer_id, trace_id)
        return json_response(list_body(found.map(export_body)))

    @routes.get("/{export_id}")
    async def get_export(export_id: str, context: readers) -> HttpResponse:
        """An export with its files, its manifest, the downloads, and the receipts of erasures."""
        found = await exports.store.get(context.principal, export_id)
        files, copies = await exports.store.files(found), await exports.store.copies(found)
        return json_response({**export_body(found), **_details(found, files), "copies": copies})

    _parts(routes, exports, access)
    return routes


def _parts(routes: APIRouter, exports: Exports, access: Access) -> None:
    readers = Annotated[Context, Depends(access("lake"))]

    @routes.get("/{export_id}/rows")
    async def list_export_rows(
        export_id: str,
        context: readers,
        answer_id: Identifier = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 20,
    ) -> HttpResponse:
        """Rows with the events, answers and traces that they come from."""
        found = await exports.store.get(context.principal, export_id)
        rows = await exports.lineage(found, answer_id, limit)
        return json_response({"object": "list", "data": rows})

    @routes.get("/{export_id}/files/{name}", response_class=HttpResponse)
    async def get_export_file(export_id: str, name: str, context: readers) -> HttpResponse:
        """Download a file. A later erasure names this download in its receipt."""
        found = await exports.store.get(context.principal, export_id)
        data = await exports.store.content(found, name, context.principal.key_id)
        kind = "text/markdown; charset=utf-8" if name == CARD else "application/json"
        headers = {"content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"}
        return HttpResponse(data, media_type=kind, headers=headers)

    @routes.delete("/{export_id}")
    async def delete_export(export_id: str, context: readers) -> HttpResponse:
        """Delete the files. The record of downloads stays."""
        found = await exports.store.get(context.principal, export_id)
        await exports.store.delete(found, Actor(context.principal.key_id, context.trace.trace_id))
        return json_response({"id": export_id, "object": "lake.export", "deleted": True})


def export_body(found: Export) -> dict[str, Any]:
    """An export in a list."""
    status: Literal["queued", "running", "completed", "failed", "deleted"] = found.status
    return {
        "id": found.id,
        "object": "lake.export",
        "kind": found.kind,
        "format": found.format,
        "name": found.name,
        "status": status,
        "error": found.error or None,
        "rows": found.rows,
        "split": found.manifest.get("split", {}).get("rows", {}),
        "consent": not found.asked.get("override"),
        "licence": found.asked.get("licence"),
        "erasures": list(found.erasures),
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }


def _details(found: Export, files: list[ExportFile]) -> dict[str, Any]:
    return {
        "manifest": dict(found.manifest),
        "files": [{"name": each.name, "bytes": each.bytes, "sha256": each.sha256} for each in files],
    }
