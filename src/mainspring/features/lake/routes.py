"""Routes of the lake."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.features.lake.build.building import changed
from mainspring.features.lake.build.store import Build
from mainspring.features.lake.service import Lake
from mainspring.features.lake.steps.options import StepName
from mainspring.http.access import Access, acting
from mainspring.http.bodies import Body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.erase.data_subjects import Subject

PREFIX = "/v1/lake"
AskedId = Annotated[str, Query(max_length=128)]


class QueryBody(Body):
    """``POST /v1/lake/sql``."""

    query: Annotated[str, Field(min_length=1, max_length=20_000, description="One SELECT statement")]


class BuildBody(Body):
    """``POST /v1/lake/builds``."""

    without: Annotated[list[StepName] | None, Field(max_length=20, fail_fast=True, description="Steps to skip")] = None
    quality: Literal["any", "not_bad", "good"] | None = None


class WithdrawalBody(Body):
    """``POST /v1/lake/withdrawals``."""

    kind: Literal["user", "session", "key"] = "user"
    subject: Annotated[
        str, Field(min_length=1, max_length=512, description="Name of a user or session, or ID of a key")
    ]


def router(lake: Lake, access: Access) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["lake"], prefix=PREFIX)
    readers = Annotated[Context, Depends(access("lake"))]
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.post("/sql")
    async def query_lake(body: QueryBody, context: readers) -> HttpResponse:
        """Run one SELECT statement over your tenant's files, in DuckDB's SQL."""
        principal = context.principal
        found = await lake.sql.query(principal.tenant, body.query, principal.groups)
        shown = {"columns": found.columns, "rows": found.rows, "truncated": found.truncated}
        return json_response({"object": "lake.rows", **shown})

    @routes.get("/summary")
    async def get_lake(context: readers) -> HttpResponse:
        """The contents of each zone, rows per day, and whether events are waiting."""
        shown = await lake.summary(context.principal.tenant, context.principal.groups)
        return json_response({"object": "lake.summary", "mode": lake.settings.mode, **shown})

    @routes.get("/lineage")
    async def get_lineage(context: readers, trace_id: AskedId = "", answer_id: AskedId = "") -> HttpResponse:
        """What a trace or an answer became: rows in all zones, exports, and examples of data sets. Each row names its
        trace and its events. Without the scope `datasets`, `datasets` is null."""
        if bool(trace_id) == bool(answer_id):
            raise InvalidRequest("send a trace_id or an answer_id", param="trace_id")
        principal = context.principal
        if answer_id:
            trace_id = await lake.trace_of(principal, answer_id)
        rows = await lake.lineage.of_trace(principal.tenant, trace_id, principal.groups)
        became = await lake.became(principal, trace_id)
        return json_response({"object": "lake.lineage", "trace_id": trace_id, **rows, **became})

    @routes.post("/withdrawals")
    async def withdraw_consent(body: WithdrawalBody, context: admins) -> HttpResponse:
        """Withdraw consent to learning from all earlier requests of a user, session or key. Returns the receipt."""
        subject = Subject(context.principal.tenant, body.kind, body.subject)
        receipt = await lake.withdrawing.withdraw(subject, acting(context))
        return json_response({"object": "lake.withdrawal", **receipt})

    _builds(routes, lake, access)
    return routes


def _builds(routes: APIRouter, lake: Lake, access: Access) -> None:
    readers = Annotated[Context, Depends(access("lake"))]

    @routes.post("/builds", status_code=202)
    async def start_build(body: BuildBody, context: readers) -> HttpResponse:
        """Process new events and build your tenant's training data in the background."""
        asked = body.model_dump(exclude_none=True, exclude_unset=True)
        options = changed(lake.settings.build, asked)
        made = await lake.start(context.principal.tenant, options)
        return json_response(build_body(made, report=False), status=202)

    @routes.get("/builds")
    async def list_builds(context: readers, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> HttpResponse:
        """Builds of your tenant, newest first."""
        found = await lake.building.builds.list(context.principal.tenant, limit)
        return json_response({"object": "list", "data": [build_body(each, report=False) for each in found]})

    @routes.get("/builds/{build_id}")
    async def get_build(build_id: str, context: readers) -> HttpResponse:
        """A build with its funnel: what each step removed, and why. The ID `latest` is the newest completed build."""
        asked = "" if build_id == "latest" else build_id
        return json_response(build_body(await lake.building.builds.latest(context.principal.tenant, asked)))

    @routes.get("/builds/{build_id}/samples")
    async def list_samples(
        build_id: str,
        context: readers,
        step: Annotated[
            StepName | Literal["ready"], Query(description="Step that removed or changed the rows; `ready`: ready rows")
        ],
    ) -> HttpResponse:
        """Examples of rows that a step removed or changed, with their texts if these are kept; or of ready rows, as
        training reads them."""
        principal = context.principal
        build = await lake.building.builds.latest(principal.tenant, "" if build_id == "latest" else build_id)
        found = await lake.samples(principal.tenant, build, step, principal.groups)
        return json_response({"object": "list", "data": [each.plain() for each in found]})


def build_body(build: Build, *, report: bool = True) -> dict[str, Any]:
    """A build as JSON."""
    shown: dict[str, Any] = {"id": build.id, "object": "lake.build", "state": build.state, "error": build.error or None}
    shown |= {"created_at": build.created_at, "ended_at": build.ended_at, "options": dict(build.options)}
    numbers = ("interactions", "ready", "quality_rate", "personal_data_rate", "duplicate_rate", "latency_s")
    shown |= {name: build.report.get(name) for name in numbers}
    return (
        {
            **shown,
            "steps": build.report.get("steps", []),
            "verdicts": build.report.get("verdicts", {}),
            "ready_samples": build.report.get("ready_samples", []),
        }
        if report
        else shown
    )
